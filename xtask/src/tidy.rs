//! `cargo xtask tidy`: the modules of the library use each other in one direction.

use std::fs;
use std::path::{Path, PathBuf};

use crate::stop::{Doing, Stop};
use crate::workspace;

/// The modules in the order of the picture in `DESIGN.md`: each may use those before it.
const ORDER: [&str; 23] = [
    "error",
    "units",
    "printable",
    "deadline",
    "bounded",
    "progress",
    "clock",
    "energy",
    "forecast",
    "footprint",
    "budget",
    "source",
    "timeline",
    "span",
    "record",
    "ledger",
    "journal",
    "report",
    "export",
    "meter",
    "private",
    "lib",
    "testing",
];

/// Check that the library's modules use each other in one direction only, as `DESIGN.md` pictures them
#[derive(Debug, clap::Args)]
pub struct Tidy {}

impl Tidy {
    /// Reads the sources; fails with one line for each import that runs back.
    #[expect(clippy::unused_self, reason = "every task is run the same way")]
    pub fn run(&self) -> Result<(), Stop> {
        let folder = workspace::root().join("crates/ergometer/src");
        let files: Vec<(PathBuf, String)> = sources(&folder)?
            .into_iter()
            .map(|path| {
                let text = read(&path)?;
                Ok((path.strip_prefix(&folder).unwrap_or(&path).to_owned(), text))
            })
            .collect::<Result<_, Stop>>()?;
        let tests: Vec<PathBuf> =
            files.iter().flat_map(|(path, text)| modules_of_tests(path, text)).collect();
        let library = files.iter().filter(|(path, _)| !tests.contains(&module(path)));
        let mut found: Vec<String> =
            library.flat_map(|(path, text)| mistakes(path, text)).collect();
        let design = read(&workspace::root().join("DESIGN.md"))?;
        let pictured = pictured(&design);
        if pictured != ORDER[..ORDER.len() - 1] {
            found.push(format!("DESIGN.md pictures other modules than `tidy` has: {pictured:?}"));
        }
        if found.is_empty() { Ok(()) } else { Err(Stop::failed(found.join("\n"))) }
    }
}

fn read(path: &Path) -> Result<String, Stop> {
    fs::read_to_string(path).doing(format!("read '{}'", path.display()))
}

/// The Rust files below a folder, without those of tests, which may use anything.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    const TESTS: [&str; 3] = ["tests", "testing", "interleavings"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).doing(format!("read '{}'", folder.display()))? {
        let path = entry.doing(format!("read '{}'", folder.display()))?.path();
        if path.file_stem().is_some_and(|stem| TESTS.iter().any(|tests| stem == *tests)) {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The module that a file holds, as a path.
fn module(path: &Path) -> PathBuf {
    let module = path.with_extension("");
    if module.ends_with("mod") { module.parent().unwrap_or(&module).to_owned() } else { module }
}

/// The files that a file declares as tests.
fn modules_of_tests(path: &Path, text: &str) -> Vec<PathBuf> {
    let declared = text.split("#[cfg(test)]\nmod ").skip(1);
    let names = declared.filter_map(|rest| rest.lines().next()?.strip_suffix(';'));
    names.map(|name| module(path).join(name)).collect()
}

/// What is wrong with the imports of a file.
fn mistakes(path: &Path, text: &str) -> Vec<String> {
    let module = module(path);
    let parts: Vec<_> = module.iter().map(|part| part.to_string_lossy()).collect();
    let Some(from) = parts.first() else { return Vec::new() };
    let to_root = format!("use {}", "super::".repeat(parts.len()));
    let place = |word: &str| ORDER.iter().position(|known| *known == word);
    let mut found = Vec::new();
    // A file's own tests come last.
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    for (number, line) in (1..).zip(code.lines().map(str::trim_start)) {
        if line.starts_with("//") {
            continue;
        }
        let paths = line.split("crate::").skip(1).chain(line.strip_prefix(to_root.as_str()));
        for to in paths.map(first_name) {
            let what = match (place(from), place(to)) {
                (None, _) => {
                    format!("{from} is in no picture: give it a place in `tidy` and DESIGN.md")
                }
                (_, None) => {
                    format!("{from} -> crate::{to}: import it from the file that defines it")
                }
                (Some(own), Some(other)) if other > own => {
                    format!("{from} -> {to} runs back: move it below, or hand it in")
                }
                _ => continue,
            };
            found.push(format!("{what} ({}:{number})", path.display()));
        }
    }
    found
}

/// The name that a path begins with.
fn first_name(path: &str) -> &str {
    path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The modules in the order of the picture: what stands at the beginning of its lines.
fn pictured(design: &str) -> Vec<&str> {
    let picture = design.split("\ncrates/ergometer/src/").nth(1).unwrap_or_default();
    let lines = picture.lines().skip(1).take_while(|line| !line.starts_with("```"));
    let lines =
        lines.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    lines.flat_map(|line| line.split("  ").next().unwrap_or_default().split(' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_one_direction() {
        assert_eq!(Tidy {}.run(), Ok(()));
    }

    #[test]
    fn an_import_that_runs_back_is_found_wherever_it_is_written() {
        let of = |path: &str, text: &str| mistakes(Path::new(path), text);
        let back = "span -> meter runs back: move it below, or hand it in (span/ring.rs:2)";
        assert_eq!(of("span/ring.rs", "\nuse crate::meter::Meter;"), [back]);
        assert_eq!(of("span/ring.rs", "\n    let id = crate::meter::id();"), [back]);
        assert_eq!(of("span/ring.rs", "\nuse super::super::meter::Meter;"), [back]);
        assert_eq!(of("span/mod.rs", "use super::meter::Meter;").len(), 1);
        assert_eq!(of("budget.rs", "use super::meter::Meter;").len(), 1);
        let face = of("span/ring.rs", "use crate::{Error, meter::Meter};");
        assert!(face[0].contains("from the file that defines it"), "{face:?}");
        assert!(of("utils.rs", "use crate::units::Joules;")[0].contains("no picture"));
    }

    #[test]
    fn what_stands_to_the_left_comments_and_tests_are_free() {
        let text = "/// As [`Meter`](crate::meter::Meter).\nuse super::meter;\nuse crate::span::Kind;\n\
                    use crate::clock::now;\n\n#[cfg(test)]\nmod tests {\n    use crate::meter::Meter;\n}";
        assert_eq!(mistakes(Path::new("span/ring.rs"), text), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_declared_as_tests_is_one() {
        let of =
            |path: &str| modules_of_tests(Path::new(path), "#[cfg(test)]\nmod late;\nmod x;\n");
        assert_eq!(of("source/board.rs"), [Path::new("source/board/late")]);
        assert_eq!(of("source/mod.rs"), [Path::new("source/late")]);
    }

    #[test]
    fn the_picture_is_read_from_the_beginning_of_its_lines() {
        let design = "text\n```\ncrates/ergometer/src/   words\n  error units\n                 ground\n  \
                      clock   the time\n```\n  other\n";
        assert_eq!(pictured(design), ["error", "units", "clock"]);
    }
}
