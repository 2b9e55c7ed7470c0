//! Polls as tables, once or as they change.

use api::client::EventFilter;
use api::types::{Count, Poll, PollResult, PollState, PollVoters, Tally};

use crate::commands::output::{Cell, Style, cell};
use crate::commands::session::Session;
use crate::commands::when;
use crate::failure::Outcome;

/// A bar of all votes has this many characters.
const BAR_CHARS: i64 = 30;

pub async fn list(session: &mut Session, before: Option<i64>) -> Outcome {
    let polls = session.client.polls(before, None).await?;
    if session.out.json {
        return session.out.json(&polls);
    }
    let rows: Vec<Vec<Cell>> = polls.polls.iter().map(row).collect();
    let heads = ["ID", "POLL", "STATE", "CLOSES", "BALLOTS", "MINE"];
    session.out.table(&heads, &rows, "There are no polls yet.")
}

fn row(poll: &Poll) -> Vec<Cell> {
    let closes = poll.closes_at.as_deref().map(when::local);
    let ballots = poll.tally.as_ref().map(|tally| tally.total.ballots);
    let (state, style) = state(poll.state);
    vec![
        cell(poll.id).right(),
        cell(&poll.question).style(style),
        cell(state),
        cell(closes.unwrap_or_default()),
        cell(ballots.map_or("hidden".to_owned(), |count| count.to_string())).right(),
        cell(own(poll)),
    ]
}

fn state(state: PollState) -> (&'static str, Style) {
    match state {
        PollState::Planned => ("planned", Style::Plain),
        PollState::Open => ("open", Style::Bold),
        PollState::Closed => ("closed", Style::Plain),
    }
}

fn own(poll: &Poll) -> String {
    match &poll.ballot {
        None => String::new(),
        Some(ballot) => match ballot.choice {
            None => "blank".to_owned(),
            Some(number) => label(&poll.options, number),
        },
    }
}

fn label(options: &[String], number: i64) -> String {
    let at = number
        .checked_sub(1)
        .and_then(|at| usize::try_from(at).ok());
    let label = at.and_then(|at| options.get(at)).cloned();
    label.unwrap_or_default()
}

pub async fn show(session: &mut Session, poll: i64) -> Outcome {
    let poll = session.client.poll(poll).await?;
    if session.out.json {
        return session.out.json(&poll);
    }
    let closes = poll.closes_at.as_deref().map(when::local);
    let voters = match poll.voters {
        PollVoters::Members => "all members",
        PollVoters::Listed => "a list",
        PollVoters::Anyone => "anyone",
    };
    session.out.line(&poll.question)?;
    session.out.line(&format!(
        "{} by {}, for {voters}, closes {}",
        state(poll.state).0,
        poll.author,
        closes.unwrap_or("by hand".to_owned())
    ))?;
    if !own(&poll).is_empty() {
        session.out.line(&format!("Your ballot: {}", own(&poll)))?;
    }
    match &poll.tally {
        Some(tally) => bars(session, &poll.options, tally),
        None => {
            for (number, option) in (1..).zip(&poll.options) {
                session.out.line(&format!("  {number}. {option}"))?;
            }
            session.out.line("The result shows after the close.")
        }
    }
}

fn bars(session: &Session, options: &[String], tally: &Tally) -> Outcome {
    let numbers = (1..).map(|number: usize| number.to_string());
    let blank = ("".to_owned(), ("(blank)", &tally.blank));
    let counts = options.iter().map(String::as_str).zip(&tally.options);
    let rows = numbers.zip(counts).chain([blank]);
    let rows: Vec<Vec<Cell>> = rows
        .map(|(number, (label, count))| {
            vec![
                cell(number).right(),
                cell(label),
                cell(counted(count)).right(),
                cell(bar(count.weight, tally.total.weight)).style(Style::Green),
            ]
        })
        .collect();
    session.out.table(&["", "OPTION", "BALLOTS", ""], &rows, "")
}

/// `12`, or with weights `12 (340)`.
fn counted(count: &Count) -> String {
    match count.ballots == count.weight {
        true => count.ballots.to_string(),
        false => format!("{} ({})", count.ballots, count.weight),
    }
}

fn bar(weight: i64, total: i64) -> String {
    let length = (BAR_CHARS * weight).checked_div(total).unwrap_or(0);
    let percent = (100 * weight).checked_div(total).unwrap_or(0);
    format!("{} {percent} %", "█".repeat(length.max(0) as usize))
}

pub async fn result(session: &mut Session, poll: i64) -> Outcome {
    let result = session.client.poll_result(poll).await?;
    if session.out.json {
        return session.out.json(&result);
    }
    session.out.line(&result.question)?;
    bars(session, &result.options, &result.tally)?;
    session.out.line(&verdict(&result))
}

/// What it came to, in a sentence.
fn verdict(result: &PollResult) -> String {
    let turnout = match result.turnout_permille {
        Some(permille) => format!("turnout {}.{} %", permille / 10, permille % 10),
        None => "turnout unknown".to_owned(),
    };
    let outcome = match result.winner {
        Some(number) => format!("adopted: {}", label(&result.options, number)),
        None if result.quorum_reached == Some(false) => "the quorum was not reached".to_owned(),
        None if result.leading.len() > 1 => "a draw".to_owned(),
        None => "no majority".to_owned(),
    };
    let so_far = if result.is_final { "final" } else { "so far" };
    let ballots = result.tally.total.ballots;
    format!("{so_far}: {outcome}; {ballots} ballots, {turnout}")
}

/// Shows how a poll stands whenever that changes, until it is closed.
pub async fn watch(session: &mut Session, poll: i64, count: Option<u64>) -> Outcome {
    let shown = session.client.poll(poll).await?;
    if shown.state == PollState::Closed {
        return result(session, poll).await;
    }
    let filter = EventFilter {
        poll: Some(poll),
        ..EventFilter::default()
    };
    let mut stream = session.client.events(filter, None)?;
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let event = stream.next().await?;
        match (event.kind.as_str(), &event.tally) {
            ("poll.closed", _) => return result(session, poll).await,
            (_, Some(tally)) if session.out.json => session.out.json(tally)?,
            (_, Some(tally)) => {
                session.out.clear()?;
                session.out.line(&shown.question)?;
                bars(session, &shown.options, tally)?;
            }
            _ => continue,
        }
        left -= 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(1, 2).chars().filter(|c| *c == '█').count(), 15);
        assert_eq!(bar(0, 0), " 0 %");
    }
}
