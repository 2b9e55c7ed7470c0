//! Polls.

use api::grpc::v1;
use api::types::{self, PollMajority, PollVoters};
use domain::polls::queries::{Poll, State, VotersKind};
use domain::polls::record::Receipt;
use domain::polls::verdict::{Count, Tally};
use domain::polls::{Majority, NewPoll, Quorum};
use v1::poll_quorum::Quorum as Said;

use super::{millis, time};
use crate::polls::new_poll;
use crate::problem::Trouble;
use crate::render::rfc3339;

/// A new poll as the rules take it.
pub(in crate::grpc) fn new_poll_of(poll: v1::CreatePollRequest) -> Result<NewPoll, Trouble> {
    let (voters, majority) = (poll.voters(), poll.majority());
    let (quorum, quorum_percent) = match poll.quorum.and_then(|quorum| quorum.quorum) {
        Some(Said::Weight(weight)) => (Some(weight), None),
        Some(Said::Percent(percent)) => (None, Some(percent)),
        None => (None, None),
    };
    let moment = |field, time| Ok::<_, Trouble>(millis(field, time)?.map(rfc3339));
    new_poll(types::NewPoll {
        question: poll.question,
        options: poll.options,
        voters: match voters {
            v1::PollVoters::Unspecified | v1::PollVoters::Members => PollVoters::Members,
            v1::PollVoters::Listed => PollVoters::Listed,
            v1::PollVoters::Anyone => PollVoters::Anyone,
        },
        list: poll.list.into_iter().map(listed).collect(),
        live: !poll.hide_until_close,
        open_ballot: poll.open_ballot,
        opens_at: moment("opens_at", poll.opens_at)?,
        closes_at: moment("closes_at", poll.closes_at)?,
        quorum,
        quorum_percent,
        majority: match majority {
            v1::PollMajority::Unspecified | v1::PollMajority::Simple => PollMajority::Simple,
            v1::PollMajority::Absolute => PollMajority::Absolute,
            v1::PollMajority::TwoThirds => PollMajority::TwoThirds,
            v1::PollMajority::ThreeQuarters => PollMajority::ThreeQuarters,
            v1::PollMajority::Electorate => PollMajority::Electorate,
        },
        from_list: (!poll.from_list.is_empty()).then_some(poll.from_list),
    })
}

fn listed(voter: v1::ListedVoter) -> types::ListedVoter {
    types::ListedVoter {
        name: voter.name,
        weight: match voter.weight {
            0 => 1,
            weight => weight,
        },
    }
}

/// A poll.
pub(in crate::grpc) fn poll(poll: Poll) -> v1::Poll {
    let voters = match poll.voters {
        VotersKind::Members => v1::PollVoters::Members,
        VotersKind::Listed => v1::PollVoters::Listed,
        VotersKind::Anyone => v1::PollVoters::Anyone,
    };
    let state = match poll.state {
        State::Planned => v1::PollState::Planned,
        State::Open => v1::PollState::Open,
        State::Closed => v1::PollState::Closed,
    };
    v1::Poll {
        id: poll.id,
        question: poll.question,
        options: poll.options,
        author: poll.author,
        voters: voters.into(),
        hide_until_close: !poll.live,
        open_ballot: poll.open_ballot,
        state: state.into(),
        created_at: time(poll.created_at_ms),
        opens_at: time(poll.opens_at_ms),
        closes_at: poll.closes_at_ms.and_then(time),
        quorum: poll.quorum.map(quorum),
        majority: majority(poll.majority).into(),
        from_list: poll.from_list.unwrap_or_default(),
        tally: poll.tally.as_ref().map(tally),
        may_vote: poll.may_vote,
        ballot: poll.own.map(|own| v1::OwnBallot {
            choice: own.choice,
            weight: own.weight,
            at: time(own.at_ms),
        }),
    }
}

fn quorum(quorum: Quorum) -> v1::PollQuorum {
    let said = match quorum {
        Quorum::Weight(weight) => Said::Weight(weight),
        Quorum::Percent(percent) => Said::Percent(percent),
    };
    v1::PollQuorum { quorum: Some(said) }
}

fn majority(majority: Majority) -> v1::PollMajority {
    match majority {
        Majority::Simple => v1::PollMajority::Simple,
        Majority::Absolute => v1::PollMajority::Absolute,
        Majority::TwoThirds => v1::PollMajority::TwoThirds,
        Majority::ThreeQuarters => v1::PollMajority::ThreeQuarters,
        Majority::Electorate => v1::PollMajority::Electorate,
    }
}

fn count(count: Count) -> v1::Count {
    v1::Count {
        ballots: count.ballots,
        weight: count.weight,
    }
}

/// How a poll stands.
pub(in crate::grpc) fn tally(tally: &Tally) -> v1::Tally {
    v1::Tally {
        total: Some(count(tally.total())),
        blank: Some(count(tally.blank)),
        options: tally.options.iter().copied().map(count).collect(),
    }
}

/// What a poll came to, or how it stands; a problem while that is not to be shown.
pub(in crate::grpc) fn result(poll: &Poll) -> Result<v1::GetResultResponse, Trouble> {
    let result = crate::polls::result(poll)?;
    let number = |number: i64| u32::try_from(number).unwrap_or_default();
    Ok(v1::GetResultResponse {
        poll: result.poll,
        question: result.question,
        options: result.options,
        r#final: result.is_final,
        open_ballot: result.open_ballot,
        tally: poll.tally.as_ref().map(tally),
        electorate: poll.electorate.map(count),
        turnout_permille: result.turnout_permille,
        quorum: poll.quorum.map(quorum),
        quorum_reached: result.quorum_reached,
        majority: majority(poll.majority).into(),
        majority_reached: result.majority_reached,
        leading: result.leading.into_iter().map(number).collect(),
        winner: result.winner.map(number),
    })
}

/// A final ballot.
pub(in crate::grpc) fn receipt(receipt: &Receipt) -> v1::BallotReceipt {
    v1::BallotReceipt {
        code_hash: receipt.code_hash.to_vec().into(),
        choice: receipt.choice,
        weight: receipt.weight,
        name: receipt.name.clone(),
        leaf: receipt.leaf.to_vec().into(),
    }
}
