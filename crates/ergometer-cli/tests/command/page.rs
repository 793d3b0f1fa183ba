//! `report --format html`.

use std::fs;
use std::path::Path;

use crate::browser;
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

/// In a frame of this width, whose own size a script outside can read.
fn framed(page: &str, width: u32) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><output></output>\
         <iframe width=\"{width}\" height=\"700\" style=\"border:0\" srcdoc=\"{page}\" onload=\"measure(this)\"></iframe>\
         <script>function measure(frame) {{\
           const page = frame.contentDocument;\
           const size = text => parseFloat(frame.contentWindow.getComputedStyle(text).fontSize) *\
             text.ownerSVGElement.getScreenCTM().d;\
           document.querySelector('output').textContent = JSON.stringify({{\
             width: page.documentElement.scrollWidth,\
             font: Math.min(...Array.from(page.querySelectorAll('svg text'), size)),\
             headings: page.querySelectorAll('h2').length }});\
         }}</script>"
    )
}

#[test]
fn a_browser_shows_the_page_on_a_phone_without_scrolling_sideways_and_has_no_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a label of one word that has no place to break: ".to_owned() + &"x".repeat(120);
    for (name, record) in [("small", made(&long)), ("month", month())] {
        let path = file(folder.path(), &format!("{name}.json"), &record);
        for width in [360, 1280] {
            let wrapper = folder.path().join(format!("{name}-{width}.html"));
            fs::write(&wrapper, framed(&report(&path, "html"), width)).unwrap();
            let Some(seen) = browser::load(&wrapper, width + 100) else { return };
            assert_eq!(seen.console, [""; 0], "{name}");
            let (_, measured) = seen.document.split_once("<output>").unwrap();
            let measured = measured.split("</output>").next().unwrap();
            let measured: serde_json::Value = serde_json::from_str(measured).unwrap();
            assert!(measured["width"].as_u64().unwrap() <= u64::from(width), "{name}: {measured}");
            // Text of charts stays legible.
            assert!(measured["font"].as_f64().unwrap() >= 10.0, "{name}: {measured}");
            assert!(measured["headings"].as_u64().unwrap() >= 6, "{name}: {measured}");
        }
    }
}
