//! `consorcio cluster elections`: what the nodes remember of who led and why.

use api::types::{Election, ElectionCause, ElectionEvent, Elections};

use crate::commands::output::{Cell, Style, cell};
use crate::commands::session::Session;
use crate::failure::Outcome;

/// Shows what the nodes, or one of them, remember.
pub async fn show(session: &mut Session, node: Option<&str>, limit: usize) -> Outcome {
    let Elections {
        mut elections,
        silent,
    } = session.client.elections().await?;
    elections.retain(|past| node.is_none_or(|node| past.node == node));
    elections.truncate(limit);
    if session.out.json {
        return session.out.json(&Elections { elections, silent });
    }
    let rows: Vec<_> = elections.iter().map(row).collect();
    let heads = ["WHEN", "NODE", "TERM", "WHAT", "WHY"];
    session
        .out
        .table(&heads, &rows, "No election is remembered.")?;
    if !silent.is_empty() {
        session
            .out
            .line(&format!("Could not be asked: {}.", silent.join(", ")))?;
    }
    Ok(())
}

fn row(past: &Election) -> Vec<Cell> {
    let who = past.who.as_deref().unwrap_or("?");
    let leads = past.event == ElectionEvent::Leads;
    let what = match past.event {
        ElectionEvent::Started => "started".to_owned(),
        ElectionEvent::Stood => "asked for votes".to_owned(),
        ElectionEvent::Voted => format!("voted for {who}"),
        ElectionEvent::Leads => format!("{who} leads"),
    };
    vec![
        cell(&past.at).style(Style::Dim),
        cell(&past.node).style(Style::Bold),
        cell(past.term).right(),
        cell(what).style(if leads { Style::Green } else { Style::Plain }),
        cell(why(past)),
    ]
}

fn why(past: &Election) -> String {
    match past.cause {
        None => String::new(),
        Some(ElectionCause::Founded) => "the cluster was founded".to_owned(),
        Some(ElectionCause::OnlyVoter) => "nobody else votes".to_owned(),
        Some(ElectionCause::Silence) => {
            let silent_ms = past.silent_ms.unwrap_or_default();
            format!("the leader was silent for {silent_ms} ms")
        }
        Some(ElectionCause::NoLeader) => "no leader was known".to_owned(),
        Some(ElectionCause::HandedOver) => {
            format!(
                "{} handed over",
                past.from.as_deref().unwrap_or("the leader")
            )
        }
        Some(ElectionCause::Forced) => "made a cluster of one, by force".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_in_words() {
        let past = |cause, silent_ms, from: Option<&str>| Election {
            node: "n1".into(),
            at: "2026-01-01T00:00:00.000Z".into(),
            term: 3,
            event: ElectionEvent::Stood,
            who: None,
            cause,
            silent_ms,
            from: from.map(str::to_owned),
        };
        let silence = past(Some(ElectionCause::Silence), Some(312), None);
        assert_eq!(why(&silence), "the leader was silent for 312 ms");
        let handed_over = past(Some(ElectionCause::HandedOver), None, Some("n2"));
        assert_eq!(why(&handed_over), "n2 handed over");
        assert_eq!(why(&past(None, None, None)), "");
    }
}
