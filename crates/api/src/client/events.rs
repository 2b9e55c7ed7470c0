//! The live stream of events, which goes on with another node when one is lost.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};

use super::call::Call;
use super::endpoints::Base;
use super::send::{Verdict, judge, number, read_json};
use super::sse::{Message, Parser};
use super::transport::{Streaming, next_chunk, refusal};
use super::{Client, Error, backoff};
use crate::types::{Event, headers};

/// A stream that says nothing for this long, not even a heartbeat, is left for another node.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Which events to follow; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those of this area (an id or a name).
    pub area: Option<String>,
    /// Only those of this kind, `post.published` for example.
    pub kind: Option<String>,
    /// Only those of this poll, with its tallies.
    pub poll: Option<i64>,
}

/// Events in order, each once, from whichever node serves them. See [`Client::events`].
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    filter: EventFilter,
    cursor: Option<Cursor>,
    open: Option<Open>,
    /// Connections in a row that ended before they told anything.
    barren: u32,
}

#[derive(Debug)]
struct Open {
    base: Base,
    body: Incoming,
    parser: Parser,
    messages: VecDeque<Message>,
}

/// An event's id: the log index and the number within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor(u64, u32);

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (index, number) = text.split_once('-')?;
        Some(Cursor(index.parse().ok()?, number.parse().ok()?))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl Client {
    /// Follows the events after the one with the id `after`, or from now on. Nothing is asked
    /// before the first [`EventStream::next`].
    pub fn events(&self, filter: EventFilter, after: Option<&str>) -> Result<EventStream, Error> {
        let cursor = after.map(|text| {
            Cursor::parse(text).ok_or_else(|| Error::Invalid {
                field: "the event id",
                reason: format!("{text:?} does not look like 1042-3"),
            })
        });
        Ok(EventStream {
            client: self.clone(),
            filter,
            cursor: cursor.transpose()?,
            open: None,
            barren: 0,
        })
    }
}

impl EventStream {
    /// The next event. A lost node is replaced by another, from the last event on, without a gap or
    /// a repetition. An error ends nothing: the next call tries again. Dropping the future loses
    /// nothing either.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            self.connected().await?;
            match self.next_message() {
                Some((base, message)) => {
                    if let Some(event) = self.understand(&base, message)? {
                        return Ok(event);
                    }
                }
                None => self.listen().await,
            }
        }
    }

    fn next_message(&mut self) -> Option<(Base, Message)> {
        let open = self.open.as_mut()?;
        open.messages
            .pop_front()
            .map(|message| (open.base.clone(), message))
    }

    /// The id of the last event that was seen or passed over, to go on from there another time.
    pub fn cursor(&self) -> Option<String> {
        self.cursor.map(|cursor| cursor.to_string())
    }

    /// Connects, or waits until one of the other nodes can be had.
    pub async fn connected(&mut self) -> Result<(), Error> {
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        Ok(())
    }

    /// Waits for more of the stream, and lets go of it if there is none.
    async fn listen(&mut self) {
        let Some(open) = &mut self.open else { return };
        let mut messages = Vec::new();
        let alive = match timeout(SILENCE_MAX, next_chunk(&mut open.body)).await {
            Ok(Some(Ok(bytes))) => open.parser.read(&bytes, &mut messages).is_ok(),
            Ok(Some(Err(_)) | None) | Err(_) => false,
        };
        open.messages.extend(messages);
        if alive {
            self.barren = 0;
        } else {
            self.barren = self.barren.saturating_add(1);
            self.client
                .endpoints_now()
                .failed(&open.base, None, Instant::now());
            self.open = None;
        }
    }

    /// What a message tells: an event that is new, nothing, or that the history is gone.
    fn understand(&mut self, base: &Base, message: Message) -> Result<Option<Event>, Error> {
        if message.kind == "gone" {
            return Err(self.gone(base, &message)?);
        }
        let id = message.id.as_deref().and_then(Cursor::parse);
        if id.is_some() && id <= self.cursor {
            return Ok(None);
        }
        self.cursor = id.or(self.cursor);
        if message.data.is_empty() {
            return Ok(None);
        }
        read_json(base, message.data.as_bytes()).map(Some)
    }

    /// The events up to some point are no longer kept: what comes after can still be followed.
    fn gone(&mut self, base: &Base, message: &Message) -> Result<Error, Error> {
        #[derive(serde::Deserialize)]
        struct Gone {
            oldest: String,
        }
        let Gone { oldest } = read_json(base, message.data.as_bytes())?;
        self.cursor = Cursor::parse(&oldest).max(self.cursor);
        self.open = None;
        Ok(Error::HistoryGone { oldest })
    }

    /// Opens the stream on a node that has it, within the client's deadline.
    async fn connect(&mut self) -> Result<Open, Error> {
        if self.barren > 0 {
            sleep(backoff::pause(self.barren)).await;
        }
        let deadline = Instant::now() + self.client.deadline;
        let preferred = self
            .client
            .nodes_for(self.filter.area.as_deref(), deadline)
            .await;
        let mut reason = String::new();
        while let Some(base) = self.client.next_node(&preferred, deadline).await {
            let limit = self.client.shared.attempt_timeout;
            let request = self.request(&base)?;
            let after = match self.client.shared.transport.stream(request, limit).await {
                Ok(streaming) => match self.welcome(&base, streaming).await? {
                    Ok(open) => return Ok(open),
                    Err(after) => after,
                },
                Err(why) => {
                    reason = why;
                    None
                }
            };
            self.client
                .endpoints_now()
                .failed(&base, after, Instant::now());
        }
        Err(self.client.unreachable(reason))
    }

    fn request(&self, base: &Base) -> Result<Request<Full<Bytes>>, Error> {
        let poll = self.filter.poll.map(|poll| poll.to_string());
        let call = Call::get(&["v1", "events"])
            .query("area", self.filter.area.as_deref())
            .query("kind", self.filter.kind.as_deref())
            .query("poll", poll.as_deref());
        let mut request = self.client.request(&call, base, None)?;
        let map = request.headers_mut();
        map.insert(
            http::header::ACCEPT,
            http::HeaderValue::from_static("text/event-stream"),
        );
        if let Some(cursor) = self
            .cursor
            .and_then(|cursor| cursor.to_string().parse().ok())
        {
            map.insert("last-event-id", cursor);
        }
        Ok(request)
    }

    /// Takes up a stream that a node offers: open, or to be tried elsewhere, or refused.
    async fn welcome(
        &mut self,
        base: &Base,
        streaming: Streaming,
    ) -> Result<Result<Open, Option<Duration>>, Error> {
        if streaming.status.is_success() {
            self.client.endpoints_now().worked(base, Instant::now());
            self.client.learn_in_background();
            let index = number(&streaming.headers, headers::INDEX);
            // Without a cursor the stream starts at this state, and so does a resumption that
            // comes before the first event.
            self.cursor = self.cursor.or(index.map(|index| Cursor(index, u32::MAX)));
            let (parser, messages) = (Parser::default(), VecDeque::new());
            return Ok(Ok(Open {
                base: base.clone(),
                body: streaming.body,
                parser,
                messages,
            }));
        }
        let answer = refusal(streaming).await;
        match judge(&answer) {
            Verdict::Later(after) | Verdict::Unknown(after) => Ok(Err(after)),
            Verdict::Done | Verdict::Refused => {
                Err(Error::Refused(Box::new(read_json(base, &answer.body)?)))
            }
        }
    }
}
