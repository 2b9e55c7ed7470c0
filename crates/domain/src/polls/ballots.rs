//! Casting a ballot, and changing it.
//!
//! All that decides is read in one statement: the poll, the voter's place in its list, and the
//! ballot cast before. Then the ballot is written, and the tallies that it changes.

use crate::command::{Rejection, Reply, Thing};
use crate::context::{Caller, Context, Step, invalid};
use crate::polls::leaf::{Leaf, leaf_hash};
use crate::polls::{BALLOTS_MAX, BLANK, VOTERS_ANYONE, VOTERS_LISTED};
use crate::sql::{Fault, Param, Row, Sql};

pub(crate) fn cast(
    context: &mut Context<'_>,
    poll: i64,
    choice: Option<u32>,
    code_hash: &[u8; 32],
    cookie: Option<&[u8; 32]>,
) -> Step<Reply> {
    let voter = voter(context, cookie);
    let account = context.account().ok();
    let key = voter.as_deref().unwrap_or_default();
    let params: [Param<'_>; 3] = [poll.into(), key.into(), account.unwrap_or(0).into()];
    let rows = context.sql.query(SELECT, &params)?;
    let row = rows.first().ok_or(Rejection::NotFound(Thing::Poll))?;
    let times = Times {
        opens_at_ms: row.int(3)?,
        closes_at_ms: row.int_opt(4)?,
        is_closed: row.int_opt(5)?.is_some(),
    };
    times.check(context.now_ms)?;
    let weight = weight(row, account, voter.is_some())?;
    let choice = checked(choice, row.int(0)?)?;
    let before = row.int_opt(6)?;
    if before.is_none() {
        need_room(row)?;
    }
    let name = match (&context.caller, row.bool(2)?) {
        (Caller::Member(member), true) => member.name.as_str(),
        _ => "",
    };
    let leaf = leaf_hash(&Leaf {
        poll,
        code_hash: *code_hash,
        choice,
        weight,
        name,
    });
    let ballot = Ballot {
        poll,
        voter: key,
        account,
        choice,
        weight,
        code_hash,
    };
    write(context, &ballot, before)?;
    Ok(Reply::Ballot {
        at_ms: context.now_ms,
        changed: before.is_some(),
        weight,
        leaf,
    })
}

/// A ballot as it is stored.
pub(super) struct Ballot<'a> {
    pub poll: i64,
    pub voter: &'a [u8],
    pub account: Option<i64>,
    pub choice: i64,
    pub weight: i64,
    pub code_hash: &'a [u8; 32],
}

/// Writes a ballot, and the tallies that it changes; `before` is the voter's choice until now.
pub(super) fn write(
    context: &mut Context<'_>,
    ballot: &Ballot<'_>,
    before: Option<i64>,
) -> Result<(), Fault> {
    let Ballot {
        poll,
        choice,
        weight,
        ..
    } = *ballot;
    context.sql.execute(
        UPSERT,
        &[
            poll.into(),
            ballot.voter.into(),
            ballot.account.into(),
            choice.into(),
            weight.into(),
            ballot.code_hash.into(),
            context.now_ms.into(),
        ],
    )?;
    if before != Some(choice) {
        count(context, poll, choice, 1, weight)?;
        if let Some(before) = before {
            count(context, poll, before, -1, -weight)?;
        }
    }
    Ok(())
}

const SELECT: &str = "
    SELECT p.options, p.voters, p.open_ballot, p.opens_at_ms, p.closes_at_ms, p.closed_at_ms,
        b.choice, v.weight,
        (SELECT CAST(SUM(o.ballots) AS BIGINT) FROM poll_options o WHERE o.poll = ?1)
    FROM polls p
    LEFT JOIN ballots b ON b.poll = p.id AND b.voter = ?2
    LEFT JOIN poll_voters v ON v.poll = p.id AND v.account = ?3
    WHERE p.id = ?1";

const UPSERT: &str = "
    INSERT INTO ballots (poll, voter, account, choice, weight, code_hash, at_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (poll, voter) DO UPDATE SET choice = excluded.choice,
        code_hash = excluded.code_hash, at_ms = excluded.at_ms";

/// The key of a voter's ballot: a member's account, or the hash that stands for a cookie.
pub(crate) fn voter_key(account: Option<i64>, cookie: Option<&[u8; 32]>) -> Option<Vec<u8>> {
    match (account, cookie) {
        (Some(account), _) => Some(account.to_be_bytes().to_vec()),
        (None, Some(hash)) => Some(hash.to_vec()),
        (None, None) => None,
    }
}

fn voter(context: &Context<'_>, cookie: Option<&[u8; 32]>) -> Option<Vec<u8>> {
    voter_key(context.account().ok(), cookie)
}

/// When a poll takes ballots.
pub(super) struct Times {
    pub opens_at_ms: i64,
    pub closes_at_ms: Option<i64>,
    pub is_closed: bool,
}

impl Times {
    /// Whether it takes them now.
    pub fn check(&self, now_ms: i64) -> Step<()> {
        let is_over = self.closes_at_ms.is_some_and(|closes| closes <= now_ms);
        if is_over || self.is_closed {
            return Err(Rejection::PollClosed.into());
        }
        let opens_at_ms = self.opens_at_ms;
        if now_ms < opens_at_ms {
            return Err(Rejection::PollNotOpen { opens_at_ms }.into());
        }
        Ok(())
    }
}

/// What the voter's ballot weighs, if there is a voter who may vote.
fn weight(row: &Row, account: Option<i64>, is_somebody: bool) -> Step<i64> {
    match (row.int(1)?, account) {
        (VOTERS_ANYONE, _) if is_somebody => Ok(1),
        (_, None) => Err(Rejection::NotSignedIn.into()),
        (VOTERS_LISTED, Some(_)) => Ok(row.int_opt(7)?.ok_or(Rejection::NotAVoter)?),
        (_, Some(_)) => Ok(1),
    }
}

/// Whether somebody new may still vote. The tallies count every ballot once, so their sum is how
/// many there are.
fn need_room(row: &Row) -> Step<()> {
    if row.int(8)? < BALLOTS_MAX {
        return Ok(());
    }
    let (what, limit) = (Thing::Ballot, BALLOTS_MAX);
    Err(Rejection::LimitReached { what, limit }.into())
}

/// The choice as it is stored.
fn checked(choice: Option<u32>, options: i64) -> Step<i64> {
    match choice.map(i64::from) {
        None => Ok(BLANK),
        Some(choice) if (1..=options).contains(&choice) => Ok(choice),
        Some(_) => {
            let reason = format!("it is the number of an option, 1 to {options}");
            Err(invalid("choice", &reason))
        }
    }
}

/// Adds to the tally of an option.
fn count(
    context: &mut Context<'_>,
    poll: i64,
    choice: i64,
    ballots: i64,
    weight: i64,
) -> Result<(), Fault> {
    let params = [
        poll.into(),
        choice.into(),
        ballots.into(),
        weight.into(),
        context.now_ms.into(),
    ];
    let changed = context.sql.execute(
        "UPDATE poll_options SET ballots = ballots + ?3, weight = weight + ?4, changed_at_ms = ?5
         WHERE poll = ?1 AND number = ?2",
        &params,
    )?;
    match changed {
        1 => Ok(()),
        _ => Err(Fault::Corrupt("an option has no tally")),
    }
}
