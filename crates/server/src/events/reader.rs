//! One reader's stream: history first if it asked for it, then live, without gap or repeat.

use std::convert::Infallible;
use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use domain::outbox::{Events, ListEvents};
use domain::polls::queries::ListTallies;
use domain::{Event, EventId};
use engine::{Consistency, ReadError, Served};
use futures_util::Stream;
use tokio::sync::broadcast::{self, error::RecvError};

use super::hub::{Item, PAGE_EVENTS, Seat, TallySeat};
use super::render::{Rendered, RenderedTally, TALLY, sse};
use crate::app::{App, Caller};
use crate::problem::{Kind, Trouble};
use crate::sessions::Session;

/// When to try again on a node that has no seat left.
const FULL_MS: u64 = 5_000;

/// What a reader is told, in this order: one `Opened`, any number of the others, and in the end
/// `Gone` or `Over`.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// The stream begins: after the reader's own cursor, or after this one.
    Opened(Option<EventId>),
    /// Something happened.
    Event(Arc<Rendered>),
    /// How a poll stands.
    Tally(Arc<RenderedTally>),
    /// A sign of life.
    Alive,
    /// A sign of life, and the cursor past events that the filter left out.
    MovedTo(EventId),
    /// Events after the reader's cursor are no longer kept.
    Gone {
        /// The oldest that is.
        oldest: EventId,
    },
    /// The stream ends.
    Over(Trouble),
}

/// Which events a reader wants; an empty list means all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub areas: Vec<i64>,
    pub polls: Vec<i64>,
    pub kinds: Vec<String>,
}

impl Filter {
    /// Whether it asks how polls stand.
    fn follows_tallies(&self) -> bool {
        match self.kinds.is_empty() {
            true => !self.polls.is_empty(),
            false => self.kinds.iter().any(|kind| kind == TALLY),
        }
    }

    fn wants_tally(&self, poll: i64) -> bool {
        let whole = self.areas.is_empty() && self.polls.is_empty();
        self.follows_tallies() && (whole || self.polls.contains(&poll))
    }

    fn wants(&self, event: &Rendered) -> bool {
        let whole = self.areas.is_empty() && self.polls.is_empty();
        let topic = &event.event.topic;
        let area = topic.area().is_some_and(|area| self.areas.contains(&area));
        let poll = topic.poll().is_some_and(|poll| self.polls.contains(&poll));
        (whole || area || poll)
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == event.kind()))
    }
}

/// A reader.
pub(crate) struct Reader {
    app: App,
    session: Session,
    filter: Filter,
    live: broadcast::Receiver<Item>,
    /// Everything up to here was sent, or left out by the filter.
    last: EventId,
    /// The id that the client knows: that of the last event which was not left out.
    told: EventId,
    /// History is read from a state that is at least here.
    floor: u64,
    /// Ready to be told.
    ready: Vec<Told>,
    stage: Stage,
    /// The state of the tallies that were told at the start.
    tallies_at: u64,
    _seat: Seat,
    _tally_seat: Option<TallySeat>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    History,
    Live,
    Over,
}

impl App {
    /// Whether the caller may follow what passes the filter: whoever has signed in, and anybody the
    /// polls that are for anyone.
    pub async fn may_follow(&self, caller: &Caller, filter: &Filter) -> Result<(), Trouble> {
        if caller.token.is_some() || filter.polls.is_empty() || !filter.areas.is_empty() {
            self.member(caller).await?;
            return Ok(());
        }
        for poll in &filter.polls {
            self.poll(caller, None, *poll).await?;
        }
        Ok(())
    }
}

impl Reader {
    /// Opens a stream, after a cursor or from now on, for a caller who may follow. What can be said
    /// before the first byte (no seat, this node lags behind the cursor) is an error here.
    pub async fn open(
        app: &App,
        caller: &Caller,
        filter: Filter,
        after: Option<EventId>,
    ) -> Result<Self, Trouble> {
        if app.stopping.is_cancelled() {
            return Err(ReadError::Stopping.into());
        }
        let max = app.config.limits.event_readers;
        let full = || Trouble::new(Kind::Busy, "too many event streams").retry_after_ms(FULL_MS);
        let seat = app.hub.seat(max).ok_or_else(full)?;
        // First the live end, then history up to at least there: what falls between is in both.
        let live = app.hub.subscribe();
        // What goes out of service after this look ends what has subscribed.
        app.engine.may_read()?;
        let follows = filter.follows_tallies();
        let tally_seat = follows.then(|| app.hub.follow_tallies());
        let start = app.hub.last();
        let mut reader = Reader {
            app: app.clone(),
            session: app.sessions.watch(caller),
            filter,
            live,
            last: after.unwrap_or(start),
            told: after.unwrap_or(start),
            floor: start.index.max(after.unwrap_or(start).index),
            ready: vec![Told::Opened(after.is_none().then_some(start))],
            stage: if after.is_some() {
                Stage::History
            } else {
                Stage::Live
            },
            tallies_at: 0,
            _seat: seat,
            _tally_seat: tally_seat,
        };
        if reader._tally_seat.is_some() {
            reader.tell_how_polls_stand().await?;
        }
        if reader.stage == Stage::History {
            reader.history().await?;
        }
        Ok(reader)
    }

    /// The stream as SSE.
    pub fn into_sse(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        futures_util::stream::unfold(self, |mut reader| async move {
            let told = reader.next().await?;
            let bytes = match told.as_slice() {
                [told] => sse(told),
                many => {
                    let mut bytes = BytesMut::new();
                    many.iter()
                        .for_each(|told| bytes.extend_from_slice(&sse(told)));
                    bytes.freeze()
                }
            };
            Some((Ok(bytes), reader))
        })
    }

    /// Everything up to here was told, or left out by the filter.
    pub fn last(&self) -> EventId {
        self.last
    }

    /// Leaves out how polls stood before the state at an index, which the client knows.
    pub fn skip_tallies(&mut self, index: u64) {
        self.tallies_at = self.tallies_at.max(index);
        self.ready.retain(|told| !matches!(told, Told::Tally(_)));
    }

    /// What there is to tell next: one thing at least, until the stream is over.
    pub async fn next(&mut self) -> Option<Vec<Told>> {
        loop {
            if !self.ready.is_empty() {
                return Some(mem::take(&mut self.ready));
            }
            match self.stage {
                Stage::Over => return None,
                Stage::Live => self.live_step().await,
                Stage::History => {
                    if let Err(trouble) = self.history().await {
                        self.end(Told::Over(trouble));
                    }
                }
            }
        }
    }

    /// Says first how the polls stand that the reader follows: later only changes are told.
    async fn tell_how_polls_stand(&mut self) -> Result<(), Trouble> {
        let applied = Consistency::Session(self.app.engine.status().applied);
        let query = ListTallies { since_ms: 0 };
        let Served { value, position } = self.app.engine.read(applied, query).await?;
        self.tallies_at = position.index;
        let rendered = |live| Arc::new(RenderedTally::new(live));
        let tallies: Vec<_> = value.into_iter().map(rendered).collect();
        self.take_tallies(&tallies);
        Ok(())
    }

    fn take_tallies(&mut self, tallies: &[Arc<RenderedTally>]) {
        for tally in tallies {
            if self.filter.wants_tally(tally.live.poll) {
                self.ready.push(Told::Tally(tally.clone()));
            }
        }
    }

    async fn history(&mut self) -> Result<(), Trouble> {
        let query = ListEvents {
            after: self.last,
            limit: PAGE_EVENTS,
        };
        let floor = Consistency::Session(self.floor);
        let events = match self.app.engine.read(floor, query).await {
            Ok(Served { value, .. }) => value,
            Err(ReadError::Behind { .. }) => return self.ahead_of_this_node().await,
            Err(error) => return Err(error.into()),
        };
        match events {
            Events::Gone { oldest } => self.end(Told::Gone { oldest }),
            Events::Some(events) => self.take_page(events),
        }
        Ok(())
    }

    /// The cursor is ahead of this node: either the node lags, or the cursor is from another
    /// cluster (or from before its data was lost), and then that history is gone.
    async fn ahead_of_this_node(&mut self) -> Result<(), Trouble> {
        let query = ListEvents {
            after: self.last,
            limit: 1,
        };
        let newest = self
            .app
            .engine
            .read(Consistency::Linearizable, query)
            .await?;
        let at = newest.position.index;
        if at >= self.last.index {
            return Err(ReadError::Behind {
                at,
                wanted: self.last.index,
            }
            .into());
        }
        let oldest = EventId {
            index: at,
            number: u32::MAX,
        };
        self.end(Told::Gone { oldest });
        Ok(())
    }

    fn take_page(&mut self, events: Vec<Event>) {
        let whole = events.len() == PAGE_EVENTS as usize;
        for event in events {
            self.take(&Arc::new(Rendered::new(event)));
        }
        if !whole {
            self.stage = Stage::Live;
        }
    }

    async fn live_step(&mut self) {
        let item = tokio::select! {
            biased;
            why = self.session.over() => return self.end(Told::Over(why)),
            item = self.live.recv() => item,
        };
        match item {
            Ok(Item::Event(event)) => self.take(&event),
            Ok(Item::Tallies(index, tallies)) if index > self.tallies_at => {
                self.take_tallies(&tallies);
            }
            // What was told at the start is newer.
            Ok(Item::Tallies(..)) => {}
            Ok(Item::Alive) => self.alive(),
            Ok(Item::Lost) => self.over(Kind::Cut, "some events were missed here; come back"),
            Ok(Item::Stop(why)) => self.over(Kind::Stopping, why),
            Err(RecvError::Closed) => self.over(Kind::Stopping, "the node is stopping"),
            Err(RecvError::Lagged(_)) => {
                self.app.metrics.slow_readers.inc();
                let why = "you read too slowly; come back with the last id you saw";
                self.over(Kind::Cut, why);
            }
        }
    }

    fn take(&mut self, event: &Arc<Rendered>) {
        let id = event.event.id;
        if id > self.last {
            self.last = id;
            if self.filter.wants(event) {
                self.told = id;
                self.ready.push(Told::Event(event.clone()));
            }
        }
    }

    fn alive(&mut self) {
        if self.told == self.last {
            self.ready.push(Told::Alive);
        } else {
            self.told = self.last;
            self.ready.push(Told::MovedTo(self.last));
        }
    }

    fn over(&mut self, kind: Kind, why: &str) {
        self.end(Told::Over(Trouble::new(kind, why)));
    }

    fn end(&mut self, last_words: Told) {
        self.ready.push(last_words);
        self.stage = Stage::Over;
    }
}
