//! `consorcio agency`: sends an agency's bets to the lottery, closes, and waits for its winners.
//!
//! ```text
//!   agency-1.csv ─▶ batches ─▶ StoreBatchOnce ─▶ any node that answers ─▶ AgencyClose ─▶ winners
//! ```
//!
//! Every batch carries a request id that follows from the agency, the file and the batch's place
//! in it. So a batch whose answer was lost is simply sent again, to this node or another, by this
//! process or by the next one: it is stored once.

mod bets;
mod connection;
mod courier;
#[cfg(test)]
mod fuzz;
mod receipts;
pub mod sample;
mod settings;

use api::lottery_packets::{Answer, Bet};
use indicatif::{ProgressBar, ProgressStyle};
use tracing::{debug, info};

use crate::failure::{Failure, Outcome};
use crate::{interrupt, logging};
use bets::{Batch, Bets};
use courier::{Courier, Ended};
use receipts::Receipts;
use settings::Settings;

pub use connection::Connection;
pub use settings::Args;

/// Runs an agency until it knows its winners or is told to stop.
pub fn run(args: Args) -> Outcome {
    let settings = settings::load(args)?;
    logging::start(&settings.log, false)?;
    let bets = match &settings.file {
        Some(file) => Bets::read(settings.agency, file)?,
        None => Bets::from_environment(settings.agency)?,
    };
    interrupt::listen().map_err(Failure::failed)?;
    match work(&settings, &bets) {
        Err(Ended::Told) => {
            info!("action: shutdown | result: success");
            Ok(())
        }
        Err(Ended::Failed(failure)) => Err(failure),
        Ok(()) => Ok(()),
    }
}

fn work(settings: &Settings, bets: &Bets) -> Result<(), Ended> {
    let mut courier = Courier::new(settings);
    let mut receipts = Receipts::open(settings.agency, settings.receipts.as_deref())?;
    let bar = progress(bets.count());
    for batch in bets.batches(settings.batch_size) {
        let batch = batch?;
        send(&mut courier, &mut receipts, &batch, bar.is_hidden())?;
        bar.inc(batch.bets.len() as u64);
    }
    bar.finish();
    if bets.is_single() {
        return Ok(());
    }
    let winners = courier.winners(settings.agency)?;
    let count = winners.len();
    info!("action: consulta_ganadores | result: success | cant_ganadores: {count}");
    Ok(())
}

/// Has a batch stored. Bets of a file are told one by one only to those who want every detail.
fn send(
    courier: &mut Courier,
    receipts: &mut Receipts,
    batch: &Batch,
    tell: bool,
) -> Result<(), Ended> {
    let (request, count) = (batch.request(receipts.are_wanted()), batch.bets.len());
    match courier.store(&request)? {
        Answer::Store { stored: true } => {}
        Answer::Receipt(receipt) => receipts.keep(&receipt, count)?,
        _ => {
            info!("action: apuesta_enviada | result: fail | cantidad: {count}");
            return Err(Ended::Failed(Failure::failed(format!(
                "the lottery refused {}: nothing of it was stored, and the node's log says why",
                batch.place()
            ))));
        }
    }
    batch
        .bets
        .iter()
        .for_each(|bet| tell_bet(&bet.borrowed(), batch.single));
    if tell && !batch.single {
        info!("action: apuesta_enviada | result: success | cantidad: {count}");
    }
    Ok(())
}

/// The line that agencies' scripts look for.
fn tell_bet(bet: &Bet<'_>, single: bool) {
    let Bet {
        document, number, ..
    } = bet;
    let line = format_args!("result: success | dni: {document} | numero: {number}");
    match single {
        true => info!("action: apuesta_enviada | {line}"),
        false => debug!("action: apuesta_enviada | {line}"),
    }
}

/// A bar with the rate, on a terminal; elsewhere it is hidden.
fn progress(bets: u64) -> ProgressBar {
    let bar = ProgressBar::new(bets);
    let look = "{wide_bar} {human_pos} of {human_len} bets, {per_sec}, {eta} left";
    // The template is a constant that is right; the default look is no less true.
    if let Ok(style) = ProgressStyle::with_template(look) {
        bar.set_style(style);
    }
    bar
}
