//! Polls that take ballots from a list of the store.
//!
//! ```text
//!   RPUSH votes {"voter_id": "ana", "vote": "a"}     whoever serves the voters
//!        │
//!   leader: reads the head of the list, makes of each item what it means
//!        │
//!   CountList: is that still the head? ─▶ takes the items away, casts their ballots
//! ```
//!
//! Taking an item and casting its ballot are one command: a ballot cannot be lost between the two,
//! and is counted once however often the command is tried. What an item means is told by whoever
//! proposes the command, because the rules read no JSON; that it is the item at the head is checked
//! here, byte for byte.
//!
//! A voter is who the item says. Nothing proves it: whoever may push to the list votes for all. An
//! item that is no ballot, or finds no room, is put aside, into the list of the same name with
//! [`REFUSED_SUFFIX`] behind it. After the close items stay where they are.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::command::{Rejection, Reply, Thing};
use crate::context::{Context, Step, invalid};
use crate::polls::ballots::{self, Ballot};
use crate::polls::{BALLOTS_MAX, BLANK, NewPoll, Voters};
use crate::query::Query;
use crate::sql::{Fault, Row, Sql};
use crate::store;

/// Items that one command takes: some ten milliseconds' work.
pub const ITEMS_MAX: usize = 256;

/// Behind the name of a list: where its items go that are no ballots.
pub const REFUSED_SUFFIX: &str = ":refused";

/// The name of a list has at most this many bytes: with the suffix it is a key still.
pub const LIST_MAX_BYTES: usize = store::KEY_MAX_BYTES - REFUSED_SUFFIX.len();

/// An item of a list, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListItem {
    /// What is in the list.
    pub item: Bytes,
    /// The ballot that it is, if it is one.
    pub ballot: Option<ListBallot>,
}

/// A ballot that came in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBallot {
    /// Who votes: a hash of what the item calls the voter.
    pub voter: [u8; 32],
    /// The option's number from 1; `None` is a blank ballot.
    pub choice: Option<u32>,
}

/// Refuses a poll whose list cannot be.
pub(crate) fn check(context: &mut Context<'_>, poll: &NewPoll) -> Step<()> {
    let Some(list) = &poll.from_list else {
        return Ok(());
    };
    if poll.voters != Voters::Anyone {
        let reason = "a list names its voters itself: the poll must be for anyone";
        return Err(invalid("from_list", reason));
    }
    if !(1..=LIST_MAX_BYTES).contains(&list.len()) {
        return Err(invalid("from_list", "a list's name has 1 to 1016 bytes"));
    }
    let rows = context.sql.query(
        "SELECT p.id FROM poll_lists l JOIN polls p ON p.id = l.poll
         WHERE l.list = ?1 AND p.running = 1 ORDER BY p.id LIMIT 1",
        &[list.as_str().into()],
    )?;
    match rows.first() {
        None => Ok(()),
        Some(row) => {
            let reason = format!("poll {} takes its ballots from there", row.int(0)?);
            Err(invalid("from_list", &reason))
        }
    }
}

/// Notes a new poll's list, if it has one.
pub(crate) fn insert(context: &mut Context<'_>, id: i64, poll: &NewPoll) -> Result<(), Fault> {
    if let Some(list) = &poll.from_list {
        context.sql.execute(
            "INSERT INTO poll_lists (poll, list) VALUES (?1, ?2)",
            &[id.into(), list.as_str().into()],
        )?;
    }
    Ok(())
}

/// Takes items from the head of a poll's list, as long as they are these, and counts them.
pub(crate) fn count(context: &mut Context<'_>, poll: i64, items: &[ListItem]) -> Step<Reply> {
    context.system()?;
    if items.len() > ITEMS_MAX {
        return Err(invalid("items", "a command takes at most 256 items"));
    }
    let found = found(context, poll)?;
    let aside = format!("{}{REFUSED_SUFFIX}", found.list);
    if !store::may_be_list(context, aside.as_bytes())? {
        let reason = format!("{aside} is no list, and could not take what is no ballot");
        return Err(invalid("from_list", &reason));
    }
    let heads: Vec<&Bytes> = items.iter().map(|item| &item.item).collect();
    let taken = store::take_head(context, found.list.as_bytes(), &heads)?;
    let (mut counted, mut refused) = (0, Vec::new());
    for (number, item) in (0u64..).zip(items.iter().take(taken)) {
        let cast = match &item.ballot {
            Some(ballot) => cast(context, poll, &found, number, ballot)?,
            None => false,
        };
        match cast {
            true => counted += 1,
            false => refused.push(item.item.clone()),
        }
    }
    store::put_aside(context, aside.as_bytes(), &refused)?;
    let refused = refused.len() as u32;
    Ok(Reply::ListCounted { counted, refused })
}

/// What counting needs to know of a poll.
struct Found {
    list: String,
    options: i64,
}

fn found(context: &mut Context<'_>, poll: i64) -> Step<Found> {
    let rows = context.sql.query(
        "SELECT l.list, p.options, p.opens_at_ms, p.closes_at_ms, p.closed_at_ms
         FROM polls p LEFT JOIN poll_lists l ON l.poll = p.id WHERE p.id = ?1",
        &[poll.into()],
    )?;
    let row = rows.first().ok_or(Rejection::NotFound(Thing::Poll))?;
    let Some(list) = row.text_opt(0)? else {
        return Err(invalid("poll", "it takes no ballots from a list"));
    };
    let times = ballots::Times {
        opens_at_ms: row.int(2)?,
        closes_at_ms: row.int_opt(3)?,
        is_closed: row.int_opt(4)?.is_some(),
    };
    times.check(context.now_ms)?;
    Ok(Found {
        list: list.to_owned(),
        options: row.int(1)?,
    })
}

/// Casts a ballot, or changes it; false if it cannot be. Nothing is refused any more here: the item
/// has been taken.
fn cast(
    context: &mut Context<'_>,
    poll: i64,
    found: &Found,
    number: u64,
    ballot: &ListBallot,
) -> Result<bool, Fault> {
    let choice = ballot.choice.map_or(BLANK, i64::from);
    if ballot.choice == Some(0) || choice > found.options {
        return Ok(false);
    }
    let params = [poll.into(), (&ballot.voter).into()];
    let rows = context.sql.query(SELECT, &params)?;
    let row = rows
        .first()
        .ok_or(Fault::Corrupt("a poll has no options"))?;
    let before = row.int_opt(1)?;
    if before.is_none() && row.int(0)? >= BALLOTS_MAX {
        return Ok(false);
    }
    // Nobody chose a code, so nobody has a receipt: the hash is of nothing that anybody knows.
    let entropy = &context.place.entropy;
    let code_hash = *blake3::keyed_hash(entropy, &number.to_le_bytes()).as_bytes();
    let ballot = Ballot {
        poll,
        voter: &ballot.voter,
        account: None,
        choice,
        weight: 1,
        code_hash: &code_hash,
    };
    ballots::write(context, &ballot, before)?;
    Ok(true)
}

const SELECT: &str = "
    SELECT CAST(SUM(o.ballots) AS BIGINT),
        (SELECT b.choice FROM ballots b WHERE b.poll = ?1 AND b.voter = ?2)
    FROM poll_options o WHERE o.poll = ?1";

/// The polls that are not closed and take ballots from a list.
#[derive(Clone, Copy, Debug)]
pub struct ListFed;

/// A poll that takes ballots from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Poll id.
    pub poll: i64,
    /// The list.
    pub list: String,
    /// What can be answered; the first is number 1.
    pub options: Vec<String>,
    /// When it opens, in milliseconds of log time since 1970.
    pub opens_at_ms: i64,
}

impl Query for ListFed {
    type Answer = Vec<Fed>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT p.id, l.list, p.opens_at_ms
             FROM polls p JOIN poll_lists l ON l.poll = p.id
             WHERE p.running = 1 ORDER BY p.id",
            &[],
        )?;
        rows.iter().map(|row| fed(sql, row)).collect()
    }
}

fn fed(sql: &mut dyn Sql, row: &Row) -> Result<Fed, Fault> {
    let poll = row.int(0)?;
    let labels = sql.query(
        "SELECT label FROM poll_options WHERE poll = ?1 AND number > 0 ORDER BY number",
        &[poll.into()],
    )?;
    let options = labels.iter().map(|row| Ok(row.text(0)?.to_owned()));
    Ok(Fed {
        poll,
        list: row.text(1)?.to_owned(),
        options: options.collect::<Result<_, Fault>>()?,
        opens_at_ms: row.int(2)?,
    })
}
