//! `consorcio poll create`.

use std::time::Duration;

use api::types::{ListedVoter, NewPoll, PollMajority, PollVoters};
use clap::ValueEnum;
use jiff::Timestamp;

use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// Open a poll.
#[derive(clap::Args)]
pub struct Create {
    /// What is asked
    question: String,
    /// What can be answered, separated by commas
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    options: Vec<String>,
    /// One more answer, which may hold a comma; may be repeated
    #[arg(long = "option", value_name = "TEXT")]
    more: Vec<String>,
    /// The first answer, if there are no --options
    #[arg(long, value_name = "TEXT", env = "OPTION_A", hide = true)]
    option_a: Option<String>,
    /// The second answer, if there are no --options
    #[arg(long, value_name = "TEXT", env = "OPTION_B", hide = true)]
    option_b: Option<String>,
    /// Anyone may vote, also without an account: a show of hands, no more
    #[arg(long, conflicts_with = "list")]
    anyone: bool,
    /// Take ballots from this list of the store as well, each exactly once: items like
    /// {"voter_id": "ana", "vote": "a"} that anybody may push (redis-cli rpush). Anyone may vote
    #[arg(long, value_name = "LIST", conflicts_with = "list")]
    from_list: Option<String>,
    /// Only these members may vote, with their weights, which the record shows: one that only one
    /// voter has names that voter [default: all members]
    #[arg(long, value_name = "NAME[:WEIGHT],…", value_delimiter = ',', value_parser = listed)]
    list: Vec<ListedVoter>,
    /// The result shows only after the close
    #[arg(long)]
    hidden: bool,
    /// The record will say who voted what
    #[arg(long)]
    open_ballot: bool,
    /// When it opens: 2026-03-01T18:30:00Z, or in so long: 90m, 12h, 3d [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    opens: Option<String>,
    /// When it closes [default: when it is closed by hand]
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    closes: Option<String>,
    /// How much weight must take part: 20, or 30% of all who may vote
    #[arg(long, value_name = "NUMBER[%]")]
    quorum: Option<String>,
    /// What it takes to win
    #[arg(long, value_enum, default_value = "simple")]
    majority: Majority,
}

/// What it takes to win: always more than any other option.
#[derive(Clone, Copy, ValueEnum)]
enum Majority {
    /// More than any other option
    Simple,
    /// More than half of all that is cast
    Absolute,
    /// At least two thirds of all that is cast
    TwoThirds,
    /// At least three quarters of all that is cast
    ThreeQuarters,
    /// More than half of all who may vote
    Electorate,
}

impl Create {
    pub async fn run(self: Box<Self>, session: &mut Session) -> Outcome {
        let poll = self.poll()?;
        let made = session.client.create_poll(&poll).await?;
        if session.out.json {
            return session.out.json(&made);
        }
        let (id, question) = (made.id, &poll.question);
        session.out.line(&format!("Poll {id} asks: {question}"))
    }

    fn poll(self) -> Outcome<NewPoll> {
        let (quorum, quorum_percent) = quorum(self.quorum.as_deref())?;
        let mut options = self.options;
        options.extend(self.more);
        if options.is_empty() {
            options.extend(self.option_a.into_iter().chain(self.option_b));
        }
        if options.len() < 2 {
            let advice = "a poll needs two options or more: --options A,B (or OPTION_A and \
                          OPTION_B in the environment)";
            return Err(Failure::usage(advice));
        }
        Ok(NewPoll {
            question: self.question,
            options,
            voters: match (
                self.anyone || self.from_list.is_some(),
                self.list.is_empty(),
            ) {
                (true, _) => PollVoters::Anyone,
                (false, false) => PollVoters::Listed,
                (false, true) => PollVoters::Members,
            },
            list: self.list,
            live: !self.hidden,
            open_ballot: self.open_ballot,
            opens_at: self.opens,
            closes_at: self.closes,
            quorum,
            quorum_percent,
            majority: match self.majority {
                Majority::Simple => PollMajority::Simple,
                Majority::Absolute => PollMajority::Absolute,
                Majority::TwoThirds => PollMajority::TwoThirds,
                Majority::ThreeQuarters => PollMajority::ThreeQuarters,
                Majority::Electorate => PollMajority::Electorate,
            },
            from_list: self.from_list,
        })
    }
}

fn quorum(text: Option<&str>) -> Outcome<(Option<i64>, Option<i64>)> {
    let Some(text) = text else {
        return Ok((None, None));
    };
    let number = |digits: &str| {
        let reason = format!("--quorum {text}: it is a number, or one with a % behind");
        digits.trim().parse().map_err(|_| Failure::usage(reason))
    };
    match text.strip_suffix('%') {
        Some(percent) => Ok((None, Some(number(percent)?))),
        None => Ok((Some(number(text)?), None)),
    }
}

fn listed(text: &str) -> Result<ListedVoter, String> {
    let (name, weight) = text.rsplit_once(':').unwrap_or((text, "1"));
    let weight = weight.parse();
    Ok(ListedVoter {
        name: name.to_owned(),
        weight: weight.map_err(|_| "a voter is a name, or a name:weight".to_owned())?,
    })
}

/// A time, or one that is so far from now, as the API takes it.
fn moment(text: &str) -> Result<String, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.to_string());
    }
    let units = [("m", 60), ("h", 3_600), ("d", 86_400), ("s", 1)];
    let span = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    let unreadable = || "a time looks like 2026-03-01T18:30:00Z, or 90m, 12h, 3d".to_owned();
    let span = Duration::from_secs(span.ok_or_else(unreadable)?);
    let time = Timestamp::now().checked_add(span);
    time.map(|time| time.to_string()).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_typed_is_understood_or_refused() {
        assert_eq!(quorum(Some("30%")).unwrap(), (None, Some(30)));
        assert_eq!(quorum(Some("20")).unwrap(), (Some(20), None));
        assert!(quorum(Some("viele")).is_err());
        assert_eq!(listed("ana:3").unwrap().weight, 3);
        assert_eq!(listed("ana").unwrap().weight, 1);
        assert!(listed("ana:").is_err());
        assert!(moment("3d").unwrap() > moment("90m").unwrap());
        let exact = "2026-03-01T18:30:00Z";
        assert_eq!(moment(exact).unwrap(), exact);
        assert!(moment("mañana").is_err() && moment("99999999999999999999d").is_err());
    }
}
