//! An event as the bytes of an SSE message.

use api::types;
use bytes::Bytes;
use domain::{Event, EventId, Topic};

use crate::render::rfc3339;

/// The kinds that a client can filter by.
pub(crate) const KINDS: [&str; 9] = [
    "post.published",
    "post.removed",
    "area.added",
    "area.edited",
    "area.removed",
    "member.joined",
    "lottery.opened",
    "lottery.agency-closed",
    "lottery.drawn",
];

/// Told once at the start: how long a browser waits before it comes back.
const RETRY_MS: u32 = 1_000;

/// An event, rendered once for all readers.
#[derive(Debug)]
pub(super) struct Rendered {
    pub id: EventId,
    pub area: Option<i64>,
    pub kind: &'static str,
    pub bytes: Bytes,
}

impl Rendered {
    /// Renders an event.
    pub fn new(event: &Event) -> Self {
        let kind = event.topic.kind();
        let json = serde_json::to_string(&event_json(event)).unwrap_or_default();
        let text = format!("id: {}\nevent: {kind}\ndata: {json}\n\n", event.id);
        Rendered {
            id: event.id,
            area: event.topic.area(),
            kind,
            bytes: text.into(),
        }
    }
}

/// The start of every stream. With `at`, a reader that is cut before its first event knows where
/// to resume (a message without data only sets the last event id).
pub(super) fn opening(at: Option<EventId>) -> Bytes {
    match at {
        Some(id) => format!("retry: {RETRY_MS}\nid: {id}\n\n").into(),
        None => format!("retry: {RETRY_MS}\n\n").into(),
    }
}

/// A sign of life.
pub(super) fn alive() -> Bytes {
    Bytes::from_static(b": alive\n\n")
}

/// A sign of life that moves the client's last event id past events that its filter left out.
pub(super) fn moved_to(id: EventId) -> Bytes {
    format!(": alive\nid: {id}\n\n").into()
}

/// The last thing on a stream, for people who look at it; programs come back by themselves.
pub(super) fn farewell(why: &str) -> Bytes {
    format!(": {why}\n\n").into()
}

/// Says that events after the reader's cursor are no longer kept.
pub(super) fn gone(oldest: EventId) -> Bytes {
    format!("event: gone\ndata: {{\"oldest\":\"{oldest}\"}}\n\n").into()
}

/// An event as the API shows it.
pub(crate) fn event_json(event: &Event) -> types::Event {
    let mut json = types::Event {
        id: event.id.to_string(),
        kind: event.topic.kind().to_owned(),
        at: rfc3339(event.at_ms),
        area: event.topic.area(),
        post: None,
        title: None,
        author: None,
        name: None,
        hidden: None,
        lottery: None,
        agencies: None,
        agency: None,
        open_agencies: None,
        number: None,
        winners: None,
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
        Topic::PostRemoved { post, hidden, .. } => {
            json.post = Some(*post);
            json.hidden = Some(*hidden);
        }
        Topic::LotteryOpened { .. }
        | Topic::LotteryAgencyClosed { .. }
        | Topic::LotteryDrawn { .. } => tell_lottery(&mut json, &event.topic),
    }
    json
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
        let rendered = Rendered::new(&published("Agua\ncortada"));
        let text = std::str::from_utf8(&rendered.bytes).unwrap();
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
