//! The documentation against the source tree: links lead somewhere, and programs are those that are run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cases::root;

/// The project's pages, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = ["", "docs", "tests", "crates/ergometer-cli"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// A page without its code.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What a heading is called in a link, as GitHub does it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(page: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(page).unwrap();
    prose(&text).lines().any(|line| line.starts_with('#') && anchor(line) == wanted)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for (page, text) in pages() {
        for link in prose(&text).split("](").skip(1) {
            let (link, _) = link.split_once(')').unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            assert!(
                heading.is_empty() || has_anchor(&target, heading),
                "{}: {link}",
                page.display()
            );
            links += 1;
        }
    }
    assert!(links > 30, "{links} links");
}

#[test]
fn the_loop_of_the_readme_is_the_quickstart() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, block) = readme.split_once("```rust,no_run\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let program = fs::read_to_string(root().join("examples/quickstart/src/main.rs")).unwrap();
    assert!(program.ends_with(block), "{block}\n\n{program}");
}
