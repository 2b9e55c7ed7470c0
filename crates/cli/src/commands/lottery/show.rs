//! What there is to see of lotteries.

use api::types::{Agency, Lottery, LotteryState, Winners};

use super::super::output::{Cell, Style, cell};
use super::super::session::Session;
use super::super::when;
use super::Which;
use crate::failure::Outcome;

const HEADS: &[&str] = &[
    "ID", "LOTTERY", "STATE", "BETS", "AGENCIES", "NUMBER", "WINNERS", "OPENED",
];

const AGENCY_HEADS: &[&str] = &["AGENCY", "BETS", "WINNERS", "CLOSED"];

pub async fn list(session: &mut Session) -> Outcome {
    let mut all = session.client.lotteries(None).await?;
    while let Some(before) = all.next {
        let more = session.client.lotteries(Some(before)).await?;
        all.lotteries.extend(more.lotteries);
        all.next = more.next;
    }
    if session.out.json {
        return session.out.json(&all);
    }
    let rows: Vec<_> = all.lotteries.iter().map(row).collect();
    let none = "There are no lotteries yet.";
    session.out.table(HEADS, &rows, none)
}

pub async fn show(session: &mut Session, which: &Which) -> Outcome {
    let shown = session.client.lottery(&which.lottery).await?;
    if session.out.json {
        return session.out.json(&shown);
    }
    session.out.table(HEADS, &[row(&shown.lottery)], "")?;
    let lottery = &shown.lottery;
    session.out.line(&format!("Rule: {}", lottery.rule))?;
    let draw = lottery.draw.as_ref();
    let facts = [
        (
            "Commitment",
            lottery.commitment.map(|hash| hash.to_string()),
        ),
        ("Public source", lottery.source.clone()),
        ("Merkle root", Some(lottery.root.to_string())),
        (
            "Secret",
            draw.and_then(|draw| draw.secret)
                .map(|secret| secret.to_string()),
        ),
        (
            "Source's value",
            draw.and_then(|draw| draw.source_value.clone()),
        ),
    ];
    for (what, value) in facts {
        if let Some(value) = value {
            session.out.line(&format!("{what}: {value}"))?;
        }
    }
    let rows: Vec<_> = shown.by_agency.iter().map(agency_row).collect();
    let none = "No agency has sent bets yet.";
    session.out.table(AGENCY_HEADS, &rows, none)
}

pub async fn winners(session: &mut Session, which: &Which, agency: u32) -> Outcome {
    let client = &session.client;
    let mut all: Winners = client.winners(&which.lottery, agency, None).await?;
    // A new lottery may be opened meanwhile: the pages must be of one and the same.
    let lottery = all.lottery.to_string();
    while let Some(after) = all.next.take() {
        let more = client.winners(&lottery, agency, Some(after)).await?;
        all.documents.extend(more.documents);
        all.next = more.next;
    }
    if session.out.json {
        return session.out.json(&all);
    }
    all.documents
        .iter()
        .try_for_each(|document| session.out.line(document))
}

fn row(lottery: &Lottery) -> Vec<Cell> {
    let (state, style) = match lottery.state {
        LotteryState::Open => ("open", Style::Green),
        LotteryState::Closed => ("closed", Style::Bold),
        LotteryState::Drawn => ("drawn", Style::Plain),
    };
    let draw = lottery.draw.as_ref();
    let closed = lottery.agencies.saturating_sub(lottery.open_agencies);
    vec![
        cell(lottery.id).right(),
        cell(&lottery.name).style(Style::Bold),
        cell(state).style(style),
        cell(lottery.bets).right(),
        cell(format!("{closed} of {} closed", lottery.agencies)),
        cell(draw.map_or(String::new(), |draw| format!("{:04}", draw.number))),
        cell(draw.map_or(String::new(), |draw| draw.winners.to_string())).right(),
        cell(when::local(&lottery.opened_at)),
    ]
}

fn agency_row(agency: &Agency) -> Vec<Cell> {
    let closed = agency
        .closed_at
        .as_deref()
        .map_or(String::new(), when::local);
    vec![
        cell(agency.agency).right(),
        cell(agency.bets).right(),
        cell(agency.winners).right(),
        cell(closed),
    ]
}
