//! What a recounted tally comes to, judged anew by the rules that the record names.

use super::Fault;
use crate::types::{PollMajority, PollResult, Tally};

/// What a poll came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Weight cast, in thousandths of the electorate's.
    pub turnout_permille: Option<i64>,
    /// Whether enough took part; `None` without a quorum.
    pub quorum_reached: Option<bool>,
    /// The options with the largest weight: several if they are level, none without votes.
    pub leading: Vec<i64>,
    /// Whether one option leads and has the majority that the poll asks for.
    pub majority_reached: bool,
    /// The option that is adopted, with majority and quorum.
    pub winner: Option<i64>,
}

/// Judges a tally by the rules and the electorate that the record gives. A file may hold any
/// numbers, so this counts in integers that two of them multiplied cannot overflow.
pub(super) fn judge(tally: &Tally, rules: &PollResult) -> Verdict {
    let total = i128::from(tally.total.weight);
    let electorate = rules.electorate.map(|all| i128::from(all.weight));
    let weights = tally.options.iter().map(|count| i128::from(count.weight));
    let most = weights.clone().max().unwrap_or(0);
    let leading: Vec<i64> = (1..)
        .zip(weights)
        .filter(|(_, weight)| most > 0 && *weight == most)
        .map(|(number, _)| number)
        .collect();
    let majority_reached = leading.len() == 1
        && match rules.majority {
            PollMajority::Simple => true,
            PollMajority::Absolute => 2 * most > total,
            PollMajority::TwoThirds => 3 * most >= 2 * total,
            PollMajority::ThreeQuarters => 4 * most >= 3 * total,
            PollMajority::Electorate => electorate.is_some_and(|all| 2 * most > all),
        };
    let quorum_reached = match (rules.quorum, rules.quorum_percent) {
        (None, None) => None,
        (Some(weight), None) => Some(total >= i128::from(weight)),
        (_, Some(percent)) => {
            let enough = |all| 100 * total >= i128::from(percent) * all;
            Some(electorate.is_some_and(enough))
        }
    };
    let turnout = |all| (1000 * total).checked_div(all);
    let turnout = electorate.and_then(turnout);
    let is_adopted = majority_reached && quorum_reached != Some(false);
    Verdict {
        turnout_permille: turnout.and_then(|permille| i64::try_from(permille).ok()),
        quorum_reached,
        winner: leading.first().copied().filter(|_| is_adopted),
        leading,
        majority_reached,
    }
}

/// What the record says otherwise.
pub(super) fn faults(verdict: &Verdict, said: &PollResult) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("the ballots do not give the {what} that it says"));
        }
    };
    check(verdict.turnout_permille == said.turnout_permille, "turnout");
    check(verdict.quorum_reached == said.quorum_reached, "quorum");
    check(verdict.leading == said.leading, "leading options");
    check(
        verdict.majority_reached == said.majority_reached,
        "majority",
    );
    check(verdict.winner == said.winner, "winner");
    if said.quorum.is_some() && said.quorum_percent.is_some() {
        faults.push("it gives two quorums, and a poll has one at most".to_owned());
    }
    faults
}
