//! From the rules' types to the API's and back.

use api::types::{self, PollMajority, PollVoters};
use domain::names::Name;
use domain::polls::queries::{LiveTally, OwnBallot, Poll, State, VotersKind};
use domain::polls::record::{Page, Proof, Receipt};
use domain::polls::verdict::{Count, Tally};
use domain::polls::{Listed, Majority, NewPoll, Quorum, Voters};
use jiff::Timestamp;

use crate::problem::{Kind, Trouble, bad_name};
use crate::render::rfc3339;

/// A new poll as the rules take it.
pub(crate) fn new_poll(poll: types::NewPoll) -> Result<NewPoll, Trouble> {
    let quorum = match (poll.quorum, poll.quorum_percent) {
        (None, None) => None,
        (Some(weight), None) => Some(Quorum::Weight(weight)),
        (None, Some(percent)) => Some(Quorum::Percent(percent)),
        (Some(_), Some(_)) => {
            let reason = "give it as a number or in per cent, not both";
            return Err(Trouble::field("quorum", reason));
        }
    };
    let voters = match poll.voters {
        PollVoters::Members | PollVoters::Anyone if !poll.list.is_empty() => {
            return Err(Trouble::field(
                "list",
                "it goes with \"voters\": \"listed\"",
            ));
        }
        PollVoters::Members => Voters::Members,
        PollVoters::Anyone => Voters::Anyone,
        PollVoters::Listed => {
            let listed = |voter: types::ListedVoter| {
                let name = Name::parse(&voter.name).map_err(bad_name("list"))?;
                let weight = voter.weight;
                Ok(Listed { name, weight })
            };
            let listed = poll.list.into_iter().map(listed);
            Voters::Listed(listed.collect::<Result<_, Trouble>>()?)
        }
    };
    Ok(NewPoll {
        question: poll.question,
        options: poll.options,
        voters,
        live: poll.live,
        open_ballot: poll.open_ballot,
        opens_at_ms: moment("opens_at", poll.opens_at.as_deref())?,
        closes_at_ms: moment("closes_at", poll.closes_at.as_deref())?,
        quorum,
        majority: match poll.majority {
            PollMajority::Simple => Majority::Simple,
            PollMajority::Absolute => Majority::Absolute,
            PollMajority::TwoThirds => Majority::TwoThirds,
            PollMajority::ThreeQuarters => Majority::ThreeQuarters,
            PollMajority::Electorate => Majority::Electorate,
        },
        from_list: poll.from_list,
    })
}

fn moment(field: &str, text: Option<&str>) -> Result<Option<i64>, Trouble> {
    let Some(text) = text else { return Ok(None) };
    let time: Timestamp = text.parse().map_err(|_| {
        let reason = "a time looks like 2026-03-01T18:30:00Z";
        Trouble::field(field, reason)
    })?;
    Ok(Some(time.as_millisecond()))
}

/// A poll.
pub(crate) fn poll(poll: Poll) -> types::Poll {
    let (quorum, quorum_percent) = quorum(poll.quorum);
    types::Poll {
        id: poll.id,
        question: poll.question,
        options: poll.options,
        author: poll.author,
        voters: match poll.voters {
            VotersKind::Members => PollVoters::Members,
            VotersKind::Listed => PollVoters::Listed,
            VotersKind::Anyone => PollVoters::Anyone,
        },
        live: poll.live,
        open_ballot: poll.open_ballot,
        state: match poll.state {
            State::Planned => types::PollState::Planned,
            State::Open => types::PollState::Open,
            State::Closed => types::PollState::Closed,
        },
        created_at: rfc3339(poll.created_at_ms),
        opens_at: rfc3339(poll.opens_at_ms),
        closes_at: poll.closes_at_ms.map(rfc3339),
        quorum,
        quorum_percent,
        majority: majority(poll.majority),
        from_list: poll.from_list,
        tally: poll.tally.as_ref().map(tally),
        may_vote: poll.may_vote,
        ballot: poll.own.map(own),
    }
}

fn own(own: OwnBallot) -> types::OwnBallot {
    types::OwnBallot {
        choice: own.choice.map(i64::from),
        weight: own.weight,
        at: rfc3339(own.at_ms),
    }
}

fn quorum(quorum: Option<Quorum>) -> (Option<i64>, Option<i64>) {
    match quorum {
        None => (None, None),
        Some(Quorum::Weight(weight)) => (Some(weight), None),
        Some(Quorum::Percent(percent)) => (None, Some(percent)),
    }
}

fn majority(majority: Majority) -> PollMajority {
    match majority {
        Majority::Simple => PollMajority::Simple,
        Majority::Absolute => PollMajority::Absolute,
        Majority::TwoThirds => PollMajority::TwoThirds,
        Majority::ThreeQuarters => PollMajority::ThreeQuarters,
        Majority::Electorate => PollMajority::Electorate,
    }
}

fn count(count: Count) -> types::Count {
    types::Count {
        ballots: count.ballots,
        weight: count.weight,
    }
}

/// How a poll stands.
pub(crate) fn tally(tally: &Tally) -> types::Tally {
    types::Tally {
        total: count(tally.total()),
        blank: count(tally.blank),
        options: tally.options.iter().copied().map(count).collect(),
    }
}

/// How an open poll stands, as an event without an id.
pub(crate) fn tally_event(live: &LiveTally) -> types::Event {
    types::Event {
        kind: "poll.tally".to_owned(),
        at: rfc3339(live.changed_at_ms),
        poll: Some(live.poll),
        tally: Some(tally(&live.tally)),
        ..types::Event::default()
    }
}

/// What a poll came to, or how it stands; a problem while that is not to be shown.
pub(crate) fn result(poll: &Poll) -> Result<types::PollResult, Trouble> {
    let (Some(counted), Some(verdict)) = (&poll.tally, poll.verdict()) else {
        let detail = "the result of this poll shows after its close";
        return Err(Trouble::new(Kind::ResultHidden, detail));
    };
    let (quorum, quorum_percent) = quorum(poll.quorum);
    let turnout = |all: Count| (1000 * verdict.total.weight).checked_div(all.weight);
    Ok(types::PollResult {
        poll: poll.id,
        question: poll.question.clone(),
        options: poll.options.clone(),
        is_final: poll.state == State::Closed,
        open_ballot: poll.open_ballot,
        tally: tally(counted),
        electorate: poll.electorate.map(count),
        turnout_permille: poll.electorate.and_then(turnout),
        quorum,
        quorum_percent,
        quorum_reached: verdict.quorum_reached,
        majority: majority(poll.majority),
        majority_reached: verdict.majority_reached,
        leading: verdict.leading.into_iter().map(i64::from).collect(),
        winner: verdict.winner.map(i64::from),
    })
}

/// The problem while the ballots may still change.
pub(crate) fn not_final() -> Trouble {
    Trouble::new(
        Kind::ResultHidden,
        "the ballots are published after the poll's close",
    )
}

/// A page of the record of a poll.
pub(crate) fn record(poll: &Poll, page: Page<'_>) -> Result<types::PollRecord, Trouble> {
    Ok(types::PollRecord {
        result: result(poll)?,
        receipts: page.receipts.iter().map(receipt).collect(),
        root: page.root.map(|root| hex(&root)),
        next: page.next,
    })
}

fn receipt(receipt: &Receipt) -> types::BallotReceipt {
    types::BallotReceipt {
        code_hash: hex(&receipt.code_hash),
        choice: receipt.choice.map(i64::from),
        weight: receipt.weight,
        name: receipt.name.clone(),
        leaf: hex(&receipt.leaf),
    }
}

/// The proof that a ballot was counted.
pub(crate) fn proof(poll: i64, proof: &Proof) -> types::BallotProof {
    types::BallotProof {
        poll,
        receipt: receipt(&proof.receipt),
        index: proof.index as i64,
        size: proof.size as i64,
        path: proof.path.iter().map(hex).collect(),
        root: hex(&proof.root),
    }
}

/// A hash in hexadecimal.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A table for spreadsheets (RFC 4180).
pub(crate) trait Csv {
    /// The table, with a row of names.
    fn csv(&self) -> String;
}

impl Csv for types::PollResult {
    fn csv(&self) -> String {
        let row = |number: usize, label: &str, count: &types::Count| {
            format!(
                "{number},{},{},{}\r\n",
                quoted(label),
                count.ballots,
                count.weight
            )
        };
        let mut text = "number,option,ballots,weight\r\n".to_owned();
        for (at, (label, count)) in self.options.iter().zip(&self.tally.options).enumerate() {
            text.push_str(&row(at + 1, label, count));
        }
        text + &row(0, "", &self.tally.blank)
    }
}

impl Csv for types::PollRecord {
    fn csv(&self) -> String {
        let mut text = "code_hash,choice,weight,name,leaf\r\n".to_owned();
        for receipt in &self.receipts {
            text.push_str(&format!(
                "{},{},{},{},{}\r\n",
                receipt.code_hash,
                receipt.choice.unwrap_or(0),
                receipt.weight,
                quoted(&receipt.name),
                receipt.leaf
            ));
        }
        text
    }
}

/// A field in quotes. One that a spreadsheet would take for a formula gets an apostrophe first.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@']);
    let apostrophe = if formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_table_cannot_leave_its_quotes_or_compute() {
        assert_eq!(quoted("Sí, \"claro\""), "\"Sí, \"\"claro\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }

    #[test]
    fn a_time_is_read_or_refused() {
        assert_eq!(moment("x", None), Ok(None));
        assert_eq!(moment("x", Some("1970-01-01T00:00:01Z")), Ok(Some(1000)));
        assert!(moment("x", Some("mañana")).is_err());
    }
}
