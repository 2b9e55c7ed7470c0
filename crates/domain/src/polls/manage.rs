//! Making and closing polls.

use std::collections::BTreeSet;

use crate::command::{Rejection, Reply, Right, Thing};
use crate::context::{Caller, Context, Step, invalid, told};
use crate::event::Topic;
use crate::news::check_line;
use crate::polls::lists;
use crate::polls::{
    AHEAD_MAX_MS, BLANK, LISTED_MAX, Listed, Majority, NewPoll, OPTION_MAX_CHARS, OPTIONS_MAX,
    OPTIONS_MIN, POLLS_MAX, POLLS_PER_AUTHOR_MAX, QUESTION_MAX_CHARS, Quorum, RUNNING_MAX,
    RUNNING_PER_AUTHOR_MAX, VOTERS_ANYONE, VOTERS_LISTED, VOTERS_MEMBERS, Voters, WEIGHT_MAX,
};
use crate::sql::{Fault, Param, Sql};

pub(crate) fn create(context: &mut Context<'_>, poll: &NewPoll) -> Step<Reply> {
    let author = context.member()?.clone();
    check_texts(poll)?;
    let (opens_at_ms, closes_at_ms) = times(context.now_ms, poll)?;
    check_rules(poll)?;
    lists::check(context, poll)?;
    let listed = match &poll.voters {
        Voters::Listed(listed) => accounts_of(context, listed)?,
        Voters::Members | Voters::Anyone => Vec::new(),
    };
    let id = newest(context)? + 1;
    need_room(context, id, author.account)?;
    let (percent, weight) = match poll.quorum {
        Some(Quorum::Percent(percent)) => (Some(percent), None),
        Some(Quorum::Weight(weight)) => (None, Some(weight)),
        None => (None, None),
    };
    let voters = match poll.voters {
        Voters::Members => VOTERS_MEMBERS,
        Voters::Listed(_) => VOTERS_LISTED,
        Voters::Anyone => VOTERS_ANYONE,
    };
    let params: [Param<'_>; 15] = [
        id.into(),
        author.account.into(),
        (&poll.question).into(),
        (poll.options.len() as i64).into(),
        voters.into(),
        poll.live.into(),
        poll.open_ballot.into(),
        context.now_ms.into(),
        opens_at_ms.into(),
        closes_at_ms.into(),
        percent.into(),
        weight.into(),
        poll.majority.number().into(),
        (listed.len() as i64).into(),
        listed.iter().map(|(_, weight)| weight).sum::<i64>().into(),
    ];
    context.sql.execute(INSERT_POLL, &params)?;
    insert_options(context, id, &poll.options)?;
    lists::insert(context, id, poll)?;
    for (account, weight) in listed {
        context.sql.execute(
            "INSERT INTO poll_voters (poll, account, weight) VALUES (?1, ?2, ?3)",
            &[id.into(), account.into(), weight.into()],
        )?;
    }
    let topic = Topic::PollCreated {
        poll: id,
        question: poll.question.clone(),
        author: author.name,
    };
    told(context, topic, Reply::Poll { id })
}

const INSERT_POLL: &str = "
    INSERT INTO polls (id, author, question, options, voters, live, open_ballot, created_at_ms,
        opens_at_ms, closes_at_ms, quorum_percent, quorum_weight, majority, listed_voters,
        listed_weight, running)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1)";

/// The options from 1, and the blank ballot as number 0.
fn insert_options(context: &mut Context<'_>, poll: i64, options: &[String]) -> Result<(), Fault> {
    let blank = std::iter::once("");
    for (number, label) in blank.chain(options.iter().map(String::as_str)).enumerate() {
        context.sql.execute(
            "INSERT INTO poll_options (poll, number, label, ballots, weight, changed_at_ms)
             VALUES (?1, ?2, ?3, 0, 0, 0)",
            &[poll.into(), (BLANK + number as i64).into(), label.into()],
        )?;
    }
    Ok(())
}

fn check_texts(poll: &NewPoll) -> Step<()> {
    check_line("question", &poll.question, QUESTION_MAX_CHARS)?;
    if !(OPTIONS_MIN..=OPTIONS_MAX).contains(&poll.options.len()) {
        return Err(invalid("options", "a poll has 2 to 100 options"));
    }
    let mut seen = BTreeSet::new();
    for option in &poll.options {
        check_line("options", option, OPTION_MAX_CHARS)?;
        if !seen.insert(option.trim()) {
            return Err(invalid("options", "two options are alike"));
        }
    }
    Ok(())
}

/// When it opens and closes.
fn times(now_ms: i64, poll: &NewPoll) -> Step<(i64, Option<i64>)> {
    let latest = now_ms.saturating_add(AHEAD_MAX_MS);
    let opens = poll.opens_at_ms.unwrap_or(now_ms).max(now_ms);
    if opens > latest {
        return Err(invalid("opens_at", "it is more than ten years ahead"));
    }
    let Some(closes) = poll.closes_at_ms else {
        return Ok((opens, None));
    };
    if closes <= opens {
        let reason = "a poll closes after it opens, and not in the past";
        return Err(invalid("closes_at", reason));
    }
    if closes > latest {
        return Err(invalid("closes_at", "it is more than ten years ahead"));
    }
    Ok((opens, Some(closes)))
}

fn check_rules(poll: &NewPoll) -> Step<()> {
    let uncounted = poll.voters == Voters::Anyone;
    match poll.quorum {
        Some(Quorum::Percent(_)) if uncounted => {
            let reason = "nobody knows how many anyone is: give the quorum as a number";
            return Err(invalid("quorum", reason));
        }
        Some(Quorum::Percent(percent)) if !(1..=100).contains(&percent) => {
            return Err(invalid("quorum", "a quorum is 1 to 100 per cent"));
        }
        Some(Quorum::Weight(weight)) if weight < 1 => {
            return Err(invalid("quorum", "a quorum is at least 1"));
        }
        _ => {}
    }
    if uncounted && poll.majority == Majority::Electorate {
        let reason = "nobody knows how many anyone is: choose a majority of what is cast";
        return Err(invalid("majority", reason));
    }
    Ok(())
}

/// The accounts of a list, with their weights.
fn accounts_of(context: &mut Context<'_>, listed: &[Listed]) -> Step<Vec<(i64, i64)>> {
    if !(1..=LISTED_MAX).contains(&listed.len()) {
        return Err(invalid("voters", "a list has 1 to 5000 voters"));
    }
    let mut seen = BTreeSet::new();
    let mut accounts = Vec::with_capacity(listed.len());
    for Listed { name, weight } in listed {
        if !(1..=WEIGHT_MAX).contains(weight) {
            return Err(invalid("voters", "a weight is from 1 to 1000000"));
        }
        let rows = context.sql.query(
            "SELECT id FROM accounts WHERE name_key = ?1",
            &[name.key().into()],
        )?;
        let Some(row) = rows.first() else {
            let reason = format!("there is no member named {}", name.as_str());
            return Err(invalid("voters", &reason));
        };
        let account = row.int(0)?;
        if !seen.insert(account) {
            let reason = format!("{} is there more than once", name.as_str());
            return Err(invalid("voters", &reason));
        }
        accounts.push((account, *weight));
    }
    Ok(accounts)
}

/// Whether there may be one poll more, and one more of this author.
fn need_room(context: &mut Context<'_>, id: i64, author: i64) -> Step<()> {
    let rows = context.sql.query(
        "SELECT (SELECT COUNT(*) FROM polls WHERE running = 1),
            (SELECT COUNT(*) FROM polls WHERE author = ?1 AND running = 1),
            (SELECT COUNT(*) FROM polls WHERE author = ?1)",
        &[author.into()],
    )?;
    let row = rows.first().ok_or(Fault::Corrupt("a count of polls"))?;
    let counted = [
        (id - 1, POLLS_MAX),
        (row.int(0)?, RUNNING_MAX),
        (row.int(1)?, RUNNING_PER_AUTHOR_MAX),
        (row.int(2)?, POLLS_PER_AUTHOR_MAX),
    ];
    match counted.into_iter().find(|(count, limit)| count >= limit) {
        None => Ok(()),
        Some((_, limit)) => {
            let what = Thing::Poll;
            Err(Rejection::LimitReached { what, limit }.into())
        }
    }
}

/// The newest poll's id, 0 if there is none. Polls are never removed, so no id comes back.
fn newest(context: &mut Context<'_>) -> Result<i64, Fault> {
    let rows = context
        .sql
        .query("SELECT COALESCE(MAX(id), 0) FROM polls", &[])?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Closes a poll now. Closing a closed one changes nothing.
pub(crate) fn close(context: &mut Context<'_>, poll: i64) -> Step<Reply> {
    if context.caller == Caller::Anonymous {
        return Err(Rejection::NotSignedIn.into());
    }
    let found = need_standing(context, poll)?;
    let own = context
        .account()
        .is_ok_and(|account| account == found.author);
    if !own && context.administrator().is_err() {
        return Err(Rejection::Forbidden(Right::Author).into());
    }
    if found.is_settled {
        return Ok(Reply::Done);
    }
    let over = found.closes_at_ms.unwrap_or(i64::MAX);
    end(context, poll, found.question, over.min(context.now_ms))
}

/// Writes down that the closing time has passed. Before that, or again, it changes nothing.
pub(crate) fn settle(context: &mut Context<'_>, poll: i64) -> Step<Reply> {
    context.system()?;
    let found = need_standing(context, poll)?;
    match found.closes_at_ms {
        Some(closes) if closes <= context.now_ms && !found.is_settled => {
            end(context, poll, found.question, closes)
        }
        _ => Ok(Reply::Done),
    }
}

fn end(context: &mut Context<'_>, poll: i64, question: String, at_ms: i64) -> Step<Reply> {
    context.sql.execute(
        "UPDATE polls SET closed_at_ms = ?2, running = 0 WHERE id = ?1",
        &[poll.into(), at_ms.into()],
    )?;
    told(context, Topic::PollClosed { poll, question }, Reply::Done)
}

/// What closing needs to know of a poll.
struct Standing {
    author: i64,
    question: String,
    closes_at_ms: Option<i64>,
    is_settled: bool,
}

fn need_standing(context: &mut Context<'_>, poll: i64) -> Step<Standing> {
    let rows = context.sql.query(
        "SELECT author, question, closes_at_ms, running FROM polls WHERE id = ?1",
        &[poll.into()],
    )?;
    let row = rows.first().ok_or(Rejection::NotFound(Thing::Poll))?;
    Ok(Standing {
        author: row.int(0)?,
        question: row.text(1)?.to_owned(),
        closes_at_ms: row.int_opt(2)?,
        is_settled: !row.bool(3)?,
    })
}
