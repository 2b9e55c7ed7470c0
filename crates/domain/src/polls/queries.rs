//! What can be asked about polls.

use crate::polls::ballots::voter_key;
use crate::polls::verdict::{Count, Tally, Verdict, judge};
use crate::polls::{BLANK, Majority, Quorum, VOTERS_ANYONE, VOTERS_LISTED};
use crate::query::Query;
use crate::sql::{Fault, Param, Row, Sql};

/// The longest page of polls.
pub const POLLS_PAGE_MAX: u32 = 50;

/// Who asks about a poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// The member's account.
    pub account: Option<i64>,
    /// BLAKE3 of what the browser's cookie holds.
    pub cookie: Option<[u8; 32]>,
    /// The node's wall clock: a poll whose time has come is shown as open. Whether it is closed
    /// is told by log time alone.
    pub now_ms: i64,
}

/// Where a poll stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not opened yet.
    Planned,
    /// It takes ballots.
    Open,
    /// It takes none any more: what is counted is final.
    Closed,
}

/// For whom a poll is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VotersKind {
    /// Every member.
    Members,
    /// A list of members.
    Listed,
    /// Everybody.
    Anyone,
}

/// The viewer's own ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnBallot {
    /// The option's number, `None` if it is blank.
    pub choice: Option<u32>,
    /// What it weighs.
    pub weight: i64,
    /// When it was cast or last changed, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A poll as the viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Its id.
    pub id: i64,
    /// The author's name.
    pub author: String,
    /// Account id of the author.
    pub author_id: i64,
    /// What is asked.
    pub question: String,
    /// What can be answered; the first is number 1.
    pub options: Vec<String>,
    /// For whom it is.
    pub voters: VotersKind,
    /// Whether tallies show while it is open.
    pub live: bool,
    /// Whether the record names who cast each ballot.
    pub open_ballot: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it opens.
    pub opens_at_ms: i64,
    /// When it closes, unless by hand before; for a closed one, when it did.
    pub closes_at_ms: Option<i64>,
    /// Where it stands.
    pub state: State,
    /// How many must take part.
    pub quorum: Option<Quorum>,
    /// What it takes to win.
    pub majority: Majority,
    /// The list that it takes ballots from as well.
    pub from_list: Option<String>,
    /// How it stands; `None` while that is not to be shown.
    pub tally: Option<Tally>,
    /// Who may vote, as far as it can be counted; members only if one poll is asked for.
    pub electorate: Option<Count>,
    /// Whether the viewer may vote in it, when it is open.
    pub may_vote: bool,
    /// The viewer's ballot.
    pub own: Option<OwnBallot>,
}

impl Poll {
    /// What its tally comes to, if it may be shown.
    pub fn verdict(&self) -> Option<Verdict> {
        let tally = self.tally.as_ref()?;
        Some(judge(tally, self.quorum, self.majority, self.electorate))
    }
}

/// One poll, or `None`.
#[derive(Clone, Debug)]
pub struct GetPoll {
    /// Who asks.
    pub viewer: Viewer,
    /// Which.
    pub poll: i64,
}

impl Query for GetPoll {
    type Answer = Option<Poll>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(SELECT_POLL, &[self.poll.into()])?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut poll = poll_of(sql, row, &self.viewer)?;
        if poll.voters == VotersKind::Members {
            let over = poll.closes_at_ms.filter(|_| poll.state == State::Closed);
            poll.electorate = Some(members(sql, over)?);
        }
        Ok(Some(poll))
    }
}

/// A page of polls, newest first; their members are not counted.
#[derive(Clone, Debug)]
pub struct ListPolls {
    /// Who asks.
    pub viewer: Viewer,
    /// Polls with an id below this; `i64::MAX` starts at the newest.
    pub before: i64,
    /// At most this many, 1 to 50.
    pub limit: u32,
}

impl Query for ListPolls {
    type Answer = Vec<Poll>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let limit = i64::from(self.limit.clamp(1, POLLS_PAGE_MAX));
        let rows = sql.query(SELECT_PAGE, &[self.before.into(), limit.into()])?;
        rows.iter()
            .map(|row| poll_of(sql, row, &self.viewer))
            .collect()
    }
}

macro_rules! select_polls {
    ($tail:literal) => {
        concat!(
            "SELECT p.id, a.name, p.author, p.question, p.voters, p.live, p.open_ballot,
                p.created_at_ms, p.opens_at_ms, p.closes_at_ms, p.closed_at_ms,
                p.quorum_percent, p.quorum_weight, p.majority, p.listed_voters, p.listed_weight,
                (SELECT clock_ms FROM machine WHERE id = 1),
                (SELECT l.list FROM poll_lists l WHERE l.poll = p.id)
             FROM polls p JOIN accounts a ON a.id = p.author ",
            $tail
        )
    };
}

const SELECT_POLL: &str = select_polls!("WHERE p.id = ?1");
const SELECT_PAGE: &str = select_polls!("WHERE p.id < ?1 ORDER BY p.id DESC LIMIT ?2");

fn poll_of(sql: &mut dyn Sql, row: &Row, viewer: &Viewer) -> Result<Poll, Fault> {
    let id = row.int(0)?;
    let voters = match row.int(4)? {
        VOTERS_LISTED => VotersKind::Listed,
        VOTERS_ANYONE => VotersKind::Anyone,
        _ => VotersKind::Members,
    };
    let (opens_at_ms, planned, ended) = (row.int(8)?, row.int_opt(9)?, row.int_opt(10)?);
    let clock_ms = row.int_opt(16)?.unwrap_or(0);
    let over = ended.or(planned.filter(|closes| *closes <= clock_ms));
    let state = match over {
        Some(_) => State::Closed,
        None if clock_ms.max(viewer.now_ms) < opens_at_ms => State::Planned,
        None => State::Open,
    };
    let live = row.bool(5)?;
    let (options, tally) = options(sql, id)?;
    let quorum = match (row.int_opt(11)?, row.int_opt(12)?) {
        (Some(percent), _) => Some(Quorum::Percent(percent)),
        (None, weight) => weight.map(Quorum::Weight),
    };
    Ok(Poll {
        id,
        author: row.text(1)?.to_owned(),
        author_id: row.int(2)?,
        question: row.text(3)?.to_owned(),
        options,
        voters,
        live,
        open_ballot: row.bool(6)?,
        created_at_ms: row.int(7)?,
        opens_at_ms,
        closes_at_ms: over.or(planned),
        state,
        quorum,
        majority: Majority::from_number(row.int(13)?)
            .ok_or(Fault::Corrupt("there is no such majority"))?,
        from_list: row.text_opt(17)?.map(str::to_owned),
        tally: (live || state == State::Closed).then_some(tally),
        electorate: match voters {
            VotersKind::Anyone => None,
            VotersKind::Listed => Some(Count {
                ballots: row.int(14)?,
                weight: row.int(15)?,
            }),
            // Counted for one poll, not for each of a list: see `GetPoll`.
            VotersKind::Members => None,
        },
        may_vote: may_vote(sql, id, voters, viewer)?,
        own: own(sql, id, viewer)?,
    })
}

/// The labels of the options, and how many ballots each has.
fn options(sql: &mut dyn Sql, poll: i64) -> Result<(Vec<String>, Tally), Fault> {
    let rows = sql.query(
        "SELECT number, label, ballots, weight FROM poll_options WHERE poll = ?1 ORDER BY number",
        &[poll.into()],
    )?;
    let (mut labels, mut tally) = (Vec::new(), Tally::default());
    for row in &rows {
        let count = count_at(row, 2)?;
        if row.int(0)? == BLANK {
            tally.blank = count;
        } else {
            labels.push(row.text(1)?.to_owned());
            tally.options.push(count);
        }
    }
    Ok((labels, tally))
}

fn count_at(row: &Row, column: usize) -> Result<Count, Fault> {
    Ok(Count {
        ballots: row.int(column)?,
        weight: row.int(column + 1)?,
    })
}

/// The members there are, or were when the poll closed.
fn members(sql: &mut dyn Sql, over: Option<i64>) -> Result<Count, Fault> {
    let rows = sql.query(
        "SELECT COUNT(*) FROM accounts WHERE created_at_ms <= ?1",
        &[over.unwrap_or(i64::MAX).into()],
    )?;
    let ballots = rows.first().map_or(Ok(0), |row| row.int(0))?;
    Ok(Count {
        ballots,
        weight: ballots,
    })
}

fn may_vote(
    sql: &mut dyn Sql,
    poll: i64,
    voters: VotersKind,
    viewer: &Viewer,
) -> Result<bool, Fault> {
    let Some(account) = viewer.account else {
        return Ok(voters == VotersKind::Anyone);
    };
    if voters != VotersKind::Listed {
        return Ok(true);
    }
    let rows = sql.query(
        "SELECT weight FROM poll_voters WHERE poll = ?1 AND account = ?2",
        &[poll.into(), account.into()],
    )?;
    Ok(!rows.is_empty())
}

fn own(sql: &mut dyn Sql, poll: i64, viewer: &Viewer) -> Result<Option<OwnBallot>, Fault> {
    let Some(voter) = voter_key(viewer.account, viewer.cookie.as_ref()) else {
        return Ok(None);
    };
    let params: [Param<'_>; 2] = [poll.into(), (&voter).into()];
    let rows = sql.query(
        "SELECT choice, weight, at_ms FROM ballots WHERE poll = ?1 AND voter = ?2",
        &params,
    )?;
    let own = |row: &Row| {
        Ok(OwnBallot {
            choice: choice(row.int(0)?)?,
            weight: row.int(1)?,
            at_ms: row.int(2)?,
        })
    };
    rows.first().map(own).transpose()
}

/// A stored choice as it is shown.
pub(super) fn choice(stored: i64) -> Result<Option<u32>, Fault> {
    match u32::try_from(stored) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Fault::Corrupt("a ballot's choice")),
    }
}

/// The tallies of open polls that show them live, where something changed at or after a moment of
/// log time. Asked many times a second, so it looks at nothing else.
#[derive(Clone, Debug)]
pub struct ListTallies {
    /// Log time in milliseconds since 1970; 0 for all.
    pub since_ms: i64,
}

/// How an open poll stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTally {
    /// Poll id.
    pub poll: i64,
    /// When it last changed, in milliseconds of log time since 1970; 0 if never.
    pub changed_at_ms: i64,
    /// How it stands.
    pub tally: Tally,
}

impl Query for ListTallies {
    type Answer = Vec<LiveTally>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let mut tallies: Vec<LiveTally> = Vec::new();
        for row in sql.query(SELECT_TALLIES, &[self.since_ms.into()])? {
            let (poll, count) = (row.int(0)?, count_at(&row, 2)?);
            if tallies.last().is_none_or(|last| last.poll != poll) {
                tallies.push(LiveTally {
                    poll,
                    changed_at_ms: 0,
                    tally: Tally::default(),
                });
            }
            let Some(last) = tallies.last_mut() else {
                continue;
            };
            last.changed_at_ms = last.changed_at_ms.max(row.int(4)?);
            match row.int(1)? {
                BLANK => last.tally.blank = count,
                _ => last.tally.options.push(count),
            }
        }
        Ok(tallies)
    }
}

const SELECT_TALLIES: &str = "
    SELECT o.poll, o.number, o.ballots, o.weight, o.changed_at_ms
    FROM polls p JOIN poll_options o ON o.poll = p.id
    WHERE p.running = 1 AND p.live = 1 AND EXISTS (
        SELECT 1 FROM poll_options c WHERE c.poll = p.id AND c.changed_at_ms >= ?1)
    ORDER BY o.poll, o.number";

/// Polls whose closing time has passed and that nobody has written down as closed.
#[derive(Clone, Debug)]
pub struct ListDue {
    /// The time now, in milliseconds since 1970.
    pub now_ms: i64,
}

impl Query for ListDue {
    type Answer = Vec<i64>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT id FROM polls WHERE running = 1 AND closes_at_ms <= ?1
             ORDER BY closes_at_ms, id LIMIT 100",
            &[self.now_ms.into()],
        )?;
        rows.iter().map(|row| row.int(0)).collect()
    }
}
