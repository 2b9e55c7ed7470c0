//! What a tally comes to: turnout, quorum, majority.

use crate::polls::{Majority, Quorum};

/// Ballots, and what they weigh together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub ballots: i64,
    /// Their weight.
    pub weight: i64,
}

/// How a poll stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blank ballots.
    pub blank: Count,
    /// Those for each option, in the options' order.
    pub options: Vec<Count>,
}

impl Tally {
    /// All ballots, blank ones included.
    pub fn total(&self) -> Count {
        let all = self.options.iter().chain(std::iter::once(&self.blank));
        all.fold(Count::default(), |sum, count| Count {
            ballots: sum.ballots + count.ballots,
            weight: sum.weight + count.weight,
        })
    }
}

/// The result of a tally under a poll's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// All ballots.
    pub total: Count,
    /// Whether enough took part, if there is a quorum.
    pub quorum_reached: Option<bool>,
    /// The options with the largest weight: several if they are level, none without votes.
    pub leading: Vec<u32>,
    /// Whether one option leads and has the majority that the poll asks for.
    pub majority_reached: bool,
    /// The option that is adopted: the one that leads, with majority and quorum.
    pub winner: Option<u32>,
}

/// Judges a tally. `electorate` is who may vote, if that is known.
pub fn judge(
    tally: &Tally,
    quorum: Option<Quorum>,
    majority: Majority,
    electorate: Option<Count>,
) -> Verdict {
    let total = tally.total();
    let most = tally.options.iter().map(|count| count.weight).max();
    let most = most.unwrap_or(0);
    let leading: Vec<u32> = (1..)
        .zip(&tally.options)
        .filter(|(_, count)| most > 0 && count.weight == most)
        .map(|(number, _)| number)
        .collect();
    let majority_reached = leading.len() == 1
        && match majority {
            Majority::Simple => true,
            Majority::Absolute => 2 * most > total.weight,
            Majority::TwoThirds => 3 * most >= 2 * total.weight,
            Majority::ThreeQuarters => 4 * most >= 3 * total.weight,
            Majority::Electorate => electorate.is_some_and(|all| 2 * most > all.weight),
        };
    let quorum_reached = quorum.map(|quorum| match quorum {
        Quorum::Weight(weight) => total.weight >= weight,
        Quorum::Percent(percent) => {
            electorate.is_some_and(|all| 100 * total.weight >= percent * all.weight)
        }
    });
    let adopted = majority_reached && quorum_reached != Some(false);
    Verdict {
        total,
        quorum_reached,
        winner: leading.first().copied().filter(|_| adopted),
        leading,
        majority_reached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(blank: i64, weights: &[i64]) -> Tally {
        let count = |weight: &i64| Count {
            ballots: 1,
            weight: *weight,
        };
        Tally {
            blank: count(&blank),
            options: weights.iter().map(count).collect(),
        }
    }

    #[test]
    fn each_majority_starts_where_it_says() {
        let reached = |majority, blank, weights: &[i64]| {
            let all = Count {
                ballots: 100,
                weight: 100,
            };
            judge(&tally(blank, weights), None, majority, Some(all)).majority_reached
        };
        assert!(reached(Majority::Simple, 50, &[2, 1]));
        assert!(!reached(Majority::Simple, 0, &[2, 2]));
        assert!(!reached(Majority::Simple, 5, &[0, 0]));
        assert!(reached(Majority::Absolute, 1, &[6, 4]));
        assert!(
            !reached(Majority::Absolute, 2, &[6, 4]),
            "half is not more than half"
        );
        assert!(reached(Majority::TwoThirds, 0, &[4, 2]));
        assert!(!reached(Majority::TwoThirds, 1, &[4, 2]));
        assert!(reached(Majority::ThreeQuarters, 0, &[3, 1]));
        assert!(!reached(Majority::ThreeQuarters, 0, &[74, 26]));
        assert!(reached(Majority::Electorate, 0, &[51, 0]));
        assert!(!reached(Majority::Electorate, 0, &[50, 0]));
    }

    #[test]
    fn without_its_quorum_nothing_is_adopted() {
        let all = Some(Count {
            ballots: 3,
            weight: 10,
        });
        let by = |quorum| judge(&tally(1, &[3, 1]), Some(quorum), Majority::Simple, all);
        assert_eq!(by(Quorum::Percent(50)).winner, Some(1));
        assert_eq!(by(Quorum::Percent(51)).winner, None);
        assert_eq!(by(Quorum::Percent(51)).quorum_reached, Some(false));
        assert_eq!(by(Quorum::Weight(5)).winner, Some(1));
        assert_eq!(by(Quorum::Weight(6)).winner, None);
        assert!(by(Quorum::Weight(6)).majority_reached);
        let uncounted = judge(
            &tally(0, &[1, 0]),
            Some(Quorum::Percent(1)),
            Majority::Simple,
            None,
        );
        assert_eq!(uncounted.winner, None);
    }
}
