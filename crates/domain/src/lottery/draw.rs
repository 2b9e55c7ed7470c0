//! The draw: reads every batch once and writes the winners, many to a row.
//!
//! One command does it all, and [`crate::lottery::BETS_PER_LOTTERY_MAX`] bounds it: a batch is read
//! as one piece of text, lines that do not end in the number are passed over, and of the winners
//! only the documents are kept. A million bets take some tenths of a second, once in a lottery's
//! life; in memory are [`BATCHES_READ`] batches at a time and the documents of unfinished rows.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::lottery::canonical::documents_on;
use crate::lottery::store::small;
use crate::sql::{Fault, Row, Sql};

/// Batches read at a time: at most 2 MB of text.
const BATCHES_READ: i64 = 256;

/// Winners in a row. As many as might fit one packet of the agencies' protocol, if documents had
/// one byte: if there is a second row, the winners do not fit.
pub(super) const WINNERS_PER_ROW: usize = 4_096;

/// What the draw makes public.
#[derive(Clone, Copy, Default)]
pub(super) struct Publication<'d> {
    /// The secret that was committed to.
    pub secret: Option<&'d [u8; 32]>,
    /// The value of the public source.
    pub source_value: Option<&'d str>,
}

/// The winners of an agency so far.
#[derive(Default)]
struct Tally {
    /// All of them.
    winners: i64,
    /// Documents not yet written.
    pending: Vec<String>,
}

/// Draws `number`. Answers how many bets won.
pub(super) fn draw_number(
    context: &mut Context<'_>,
    lottery: i64,
    number: u16,
    publication: Publication<'_>,
) -> Result<i64, Fault> {
    let mut tallies = BTreeMap::new();
    let mut next_leaf = 0;
    loop {
        let rows = context.sql.query(
            "SELECT agency, body FROM lottery_batches WHERE lottery = ?1 AND leaf >= ?2
             ORDER BY leaf LIMIT ?3",
            &[lottery.into(), next_leaf.into(), BATCHES_READ.into()],
        )?;
        for row in &rows {
            take_winners(context, lottery, number, row, &mut tallies)?;
        }
        if (rows.len() as i64) < BATCHES_READ {
            break;
        }
        next_leaf += BATCHES_READ;
    }
    let mut winners = 0;
    for (agency, tally) in &mut tallies {
        write_row(context, lottery, *agency, tally)?;
        winners += tally.winners;
        context.sql.execute(
            "UPDATE lottery_agencies SET winners = ?3 WHERE lottery = ?1 AND agency = ?2",
            &[lottery.into(), (*agency).into(), tally.winners.into()],
        )?;
    }
    publish(context, lottery, number, winners, publication)?;
    Ok(winners)
}

/// Takes the winners of a batch, and writes the agency's row when it is full.
fn take_winners(
    context: &mut Context<'_>,
    lottery: i64,
    number: u16,
    row: &Row,
    tallies: &mut BTreeMap<u32, Tally>,
) -> Result<(), Fault> {
    let documents =
        documents_on(row.text(1)?, number).ok_or(Fault::Corrupt("a batch is unreadable"))?;
    for document in documents {
        let agency = small(row.int(0)?)?;
        let tally = tallies.entry(agency).or_default();
        tally.winners += 1;
        tally.pending.push(document.to_owned());
        if tally.pending.len() == WINNERS_PER_ROW {
            write_row(context, lottery, agency, tally)?;
        }
    }
    Ok(())
}

/// Writes the documents that wait, separated by `;`, which none of them holds.
fn write_row(
    context: &mut Context<'_>,
    lottery: i64,
    agency: u32,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let count = tally.pending.len() as i64;
    if count == 0 {
        return Ok(());
    }
    context.sql.execute(
        "INSERT INTO lottery_winners (lottery, agency, first_winner, winners, documents)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            lottery.into(),
            agency.into(),
            (tally.winners - count + 1).into(),
            count.into(),
            (&tally.pending.join(";")).into(),
        ],
    )?;
    tally.pending.clear();
    Ok(())
}

fn publish(
    context: &mut Context<'_>,
    lottery: i64,
    number: u16,
    winners: i64,
    publication: Publication<'_>,
) -> Result<(), Fault> {
    context.sql.execute(
        "UPDATE lotteries SET drawn_at_ms = ?2, number = ?3, winners = ?4, secret = ?5,
            source_value = ?6 WHERE id = ?1",
        &[
            lottery.into(),
            context.now_ms.into(),
            u32::from(number).into(),
            winners.into(),
            publication.secret.into(),
            publication.source_value.into(),
        ],
    )?;
    Ok(())
}
