//! The live streams: everything that happens, and how one poll stands.

use std::collections::VecDeque;

use api::grpc::v1;
use api::grpc::v1::events_server::Events;
use api::grpc::v1::watch_events_response::Message;
use domain::news::queries::AreaRef;
use domain::polls::queries::{Poll, State};
use domain::{EventId, Topic};
use engine::{Position, Served};
use futures_util::{StreamExt, stream};
use tonic::Status;

use crate::app::{App, Caller};
use crate::events::{Filter, Reader, TALLY, Told, check_kind};
use crate::grpc::answer::{Answer, Stream, service};
use crate::grpc::render::{events as render, polls, time};
use crate::grpc::status::history_gone;
use crate::problem::{Kind, Trouble};

/// Values of one filter: more than there is use for.
const FILTER_MAX: usize = 50;

/// What ends a stream of tallies.
const CLOSED: &str = "poll.closed";

service!(Events {
    watch_events: v1::WatchEventsRequest => Self::WatchEventsStream;
} type WatchEventsStream = Stream<v1::WatchEventsResponse>;);

async fn watch_events(
    app: &App,
    caller: &Caller,
    ask: v1::WatchEventsRequest,
) -> Result<Answer<Stream<v1::WatchEventsResponse>>, Trouble> {
    let after = cursor(&ask.after)?;
    for (field, values) in [
        ("areas", ask.areas.len()),
        ("polls", ask.polls.len()),
        ("kinds", ask.kinds.len()),
    ] {
        if values > FILTER_MAX {
            let reason = format!("at most {FILTER_MAX} of them");
            return Err(Trouble::field(field, reason));
        }
    }
    for kind in &ask.kinds {
        check_kind("kinds", kind)?;
    }
    let filter = Filter {
        areas: ask.areas,
        polls: ask.polls,
        kinds: ask.kinds,
    };
    app.may_follow(caller, &filter).await?;
    for area in &filter.areas {
        app.area(caller, &AreaRef::Id(*area)).await?;
    }
    let reader = Reader::open(app, caller, filter, after).await?;
    let said = Said {
        reader,
        told: VecDeque::new(),
        cursor: ask.after,
    };
    Ok(Answer::of_node(stream::unfold(said, Said::next).boxed()))
}

fn cursor(text: &str) -> Result<Option<EventId>, Trouble> {
    let bad = |_| Trouble::field("after", "a cursor looks like 1042-3");
    match text {
        "" => Ok(None),
        _ => text.parse().map(Some).map_err(bad),
    }
}

/// A stream of events.
struct Said {
    reader: Reader,
    told: VecDeque<Told>,
    /// The last one that the client knows.
    cursor: String,
}

impl Said {
    async fn next(mut self) -> Option<(Result<v1::WatchEventsResponse, Status>, Self)> {
        loop {
            while let Some(told) = self.told.pop_front() {
                if let Some(said) = self.say(told) {
                    let said = said.map(|message| v1::WatchEventsResponse {
                        message: Some(message),
                    });
                    return Some((said, self));
                }
            }
            self.told = self.reader.next().await?.into();
        }
    }

    fn say(&mut self, told: Told) -> Option<Result<Message, Status>> {
        match &told {
            Told::Opened(Some(id)) | Told::MovedTo(id) => self.cursor = id.to_string(),
            Told::Event(event) => self.cursor = event.event.id.to_string(),
            _ => {}
        }
        match told {
            Told::Opened(None) => None,
            Told::Opened(Some(_)) | Told::MovedTo(_) | Told::Alive => {
                let cursor = self.cursor.clone();
                Some(Ok(Message::Progress(v1::Progress { cursor })))
            }
            Told::Event(event) => Some(Ok(Message::Event(render::event(&event.event)))),
            Told::Tally(tally) => Some(Ok(Message::Tally(render::tally(&tally.live)))),
            Told::Gone { oldest } => Some(Err(history_gone(oldest))),
            Told::Over(trouble) => Some(Err(trouble.into())),
        }
    }
}

/// Follows how one poll stands.
pub(super) async fn tallies(
    app: &App,
    caller: &Caller,
    poll: i64,
) -> Result<Answer<Stream<v1::WatchTallyResponse>>, Trouble> {
    let filter = Filter {
        areas: Vec::new(),
        polls: vec![poll],
        kinds: vec![TALLY.to_owned(), CLOSED.to_owned()],
    };
    app.may_follow(caller, &filter).await?;
    // Asked for at once, so that its close is either seen there or told by the reader.
    let mut reader = Reader::open(app, caller, filter, None).await?;
    let (found, position) = look(app, caller, poll, reader.last().index).await?;
    reader.skip_tallies(position.index);
    let first = shown(&found)?;
    let standing = Standing {
        app: app.clone(),
        caller: caller.clone(),
        poll,
        over: first.closed,
        first: Some(first),
        reader,
        told: VecDeque::new(),
    };
    let stream = stream::unfold(standing, Standing::next).boxed();
    Ok(Answer::at(position, stream))
}

/// The poll in a state that is not older than an index.
async fn look(
    app: &App,
    caller: &Caller,
    poll: i64,
    index: u64,
) -> Result<(Poll, Position), Trouble> {
    let caller = Caller {
        seen: Some(caller.seen.unwrap_or(0).max(index)),
        ..caller.clone()
    };
    let Served {
        value: (_, poll),
        position,
    } = app.poll(&caller, None, poll).await?;
    Ok((poll, position))
}

fn shown(poll: &Poll) -> Result<v1::WatchTallyResponse, Trouble> {
    let hidden = || {
        let detail = "how this poll stands shows after its close";
        Trouble::new(Kind::ResultHidden, detail)
    };
    let closed = poll.state == State::Closed;
    Ok(v1::WatchTallyResponse {
        poll: poll.id,
        tally: Some(polls::tally(poll.tally.as_ref().ok_or_else(hidden)?)),
        at: poll.closes_at_ms.filter(|_| closed).and_then(time),
        closed,
    })
}

/// A stream of tallies.
struct Standing {
    app: App,
    caller: Caller,
    poll: i64,
    first: Option<v1::WatchTallyResponse>,
    reader: Reader,
    told: VecDeque<Told>,
    over: bool,
}

impl Standing {
    async fn next(mut self) -> Option<(Result<v1::WatchTallyResponse, Status>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first), self));
        }
        while !self.over {
            while let Some(told) = self.told.pop_front() {
                if let Some(said) = self.say(told).await {
                    return Some((said, self));
                }
            }
            self.told = self.reader.next().await?.into();
        }
        None
    }

    async fn say(&mut self, told: Told) -> Option<Result<v1::WatchTallyResponse, Status>> {
        let poll = self.poll;
        let alive = v1::WatchTallyResponse {
            poll,
            ..v1::WatchTallyResponse::default()
        };
        match told {
            Told::Opened(_) => None,
            Told::Alive | Told::MovedTo(_) => Some(Ok(alive)),
            Told::Tally(tally) => Some(Ok(v1::WatchTallyResponse {
                tally: Some(polls::tally(&tally.live.tally)),
                at: time(tally.live.changed_at_ms),
                ..alive
            })),
            Told::Event(event) => match event.event.topic {
                Topic::PollClosed { .. } => Some(self.close(event.event.id).await),
                _ => None,
            },
            Told::Gone { oldest } => Some(Err(history_gone(oldest))),
            Told::Over(trouble) => Some(Err(trouble.into())),
        }
    }

    /// What the poll came to.
    async fn close(&mut self, at: EventId) -> Result<v1::WatchTallyResponse, Status> {
        self.over = true;
        let (poll, _) = look(&self.app, &self.caller, self.poll, at.index).await?;
        Ok(shown(&poll)?)
    }
}
