//! A page in a browser: `chromium`, where there is one. `ERGOMETER_CHROMIUM` names another.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a browser has to say about a page.
pub struct Seen {
    /// The document after it was loaded.
    pub document: String,
    /// Messages on its console.
    pub console: Vec<String>,
}

/// Loads the file `page` in a window of this width; `None`, with a line on stderr, where there is no browser.
pub fn load(page: &Path, width: u32) -> Option<Seen> {
    let browser = std::env::var("ERGOMETER_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let [dom, log] = ["dom", "log"].map(|name| folder.path().join(name));
    let mut command = Command::new(&browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--window-size={width},800"))
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&dom).unwrap())
        .stderr(File::create(&log).unwrap());
    let Ok(mut child) = command.spawn() else {
        eprintln!("not looked at: there is no {browser} here");
        return None;
    };
    let end = Instant::now() + Duration::from_mins(2);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{browser} did not end: {}", fs::read_to_string(&log).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    assert!(status.success(), "{browser}: {said}");
    let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Some(Seen { document: fs::read_to_string(&dom).unwrap(), console })
}
