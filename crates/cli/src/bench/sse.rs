//! The live feed: thousands of readers on one node, and how long a post takes to reach each of
//! them after it was acknowledged to its author.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::consorcio::Consorcio;
use super::interrupt;
use super::posts;
use super::process::Scratch;
use super::report::{Cell, Report, quantile};
use super::streams::{Progress, Streams, subscribe};
use super::system::{NODES, System as _};

/// `consorcio bench sse`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Readers, all on the node that leads
    #[arg(long, default_value_t = 2000)]
    readers: usize,
    /// Posts a second
    #[arg(long, default_value_t = 20)]
    posts: u32,
    /// Seconds of posting
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let area = posts::make_areas(&cluster, 1)?[0];
    let node = cluster.leader()?;
    let mut readers = open(&cluster, node, area, args.readers)?;
    let progress = Progress::default();
    let (acknowledged, arrived) = thread::scope(|scope| {
        let author = scope.spawn(|| publish(&cluster, node, area, args, &progress));
        let arrived = follow(&mut readers, &progress)?;
        let died = |_| anyhow::anyhow!("the author failed");
        anyhow::Ok((author.join().map_err(died)??, arrived))
    })?;
    Ok(report(args, scratch, &acknowledged, &arrived))
}

/// Posts at a steady pace; answers when each post was acknowledged, by its id.
fn publish(
    cluster: &Consorcio,
    node: usize,
    area: i64,
    args: &Args,
    progress: &Progress,
) -> anyhow::Result<BTreeMap<i64, Instant>> {
    let outcome = publish_all(cluster, node, area, args, progress);
    progress.over.store(true, Ordering::Release);
    outcome
}

fn publish_all(
    cluster: &Consorcio,
    node: usize,
    area: i64,
    args: &Args,
    progress: &Progress,
) -> anyhow::Result<BTreeMap<i64, Instant>> {
    let mut http = cluster.http(node)?;
    let path = format!("/v1/areas/{area}/posts");
    let mut acknowledged = BTreeMap::new();
    let started = Instant::now();
    for number in 0..args.posts * args.seconds {
        let due = started + Duration::from_secs(1) * number / args.posts;
        interrupt::sleep(due.saturating_duration_since(Instant::now()))?;
        let made = http.json("POST", &path, &posts::post(u64::from(number)))?;
        let id = made["id"].as_i64().context("a post has an id")?;
        acknowledged.insert(id, Instant::now());
        progress.acknowledged.fetch_add(1, Ordering::Release);
    }
    Ok(acknowledged)
}

/// A reader of the area.
#[derive(Default)]
struct Reader {
    /// The start of an event whose end has not come yet.
    rest: Vec<u8>,
}

/// Connects all readers, and waits until each has been told that the stream begins.
fn open(
    cluster: &Consorcio,
    node: usize,
    area: i64,
    count: usize,
) -> anyhow::Result<Streams<Reader>> {
    let of = format!("area={area}");
    Streams::open(count, |_| {
        let stream = subscribe(cluster.address(node), cluster.token(), &of)?;
        Ok((stream, Reader::default()))
    })
}

/// Follows the posts; answers when each arrived at each reader that got it.
fn follow(
    readers: &mut Streams<Reader>,
    progress: &Progress,
) -> anyhow::Result<BTreeMap<i64, Vec<Instant>>> {
    let mut arrived = BTreeMap::<i64, Vec<Instant>>::new();
    readers.follow(progress, readers.count(), |reader, bytes, now| {
        let posts = reader.take(bytes);
        for post in &posts {
            arrived.entry(*post).or_default().push(now);
        }
        posts.len() as u64
    })?;
    Ok(arrived)
}

impl Reader {
    /// The ids of the posts whose events are whole.
    fn take(&mut self, bytes: &[u8]) -> Vec<i64> {
        self.rest.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&self.rest).into_owned();
        let Some(end) = text.rfind("\n\n") else {
            return Vec::new();
        };
        let posts = text[..end].split("\n\n").filter_map(post_id).collect();
        self.rest = text.as_bytes()[end..].to_vec();
        posts
    }
}

/// The id in the data of an event of a post.
fn post_id(event: &str) -> Option<i64> {
    let after = &event[event.find(r#""post":"#)? + r#""post":"#.len()..];
    let digits = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    after[..digits].parse().ok()
}

fn report(
    args: &Args,
    scratch: &Scratch,
    acknowledged: &BTreeMap<i64, Instant>,
    arrived: &BTreeMap<i64, Vec<Instant>>,
) -> Report {
    let mut late_ms = Vec::new();
    for (post, sent) in acknowledged {
        let arrivals = arrived.get(post).map(Vec::as_slice).unwrap_or_default();
        // An event may overtake the acknowledgement: that is not late at all.
        let late = arrivals
            .iter()
            .map(|at| at.saturating_duration_since(*sent));
        late_ms.extend(late.map(|late| late.as_secs_f64() * 1000.0));
    }
    let due = acknowledged.len() * args.readers;
    Report {
        title: "Live feed: from a post's acknowledgement to its arrival at a reader".to_owned(),
        setting: vec![
            format!(
                "{NODES} nodes and all readers on one machine, data in {}",
                scratch.describe()
            ),
            format!("{} posts a second for {} s", args.posts, args.seconds),
        ],
        columns: vec![
            "readers",
            "deliveries",
            "missed",
            "p50 ms",
            "p99 ms",
            "max ms",
        ],
        rows: vec![vec![
            Cell::Number(args.readers as f64, 0),
            Cell::Number(late_ms.len() as f64, 0),
            Cell::Number(due.saturating_sub(late_ms.len()) as f64, 0),
            Cell::Number(quantile(&late_ms, 0.5), 1),
            Cell::Number(quantile(&late_ms, 0.99), 1),
            Cell::Number(quantile(&late_ms, 1.0), 1),
        ]],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn posts_are_found_in_whole_events_only() {
        let mut reader = Reader::default();
        let event =
            "event: post.published\nid: 9-0\ndata: {\"area\":1,\"post\":12,\"at\":\"\"}\n\n";
        let text = format!(": hello\n\n{event}");
        for cut in 1..text.len() {
            let mut posts = reader.take(&text.as_bytes()[..cut]);
            posts.extend(reader.take(&text.as_bytes()[cut..]));
            assert_eq!(posts, [12], "cut at {cut}");
        }
        assert_eq!(post_id("data: {\"kind\":\"area.added\"}"), None);
    }
}
