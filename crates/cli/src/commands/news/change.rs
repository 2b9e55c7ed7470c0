//! Changing posts, and what is read.

use std::io::Read;
use std::path::PathBuf;

use api::types::{Hide, Mark, NewPost};

use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// More than a post takes, so that the server can say so; a larger input is not read to its end.
const TEXT_READ_MAX_BYTES: u64 = 1024 * 1024;

/// Posts of an area.
#[derive(clap::Args)]
pub struct Which {
    /// The area
    area: String,
    #[command(flatten)]
    posts: Posts,
}

/// Exactly one of them.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Posts {
    /// The post's number
    post: Option<i64>,
    /// This post and all before it
    #[arg(long, value_name = "POST")]
    up_to: Option<i64>,
    /// All posts
    #[arg(long)]
    all: bool,
}

/// Publishes a post.
pub async fn publish(
    session: &Session,
    area: &str,
    title: String,
    text: Option<String>,
    file: Option<PathBuf>,
) -> Outcome {
    let text = match text {
        Some(text) => text,
        None => read_text(file)?,
    };
    let made = session
        .client
        .publish(area, &NewPost { title, text })
        .await?;
    if session.out.json {
        return session.out.json(&made);
    }
    session
        .out
        .line(&format!("Published as #{} in {area}.", made.id))
}

fn read_text(file: Option<PathBuf>) -> Outcome<String> {
    let mut text = String::new();
    let read = match &file {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(TEXT_READ_MAX_BYTES).read_to_string(&mut text)),
        None => std::io::stdin()
            .take(TEXT_READ_MAX_BYTES)
            .read_to_string(&mut text),
    };
    let from = file.map_or("standard input".to_owned(), |path| {
        path.display().to_string()
    });
    read.map_err(|error| Failure::usage(format!("cannot read {from}: {error}")))?;
    Ok(text)
}

/// Deletes a post.
pub async fn delete(session: &Session, area: &str, post: i64) -> Outcome {
    session.client.delete_post(area, post).await?;
    session.out.say(format!("Deleted #{post} in {area}."))
}

/// Hides a post.
pub async fn hide(session: &Session, area: &str, post: i64, reason: String) -> Outcome {
    session
        .client
        .hide_post(area, post, &Hide { reason })
        .await?;
    session.out.say(format!("#{post} in {area} is hidden."))
}

/// Marks posts read or unread.
pub async fn mark(session: &Session, which: &Which, read: bool) -> Outcome {
    let mark = Mark {
        post: which.posts.post,
        up_to: which.posts.up_to,
        all: which.posts.all.then_some(true),
        read: Some(read),
    };
    let left = session.client.mark(&which.area, &mark).await?;
    if session.out.json {
        return session.out.json(&left);
    }
    session
        .out
        .line(&format!("{} unread in {}.", left.unread, which.area))
}
