//! `report --format html`.

use std::fs;
use std::path::Path;

use crate::made::{HOSTILE, file, made, month, report};
use crate::markup::assert_well_formed;
use crate::program::{argument, prints};

#[test]
fn the_page_is_one_file_without_scripts_that_needs_nothing_else() {
    // Left there to be looked at.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let small = file(folder, "small.json", &made(HOSTILE));
    let large = file(folder, "month.json", &month());
    let page = report(&small, "html");
    let month = report(&large, "html");
    let both = prints(&["report", argument(&small), argument(&large), "--format", "html"]);
    for (name, page) in [("small", &page), ("month", &month), ("both", &both)] {
        fs::write(folder.join(format!("{name}.html")), page).unwrap();
        assert_well_formed(page);
        for forbidden in [
            "<script",
            "<link",
            "<img",
            "<iframe",
            "src=",
            "url(",
            "@import",
            "javascript:",
            "onclick",
        ] {
            assert!(!page.contains(forbidden), "{name} has {forbidden}");
        }
        // The one address is the name of SVG; links stay on the page.
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/2000/svg").count(),
            "{name}"
        );
        assert!(page.split("href=\"").skip(1).all(|rest| rest.starts_with('#')), "{name}");
        for part in [
            "lang=\"en\"",
            "<main>",
            "<h1>",
            "name=\"viewport\"",
            "prefers-color-scheme: dark",
            "@media print",
        ] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
        let drawings = page.matches("<svg").count();
        let described = page.matches("role=\"img\" aria-label=").count()
            + page.matches("aria-hidden=\"true\"").count();
        assert_eq!(
            drawings, described,
            "each drawing of {name} is described, or beside its figure"
        );
    }
    for part in [
        "Power over time",
        "Energy by domain",
        "Energy by epoch",
        "Energy of a step",
        "Forecasts, and what came",
        "Energy by phase",
        "What this means",
        "Footprint",
        "How far these figures can be trusted",
        "New York",
        "Uptime Institute",
        "load corpus",
        "epochs are shaded",
    ] {
        assert!(month.contains(part), "{part}");
    }
    assert!(
        page.len() < 400_000 && month.len() < 1_500_000,
        "{} and {} bytes",
        page.len(),
        month.len()
    );
    assert!(both.contains("href=\"#run-1\"") && both.contains("id=\"run-1\""));
}
