//! The file that keeps a verifiable lottery's secret until the draw.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use api::types::Hex32;

use crate::failure::{Failure, Outcome};

/// The secret in a file, or a new one if there is no such file. Only its owner can read the file.
pub fn read_or_make(path: &Path) -> Outcome<[u8; 32]> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return read(path),
        Err(error) => return Err(Failure::usage(format!("cannot make {shown}: {error}"))),
    };
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::failed(format!("no random bytes: {error}")))?;
    let written = writeln!(file, "{}", Hex32(secret)).and_then(|()| file.sync_all());
    written.map_err(|error| Failure::failed(format!("cannot write {shown}: {error}")))?;
    Ok(secret)
}

/// The secret in a file.
pub fn read(path: &Path) -> Outcome<[u8; 32]> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let secret: Hex32 = text
        .trim()
        .parse()
        .map_err(|error| Failure::usage(format!("{shown} holds no secret: {error}")))?;
    Ok(secret.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(read(&path).is_err());
        let secret = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), secret);
        assert_eq!(read(&path).unwrap(), secret);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&path, "no secret").unwrap();
        assert!(read_or_make(&path).is_err());
    }
}
