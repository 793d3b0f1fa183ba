//! A command that the user names, and its output.
//!
//! It has no input, its messages are not shown, and it is in a process group of its own, so that Ctrl-C in a terminal
//! reaches the program first. When the meter ends, the command's shell is ended and its output closed: what it has
//! started ends when it writes next.

use std::io::{self, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;

use crate::source::external::{COMMAND_VARIABLE, FILE_VARIABLE};

/// Bytes that are read at once.
const PIECE: usize = 4096;
/// How many pieces of the output wait to be read; beyond that the command waits.
const PIECES: usize = 16;

/// A command that was started.
#[derive(Debug)]
pub(super) struct Running {
    /// Absent once it is being waited for.
    child: Option<Child>,
    output: Receiver<Vec<u8>>,
}

impl Running {
    /// Has the system's shell run `text`.
    pub(super) fn start(text: &str) -> io::Result<Self> {
        let mut child = shell(text)
            // A meter of the command's own would start it again.
            .env_remove(FILE_VARIABLE)
            .env_remove(COMMAND_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take();
        let (pieces, output) = mpsc::sync_channel(PIECES);
        let running = Self { child: Some(child), output };
        if let Some(stdout) = stdout {
            let name = "ergometer meter".to_owned();
            thread::Builder::new().name(name).spawn(move || pass_on(stdout, &pieces))?;
        }
        Ok(running)
    }

    /// Appends what has come to `bytes`. The error is how it ended.
    pub(super) fn read(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        for _ in 0..PIECES {
            match self.output.try_recv() {
                Ok(mut piece) => bytes.append(&mut piece),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(self.ended()),
            }
        }
        Ok(())
    }

    fn ended(&mut self) -> String {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => format!("the command ended ({status})"),
            _ => "the command closed its output".to_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = child.kill();
        // One that does not end at once is waited for elsewhere. Without a thread it stays in the process table until
        // this program ends.
        let waits = move || drop(child.wait());
        let _ = thread::Builder::new().name("ergometer meter".to_owned()).spawn(waits);
    }
}

/// Passes the output on until it ends or nobody reads it any longer.
fn pass_on(mut stdout: ChildStdout, pieces: &SyncSender<Vec<u8>>) {
    let mut piece = [0; PIECE];
    loop {
        match stdout.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(length) => {
                if pieces.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(not(windows))]
fn shell(text: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(text);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    shell
}

#[cfg(windows)]
fn shell(text: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(text);
    shell
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::deadline::Deadline;

    /// What it writes until it ends or `enough` is written.
    fn output(running: &mut Running, enough: usize) -> (String, Result<(), String>) {
        let (mut bytes, mut read) = (Vec::new(), Ok(()));
        let mut deadline = Deadline::after(Duration::from_secs(20));
        while read.is_ok() && bytes.len() < enough && !deadline.has_passed() {
            read = running.read(&mut bytes);
            thread::yield_now();
        }
        (String::from_utf8(bytes).unwrap(), read)
    }

    #[test]
    fn a_command_gives_its_output_and_says_how_it_ended() {
        let mut running = Running::start("echo one; echo lost >&2; cat; echo two; exit 3").unwrap();
        let (text, end) = output(&mut running, usize::MAX);
        assert_eq!(text, "one\ntwo\n");
        let end = end.unwrap_err();
        assert!(end.contains("exit status: 3") || end.contains("closed its output"), "{end}");
    }

    #[test]
    fn a_command_that_writes_nothing_is_not_waited_for_and_ends_with_its_meter() {
        let mut running = Running::start("echo $$; while :; do sleep 0.05; done").unwrap();
        let (pid, _) = output(&mut running, 2);
        let mut bytes = Vec::new();
        assert_eq!(running.read(&mut bytes), Ok(()));
        drop(running);
        let place = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
        let mut deadline = Deadline::after(Duration::from_secs(20));
        while place.exists() && !deadline.has_passed() {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!place.exists(), "{pid}");
    }

    #[test]
    fn a_command_that_writes_without_end_is_held_back() {
        let mut running = Running::start("yes 1764192519.25,61.5").unwrap();
        let (text, end) = output(&mut running, 1_000_000);
        assert!(end.is_ok() && text.starts_with("1764192519.25,61.5\n"));
        assert!(text.len() <= 1_000_000 + PIECES * PIECE, "{}", text.len());
    }
}
