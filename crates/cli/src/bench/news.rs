//! A great many posts: what each takes on the disk, and how long a member with many areas waits
//! for the list of what is new.

use std::time::Instant;

use super::consorcio::Consorcio;
use super::http::Http;
use super::interrupt;
use super::posts;
use super::process::{Scratch, disk_bytes};
use super::report::{Cell, Report, median, quantile};

/// `consorcio bench news`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Posts, spread over 50 areas
    #[arg(long, default_value_t = 1_000_000)]
    posts: u64,
}

/// How often each listing is asked for.
const REQUESTS: usize = 500;

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let mut cluster = Consorcio::start(scratch, 1)?;
    let areas = posts::make_areas(&cluster, posts::AREAS)?;
    let before = disk_bytes(&cluster.data_dir(0))?;
    let published = posts::publish(&cluster, &areas, args.posts)?;
    let mut rows = vec![row("posts published a second", published.rate(), None)];
    let mut reader = posts::reader(&cluster, &areas)?;
    rows.extend(listings(&mut reader, &areas, "nothing read")?);
    read_half(&mut reader, &areas, args.posts)?;
    rows.extend(listings(&mut reader, &areas, "half read")?);
    // What a node that runs keeps for its log and its database's journal is not a post's.
    cluster.stop(0)?;
    let bytes = disk_bytes(&cluster.data_dir(0))?.saturating_sub(before);
    rows.push(row(
        "bytes on disk a post, each node",
        bytes as f64 / args.posts as f64,
        None,
    ));
    Ok(Report {
        title: format!(
            "{} posts of {} bytes in {} areas",
            args.posts,
            posts::POST_BYTES,
            areas.len()
        ),
        setting: vec![
            format!("one node, data in {}", scratch.describe()),
            format!("a listing: whole HTTP requests, median and p99 of {REQUESTS}"),
            "a post's bytes: data directory after a stop, with search, log and events".to_owned(),
        ],
        columns: vec!["figure", "value", "p99"],
        rows,
    })
}

fn row(name: &str, figure: f64, p99: Option<f64>) -> Vec<Cell> {
    let decimals = if p99.is_some() { 2 } else { 0 };
    let p99 = p99.map_or(Cell::Missing, |p99| Cell::Number(p99, decimals));
    vec![
        Cell::Text(name.to_owned()),
        Cell::Number(figure, decimals),
        p99,
    ]
}

/// Times of the two listings a member opens: her areas with what is unread in each, and the
/// unread posts of one.
fn listings(reader: &mut Http, areas: &[i64], state: &str) -> anyhow::Result<Vec<Vec<Cell>>> {
    let all = times(reader, |_| "/v1/subscriptions".to_owned())?;
    let one = times(reader, |number| {
        format!(
            "/v1/areas/{}/posts?unread=true&limit=50",
            areas[number % areas.len()]
        )
    })?;
    let figures = |name: &str, times: &[f64]| row(name, median(times), Some(quantile(times, 0.99)));
    Ok(vec![
        figures(
            &format!("{} areas with unread counts, {state}, ms", areas.len()),
            &all,
        ),
        figures(&format!("50 unread posts of an area, {state}, ms"), &one),
    ])
}

/// Milliseconds of each request.
fn times(reader: &mut Http, path: impl Fn(usize) -> String) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for number in 0..REQUESTS {
        interrupt::check()?;
        let started = Instant::now();
        reader.json("GET", &path(number), "")?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// Marks the older half of every area read, and every tenth post of the rest of the newest
/// hundred: what is read is seldom one stretch.
fn read_half(reader: &mut Http, areas: &[i64], posts: u64) -> anyhow::Result<()> {
    let newest = posts / areas.len() as u64;
    for area in areas {
        let path = format!("/v1/areas/{area}/read");
        reader.json(
            "POST",
            &path,
            &format!(r#"{{"up_to":{}}}"#, (newest / 2).max(1)),
        )?;
        for post in (newest.saturating_sub(100)..newest).step_by(10) {
            reader.json("POST", &path, &format!(r#"{{"post":{}}}"#, post.max(1)))?;
        }
    }
    Ok(())
}
