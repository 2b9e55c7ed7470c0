//! The scripts' words for polls.

use std::error::Error;

use domain::names::Name;
use domain::polls::queries::{GetPoll, ListDue, ListPolls, ListTallies, LiveTally, Poll, Viewer};
use domain::polls::record::{Found, GetRecord, Page, Proof, Receipt};
use domain::polls::verdict::{Count, Tally, Verdict};
use domain::polls::{Listed, Majority, NewPoll, Quorum, Voters};
use domain::{Action, Query, Sql};

use crate::script::Line;
use crate::show::{START_MS, hex, list, maybe, short, time};

type Failed = Box<dyn Error>;

/// A poll of all members, told from others by its number.
pub fn sample(number: usize) -> Action {
    let poll = NewPoll {
        question: format!("¿{number}?"),
        options: vec!["Sí".to_owned(), "No".to_owned()],
        voters: Voters::Members,
        live: true,
        open_ballot: false,
        opens_at_ms: None,
        closes_at_ms: None,
        quorum: None,
        majority: Majority::Simple,
        from_list: None,
    };
    Action::CreatePoll { poll }
}

/// The action of a line about polls, if it is one.
pub fn action(line: &Line, now_ms: i64) -> Result<Option<Action>, Failed> {
    Ok(Some(match line {
        Line::CreatePoll {
            question,
            options,
            voters,
            hidden,
            named,
            opens,
            closes,
            quorum,
            majority,
        } => {
            let poll = NewPoll {
                question: sized(question),
                options: self::options(options),
                voters: self::voters(voters.as_deref().unwrap_or("members"))?,
                live: !hidden,
                open_ballot: *named,
                opens_at_ms: opens.map(|span| now_ms + span.0),
                closes_at_ms: closes.map(|span| now_ms + span.0),
                quorum: quorum.as_deref().map(self::quorum).transpose()?,
                majority: self::majority(majority.as_deref().unwrap_or("simple"))?,
                from_list: None,
            };
            Action::CreatePoll { poll }
        }
        Line::Vote {
            poll,
            choice,
            code,
            cookie,
        } => Action::CastBallot {
            poll: *poll,
            choice: match choice.as_str() {
                "blank" => None,
                number => Some(number.parse()?),
            },
            code_hash: hashed(code.as_deref().unwrap_or("code")),
            voter: cookie.as_deref().map(hashed),
        },
        Line::ClosePoll(poll) => Action::ClosePoll { poll: *poll },
        Line::SettlePoll(poll) => Action::SettlePoll { poll: *poll },
        _ => return Ok(None),
    }))
}

/// The answer to a question about polls, if it is one.
pub fn answer(
    sql: &mut dyn Sql,
    line: &Line,
    account: i64,
    now_ms: i64,
) -> Result<Option<String>, Failed> {
    let viewer = |cookie: Option<&String>| Viewer {
        account: (account > 0).then_some(account),
        cookie: cookie.map(|cookie| hashed(cookie)),
        now_ms,
    };
    Ok(Some(match line {
        Line::Polls { before, limit } => {
            let query = ListPolls {
                viewer: viewer(None),
                before: before.unwrap_or(i64::MAX),
                limit: limit.unwrap_or(50),
            };
            list(&query.run(sql)?, headline)
        }
        Line::Poll { poll, cookie } => {
            let query = GetPoll {
                viewer: viewer(cookie.as_ref()),
                poll: *poll,
            };
            maybe(&query.run(sql)?, self::poll)
        }
        Line::Tallies { since } => {
            let since_ms = since.map_or(0, |span| START_MS + span.0);
            list(&ListTallies { since_ms }.run(sql)?, live_tally)
        }
        Line::Due => list(&ListDue { now_ms }.run(sql)?, |id| format!("poll {id}\n")),
        Line::PollRecord { poll, from, limit } => {
            let query = GetRecord { poll: *poll };
            let (from, limit) = (from.unwrap_or(0), limit.unwrap_or(10_000));
            match query.run(sql)? {
                Found::Record(record) => page(&record.page(from, limit)),
                other => format!("{other:?}\n"),
            }
        }
        Line::Proof { poll, code } => {
            let query = GetRecord { poll: *poll };
            match query.run(sql)? {
                Found::Record(record) => maybe(&record.proof(&hashed(code)), proof),
                other => format!("{other:?}\n"),
            }
        }
        _ => return Ok(None),
    }))
}

/// Stands for SHA-256, which belongs to the front door.
fn hashed(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

fn sized(text: &str) -> String {
    let length = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    match length.and_then(|length| length.parse().ok()) {
        Some(length) => "x".repeat(length),
        None => text.to_owned(),
    }
}

fn options(text: &str) -> Vec<String> {
    match text.strip_prefix('*').and_then(|count| count.parse().ok()) {
        Some(count) => (1..=count).map(|nth: usize| format!("{nth}.")).collect(),
        None => text.split(',').map(sized).collect(),
    }
}

fn voters(text: &str) -> Result<Voters, Failed> {
    Ok(match text {
        "members" => Voters::Members,
        "anyone" => Voters::Anyone,
        "nobody" => Voters::Listed(Vec::new()),
        list => {
            let voter = |entry: &str| -> Result<Listed, Failed> {
                let (name, weight) = entry.split_once(':').unwrap_or((entry, "1"));
                Ok(Listed {
                    name: Name::parse(name)?,
                    weight: weight.parse()?,
                })
            };
            Voters::Listed(list.split(',').map(voter).collect::<Result<_, _>>()?)
        }
    })
}

fn quorum(text: &str) -> Result<Quorum, Failed> {
    Ok(match text.strip_suffix('%') {
        Some(percent) => Quorum::Percent(percent.parse()?),
        None => Quorum::Weight(text.parse()?),
    })
}

fn majority(text: &str) -> Result<Majority, Failed> {
    Ok(match text {
        "simple" => Majority::Simple,
        "absolute" => Majority::Absolute,
        "two_thirds" => Majority::TwoThirds,
        "three_quarters" => Majority::ThreeQuarters,
        "electorate" => Majority::Electorate,
        other => return Err(format!("{other} is no majority").into()),
    })
}

fn headline(poll: &Poll) -> String {
    let closes = poll
        .closes_at_ms
        .map_or(String::new(), |at| format!(" closes {}", time(at)));
    format!(
        "poll {} {:?} by {}: {:?}, {:?}, opens {}{closes}\n",
        poll.id,
        short(&poll.question),
        poll.author,
        poll.state,
        poll.voters,
        time(poll.opens_at_ms)
    )
}

fn poll(poll: &Poll) -> String {
    let mut text = headline(poll);
    if let Some(electorate) = &poll.electorate {
        text.push_str(&format!("  electorate {}\n", count(electorate)));
    }
    match &poll.tally {
        Some(tally) => text.push_str(&format!("  {}\n", self::tally(&poll.options, tally))),
        None => text.push_str(&format!("  {:?}, tally hidden\n", poll.options)),
    }
    if let Some(verdict) = poll.verdict() {
        text.push_str(&self::verdict(&verdict));
    }
    let own = poll.own.map_or("none".to_owned(), |own| {
        format!("{:?} at {}", own.choice, time(own.at_ms))
    });
    text.push_str(&format!("  may vote {}, own ballot {own}\n", poll.may_vote));
    text
}

/// `2` or, where weights differ from heads, `2 (30)`.
fn count(count: &Count) -> String {
    if count.ballots == count.weight {
        count.ballots.to_string()
    } else {
        format!("{} ({})", count.ballots, count.weight)
    }
}

fn tally(options: &[String], tally: &Tally) -> String {
    let counts = options.iter().zip(&tally.options);
    let counts = counts.map(|(label, count)| format!("{label} {}, ", self::count(count)));
    format!(
        "{}blank {}",
        counts.collect::<String>(),
        count(&tally.blank)
    )
}

fn verdict(verdict: &Verdict) -> String {
    format!(
        "  total {}, quorum {:?}, leading {:?}, majority {}, winner {:?}\n",
        count(&verdict.total),
        verdict.quorum_reached,
        verdict.leading,
        verdict.majority_reached,
        verdict.winner
    )
}

fn live_tally(live: &LiveTally) -> String {
    let options: Vec<String> = (1..=live.tally.options.len())
        .map(|nth| format!("#{nth}"))
        .collect();
    format!("poll {}: {}\n", live.poll, tally(&options, &live.tally))
}

fn page(page: &Page<'_>) -> String {
    let root = page
        .root
        .map_or(String::new(), |root| format!("root {}\n", hex(&root)));
    let next = page
        .next
        .map_or(String::new(), |next| format!("next {next}\n"));
    format!("{root}{}{next}", list(page.receipts, receipt))
}

fn receipt(receipt: &Receipt) -> String {
    format!(
        "{} {:?} weight {} {:?} leaf {}\n",
        hex(&receipt.code_hash),
        receipt.choice,
        receipt.weight,
        receipt.name,
        hex(&receipt.leaf)
    )
}

fn proof(proof: &Proof) -> String {
    let path: Vec<String> = proof.path.iter().map(hex).collect();
    format!(
        "{}number {} of {}, path {}, root {}\n",
        receipt(&proof.receipt),
        proof.index,
        proof.size,
        path.join(" "),
        hex(&proof.root)
    )
}
