//! Lotteries in a script: its lines as actions and questions, and how answers read.

use std::error::Error;

use domain::lottery::merkle::{self, Hash};
use domain::lottery::{
    Agency, Batch, Bet, CurrentLottery, Disclosure, GetLottery, GetReceipt, ListLotteries,
    Lotteries, Lottery, Receipt, Record, RecordPage, Rule, RuleWord, Winners, WinnersAnswer,
    verifiable,
};
use domain::{Action, Query, Reply, Sql, Topic};

use crate::script::Line;
use crate::show::{list, maybe, time};
use crate::story::{sized, token};

/// The action of a line, if it is one.
pub fn action(line: &Line) -> Result<Option<Action>, Box<dyn Error>> {
    Ok(Some(match line.clone() {
        Line::OpenLottery {
            name,
            agencies,
            rule,
            secret,
            source,
        } => Action::OpenLottery {
            name: sized(&name),
            agencies: agencies.unwrap_or(5),
            rule: match rule.as_deref().unwrap_or("fixed").parse()? {
                RuleWord::Fixed(number) => Rule::Fixed { number },
                RuleWord::External => Rule::External,
                RuleWord::Verifiable => Rule::Verifiable {
                    commitment: verifiable::commitment(&token(&secret.unwrap_or_default())),
                    source: source.as_deref().map(sized),
                },
            },
        },
        Line::Bets {
            lottery,
            agency,
            current,
            bets,
        } => Action::StoreBets {
            lottery,
            agency,
            current,
            bets: bets.iter().flat_map(|text| bets_of(text)).collect(),
        },
        Line::CloseAgency {
            lottery,
            agency,
            current,
        } => Action::CloseAgency {
            lottery,
            agency,
            current,
        },
        Line::DrawLottery {
            lottery,
            number,
            secret,
            value,
        } => Action::DrawLottery {
            lottery,
            disclosure: match (number, secret) {
                (Some(number), None) => Disclosure::Number(number),
                (_, secret) => Disclosure::Secret {
                    secret: token(&secret.unwrap_or_default()),
                    source_value: value,
                },
            },
        },
        _ => return Ok(None),
    }))
}

/// A bet as agencies write it; `{64}` is so many.
fn bets_of(text: &str) -> Vec<Bet> {
    let many = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    if let Some(count) = many.and_then(|count| count.parse().ok()) {
        return vec![bet("Ana;Luna;30904465;1999-03-17;12"); count];
    }
    vec![bet(text)]
}

fn bet(text: &str) -> Bet {
    let mut fields = text.split(';').map(str::to_owned);
    let mut field = || fields.next().unwrap_or_default();
    let bet = Bet {
        first_name: field(),
        last_name: field(),
        document: field(),
        birthdate: field(),
        number: field().parse().unwrap_or(u16::MAX),
    };
    // What is left over is part of a name, as a careless front door would have it.
    let rest: Vec<String> = fields.collect();
    match rest.is_empty() {
        true => bet,
        false => Bet {
            first_name: format!("{};{}", bet.first_name, rest.join(";")),
            ..bet
        },
    }
}

/// A batch of one bet on `number`.
pub fn one_bet(lottery: i64, agency: u32, number: u16) -> Action {
    Action::StoreBets {
        lottery,
        agency,
        current: false,
        bets: vec![Bet {
            document: number.to_string(),
            number,
            ..bet("Ana;Luna;1;1999-03-17;0")
        }],
    }
}

/// The answer to a line, if it is a question.
pub fn question(sql: &mut dyn Sql, line: &Line) -> Result<Option<String>, Box<dyn Error>> {
    Ok(Some(match *line {
        Line::Lotteries { before, limit } => {
            let (before, limit) = (before.unwrap_or(i64::MAX), limit.unwrap_or(100));
            page(&ListLotteries { before, limit }.run(sql)?)
        }
        Line::CurrentLottery => maybe(&CurrentLottery.run(sql)?, lottery),
        Line::Lottery(id) => maybe(&GetLottery { id }.run(sql)?, |(found, agencies)| {
            let agencies: String = agencies.iter().map(agency).collect();
            lottery(found) + &agencies
        }),
        Line::Winners {
            lottery,
            agency,
            after,
        } => winners(
            &Winners {
                lottery,
                agency,
                after: after.unwrap_or(0),
            }
            .run(sql)?,
        ),
        Line::Record {
            lottery,
            from,
            limit,
            bets,
        } => {
            let query = Record {
                lottery,
                from_leaf: from.unwrap_or(0),
                limit: limit.unwrap_or(100),
                with_bets: bets,
            };
            maybe(&query.run(sql)?, record)
        }
        Line::Receipt { lottery, leaf } => {
            let query = GetReceipt {
                lottery,
                leaf_index: leaf,
            };
            maybe(&query.run(sql)?, receipt)
        }
        _ => return Ok(None),
    }))
}

/// A reply about a lottery.
pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::LotteryOpened { id } => format!("lottery {id}"),
        Reply::BetsStored {
            first,
            count,
            leaf_index,
            leaf,
        } => format!("{count} bets from {first}, leaf {leaf_index} {}", hex(leaf)),
        Reply::AgencyClosed {
            changed,
            open_agencies,
            drawn,
        } => {
            let now = if *changed { "closed" } else { "was closed" };
            let drawn = if *drawn { ", drawn" } else { "" };
            format!("{now}, {open_agencies} open{drawn}")
        }
        Reply::Drawn { number, winners } => format!("drawn {number:04}: {winners} winners"),
        other => format!("{other:?}"),
    }
}

/// What an event about a lottery tells.
pub fn topic(topic: &Topic) -> String {
    match topic {
        Topic::LotteryOpened {
            lottery,
            name,
            agencies,
        } => format!("lottery {lottery} {name:?} with {agencies} agencies"),
        Topic::LotteryAgencyClosed {
            lottery,
            agency,
            open_agencies,
        } => format!("lottery {lottery} agency {agency}, {open_agencies} open"),
        Topic::LotteryDrawn {
            lottery,
            number,
            winners,
            closed_agency,
        } => {
            let by = closed_agency.map_or(String::new(), |agency| format!(", closing {agency}"));
            format!("lottery {lottery} {number:04}: {winners} winners{by}")
        }
        other => format!("{other:?}"),
    }
}

fn page(page: &Lotteries) -> String {
    let next = page
        .next
        .map_or(String::new(), |next| format!("next {next}\n"));
    list(&page.lotteries, lottery) + &next
}

fn lottery(lottery: &Lottery) -> String {
    let rule = match &lottery.rule {
        Rule::Fixed { number } => format!("fixed:{number}"),
        Rule::External => "external".to_owned(),
        Rule::Verifiable { commitment, source } => {
            format!("verifiable {} source {source:?}", hex(commitment))
        }
    };
    let drawn = lottery.drawn.as_ref().map_or(String::new(), |drawn| {
        let secret = drawn.secret.map_or(String::new(), |secret| {
            format!(" secret {} value {:?}", hex(&secret), drawn.source_value)
        });
        let at = time(drawn.at_ms);
        format!(
            ", drawn {at} {:04}: {} winners{secret}",
            drawn.number, drawn.winners
        )
    });
    format!(
        "lottery {} {:?} {} {rule}, {} of {} agencies open, {} bets in {} batches, \
         root {}{drawn}\n",
        lottery.id,
        lottery.name,
        time(lottery.opened_at_ms),
        lottery.open_agencies,
        lottery.agencies,
        lottery.bets,
        lottery.batches,
        hex(&lottery.root),
    )
}

fn agency(agency: &Agency) -> String {
    let closed = agency
        .closed_at_ms
        .map_or("open".to_owned(), |at_ms| format!("closed {}", time(at_ms)));
    let Agency {
        agency,
        bets,
        winners,
        ..
    } = agency;
    format!("agency {agency}: {bets} bets, {winners} winners, {closed}\n")
}

fn winners(answer: &WinnersAnswer) -> String {
    match answer {
        WinnersAnswer::NoLottery => "no lottery\n".to_owned(),
        WinnersAnswer::NoAgency => "no agency\n".to_owned(),
        WinnersAnswer::NotReady { open_agencies } => format!("not ready, {open_agencies} open\n"),
        WinnersAnswer::Page(page) => {
            let next = page
                .next
                .map_or(String::new(), |next| format!(" next {next}"));
            let documents = page.documents.join(" ");
            format!(
                "{:04}, {} winners: {documents}{next}\n",
                page.number, page.total
            )
        }
    }
}

fn record(page: &RecordPage) -> String {
    let next = page
        .next
        .map_or(String::new(), |next| format!("next {next}\n"));
    lottery(&page.lottery) + &list(&page.batches, batch) + &next
}

fn batch(batch: &Batch) -> String {
    let mut text = format!(
        "leaf {} {} agency {}, {} bets from {}, {}\n",
        batch.leaf_index,
        hex(&batch.leaf),
        batch.agency,
        batch.count,
        batch.first,
        time(batch.at_ms)
    );
    for bet in batch.bets.iter().flatten() {
        text.push_str(&format!("  {bet:?}\n"));
    }
    text
}

fn receipt(receipt: &Receipt) -> String {
    let Receipt {
        batch: proven,
        tree_size,
        root,
        path,
    } = receipt;
    let index = proven.leaf_index as u64;
    let holds = merkle::includes(root, *tree_size as u64, index, &proven.leaf, path);
    let path: Vec<String> = path.iter().map(hex).collect();
    format!(
        "{}of {tree_size} under {}, {}: {}\n",
        batch(proven),
        hex(root),
        if holds { "proven" } else { "NOT PROVEN" },
        path.join(" ")
    )
}

/// The first bytes of a hash.
fn hex(hash: &Hash) -> String {
    hash[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}
