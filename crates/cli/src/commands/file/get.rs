//! `consorcio file get`.
//!
//! What arrives is written beside the file that is to be, to one whose name has the beginning of
//! the version's BLAKE3: another try goes on from there, and another version begins anew. It takes
//! its name once all of it is there and has the right BLAKE3.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use api::client::FileName;
use api::types;

use super::progress::Progress;
use super::show::size;
use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// Bytes that are read at once of what is there already.
const READ_BYTES: usize = 1024 * 1024;

#[derive(clap::Args)]
pub struct Get {
    /// The file's name
    name: String,
    /// Where to put it; under the last part of its name if absent, `-` is standard output
    path: Option<PathBuf>,
    /// Your private file of that name
    #[arg(long)]
    private: bool,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

/// Gets the file.
pub async fn run(session: &mut Session, args: Get) -> Outcome {
    let file = FileName {
        name: args.name,
        private: args.private,
    };
    let about = session.client.file(&file).await?;
    let path = match args.path {
        Some(path) if path.as_os_str() == "-" => return to_output(session, file, about).await,
        Some(path) if path.is_dir() => path.join(last_part(&file.name)),
        Some(path) => path,
        None => PathBuf::from(last_part(&file.name)),
    };
    if path.exists() && !args.force {
        let shown = path.display();
        return Err(Failure::failed(format!(
            "{shown} is there already: --force replaces it"
        )));
    }
    let part = part_of(&path, &about);
    receive(session, file, &about, &part).await?;
    fs::rename(&part, &path).map_err(|error| cannot("rename", &part, &error))?;
    if session.out.json {
        return session.out.json(&about);
    }
    let (shown, size) = (path.display(), size(about.size_bytes));
    session.out.line(&format!("Got {shown}: {size}."))
}

/// Receives what is missing of a version, and sees whether all of it is right.
async fn receive(
    session: &mut Session,
    file: FileName,
    about: &types::File,
    part: &Path,
) -> Outcome {
    let failed = |error: io::Error| cannot("write", part, &error);
    let mut open = OpenOptions::new();
    let open = open.create(true).truncate(false).read(true).write(true);
    let mut written = open.open(part).map_err(failed)?;
    let (mut root, there) = hash_of(&mut written).map_err(failed)?;
    let progress = Progress::of(about.size_bytes.cast_unsigned(), session.out.json);
    let mut reader = session.client.read_file(file, about.clone(), there);
    let mut offset = there;
    progress.begin(there);
    while let Some(bytes) = reader.next().await? {
        root.update(&bytes);
        written.write_all(&bytes).map_err(failed)?;
        offset += bytes.len() as u64;
        progress.at(offset);
    }
    progress.end();
    if *root.finalize().as_bytes() == about.root.0 {
        return written.sync_all().map_err(failed);
    }
    // It would be wrong again.
    drop(fs::remove_file(part));
    Err(Failure::failed(
        "what came does not have the file's BLAKE3, and was removed: try again",
    ))
}

/// The BLAKE3 of what is there so far, and how much that is. Writing goes on after it.
fn hash_of(file: &mut File) -> io::Result<(blake3::Hasher, u64)> {
    let (mut root, mut there) = (blake3::Hasher::new(), 0);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((root, there)),
            read => {
                root.update(&buffer[..read]);
                there += read as u64;
            }
        }
    }
}

async fn to_output(session: &mut Session, file: FileName, about: types::File) -> Outcome {
    let mut root = blake3::Hasher::new();
    let expected = about.root.0;
    let mut reader = session.client.read_file(file, about, 0);
    while let Some(bytes) = reader.next().await? {
        root.update(&bytes);
        session.out.raw(&bytes)?;
    }
    match *root.finalize().as_bytes() == expected {
        true => Ok(()),
        false => Err(Failure::failed(
            "what came does not have the file's BLAKE3: do not use it",
        )),
    }
}

/// Names have no `..` and no empty part, so this is a plain name.
fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn part_of(path: &Path, about: &types::File) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let root = about.root.to_string();
    name.push(format!(".{}.part", &root[..16]));
    path.with_file_name(name)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_version_has_its_own_beginning() {
        let about = types::File {
            id: 1,
            name: "actas/enero.pdf".to_owned(),
            private: false,
            owner: "Ana".to_owned(),
            area: None,
            media_type: "application/pdf".to_owned(),
            size_bytes: 1,
            root: types::Hex32([0xab; 32]),
            copies: 3,
            tags: Vec::new(),
            created_at: String::new(),
            changed_at: String::new(),
        };
        let part = part_of(Path::new("dir/enero.pdf"), &about);
        assert_eq!(part, Path::new("dir/enero.pdf.abababababababab.part"));
        assert_eq!(last_part(&about.name), "enero.pdf");
    }

    #[test]
    fn what_is_there_is_counted_and_hashed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"acta").unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let (root, there) = hash_of(&mut file).unwrap();
        assert_eq!((root.finalize(), there), (blake3::hash(b"acta"), 4));
    }
}
