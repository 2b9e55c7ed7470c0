//! Lotteries, between the rules' types and the API's.

use api::types::{self, Hex32, LotteryState};
use domain::Reply;
use domain::lottery::{
    Agency, Batch, Bet, Lotteries, Lottery, Receipt, RecordPage, Rule, RuleWord,
};

use super::rfc3339;
use crate::app::odd_reply;
use crate::problem::Trouble;

/// The rule that a new lottery asks for.
pub(crate) fn rule_of(body: &types::NewLottery) -> Result<Rule, Trouble> {
    let text = body.rule.as_deref().unwrap_or("fixed");
    let word: RuleWord = text
        .parse()
        .map_err(|error| Trouble::field("rule", format!("{error}")))?;
    match (word, body.commitment, &body.source) {
        (RuleWord::Fixed(number), None, None) => Ok(Rule::Fixed { number }),
        (RuleWord::External, None, None) => Ok(Rule::External),
        (RuleWord::Verifiable, Some(Hex32(commitment)), source) => Ok(Rule::Verifiable {
            commitment,
            source: source.clone(),
        }),
        (RuleWord::Verifiable, None, _) => Err(Trouble::field(
            "commitment",
            "a verifiable lottery needs the SHA-256 of its secret",
        )),
        (RuleWord::Fixed(_) | RuleWord::External, Some(_), _) => Err(Trouble::field(
            "commitment",
            "only a verifiable lottery has one",
        )),
        (RuleWord::Fixed(_) | RuleWord::External, None, Some(_)) => Err(Trouble::field(
            "source",
            "only a verifiable lottery has one",
        )),
    }
}

/// A lottery.
pub(crate) fn lottery(lottery: Lottery) -> types::Lottery {
    let state = match (&lottery.drawn, lottery.open_agencies) {
        (Some(_), _) => LotteryState::Drawn,
        (None, 0) => LotteryState::Closed,
        (None, _) => LotteryState::Open,
    };
    let (rule, commitment, source) = match lottery.rule {
        Rule::Fixed { number } => (format!("fixed:{number}"), None, None),
        Rule::External => ("external".to_owned(), None, None),
        Rule::Verifiable { commitment, source } => {
            ("verifiable".to_owned(), Some(Hex32(commitment)), source)
        }
    };
    types::Lottery {
        id: lottery.id,
        name: lottery.name,
        state,
        agencies: lottery.agencies,
        open_agencies: lottery.open_agencies,
        rule,
        commitment,
        source,
        opened_at: rfc3339(lottery.opened_at_ms),
        bets: lottery.bets,
        batches: lottery.batches,
        root: Hex32(lottery.root),
        draw: lottery.drawn.map(|drawn| types::Draw {
            number: drawn.number,
            winners: drawn.winners,
            at: rfc3339(drawn.at_ms),
            secret: drawn.secret.map(Hex32),
            source_value: drawn.source_value,
        }),
    }
}

/// A page of lotteries.
pub(crate) fn lotteries(page: Lotteries) -> types::Lotteries {
    types::Lotteries {
        lotteries: page.lotteries.into_iter().map(lottery).collect(),
        next: page.next,
    }
}

/// An agency of a lottery.
pub(crate) fn agency(agency: Agency) -> types::Agency {
    types::Agency {
        agency: agency.agency,
        bets: agency.bets,
        winners: agency.winners,
        closed_at: agency.closed_at_ms.map(rfc3339),
    }
}

/// A bet as the rules know it; they check it.
pub(crate) fn bet_of(bet: types::Bet) -> Bet {
    Bet {
        first_name: bet.first_name,
        last_name: bet.last_name,
        document: bet.document,
        birthdate: bet.birthdate,
        number: bet.number,
    }
}

fn bet(bet: Bet) -> types::Bet {
    types::Bet {
        first_name: bet.first_name,
        last_name: bet.last_name,
        document: bet.document,
        birthdate: bet.birthdate,
        number: bet.number,
    }
}

/// What an agency keeps of a stored batch.
pub(crate) fn stored(
    lottery: i64,
    agency: u32,
    reply: &Reply,
) -> Result<types::BetsStored, Trouble> {
    let Reply::BetsStored {
        first,
        count,
        leaf_index,
        leaf,
    } = *reply
    else {
        return Err(odd_reply(reply));
    };
    Ok(types::BetsStored {
        lottery,
        agency,
        first,
        count,
        leaf_index,
        leaf: Hex32(leaf),
    })
}

fn batch(batch: Batch) -> types::Batch {
    types::Batch {
        leaf_index: batch.leaf_index,
        agency: batch.agency,
        first: batch.first,
        count: batch.count,
        at: rfc3339(batch.at_ms),
        leaf: Hex32(batch.leaf),
        bets: batch.bets.map(|bets| bets.into_iter().map(bet).collect()),
    }
}

/// A page of a record.
pub(crate) fn record(page: RecordPage) -> types::Record {
    types::Record {
        lottery: lottery(page.lottery),
        batches: page.batches.into_iter().map(batch).collect(),
        next: page.next,
    }
}

/// A receipt with its proof.
pub(crate) fn receipt(lottery: i64, receipt: Receipt) -> types::Receipt {
    types::Receipt {
        lottery,
        batch: batch(receipt.batch),
        tree_size: receipt.tree_size,
        root: Hex32(receipt.root),
        path: receipt.path.into_iter().map(Hex32).collect(),
    }
}
