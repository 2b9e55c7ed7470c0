//! Lotteries.

use api::grpc::v1;
use api::grpc::v1::lottery_rule::Rule as Said;
use domain::lottery::{Agency, Batch, Bet, Lottery, Rule, RuleWord};

use super::time;
use crate::problem::Trouble;

/// 32 bytes that a client sent.
pub(in crate::grpc) fn bytes32(field: &str, bytes: &[u8]) -> Result<[u8; 32], Trouble> {
    let wrong = |_| Trouble::field(field, "it must be 32 bytes");
    bytes.try_into().map_err(wrong)
}

/// A number that can be bet on; the rules say which.
pub(in crate::grpc) fn number(field: &str, number: u32) -> Result<u16, Trouble> {
    let wrong = |_| Trouble::field(field, "it must be a number from 0 to 9999");
    number.try_into().map_err(wrong)
}

/// The rule that a new lottery asks for.
pub(in crate::grpc) fn rule_of(rule: Option<v1::LotteryRule>) -> Result<Rule, Trouble> {
    match rule.and_then(|rule| rule.rule) {
        Some(Said::Fixed(fixed)) => Ok(Rule::Fixed {
            number: number("rule", fixed)?,
        }),
        Some(Said::External(v1::ExternalNumber {})) => Ok(Rule::External),
        Some(Said::Verifiable(said)) => Ok(Rule::Verifiable {
            commitment: bytes32("commitment", &said.commitment)?,
            source: said.source,
        }),
        None => match "fixed".parse() {
            Ok(RuleWord::Fixed(number)) => Ok(Rule::Fixed { number }),
            other => Err(Trouble::internal(format_args!("no usual rule: {other:?}"))),
        },
    }
}

fn rule(rule: Rule) -> v1::LotteryRule {
    let said = match rule {
        Rule::Fixed { number } => Said::Fixed(number.into()),
        Rule::External => Said::External(v1::ExternalNumber {}),
        Rule::Verifiable { commitment, source } => Said::Verifiable(v1::VerifiableNumber {
            commitment: commitment.to_vec().into(),
            source,
        }),
    };
    v1::LotteryRule { rule: Some(said) }
}

/// A lottery.
pub(in crate::grpc) fn lottery(lottery: Lottery) -> v1::Lottery {
    let state = match (&lottery.drawn, lottery.open_agencies) {
        (Some(_), _) => v1::LotteryState::Drawn,
        (None, 0) => v1::LotteryState::Closed,
        (None, _) => v1::LotteryState::Open,
    };
    let draw = lottery.drawn.map(|drawn| v1::LotteryDraw {
        number: drawn.number.into(),
        winners: drawn.winners,
        at: time(drawn.at_ms),
        secret: drawn
            .secret
            .map_or_else(Default::default, |s| s.to_vec().into()),
        source_value: drawn.source_value,
    });
    v1::Lottery {
        id: lottery.id,
        name: lottery.name,
        state: state.into(),
        agencies: lottery.agencies,
        open_agencies: lottery.open_agencies,
        rule: Some(rule(lottery.rule)),
        opened_at: time(lottery.opened_at_ms),
        bets: lottery.bets,
        batches: lottery.batches,
        root: lottery.root.to_vec().into(),
        draw,
    }
}

/// An agency.
pub(in crate::grpc) fn agency(agency: Agency) -> v1::Agency {
    v1::Agency {
        agency: agency.agency,
        bets: agency.bets,
        winners: agency.winners,
        closed_at: agency.closed_at_ms.and_then(time),
    }
}

/// A bet as the rules know it; they check it.
pub(in crate::grpc) fn bet_of(bet: v1::Bet) -> Result<Bet, Trouble> {
    Ok(Bet {
        number: number("number", bet.number)?,
        first_name: bet.first_name,
        last_name: bet.last_name,
        document: bet.document,
        birthdate: bet.birthdate,
    })
}

fn bet(bet: Bet) -> v1::Bet {
    v1::Bet {
        first_name: bet.first_name,
        last_name: bet.last_name,
        document: bet.document,
        birthdate: bet.birthdate,
        number: bet.number.into(),
    }
}

/// A batch of bets.
pub(in crate::grpc) fn batch(batch: Batch) -> v1::Batch {
    let bets = batch.bets.unwrap_or_default();
    v1::Batch {
        leaf_index: batch.leaf_index,
        agency: batch.agency,
        first: batch.first,
        count: batch.count,
        at: time(batch.at_ms),
        leaf: batch.leaf.to_vec().into(),
        bets: bets.into_iter().map(bet).collect(),
    }
}
