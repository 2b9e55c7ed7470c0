//! `consorcio file put`.

use std::path::{Path, PathBuf};

use api::client::{Content, FileName, IfThere, PutFile};
use api::types::Hex32;

use super::kinds;
use super::progress::Progress;
use super::show::size;
use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

#[derive(clap::Args)]
pub struct Put {
    /// The file on this machine
    path: PathBuf,
    /// Its name there; the name it has here if absent
    name: Option<String>,
    /// Only for yourself
    #[arg(long)]
    private: bool,
    /// The area it belongs to
    #[arg(long, conflicts_with = "private")]
    area: Option<String>,
    /// A tag to find it by; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Copies of its bytes, on as many nodes
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7))]
    copies: Option<u32>,
    /// What kind of file it is; guessed from its name if absent
    #[arg(long = "type", value_name = "MEDIA-TYPE")]
    media_type: Option<String>,
    /// Refuse to replace a file of that name
    #[arg(long, conflicts_with = "only")]
    new: bool,
    /// Replace only this version: the BLAKE3 that `file info` shows
    #[arg(long = "if", value_name = "BLAKE3")]
    only: Option<Hex32>,
}

/// Puts the file.
pub async fn run(session: &mut Session, args: Put) -> Outcome {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => own_name(&args.path)?,
    };
    let cannot = |error| Failure::usage(format!("cannot read {}: {error}", args.path.display()));
    let size_bytes = std::fs::metadata(&args.path).map_err(cannot)?.len();
    let media_type = args.media_type.unwrap_or_else(|| kinds::of(&name));
    let put = PutFile {
        file: FileName {
            name,
            private: args.private,
        },
        media_type,
        area: args.area,
        tags: args.tags,
        copies: args.copies,
        if_there: match (args.new, args.only) {
            (true, _) => IfThere::Refuse,
            (false, Some(root)) => IfThere::Only(root),
            (false, None) => IfThere::Replace,
        },
        root: None,
    };
    let progress = Progress::of(size_bytes, session.out.json);
    let content = Content::Path(args.path);
    let stored = session
        .client
        .put_file(&put, &content, &|sent| progress.at(sent))
        .await;
    progress.end();
    let stored = stored?;
    if session.out.json {
        return session.out.json(&stored);
    }
    let what = if stored.replaced { "Replaced" } else { "Put" };
    let (name, size) = (&stored.name, size(stored.size_bytes));
    session
        .out
        .line(&format!("{what} {name}: {size}, BLAKE3 {}.", stored.root))
}

fn own_name(path: &Path) -> Outcome<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let unnamed = || Failure::usage("the file has no name in UTF-8: give one after its path");
    name.map(str::to_owned).ok_or_else(unnamed)
}
