//! The program's command line, without the secrets in it.
//!
//! A record is passed on and published, so secrets are replaced by `***`. These count as secrets: the value
//! of an option, variable, header, URL parameter or JSON field with a telling name (`--token x`,
//! `--api-key=x`, `HF_TOKEN=x`, `-H "Authorization: Bearer x"`, `https://h/?sig=x`, `{"password": "x"}`),
//! the password in a URL, the value of `-p` unless it is a number, and words in the form of well-known
//! access tokens (`hf_..`, `ghp_..`, `sk-..`).
//!
//! When in doubt a value is masked: `--pad-token 0` is masked as well. A secret that looks like ordinary
//! text is not recognised. `MeterBuilder::without_command_line` leaves out everything but the program's
//! name.

/// Replaces a secret.
const MASK: &str = "***";

/// A name that contains one of these words names a secret.
const SECRET: [&str; 17] = [
    "pwd",
    "pass",
    "passphrase",
    "passcode",
    "secrets",
    "authkey",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "credentials",
    "auth",
    "authorization",
    "cookie",
    "signature",
    "sig",
    "jwt",
];

/// These also count at the end of longer words: `hftoken`.
const SECRET_END: [&str; 5] = ["token", "password", "passwd", "secret", "apikey"];

/// A name that ends in one of these does not name a secret: `--token-file`, `--auth-type`.
const HARMLESS_END: [&str; 14] = [
    "file", "path", "dir", "folder", "type", "mode", "method", "size", "count", "len", "length",
    "limit", "budget", "tokens",
];

/// Prefixes of issued access tokens.
const ISSUED: [&str; 16] = [
    "hf_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
    "ya29.",
];

/// Issued tokens are longer than this.
const ISSUED_LENGTH: usize = 16;

/// The command line of this process with secrets masked; without `arguments`, only the program's name.
pub(crate) fn of_this_process(arguments: bool) -> Vec<String> {
    let words = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    if arguments { masked(words) } else { words.take(1).collect() }
}

fn masked(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut expected = Value::Plain;
    let mut shown = Vec::new();
    for (place, argument) in arguments.into_iter().enumerate() {
        if place == 0 {
            shown.push(argument);
            continue;
        }
        let value = std::mem::replace(&mut expected, Value::Plain);
        let is_option = argument.starts_with("--");
        shown.push(match value {
            Value::Secret if !is_option => MASK.to_owned(),
            Value::SecretUnlessNumber
                if !argument.starts_with('-') && argument.parse::<f64>().is_err() =>
            {
                MASK.to_owned()
            }
            Value::User if argument.contains(':') => after(&argument, ':'),
            _ => {
                expected = Value::after(&argument);
                in_argument(&argument)
            }
        });
    }
    shown
}

/// Classifies the argument after an option.
enum Value {
    Plain,
    Secret,
    /// After `-p`, which may take a password or a port.
    SecretUnlessNumber,
    /// After `-u`: a user, or `user:password`.
    User,
}

impl Value {
    fn after(option: &str) -> Self {
        let Some(name) = option.strip_prefix('-') else { return Self::Plain };
        match name {
            "p" | "P" => Self::SecretUnlessNumber,
            "u" | "-user" | "-proxy-user" => Self::User,
            _ if name.contains(['=', ':']) => Self::Plain,
            _ if is_secret(name) => Self::Secret,
            _ => Self::Plain,
        }
    }
}

/// The argument up to and including `sign`, followed by the mask.
fn after(argument: &str, sign: char) -> String {
    let (before, _) = argument.split_once(sign).unwrap_or((argument, ""));
    format!("{before}{sign}{MASK}")
}

fn in_argument(argument: &str) -> String {
    // The whole argument is one assignment or header: `--token=a b`, `HF_TOKEN=x`, `Authorization: Bearer
    // x`.
    let name = argument.trim_start_matches(['-', '+']);
    let end = name.find(|sign| !is_of_name(sign)).unwrap_or(name.len());
    if let Some(sign @ ('=' | ':')) = name[end..].chars().next()
        && is_secret(&name[..end])
        && name.len() > end + 1
    {
        return after(argument, sign);
    }
    issued(&fields(&user_in_url(argument)))
}

/// `https://user:password@host` without the password.
fn user_in_url(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else { return argument.to_owned() };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..authority].rfind('@') else { return argument.to_owned() };
    // Without a colon it may be only a token: `https://token@host`.
    let user = match rest[..at].split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}"),
        None => MASK.to_owned(),
    };
    format!("{scheme}://{user}{}", &rest[at..])
}

/// Masks the values of secrets within an argument: URL parameters, JSON, lists of assignments.
fn fields(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_of_name) {
        let (before, from_name) = rest.split_at(start);
        let (name, after_name) = split_while(from_name, is_of_name);
        shown.push_str(before);
        shown.push_str(name);
        rest = after_name;
        let (_, assigned) = split_while(after_name, is_around);
        if let Some(assigned) = assigned.strip_prefix(['=', ':'])
            && is_secret(name)
        {
            let (around, value) = split_while(assigned, is_around);
            let quoted = around.contains(['"', '\'']);
            let ends = |sign: char| {
                let ends_quoted = matches!(sign, '"' | '\'' | '\\');
                let ends_bare =
                    || sign.is_whitespace() || matches!(sign, '&' | ',' | ';' | '}' | '#');
                ends_quoted || (!quoted && ends_bare())
            };
            let (secret, left) = split_while(value, |sign| !ends(sign));
            shown.push_str(&after_name[..after_name.len() - value.len()]);
            shown.push_str(if secret.is_empty() { "" } else { MASK });
            rest = left;
        }
    }
    shown + rest
}

/// Characters allowed between a name and its `=`, and between that and its value.
fn is_around(sign: char) -> bool {
    matches!(sign, '"' | '\'' | ' ' | '\\')
}

/// Masks words in the form of an issued token, and the word after `Bearer` or `Basic`.
fn issued(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_of_token) {
        let (before, from_word) = rest.split_at(start);
        let (word, left) = split_while(from_word, is_of_token);
        shown.push_str(before);
        let is_issued =
            word.len() >= ISSUED_LENGTH && ISSUED.iter().any(|start| word.starts_with(start));
        shown.push_str(if is_issued { MASK } else { word });
        rest = left;
        if matches!(word, "Bearer" | "bearer" | "Basic") && left.starts_with(' ') {
            let (_, left) = split_while(&left[1..], |sign| {
                !sign.is_whitespace() && sign != '"' && sign != '\''
            });
            shown.push(' ');
            shown.push_str(MASK);
            rest = left;
        }
    }
    shown + rest
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|sign| !belongs(sign)).unwrap_or(text.len()))
}

fn is_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '-' | '_' | '.')
}

fn is_of_token(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.')
}

/// Whether a name suggests a secret: `HF_TOKEN`, `wandb.apiKey`, `db-password`, `AWS_ACCESS_KEY_ID`.
fn is_secret(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    if HARMLESS_END.contains(&last.as_str()) {
        return false;
    }
    let is_key = |word: &String| word == "key";
    let is_secret = |word: &String| {
        SECRET.contains(&word.as_str()) || SECRET_END.iter().any(|end| word.ends_with(end))
    };
    words.iter().any(is_secret)
        || is_key(last)
        || (last == "id" && words.iter().rev().nth(1).is_some_and(is_key))
}

/// The words of a name in lower case, split at signs and capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        let begins = !letter.is_alphanumeric() || (was_lower && letter.is_uppercase());
        if begins {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(arguments: &[&str]) -> Vec<String> {
        let program = std::iter::once("train".to_owned());
        let all = program.chain(arguments.iter().map(|argument| (*argument).to_owned()));
        masked(all).split_off(1)
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let table: [(&[&str], &[&str]); 29] = [
            (&["--token", "s3cret"], &["--token", "***"]),
            (&["--hf-token=s3cret x"], &["--hf-token=***"]),
            (&["--password", "s3cret", "--lr", "1e-3"], &["--password", "***", "--lr", "1e-3"]),
            (&["-password", "s3cret"], &["-password", "***"]),
            (&["--api-key", "s3cret"], &["--api-key", "***"]),
            (&["--apiKey=s3cret"], &["--apiKey=***"]),
            (&["--api_key", "-s3cret"], &["--api_key", "***"]),
            (&["key=s3cret"], &["key=***"]),
            (&["wandb.api_key=s3cret"], &["wandb.api_key=***"]),
            (&["+logger.secret=s3cret"], &["+logger.secret=***"]),
            (&["HF_TOKEN=s3cret"], &["HF_TOKEN=***"]),
            (&["AWS_ACCESS_KEY_ID=s3cret"], &["AWS_ACCESS_KEY_ID=***"]),
            (&["FOO_TOKEN=s3cret", "BAR=1"], &["FOO_TOKEN=***", "BAR=1"]),
            (&["-H", "Authorization: Bearer s3cret"], &["-H", "Authorization:***"]),
            (&["--header=X-Api-Key: s3cret"], &["--header=X-Api-Key: ***"]),
            (&["--header", "x: Bearer s3cret"], &["--header", "x: Bearer ***"]),
            (&["-p", "s3cret"], &["-p", "***"]),
            (&["-u", "me:s3cret"], &["-u", "me:***"]),
            (&["--user", "me:s3cret"], &["--user", "me:***"]),
            (&["https://me:s3cret@host/x"], &["https://me:***@host/x"]),
            (
                &["--db=postgres://me:s3@cret@host:5432/db"],
                &["--db=postgres://me:***@host:5432/db"],
            ),
            (&["https://s3cret@host/x"], &["https://***@host/x"]),
            (&["https://h/x?a=1&token=s3cret&b=2"], &["https://h/x?a=1&token=***&b=2"]),
            (&["https://h/x?X-Amz-Signature=s3cret"], &["https://h/x?X-Amz-Signature=***"]),
            (&["AccountName=a;AccountKey=s3cret;b=c"], &["AccountName=a;AccountKey=***;b=c"]),
            (&[r#"{"password": "s3 cret", "lr": 1}"#], &[r#"{"password": "***", "lr": 1}"#]),
            (&["hf_abcdefghijklmnopq"], &["***"]),
            (&["--config", "ghp_abcdefghijklmnopq"], &["--config", "***"]),
            (&["--auth", "--verbose"], &["--auth", "--verbose"]),
        ];
        for (arguments, expected) in table {
            assert_eq!(shown(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for arguments in [
            &["--lr", "1e-3", "--epochs=10", "--label", "key-value", "data/tokens.bin"][..],
            &["--max-tokens", "512", "--tokens=1000", "--token-limit", "9"],
            &["--token-file", "/run/secrets/hf", "--monkey", "x", "--keyboard=us"],
            &["-p", "8080", "-u", "me", "https://host:8080/x?a=1", "C:\\data", "a=b:c"],
            &["--compass", "n", "--author=me", "sk-short", "eyJ"],
        ] {
            assert_eq!(shown(arguments), arguments);
        }
    }

    proptest! {
        #[test]
        fn as_many_arguments_as_there_were_and_no_secret(
            arguments in prop::collection::vec("[-a-z=:/@&?\"' .{}é]{0,12}", 0..6),
            option in "--?[a-z]{0,3}[-_]?(token|password|api[-_]?key|secret)",
        ) {
            let secret = "S3CRETVALUE";
            let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let joined = format!("{option}={secret}");
            all.extend(["x", &option, secret, &joined]);
            let shown = shown(&all);
            prop_assert_eq!(shown.len(), all.len());
            prop_assert!(shown.iter().all(|argument| !argument.contains(secret)), "{:?}", shown);
        }
    }
}
