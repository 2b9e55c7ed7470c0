//! `consorcio news watch`: what happens, as it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use api::client::{Error, EventFilter, EventStream};
use api::types::Event;

use crate::commands::output::{Style, cell};
use crate::commands::session::Session;
use crate::commands::when;
use crate::failure::Outcome;

/// Between two rounds of looking for a node that serves.
const ROUND_PAUSE: Duration = Duration::from_secs(1);

/// Follow what happens.
#[derive(clap::Args)]
pub struct Watch {
    /// Only what happens in this area
    #[arg(long)]
    area: Option<String>,
    /// Only events of this kind: post.published, post.removed, area.added, …
    #[arg(long)]
    kind: Option<String>,
    /// Begin after the event with this id instead of now
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// End after this many events
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
}

impl Watch {
    pub async fn run(self, session: &mut Session) -> Outcome {
        let filter = EventFilter {
            area: self.area,
            kind: self.kind,
            poll: None,
        };
        let mut stream = session.client.events(filter, self.after.as_deref())?;
        stream.connected().await?;
        let mut names = Names::default();
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let event = next(&mut stream).await?;
            if session.out.json {
                session.out.json(&event)?;
            } else {
                show(session, &event, &mut names).await?;
            }
            left -= 1;
        }
        Ok(())
    }
}

/// The next event, however long no node can be reached meanwhile.
async fn next(stream: &mut EventStream) -> Result<Event, Error> {
    loop {
        match stream.next().await {
            Err(Error::Unreachable { endpoints, reason }) => {
                eprintln!("consorcio: no node can be reached at {endpoints}: {reason}; trying on");
                tokio::time::sleep(ROUND_PAUSE).await;
            }
            Err(error @ Error::HistoryGone { .. }) => eprintln!("consorcio: {error}"),
            result => return result,
        }
    }
}

/// The names of the areas, as events name them by number only.
#[derive(Default)]
struct Names(BTreeMap<i64, String>);

impl Names {
    /// The name of an area, asked for when it is new.
    async fn of(&mut self, session: &Session, area: i64) -> String {
        if !self.0.contains_key(&area) {
            // Without its name an area still has its number.
            if let Ok(found) = session.client.areas().await {
                self.0 = found
                    .areas
                    .into_iter()
                    .map(|area| (area.id, area.name))
                    .collect();
            }
        }
        self.0
            .get(&area)
            .cloned()
            .unwrap_or_else(|| format!("area {area}"))
    }

    /// Takes note of a name that an event tells.
    fn note(&mut self, event: &Event) {
        if let (Some(area), Some(name)) = (event.area, &event.name) {
            self.0.insert(area, name.clone());
        }
    }
}

async fn show(session: &Session, event: &Event, names: &mut Names) -> Outcome {
    names.note(event);
    let area = match event.area {
        Some(area) => names.of(session, area).await,
        None => String::new(),
    };
    let time = cell(when::local_clock(&event.at)).style(Style::Dim);
    let (what, style) = describe(event, &area);
    session.out.cells(&[time, cell(what).style(style)])
}

/// An event as a sentence.
fn describe(event: &Event, area: &str) -> (String, Style) {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let post = event.post.map(|id| format!("#{id}")).unwrap_or_default();
    match event.kind.as_str() {
        "post.published" => {
            let (author, title) = (text(&event.author), text(&event.title));
            (format!("{area} {post} {author}: {title}"), Style::Bold)
        }
        "post.removed" if event.hidden == Some(true) => {
            (format!("{area} {post} was hidden"), Style::Plain)
        }
        "post.removed" => (format!("{area} {post} was deleted"), Style::Plain),
        "area.added" => (format!("new area {area}"), Style::Plain),
        "area.edited" => (format!("area {area} was edited"), Style::Plain),
        "area.removed" => (format!("area {area} was removed"), Style::Plain),
        "member.joined" => (
            format!("{} is a member now", text(&event.name)),
            Style::Plain,
        ),
        "lottery.opened" => (
            format!("lottery {} was opened", text(&event.name)),
            Style::Plain,
        ),
        "lottery.agency-closed" => (
            format!(
                "agency {} closed, {} to go",
                event.agency.unwrap_or_default(),
                event.open_agencies.unwrap_or_default()
            ),
            Style::Plain,
        ),
        "lottery.drawn" => (
            format!(
                "{:04} was drawn in lottery {}",
                event.number.unwrap_or_default(),
                event.lottery.unwrap_or_default()
            ),
            Style::Bold,
        ),
        "poll.created" => (
            format!("{} asks: {}", text(&event.author), text(&event.question)),
            Style::Bold,
        ),
        "poll.closed" => (format!("closed: {}", text(&event.question)), Style::Plain),
        "file.put" => (
            format!("{} shares {}", text(&event.author), text(&event.name)),
            Style::Bold,
        ),
        "file.renamed" => (
            format!("{} is {} now", text(&event.before), text(&event.name)),
            Style::Plain,
        ),
        "file.removed" => (format!("{} was removed", text(&event.name)), Style::Plain),
        kind => (kind.to_owned(), Style::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str) -> Event {
        Event {
            id: "7-0".into(),
            kind: kind.into(),
            at: "2026-03-01T18:30:00Z".into(),
            area: Some(1),
            post: Some(3),
            title: Some("Agua".into()),
            author: Some("ana".into()),
            name: None,
            hidden: Some(true),
            lottery: Some(2),
            agencies: None,
            agency: Some(4),
            open_agencies: Some(1),
            number: Some(74),
            winners: None,
            poll: None,
            question: Some("¿Gatos?".into()),
            file: None,
            size_bytes: None,
            root: None,
            before: None,
            tally: None,
        }
    }

    #[test]
    fn events_are_sentences() {
        let said = |kind: &str| describe(&event(kind), "Obras").0;
        assert_eq!(said("post.published"), "Obras #3 ana: Agua");
        assert_eq!(said("post.removed"), "Obras #3 was hidden");
        assert_eq!(said("area.removed"), "area Obras was removed");
        assert_eq!(said("lottery.agency-closed"), "agency 4 closed, 1 to go");
        assert_eq!(said("lottery.drawn"), "0074 was drawn in lottery 2");
        assert_eq!(said("poll.created"), "ana asks: ¿Gatos?");
        assert_eq!(said("later.kind"), "later.kind", "kinds of a later version");
    }
}
