//! Opening, closing, drawing.

use std::path::PathBuf;

use api::types::{Hex32, NewDraw, NewLottery};
use domain::lottery::verifiable;

use super::super::session::Session;
use super::{Which, secret};
use crate::failure::{Failure, Outcome};

/// What a new lottery is made of.
#[derive(clap::Args)]
pub struct Open {
    /// Its name
    name: String,
    /// How many agencies there are, numbered from 1
    #[arg(long, value_name = "N")]
    agencies: u32,
    /// How the number is found: fixed:NUMBER, external or verifiable
    #[arg(long, default_value = "fixed:7574")]
    rule: String,
    /// For a verifiable draw: where the secret is kept until then. Without such a file one is made,
    /// with a new secret; whoever can read it before the draw can work out the number
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// For a verifiable draw: a public value that will be mixed in and that nobody can know before
    /// the agencies have closed, so that not even whoever has the secret can choose the number
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
}

/// What a draw needs.
#[derive(clap::Args)]
pub struct Draw {
    #[command(flatten)]
    which: Which,
    /// The official number, for the rule external
    #[arg(long, conflicts_with_all = ["secret_file", "source_value"])]
    number: Option<u16>,
    /// Where the secret is, for the rule verifiable
    #[arg(long, value_name = "FILE", required_unless_present = "number")]
    secret_file: Option<PathBuf>,
    /// The value of the public source, if one was named
    #[arg(long, value_name = "TEXT")]
    source_value: Option<String>,
}

pub async fn open(session: &mut Session, open: Open) -> Outcome {
    let commitment = match (&open.secret_file, open.rule.as_str()) {
        (Some(path), "verifiable") => {
            Some(Hex32(verifiable::commitment(&secret::read_or_make(path)?)))
        }
        (None, "verifiable") => {
            return Err(Failure::usage(
                "a verifiable lottery needs --secret-file FILE, where its secret is kept",
            ));
        }
        _ => None,
    };
    let before = session.client.lotteries(None).await?.lotteries;
    let made = session
        .client
        .open_lottery(&NewLottery {
            name: open.name,
            agencies: open.agencies,
            rule: Some(open.rule),
            commitment,
            source: open.source,
        })
        .await?;
    if session.out.json {
        return session.out.json(&made);
    }
    session
        .out
        .line(&format!("Opened {} (number {}).", made.name, made.id))?;
    for earlier in before.iter().filter(|lottery| lottery.draw.is_none()) {
        let (id, name) = (earlier.id, &earlier.name);
        session.out.line(&format!(
            "Note: {name} (number {id}) is not drawn yet. Agencies that connect from now on mean \
             the new one, unless they say which (--lottery {id})."
        ))?;
    }
    match (commitment, &open.secret_file) {
        (Some(commitment), Some(path)) => {
            session
                .out
                .line(&format!("Publish this now: {commitment}"))?;
            let path = path.display();
            session.out.line(&format!(
                "Keep {path} to yourself until the draw, which needs it."
            ))
        }
        _ => Ok(()),
    }
}

pub async fn close(session: &mut Session, which: &Which, agency: u32) -> Outcome {
    let lottery = id_of(session, which).await?;
    let closed = session.client.close_agency(&lottery, agency).await?;
    if session.out.json {
        return session.out.json(&closed);
    }
    let what = if closed.changed {
        "has closed"
    } else {
        "had closed already"
    };
    let rest = match (closed.drawn, closed.open_agencies) {
        (true, _) => "the number has been drawn".to_owned(),
        (false, 0) => "all have closed, the draw is to come".to_owned(),
        (false, open) => format!("{open} to go"),
    };
    session
        .out
        .line(&format!("Agency {agency} {what}; {rest}."))
}

pub async fn draw(session: &mut Session, draw: Draw) -> Outcome {
    let secret = draw.secret_file.as_deref().map(secret::read).transpose()?;
    let new = NewDraw {
        number: draw.number,
        secret: secret.map(Hex32),
        source_value: draw.source_value,
    };
    let lottery = id_of(session, &draw.which).await?;
    let made = session.client.draw_lottery(&lottery, &new).await?;
    if session.out.json {
        return session.out.json(&made);
    }
    session.out.line(&format!(
        "Drew {:04} in lottery {}: {} winning bets.",
        made.number, made.lottery, made.winners
    ))
}

/// The lottery's id: a change names it, so that a repetition means the same one.
async fn id_of(session: &Session, which: &Which) -> Outcome<String> {
    let lottery = &which.lottery;
    match lottery.as_str() {
        "current" => Ok(session
            .client
            .lottery(lottery)
            .await?
            .lottery
            .id
            .to_string()),
        _ => Ok(lottery.clone()),
    }
}
