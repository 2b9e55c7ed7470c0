//! An event as the bytes of an SSE message.

use std::sync::OnceLock;

use api::types;
use bytes::Bytes;
use domain::polls::queries::LiveTally;
use domain::{Event, EventId, Topic};

use super::reader::Told;
use crate::polls::tally_event;
use crate::problem::Trouble;
use crate::render::rfc3339;

/// The kinds that a client can filter by.
const KINDS: [&str; 12] = [
    "post.published",
    "post.removed",
    "area.added",
    "area.edited",
    "area.removed",
    "member.joined",
    "lottery.opened",
    "lottery.agency-closed",
    "lottery.drawn",
    "poll.created",
    "poll.closed",
    TALLY,
];

/// The kind that tells how a poll stands. It comes only to who asks for it.
pub(crate) const TALLY: &str = "poll.tally";

/// Refuses a kind that there is not, in the field that names it.
pub(crate) fn check_kind(field: &str, kind: &str) -> Result<(), Trouble> {
    match KINDS.contains(&kind) {
        true => Ok(()),
        false => {
            let reason = format!("it must be one of {}", KINDS.join(", "));
            Err(Trouble::field(field, reason))
        }
    }
}

/// Told once at the start: how long a browser waits before it comes back.
const RETRY_MS: u32 = 1_000;

/// An event, rendered at most once for all readers.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub event: Event,
    bytes: OnceLock<Bytes>,
}

impl Rendered {
    /// An event to be rendered when somebody wants it so.
    pub fn new(event: Event) -> Self {
        let bytes = OnceLock::new();
        Rendered { event, bytes }
    }

    /// Its kind, as clients filter by it.
    pub fn kind(&self) -> &'static str {
        self.event.topic.kind()
    }

    /// As an SSE message.
    pub fn bytes(&self) -> &Bytes {
        self.bytes.get_or_init(|| {
            let (id, kind) = (self.event.id, self.kind());
            let json = serde_json::to_string(&event_json(&self.event)).unwrap_or_default();
            format!("id: {id}\nevent: {kind}\ndata: {json}\n\n").into()
        })
    }
}

/// How a poll stands, rendered at most once for all readers. The message has no id: a client's last
/// event id stays that of the last event.
#[derive(Debug)]
pub(crate) struct RenderedTally {
    pub live: LiveTally,
    bytes: OnceLock<Bytes>,
}

impl RenderedTally {
    /// A tally to be rendered when somebody wants it so.
    pub fn new(live: LiveTally) -> Self {
        let bytes = OnceLock::new();
        RenderedTally { live, bytes }
    }

    /// As an SSE message.
    pub fn bytes(&self) -> &Bytes {
        self.bytes.get_or_init(|| {
            let json = serde_json::to_string(&tally_event(&self.live)).unwrap_or_default();
            format!("event: {TALLY}\ndata: {json}\n\n").into()
        })
    }
}

/// What a reader is told, as one SSE message.
pub(super) fn sse(told: &Told) -> Bytes {
    match told {
        Told::Opened(at) => opening(*at),
        Told::Event(event) => event.bytes().clone(),
        Told::Tally(tally) => tally.bytes().clone(),
        Told::Alive => Bytes::from_static(b": alive\n\n"),
        Told::MovedTo(id) => format!(": alive\nid: {id}\n\n").into(),
        Told::Gone { oldest } => {
            format!("event: gone\ndata: {{\"oldest\":\"{oldest}\"}}\n\n").into()
        }
        // For people who look at it; programs come back by themselves.
        Told::Over(trouble) => format!(": {}\n\n", trouble.detail).into(),
    }
}

/// The start of every stream. With `at`, a reader that is cut before its first event knows where
/// to resume (a message without data only sets the last event id).
fn opening(at: Option<EventId>) -> Bytes {
    match at {
        Some(id) => format!("retry: {RETRY_MS}\nid: {id}\n\n").into(),
        None => format!("retry: {RETRY_MS}\n\n").into(),
    }
}

/// An event as the API shows it.
pub(crate) fn event_json(event: &Event) -> types::Event {
    let mut json = types::Event {
        id: event.id.to_string(),
        kind: event.topic.kind().to_owned(),
        at: rfc3339(event.at_ms),
        area: event.topic.area(),
        poll: event.topic.poll(),
        ..types::Event::default()
    };
    match &event.topic {
        Topic::AreaAdded { name, .. }
        | Topic::AreaEdited { name, .. }
        | Topic::AreaRemoved { name, .. }
        | Topic::MemberJoined { name } => json.name = Some(name.clone()),
        Topic::PostPublished {
            post,
            title,
            author,
            ..
        } => {
            json.post = Some(*post);
            json.title = Some(title.clone());
            json.author = Some(author.clone());
        }
        Topic::PollCreated {
            question, author, ..
        } => {
            json.question = Some(question.clone());
            json.author = Some(author.clone());
        }
        Topic::PollClosed { question, .. } => json.question = Some(question.clone()),
        Topic::PostRemoved { post, hidden, .. } => {
            json.post = Some(*post);
            json.hidden = Some(*hidden);
        }
        Topic::LotteryOpened { .. }
        | Topic::LotteryAgencyClosed { .. }
        | Topic::LotteryDrawn { .. } => tell_lottery(&mut json, &event.topic),
        Topic::FilePut { .. } | Topic::FileRenamed { .. } | Topic::FileRemoved { .. } => {
            tell_file(&mut json, &event.topic);
        }
    }
    json
}

/// The fields of an event about a file.
fn tell_file(json: &mut types::Event, topic: &Topic) {
    match topic {
        Topic::FilePut {
            file,
            name,
            by,
            size_bytes,
            root,
            ..
        } => {
            json.file = Some(*file);
            json.name = Some(name.clone());
            json.author = Some(by.clone());
            json.size_bytes = Some(*size_bytes);
            json.root = Some(types::Hex32(*root));
        }
        Topic::FileRenamed { file, before, name } => {
            json.file = Some(*file);
            json.name = Some(name.clone());
            json.before = Some(before.clone());
        }
        Topic::FileRemoved { file, name } => {
            json.file = Some(*file);
            json.name = Some(name.clone());
        }
        _ => {}
    }
}

/// The fields of an event about a lottery.
fn tell_lottery(json: &mut types::Event, topic: &Topic) {
    match topic {
        Topic::LotteryOpened {
            lottery,
            name,
            agencies,
        } => {
            json.lottery = Some(*lottery);
            json.name = Some(name.clone());
            json.agencies = Some(*agencies);
        }
        Topic::LotteryAgencyClosed {
            lottery,
            agency,
            open_agencies,
        } => {
            json.lottery = Some(*lottery);
            json.agency = Some(*agency);
            json.open_agencies = Some(*open_agencies);
        }
        Topic::LotteryDrawn {
            lottery,
            number,
            winners,
            closed_agency,
        } => {
            json.lottery = Some(*lottery);
            json.number = Some(*number);
            json.winners = Some(*winners);
            json.agency = *closed_agency;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn published(title: &str) -> Event {
        let (title, author) = (title.to_owned(), "ana".to_owned());
        let topic = Topic::PostPublished {
            area: 3,
            post: 7,
            title,
            author,
        };
        Event {
            id: EventId {
                index: 1042,
                number: 3,
            },
            at_ms: 1_700_000_000_123,
            topic,
        }
    }

    #[test]
    fn a_message_has_id_kind_and_one_line_of_data() {
        let rendered = Rendered::new(published("Agua\ncortada"));
        let text = std::str::from_utf8(rendered.bytes()).unwrap();
        let expected = "id: 1042-3\nevent: post.published\ndata: {\"id\":\"1042-3\",\
            \"kind\":\"post.published\",\"at\":\"2023-11-14T22:13:20.123Z\",\"area\":3,\"post\":7,\
            \"title\":\"Agua\\ncortada\",\"author\":\"ana\"}\n\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_kind_can_be_asked_for() {
        assert!(KINDS.contains(&published("x").topic.kind()));
        assert!(
            KINDS.contains(
                &Topic::MemberJoined {
                    name: String::new()
                }
                .kind()
            )
        );
        let removed = Topic::PostRemoved {
            area: 1,
            post: 1,
            hidden: false,
        };
        assert!(KINDS.contains(&removed.kind()));
        let opened = Topic::LotteryOpened {
            lottery: 1,
            name: String::new(),
            agencies: 1,
        };
        let closed = Topic::LotteryAgencyClosed {
            lottery: 1,
            agency: 1,
            open_agencies: 0,
        };
        let drawn = Topic::LotteryDrawn {
            lottery: 1,
            number: 1,
            winners: 1,
            closed_agency: None,
        };
        for topic in [opened, closed, drawn] {
            assert!(KINDS.contains(&topic.kind()));
        }
    }
}
