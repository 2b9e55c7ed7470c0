//! Showing posts.

use api::client::{Order, PostsQuery};
use api::types::{Mark, Post, PostState};

use crate::commands::output::{Cell, Style, cell};
use crate::commands::session::Session;
use crate::commands::when;
use crate::failure::Outcome;

/// Posts in one answer of the server when all are wanted.
const PAGE: u32 = 200;

/// List the posts of an area.
#[derive(clap::Args)]
pub struct List {
    /// The area; without one, what is unread in all that the member follows
    area: Option<String>,
    /// Only what the member has not read
    #[arg(long)]
    unread: bool,
    /// Newest first
    #[arg(long)]
    newest: bool,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Go on from here: `next` of the page before, in the same order
    #[arg(long, value_name = "POST")]
    from: Option<i64>,
}

/// Show the unread posts of an area in full.
#[derive(clap::Args)]
pub struct Read {
    /// The area
    area: String,
    /// All posts, not only the unread ones
    #[arg(long)]
    all: bool,
    /// Leave them unread
    #[arg(long)]
    keep: bool,
}

impl List {
    pub async fn run(self, session: &mut Session) -> Outcome {
        match self.area.clone() {
            Some(area) => self.one(session, &area).await,
            None => self.followed(session).await,
        }
    }

    async fn one(&self, session: &Session, area: &str) -> Outcome {
        let order = if self.newest {
            Order::Newest
        } else {
            Order::Oldest
        };
        let query = PostsQuery {
            unread: self.unread,
            order,
            from: self.from,
            limit: Some(self.limit),
        };
        let page = session.client.posts(area, query).await?;
        if session.out.json {
            return session.out.json(&page);
        }
        let rows: Vec<_> = page.posts.iter().map(row).collect();
        let none = if self.unread {
            "Nothing is unread."
        } else {
            "There are no posts."
        };
        session.out.table(HEADS, &rows, none)?;
        match page.next {
            Some(next) => session.out.line(&format!("There are more: --from {next}")),
            None => Ok(()),
        }
    }

    async fn followed(&self, session: &Session) -> Outcome {
        let followed = session.client.subscriptions().await?;
        if session.out.json {
            return session.out.json(&followed);
        }
        if followed.subscriptions.is_empty() {
            let how = "The member follows no area: `consorcio area subscribe AREA` changes that.";
            return session.out.line(how);
        }
        for area in followed.subscriptions.iter().filter(|area| area.unread > 0) {
            session.out.cells(&[
                cell(format!("{}: {} unread", area.name, area.unread)).style(Style::Bold)
            ])?;
            List {
                unread: true,
                area: None,
                ..*self
            }
            .one(session, &area.id.to_string())
            .await?;
            session.out.line("")?;
        }
        if followed.unread == 0 {
            session.out.line("Nothing is unread.")
        } else {
            Ok(())
        }
    }
}

impl Read {
    pub async fn run(self, session: &mut Session) -> Outcome {
        let mut query = PostsQuery {
            unread: !self.all,
            limit: Some(PAGE),
            ..Default::default()
        };
        let mut shown: Vec<Post> = Vec::new();
        loop {
            let page = session.client.posts(&self.area, query).await?;
            shown.extend(page.posts);
            query.from = page.next;
            if query.from.is_none() {
                break;
            }
        }
        if session.out.json {
            session
                .out
                .json(&serde_json::json!({ "posts": shown, "next": null }))?;
        } else if shown.is_empty() {
            session.out.line("Nothing is unread.")?;
        }
        for post in shown.iter().filter(|_| !session.out.json) {
            full(session, post)?;
        }
        match shown.iter().map(|post| post.id).max() {
            Some(last) if !self.keep => {
                // Only what was shown: a post that arrived meanwhile stays unread.
                let mark = Mark {
                    up_to: Some(last),
                    ..Mark::default()
                };
                session.client.mark(&self.area, &mark).await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Shows one post in full.
pub async fn show(session: &Session, area: &str, id: i64) -> Outcome {
    let post = session.client.post(area, id).await?;
    if session.out.json {
        session.out.json(&post)
    } else {
        full(session, &post)
    }
}

/// Shows posts that contain every word.
pub async fn search(session: &Session, words: &str, limit: u32) -> Outcome {
    let found = session.client.search(words, None, Some(limit)).await?;
    if session.out.json {
        return session.out.json(&found);
    }
    let rows = found.posts.iter().map(|found| {
        let mut row = row(&found.post);
        row.insert(0, cell(&found.area_name));
        row
    });
    let heads = ["AREA", "POST", "WHEN", "AUTHOR", "TITLE"];
    session
        .out
        .table(&heads, &rows.collect::<Vec<_>>(), "Nothing was found.")
}

const HEADS: &[&str] = &["POST", "WHEN", "AUTHOR", "TITLE"];

fn row(post: &Post) -> Vec<Cell> {
    let style = match (post.state, post.read) {
        (PostState::Published, false) => Style::Bold,
        (PostState::Published, true) => Style::Plain,
        _ => Style::Dim,
    };
    vec![
        cell(post.id).right(),
        cell(when::local(&post.at)),
        cell(&post.author),
        cell(title(post)).style(style),
    ]
}

/// The title, or what became of the post.
fn title(post: &Post) -> String {
    match (post.state, &post.reason) {
        (PostState::Published, _) => post.title.clone(),
        (PostState::Deleted, _) => "(deleted by its author)".to_owned(),
        (PostState::Hidden, Some(reason)) => format!("(hidden: {reason})"),
        (PostState::Hidden, None) => "(hidden)".to_owned(),
    }
}

fn full(session: &Session, post: &Post) -> Outcome {
    let out = session.out;
    out.cells(&[cell(title(post)).style(Style::Bold)])?;
    let about = format!("#{}, {}, {}", post.id, post.author, when::local(&post.at));
    out.cells(&[cell(about).style(Style::Dim)])?;
    out.text(&format!("\n{}\n", post.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_says_what_became_of_the_post() {
        let mut post = Post {
            id: 1,
            area: 1,
            title: "Agua".into(),
            text: String::new(),
            author: "ana".into(),
            at: String::new(),
            read: true,
            state: PostState::Published,
            reason: None,
        };
        assert_eq!(title(&post), "Agua");
        post.state = PostState::Deleted;
        assert_eq!(title(&post), "(deleted by its author)");
        post.state = PostState::Hidden;
        post.reason = Some("insultos".into());
        assert_eq!(title(&post), "(hidden: insultos)");
    }
}
