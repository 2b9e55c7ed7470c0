//! The outbox: every event, in the transaction of its command, kept for a while so that any node
//! can resume any client's stream.

use crate::context::Context;
use crate::event::{Event, EventId, Topic};
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};

/// The outbox keeps at least this many events: weeks of a busy association, some 30 MB.
pub const EVENTS_KEPT: i64 = 200_000;

/// Old events are dropped this many at a time, which makes dropping them cheap.
const BATCH: i64 = 256;

/// The longest answer to [`ListEvents`].
pub const EVENTS_PAGE_MAX: u32 = 1_000;

/// Events after `after`, oldest first.
#[derive(Clone, Debug)]
pub struct ListEvents {
    /// Continue after this event.
    pub after: EventId,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
}

/// A stretch of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    /// Everything after the cursor, up to the limit.
    Some(Vec<Event>),
    /// Events after the cursor have been dropped: history starts after `oldest`.
    Gone {
        /// The id that every kept event comes after.
        oldest: EventId,
    },
}

impl Query for ListEvents {
    type Answer = Events;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        if let Some(row) = sql.query(SELECT_FLOOR, &[])?.first() {
            let oldest = event_id(row)?;
            if self.after < oldest {
                return Ok(Events::Gone { oldest });
            }
        }
        let limit = i64::from(self.limit.clamp(1, EVENTS_PAGE_MAX));
        let params = [
            signed(self.after.index).into(),
            self.after.number.into(),
            limit.into(),
        ];
        let rows = sql.query(SELECT_AFTER, &params)?;
        rows.iter()
            .map(event)
            .collect::<Result<_, _>>()
            .map(Events::Some)
    }
}

const SELECT_FLOOR: &str = "SELECT log_index, number FROM outbox_floor WHERE id = 1";

const SELECT_AFTER: &str = "
    SELECT log_index, number, at_ms, topic FROM outbox WHERE (log_index, number) > (?1, ?2)
    ORDER BY log_index, number LIMIT ?3";

/// Appends the event of a command and, every so often, drops old ones.
pub(crate) fn append(context: &mut Context<'_>, id: EventId, topic: Topic) -> Result<Event, Fault> {
    let event = Event {
        id,
        at_ms: context.now_ms,
        topic,
    };
    let stored = postcard::to_extend(&event.topic, vec![TOPIC_VERSION])
        .map_err(|_| Fault::Corrupt("an event cannot be encoded"))?;
    context.sql.execute(
        "INSERT INTO outbox (log_index, number, at_ms, topic) VALUES (?1, ?2, ?3, ?4)",
        &[
            signed(id.index).into(),
            id.number.into(),
            event.at_ms.into(),
            (&stored).into(),
        ],
    )?;
    context.counters.events += 1;
    if context.counters.events >= EVENTS_KEPT + BATCH {
        drop_oldest(context)?;
    }
    Ok(event)
}

fn drop_oldest(context: &mut Context<'_>) -> Result<(), Fault> {
    let rows = context.sql.query(
        "SELECT log_index, number FROM outbox ORDER BY log_index, number LIMIT 1 OFFSET ?1",
        &[(BATCH - 1).into()],
    )?;
    let last = event_id(
        rows.first()
            .ok_or(Fault::Corrupt("the outbox was miscounted"))?,
    )?;
    let last = [signed(last.index).into(), last.number.into()];
    let dropped = context.sql.execute(
        "DELETE FROM outbox WHERE (log_index, number) <= (?1, ?2)",
        &last,
    )?;
    context.sql.execute(
        "INSERT INTO outbox_floor (id, log_index, number) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET log_index = excluded.log_index, number = excluded.number",
        &last,
    )?;
    context.counters.events -= dropped as i64;
    Ok(())
}

fn event(row: &Row) -> Result<Event, Fault> {
    let topic = match row.blob(3)?.split_first() {
        Some((&TOPIC_VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|_| Fault::Corrupt("an event is unreadable"))?
        }
        _ => return Err(Fault::Corrupt("an event is of another version")),
    };
    Ok(Event {
        id: event_id(row)?,
        at_ms: row.int(2)?,
        topic,
    })
}

fn event_id(row: &Row) -> Result<EventId, Fault> {
    let number = u32::try_from(row.int(1)?).map_err(|_| Fault::Corrupt("an event's number"))?;
    let index = u64::try_from(row.int(0)?).map_err(|_| Fault::Corrupt("an event's index"))?;
    Ok(EventId { index, number })
}

/// SQL integers are signed; a log index stays far below the sign bit, but a client's cursor may
/// hold anything.
fn signed(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

const TOPIC_VERSION: u8 = 1;
