//! What changes a lottery.

use crate::command::{Rejection, Reply, Thing};
use crate::context::{Context, Step, invalid, told};
use crate::event::Topic;
use crate::lottery::draw::{Publication, draw_number};
use crate::lottery::merkle::{self, Frontier};
use crate::lottery::store::{self, BLOCK_LEAVES, BLOCK_LEVEL, Desk, desk, small};
use crate::lottery::{
    AGENCIES_MAX, BETS_PER_BATCH_MAX, BETS_PER_LOTTERY_MAX, Bet, Disclosure, LOTTERIES_MAX,
    NAME_MAX_CHARS, Rule, SOURCE_MAX_CHARS, canonical, check_number, verifiable,
};
use crate::news::check_line;
use crate::sql::{Fault, Sql};

pub(crate) fn open(
    context: &mut Context<'_>,
    name: &str,
    agencies: u32,
    rule: &Rule,
) -> Step<Reply> {
    context.administrator()?;
    check_line("name", name, NAME_MAX_CHARS)?;
    if !(1..=AGENCIES_MAX).contains(&agencies) {
        return Err(invalid("agencies", "a lottery has 1 to 1000 agencies"));
    }
    check_rule(rule)?;
    check_commitment_is_new(context, rule)?;
    let id = newest(context)? + 1;
    if id > LOTTERIES_MAX {
        return Err(limit(Thing::Lottery, LOTTERIES_MAX).into());
    }
    context.sql.execute(
        "INSERT INTO lotteries (id, name, agencies, rule, opened_at_ms, open_agencies, bets,
            batches, frontier) VALUES (?1, ?2, ?3, ?4, ?5, ?3, 0, 0, ?6)",
        &[
            id.into(),
            name.into(),
            agencies.into(),
            (&store::encode_rule(rule)?).into(),
            context.now_ms.into(),
            (&[0; 0]).into(),
        ],
    )?;
    told(
        context,
        Topic::LotteryOpened {
            lottery: id,
            name: name.to_owned(),
            agencies,
        },
        Reply::LotteryOpened { id },
    )
}

/// Stores a batch: four small statements, whatever the size of the lottery.
pub(crate) fn store_bets(
    context: &mut Context<'_>,
    lottery: i64,
    agency: u32,
    current: bool,
    bets: &[Bet],
) -> Step<Reply> {
    context.administrator()?;
    check_bets(bets)?;
    let desk = desk_of(context, lottery, agency, current)?;
    if desk.closed {
        return Err(Rejection::AgencyClosed.into());
    }
    let count = bets.len() as u32;
    if desk.bets + i64::from(count) > BETS_PER_LOTTERY_MAX {
        return Err(limit(Thing::Bet, BETS_PER_LOTTERY_MAX).into());
    }
    let place = canonical::Place {
        lottery,
        leaf: desk.batches,
        agency,
        first: desk.bets + 1,
    };
    let body = canonical::write(place, bets);
    let leaf = merkle::leaf(body.as_bytes());
    insert_batch(context, place, count, &leaf, &body)?;
    grow_tree(context, place, count, &desk, leaf)?;
    Ok(Reply::BetsStored {
        first: place.first,
        count,
        leaf_index: place.leaf,
        leaf,
    })
}

pub(crate) fn close_agency(
    context: &mut Context<'_>,
    lottery: i64,
    agency: u32,
    current: bool,
) -> Step<Reply> {
    context.administrator()?;
    let desk = desk_of(context, lottery, agency, current)?;
    if desk.closed {
        return Ok(Reply::AgencyClosed {
            changed: false,
            open_agencies: desk.open_agencies,
            drawn: desk.number.is_some(),
        });
    }
    let open_agencies = desk.open_agencies.saturating_sub(1);
    context.sql.execute(
        "INSERT INTO lottery_agencies (lottery, agency, bets, winners, closed_at_ms)
         VALUES (?1, ?2, 0, 0, ?3)
         ON CONFLICT (lottery, agency) DO UPDATE SET closed_at_ms = excluded.closed_at_ms",
        &[lottery.into(), agency.into(), context.now_ms.into()],
    )?;
    context.sql.execute(
        "UPDATE lotteries SET open_agencies = ?2 WHERE id = ?1",
        &[lottery.into(), open_agencies.into()],
    )?;
    let topic = match store::decode_rule(&desk.rule)? {
        Rule::Fixed { number } if open_agencies == 0 => Topic::LotteryDrawn {
            lottery,
            number,
            winners: draw_number(context, lottery, number, Publication::default())?,
            closed_agency: Some(agency),
        },
        Rule::Fixed { .. } | Rule::External | Rule::Verifiable { .. } => {
            Topic::LotteryAgencyClosed {
                lottery,
                agency,
                open_agencies,
            }
        }
    };
    let drawn = matches!(topic, Topic::LotteryDrawn { .. });
    told(
        context,
        topic,
        Reply::AgencyClosed {
            changed: true,
            open_agencies,
            drawn,
        },
    )
}

pub(crate) fn draw(
    context: &mut Context<'_>,
    lottery: i64,
    disclosure: &Disclosure,
) -> Step<Reply> {
    context.administrator()?;
    // Every lottery has an agency 1.
    let desk = desk(&mut context.sql, lottery, 1)?;
    if let Some(number) = desk.number {
        return Err(Rejection::AlreadyDrawn { number }.into());
    }
    if desk.open_agencies > 0 {
        let open = desk.open_agencies;
        return Err(Rejection::AgenciesOpen { open }.into());
    }
    let (number, publication) = find_number(&desk, disclosure)?;
    let winners = draw_number(context, lottery, number, publication)?;
    told(
        context,
        Topic::LotteryDrawn {
            lottery,
            number,
            winners,
            closed_agency: None,
        },
        Reply::Drawn { number, winners },
    )
}

/// The lottery and the agency; with `current` only if no lottery was opened after it.
fn desk_of(context: &mut Context<'_>, lottery: i64, agency: u32, current: bool) -> Step<Desk> {
    if current && lottery != newest(context)? {
        return Err(Rejection::NotFound(Thing::Lottery).into());
    }
    desk(&mut context.sql, lottery, agency)
}

/// The number that the disclosure leads to, if it is what the rule asks for.
fn find_number<'d>(desk: &Desk, disclosure: &'d Disclosure) -> Step<(u16, Publication<'d>)> {
    match (store::decode_rule(&desk.rule)?, disclosure) {
        (Rule::External, Disclosure::Number(number)) => {
            let number = *number;
            check_number(number).map_err(|problem| invalid(problem.field, problem.reason))?;
            Ok((number, Publication::default()))
        }
        (
            Rule::Verifiable { commitment, source },
            Disclosure::Secret {
                secret,
                source_value,
            },
        ) => {
            if verifiable::commitment(secret) != commitment {
                let reason = "it is not the secret that was committed to";
                return Err(invalid("secret", reason));
            }
            check_source_value(source.is_some(), source_value.as_deref())?;
            let root = frontier(desk)?.root();
            let source_value = source_value.as_deref();
            let number = verifiable::number(secret, &root, source_value);
            Ok((
                number,
                Publication {
                    secret: Some(secret),
                    source_value,
                },
            ))
        }
        (Rule::Verifiable { .. }, Disclosure::Number(_)) => Err(invalid(
            "secret",
            "this lottery is drawn with the secret that was committed to",
        )),
        (Rule::External, Disclosure::Secret { .. }) => Err(invalid(
            "number",
            "this lottery is drawn with a number from outside",
        )),
        (Rule::Fixed { .. }, _) => {
            Err(Fault::Corrupt("a fixed number was not drawn by the last closing").into())
        }
    }
}

fn check_source_value(named: bool, value: Option<&str>) -> Step<()> {
    match value {
        Some(value) if named => check_line("source_value", value, SOURCE_MAX_CHARS),
        Some(_) => Err(invalid("source_value", "no public source was named")),
        None if named => Err(invalid("source_value", "a public source was named")),
        None => Ok(()),
    }
}

fn check_rule(rule: &Rule) -> Step<()> {
    match rule {
        Rule::Fixed { number } => {
            check_number(*number).map_err(|problem| invalid("rule", problem.reason))
        }
        Rule::External | Rule::Verifiable { source: None, .. } => Ok(()),
        Rule::Verifiable {
            source: Some(source),
            ..
        } => check_line("source", source, SOURCE_MAX_CHARS),
    }
}

/// A secret that an earlier lottery committed to is public, or will be: anybody could compute the
/// number while bets are taken. Reads the rule of every lottery, of which there are at most
/// [`LOTTERIES_MAX`], when one is opened.
fn check_commitment_is_new(context: &mut Context<'_>, rule: &Rule) -> Step<()> {
    let Rule::Verifiable { commitment, .. } = rule else {
        return Ok(());
    };
    let rows = context
        .sql
        .query("SELECT rule FROM lotteries ORDER BY id", &[])?;
    for row in &rows {
        let earlier = store::decode_rule(row.blob(0)?)?;
        if matches!(earlier, Rule::Verifiable { commitment: used, .. } if used == *commitment) {
            let reason = "an earlier lottery committed to the same secret: make another";
            return Err(invalid("commitment", reason));
        }
    }
    Ok(())
}

fn check_bets(bets: &[Bet]) -> Step<()> {
    if !(1..=BETS_PER_BATCH_MAX).contains(&bets.len()) {
        return Err(invalid("bets", "a batch has 1 to 63 bets"));
    }
    for (at, bet) in bets.iter().enumerate() {
        if let Err(problem) = bet.check() {
            let field = format!("bets[{at}].{}", problem.field);
            return Err(invalid(&field, problem.reason));
        }
    }
    Ok(())
}

fn insert_batch(
    context: &mut Context<'_>,
    place: canonical::Place,
    count: u32,
    leaf: &merkle::Hash,
    body: &str,
) -> Result<(), Fault> {
    context.sql.execute(
        "INSERT INTO lottery_batches (lottery, leaf, agency, first_bet, bets, at_ms, hash, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            place.lottery.into(),
            place.leaf.into(),
            place.agency.into(),
            place.first.into(),
            count.into(),
            context.now_ms.into(),
            leaf.into(),
            body.into(),
        ],
    )?;
    context.sql.execute(
        "INSERT INTO lottery_agencies (lottery, agency, bets, winners) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT (lottery, agency)
         DO UPDATE SET bets = lottery_agencies.bets + excluded.bets",
        &[place.lottery.into(), place.agency.into(), count.into()],
    )?;
    Ok(())
}

/// Appends the leaf to the tree and counts the batch.
fn grow_tree(
    context: &mut Context<'_>,
    place: canonical::Place,
    count: u32,
    desk: &Desk,
    leaf: merkle::Hash,
) -> Result<(), Fault> {
    let mut frontier = frontier(desk)?;
    if let Some(block) = frontier.push(leaf, BLOCK_LEVEL) {
        context.sql.execute(
            "INSERT INTO lottery_blocks (lottery, block, hash) VALUES (?1, ?2, ?3)",
            &[
                place.lottery.into(),
                (place.leaf / BLOCK_LEAVES).into(),
                (&block).into(),
            ],
        )?;
    }
    context.sql.execute(
        "UPDATE lotteries SET bets = ?2, batches = ?3, frontier = ?4 WHERE id = ?1",
        &[
            place.lottery.into(),
            (desk.bets + i64::from(count)).into(),
            (desk.batches + 1).into(),
            (&frontier.to_bytes()).into(),
        ],
    )?;
    Ok(())
}

fn frontier(desk: &Desk) -> Result<Frontier, Fault> {
    let size = small(desk.batches)?;
    Frontier::from_bytes(u64::from(size), &desk.frontier)
        .ok_or(Fault::Corrupt("a lottery's tree does not fit its size"))
}

/// Id of the newest lottery, 0 if there never was one. None is ever removed.
fn newest(context: &mut Context<'_>) -> Result<i64, Fault> {
    let rows = context
        .sql
        .query("SELECT COALESCE(MAX(id), 0) FROM lotteries", &[])?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn limit(what: Thing, limit: i64) -> Rejection {
    Rejection::LimitReached { what, limit }
}
