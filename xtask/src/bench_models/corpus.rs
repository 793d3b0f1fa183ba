//! Checks of the corpora's paths before anything is built; the models check what is in them.

use std::path::{Path, PathBuf};

use crate::stop::Stop;

/// Each language of a parallel corpus has to be there, plain or gzip.
pub fn check_parallel(prefix: &Path, languages: [&str; 2]) -> Result<(), Stop> {
    for language in languages {
        let plain = with_suffix(prefix, &format!(".{language}"));
        if !plain.is_file() && !with_suffix(&plain, ".gz").is_file() {
            return Err(missing(&plain));
        }
    }
    Ok(())
}

/// Every file has to be there.
pub fn check_files<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Stop> {
    files.into_iter().find(|file| !file.is_file()).map_or(Ok(()), |file| Err(missing(file)))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut whole = path.as_os_str().to_owned();
    whole.push(suffix);
    whole.into()
}

fn missing(file: &Path) -> Stop {
    Stop::wrong_input(format!("there is no file {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_is_a_prefix_with_two_languages_plain_or_gzip() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("train.v1");
        std::fs::write(folder.path().join("train.v1.en"), "a\n").unwrap();
        let stop = check_parallel(&prefix, ["en", "de"]).unwrap_err();
        assert_eq!(stop, missing(&folder.path().join("train.v1.de")));
        std::fs::write(folder.path().join("train.v1.de.gz"), "").unwrap();
        assert_eq!(check_parallel(&prefix, ["en", "de"]), Ok(()));
    }

    #[test]
    fn a_folder_is_not_a_text_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_files([&folder.path().to_path_buf()]).is_err());
        assert_eq!(check_files([]), Ok(()));
    }
}
