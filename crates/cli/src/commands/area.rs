//! `consorcio area`: areas and subscriptions.

use api::types::{Area, AreaEdit, NewArea};

use super::output::{Cell, Style, cell};
use super::session::Session;
use super::{Common, when, with_session};
use crate::failure::Outcome;

const EXAMPLES: &str = "\
Examples:
  consorcio area list
  consorcio area subscribe Obras
  consorcio area add 'Obras y arreglos' --description 'Qué se hace, cuándo y cuánto cuesta'

An area is named by its name, in any case, or by its number.";

/// Areas: what the news is about, and who follows it
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// All areas
    List,
    /// Add an area (administrators)
    Add {
        /// Its name
        name: String,
        /// What it is about, one paragraph
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "",
            hide_default_value = true
        )]
        description: String,
    },
    /// Rename an area (administrators)
    Rename {
        /// The area
        area: String,
        /// Its new name
        name: String,
    },
    /// Describe an area anew (administrators)
    Describe {
        /// The area
        area: String,
        /// What it is about, one paragraph
        description: String,
    },
    /// Remove an area with all its posts (administrators)
    Remove {
        /// The area
        area: String,
        /// Yes, with all its posts
        #[arg(long)]
        with_posts: bool,
    },
    /// Follow an area
    Subscribe {
        /// The area
        area: String,
    },
    /// Follow an area no longer
    Unsubscribe {
        /// The area
        area: String,
    },
    /// The areas that the member follows, with what is unread
    Subscriptions,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    with_session(&args.common, async |session| match args.action {
        Action::List => list(session).await,
        Action::Add { name, description } => add(session, NewArea { name, description }).await,
        Action::Rename { area, name } => {
            let edit = AreaEdit {
                name: Some(name.clone()),
                description: None,
            };
            session.client.edit_area(&area, &edit).await?;
            session.out.say(format!("{area} is {name} now."))
        }
        Action::Describe { area, description } => {
            let edit = AreaEdit {
                name: None,
                description: Some(description),
            };
            session.client.edit_area(&area, &edit).await?;
            session.out.say(format!("{area} is described anew."))
        }
        Action::Remove { area, with_posts } => remove(session, &area, with_posts).await,
        Action::Subscribe { area } => {
            session.client.subscribe(&area, true).await?;
            session.out.say(format!("Following {area}."))
        }
        Action::Unsubscribe { area } => {
            session.client.subscribe(&area, false).await?;
            session.out.say(format!("Not following {area} any longer."))
        }
        Action::Subscriptions => subscriptions(session).await,
    })
}

async fn list(session: &mut Session) -> Outcome {
    let areas = session.client.areas().await?;
    if session.out.json {
        return session.out.json(&areas);
    }
    let rows: Vec<_> = areas.areas.iter().map(row).collect();
    session.out.table(HEADS, &rows, "There are no areas yet.")
}

async fn subscriptions(session: &mut Session) -> Outcome {
    let subscriptions = session.client.subscriptions().await?;
    if session.out.json {
        return session.out.json(&subscriptions);
    }
    let rows: Vec<_> = subscriptions.subscriptions.iter().map(row).collect();
    let none = "The member follows no area: `consorcio area subscribe AREA` changes that.";
    session.out.table(HEADS, &rows, none)
}

const HEADS: &[&str] = &[
    "ID",
    "AREA",
    "UNREAD",
    "POSTS",
    "LAST POST",
    "FOLLOWED",
    "ABOUT",
];

fn row(area: &Area) -> Vec<Cell> {
    let new = if area.unread > 0 {
        Style::Bold
    } else {
        Style::Plain
    };
    let last = area
        .last_post_at
        .as_deref()
        .map(when::local)
        .unwrap_or_default();
    vec![
        cell(area.id).right(),
        cell(&area.name).style(new),
        cell(area.unread).right().style(new),
        cell(area.posts).right(),
        cell(last),
        cell(if area.subscribed { "yes" } else { "" }),
        cell(shortened(&area.description)).style(Style::Dim),
    ]
}

/// A description fits a table's last column up to here.
const ABOUT_MAX_CHARS: usize = 48;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(ABOUT_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

async fn add(session: &mut Session, area: NewArea) -> Outcome {
    let made = session.client.add_area(&area).await?;
    if session.out.json {
        return session.out.json(&made);
    }
    session
        .out
        .line(&format!("Added {} (number {}).", made.name, made.id))
}

async fn remove(session: &mut Session, area: &str, with_posts: bool) -> Outcome {
    let posts = session.client.area(area).await?.posts;
    if posts > 0 && !with_posts {
        return Err(crate::failure::Failure::failed(format!(
            "{area} has {posts} posts, which would be gone for good: add --with-posts to remove it"
        )));
    }
    session.client.remove_area(area).await?;
    session.out.say(format!("Removed {area}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_description_is_cut_between_characters() {
        assert_eq!(shortened("corta"), "corta");
        let long = "ñ".repeat(ABOUT_MAX_CHARS + 1);
        assert_eq!(shortened(&long).chars().count(), ABOUT_MAX_CHARS + 1);
        assert!(shortened(&long).ends_with('…'));
    }
}
