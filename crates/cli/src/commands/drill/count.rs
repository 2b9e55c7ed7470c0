//! What a node holds of a drill's writes, read from that node alone.

use api::client::PostsQuery;
use api::verify;
use api::{Client, Error};

use super::ledger::Ledger;
use super::load::{Places, Service};

/// Posts of a page: as many as the API gives.
const PAGE: u32 = 200;

/// Reads which writes of a service are there, in the order in which they are there.
pub async fn there(
    client: &Client,
    places: &Places,
    service: Service,
    ledger: &Ledger,
) -> Result<Vec<u32>, Error> {
    match service {
        Service::Posts => posts(client, places).await,
        Service::Ballots => ballots(client, places, ledger).await,
        Service::Bets => bets(client, places).await,
        Service::Keys => keys(client, places, ledger).await,
        Service::Journal => journal(client, places).await,
    }
}

/// What is there under a number that nobody gave it.
const NO_NUMBER: u32 = u32::MAX;

fn number(text: &str) -> u32 {
    text.parse().unwrap_or(NO_NUMBER)
}

async fn posts(client: &Client, places: &Places) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::new();
    let mut from = None;
    loop {
        let query = PostsQuery {
            from,
            limit: Some(PAGE),
            ..PostsQuery::default()
        };
        let page = client.posts(&places.area, query).await?;
        numbers.extend(page.posts.iter().map(|post| number(&post.title)));
        from = page.next;
        if from.is_none() {
            return Ok(numbers);
        }
    }
}

/// The record has no order of its own: what is there stands in the order of the ledger.
async fn ballots(client: &Client, places: &Places, ledger: &Ledger) -> Result<Vec<u32>, Error> {
    let record = client.poll_record(places.poll).await?;
    let mut numbers = Vec::new();
    for entry in &ledger.entries {
        let found = verify::find(&record, &places.code(entry.number));
        numbers.extend(found.iter().map(|_| entry.number));
    }
    let strangers = record.receipts.len().saturating_sub(numbers.len());
    numbers.extend(std::iter::repeat_n(NO_NUMBER, strangers));
    Ok(numbers)
}

async fn bets(client: &Client, places: &Places) -> Result<Vec<u32>, Error> {
    let lottery = places.lottery.as_deref().unwrap_or_default();
    let mut numbers = Vec::new();
    let mut from = None;
    loop {
        let page = client.lottery_record(lottery, from, true).await?;
        let bets = page.batches.iter().filter_map(|batch| batch.bets.as_ref());
        numbers.extend(bets.flatten().map(|bet| number(&bet.document)));
        from = page.next;
        if from.is_none() {
            return Ok(numbers);
        }
    }
}

async fn keys(client: &Client, places: &Places, ledger: &Ledger) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::new();
    for entry in &ledger.entries {
        let found = client.get_key(places.key(entry.number).as_bytes()).await?;
        if let Some(found) = found {
            numbers.push(number(&String::from_utf8_lossy(&found.value)));
        }
    }
    Ok(numbers)
}

async fn journal(client: &Client, places: &Places) -> Result<Vec<u32>, Error> {
    let name = places.journal();
    let mut numbers = Vec::new();
    let mut from = 1;
    loop {
        let page = match client.entries(name.as_bytes(), from, None).await {
            // Nothing was ever appended.
            Err(error) if error.status() == Some(404) => return Ok(numbers),
            page => page?,
        };
        let data = page.entries.iter().map(|entry| entry.data.as_deref());
        numbers.extend(data.map(|data| data.map_or(NO_NUMBER, number)));
        match page.next {
            Some(next) => from = next,
            None => return Ok(numbers),
        }
    }
}
