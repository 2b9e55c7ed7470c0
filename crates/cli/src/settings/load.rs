//! Where settings come from.

use std::ffi::OsString;
use std::path::Path;

use super::{Given, Settings};
use crate::failure::{Failure, Outcome};

/// A configuration file is a page of text; a larger file is something else.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// The settings that hold: `flags` (clap has added the environment to them) over the secrets of the
/// environment, over the file, over the defaults.
pub fn load(flags: Given, file: Option<&Path>) -> Outcome<Settings> {
    let environment = secrets(&|name| std::env::var_os(name))?;
    let file = file.map(read_file).transpose()?.unwrap_or_default();
    flags
        .over(environment)
        .over(file)
        .over_defaults()
        .complete()
}

/// The secrets that the environment holds, or that are in files it names.
fn secrets(variable: &dyn Fn(&str) -> Option<OsString>) -> Outcome<Given> {
    Ok(Given {
        admin_password: secret(variable, "CONSORCIO_ADMIN_PASSWORD")?,
        join: secret(variable, "CONSORCIO_JOIN")?,
        ..Given::default()
    })
}

/// The variable `name`, or the content of the file that `name` with `_FILE` names.
fn secret(variable: &dyn Fn(&str) -> Option<OsString>, name: &str) -> Outcome<Option<String>> {
    let file_variable = format!("{name}_FILE");
    match (variable(name), variable(&file_variable)) {
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "{name} and {file_variable} are both set: keep one"
        ))),
        (Some(value), None) => value
            .into_string()
            .map(Some)
            .map_err(|_| Failure::usage(format!("{name} is not valid UTF-8"))),
        (None, Some(path)) => {
            let path = Path::new(&path);
            let text = read(path).map_err(|why| unreadable(&file_variable, path, &why))?;
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (None, None) => Ok(None),
    }
}

fn unreadable(name: &str, path: &Path, why: &str) -> Failure {
    Failure::usage(format!(
        "{name} names {}, which cannot be read: {why}",
        path.display()
    ))
}

/// What a TOML file says.
fn read_file(path: &Path) -> Outcome<Given> {
    let refuse = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let text = read(path).map_err(|why| refuse(format!("cannot be read: {why}")))?;
    toml::from_str(&text).map_err(|error| refuse(explain(&text, &error)))
}

/// The file's text, if it can be one.
fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path)
        .map_err(|error| error.to_string())?
        .len();
    if size > FILE_MAX_BYTES {
        return Err(format!("it has {size} bytes, more than {FILE_MAX_BYTES}"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// A TOML error as one sentence with the line it is about.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let why = error.message().lines().collect::<Vec<_>>().join(", ");
    match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or_default();
            format!("line {}: {why}", before.matches('\n').count() + 1)
        }
        None => why,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_file_is_under_the_flags_and_over_the_defaults() {
        let file = file("name = \"sur\"\nlog = \"warn\"\n");
        let flags = Given {
            log: Some("trace".into()),
            ..Given::default()
        };
        let settings = load(flags, Some(file.path())).unwrap();
        assert_eq!(
            (settings.name.as_str(), settings.log.as_str()),
            ("sur", "trace")
        );
        assert_eq!(settings.http.port(), 8080);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_line() {
        let cases = [
            ("name = \"a\"\nprot = 3\n", "line 2: unknown field `prot`"),
            ("http = \"here\"\n", "line 1: invalid socket address"),
            ("name = \n", "line 1:"),
            ("demo = \"yes\"\n", "line 1: invalid type"),
        ];
        for (text, expected) in cases {
            let file = file(text);
            let failure = load(Given::default(), Some(file.path())).unwrap_err();
            assert!(failure.message.contains(expected), "{text:?}: {failure}");
            assert!(!failure.message.contains('\n'), "one sentence: {failure}");
        }
        let failure = load(Given::default(), Some(Path::new("/nowhere/x.toml"))).unwrap_err();
        assert!(
            failure
                .message
                .starts_with("/nowhere/x.toml: cannot be read"),
            "{failure}"
        );
    }

    #[test]
    fn a_secret_comes_from_the_environment_or_from_a_file_but_not_from_both() {
        let file = file("s3cret\n");
        let path = file.path().as_os_str().to_owned();
        let direct = |name: &str| (name == "CONSORCIO_JOIN").then(|| OsString::from("x"));
        assert_eq!(secrets(&direct).unwrap().join.as_deref(), Some("x"));
        let named = |name: &str| (name == "CONSORCIO_JOIN_FILE").then(|| path.clone());
        assert_eq!(secrets(&named).unwrap().join.as_deref(), Some("s3cret"));
        let both = |name: &str| name.starts_with("CONSORCIO_JOIN").then(|| path.clone());
        assert!(secrets(&both).unwrap_err().message.contains("both set"));
        let missing = |name: &str| name.ends_with("_FILE").then(|| OsString::from("/nowhere"));
        assert!(secrets(&missing).unwrap_err().message.contains("/nowhere"));
    }
}
