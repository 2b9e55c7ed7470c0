//! A large file into three nodes and out of them, beside what `cp` and `sync` make of it on the
//! same disk; and many small files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::Client;
use api::client::{Content, FileName, IfThere, PutFile};
use bytes::Bytes;

use super::consorcio::Consorcio;
use super::process::Scratch;
use super::report::{Cell, Report, median};
use super::system::NODES;
use crate::interrupt;

/// `consorcio bench files`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Mebibytes of the large file
    #[arg(long, default_value_t = 1_024)]
    large_mib: u64,
    /// Copies of each of its chunks
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3))]
    copies: u32,
    /// How often it goes in and out; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many small files
    #[arg(long, default_value_t = 10_000)]
    small: u64,
    /// Bytes of a small file
    #[arg(long, default_value_t = 4_096)]
    small_bytes: usize,
    /// Clients that put small files at once
    #[arg(long, default_value_t = 32)]
    clients: usize,
}

const MIB: u64 = 1024 * 1024;

/// Longer than anything takes that is measured here.
const PATIENCE: Duration = Duration::from_secs(600);

/// What one round came to, in seconds.
struct Round {
    copied: f64,
    put: f64,
    got: f64,
}

/// Measures and reports.
pub fn run(args: &Args, scratch: &Scratch) -> anyhow::Result<Report> {
    let cluster = Consorcio::start(scratch, NODES)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let client = Client::builder()
        .endpoint(format!("http://{}", cluster.address(0)))
        .endpoint(format!("http://{}", cluster.address(1)))
        .deadline(PATIENCE)
        .build()?
        .with_token(cluster.token());
    let dir = scratch.fresh_dir("files")?;
    let large = make_large(&dir, args.large_mib)?;
    let rounds = (0..args.rounds).map(|number| {
        let copied = copy(&large, &dir.join("copy"))?;
        let large = Content::Path(large.clone());
        let (put, got) = runtime.block_on(in_and_out(&client, &large, args, number))?;
        Ok(Round { copied, put, got })
    });
    let rounds = rounds.collect::<anyhow::Result<Vec<Round>>>()?;
    let memory = peak(&cluster)?;
    let small = runtime.block_on(small_files(&client, args))?;
    Ok(Report {
        title: format!("Files, {NODES} nodes"),
        setting: setting(args, scratch),
        columns: vec![
            "what",
            "seconds",
            "MB/s",
            "files/s",
            "part of cp",
            "MiB a node",
        ],
        rows: rows(args, &rounds, memory, small),
    })
}

fn rows(args: &Args, rounds: &[Round], memory: f64, small: f64) -> Vec<Vec<Cell>> {
    let middle =
        |figure: fn(&Round) -> f64| median(&rounds.iter().map(figure).collect::<Vec<f64>>());
    let megabytes = (args.large_mib * MIB) as f64 / 1e6;
    let copied = middle(|round| round.copied);
    let large = |what: &str, seconds: f64, memory: Cell| {
        vec![
            Cell::Text(what.to_owned()),
            Cell::Number(seconds, 2),
            Cell::Number(megabytes / seconds, 0),
            Cell::Missing,
            Cell::Number(copied / seconds, 2),
            memory,
        ]
    };
    let missing = Cell::Missing;
    vec![
        large("cp, then sync", copied, missing.clone()),
        large("in", middle(|round| round.put), Cell::Number(memory, 0)),
        large("out", middle(|round| round.got), missing.clone()),
        vec![
            Cell::Text(format!("{} of {} bytes in", args.small, args.small_bytes)),
            Cell::Number(small, 2),
            Cell::Number(
                (args.small * args.small_bytes as u64) as f64 / 1e6 / small,
                1,
            ),
            Cell::Number(args.small as f64 / small, 0),
            missing.clone(),
            missing,
        ],
    ]
}

/// A file of which no chunk is like another.
fn make_large(dir: &Path, mebibytes: u64) -> anyhow::Result<PathBuf> {
    let path = dir.join("large");
    let mut file = std::fs::File::create(&path)?;
    let mut bytes = vec![0; MIB as usize];
    for number in 0..mebibytes {
        let mut random = blake3::Hasher::new();
        random.update(&number.to_le_bytes());
        random.finalize_xof().fill(&mut bytes);
        std::io::Write::write_all(&mut file, &bytes)?;
    }
    file.sync_all()?;
    Ok(path)
}

/// What `cp` and then `sync` take, in seconds.
fn copy(from: &Path, to: &Path) -> anyhow::Result<f64> {
    if to.exists() {
        std::fs::remove_file(to)?;
    }
    let begun = Instant::now();
    let copied = Command::new("cp").arg(from).arg(to).status()?;
    let synced = Command::new("sync").arg(to).status()?;
    let took = begun.elapsed().as_secs_f64();
    anyhow::ensure!(copied.success() && synced.success(), "cp or sync failed");
    Ok(took)
}

/// Puts the large file by one node and reads it by another; answers the seconds of each.
async fn in_and_out(
    client: &Client,
    content: &Content,
    args: &Args,
    number: usize,
) -> anyhow::Result<(f64, f64)> {
    let put = new_file(format!("large {number}"), Some(args.copies));
    let begun = Instant::now();
    let stored = client.put_file(&put, content, &|_| ()).await?;
    let put_in = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let about = client.file(&put.file).await?;
    let mut reader = client.read_file(put.file.clone(), about, 0);
    let mut root = blake3::Hasher::new();
    while let Some(bytes) = reader.next().await? {
        root.update(&bytes);
        anyhow::ensure!(!interrupt::asked(), "interrupted");
    }
    let got = begun.elapsed().as_secs_f64();
    let same = *root.finalize().as_bytes() == stored.root.0;
    anyhow::ensure!(same, "what came out is not what went in");
    client.remove_file(&put.file).await?;
    Ok((put_in, got))
}

/// Puts the small files; answers the seconds.
async fn small_files(client: &Client, args: &Args) -> anyhow::Result<f64> {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..args.clients {
        let (client, next) = (client.clone(), Arc::clone(&next));
        let (count, size_bytes) = (args.small, args.small_bytes);
        clients.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count || interrupt::asked() {
                    return Ok::<_, api::Error>(());
                }
                let content = Content::Bytes(small(number, size_bytes));
                let put = new_file(format!("small/{number}"), None);
                client.put_file(&put, &content, &|_| ()).await?;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.context("a client ended early")??;
    }
    anyhow::ensure!(!interrupt::asked(), "interrupted");
    Ok(begun.elapsed().as_secs_f64())
}

fn small(number: u64, size_bytes: usize) -> Bytes {
    let mut bytes = vec![0; size_bytes];
    let mut random = blake3::Hasher::new();
    random.update(b"small");
    random.update(&number.to_le_bytes());
    random.finalize_xof().fill(&mut bytes);
    bytes.into()
}

fn new_file(name: String, copies: Option<u32>) -> PutFile {
    PutFile {
        file: FileName {
            name,
            private: false,
        },
        media_type: "application/octet-stream".to_owned(),
        area: None,
        tags: Vec::new(),
        copies,
        if_there: IfThere::Replace,
        root: None,
    }
}

/// The most memory that any node has taken so far, in MiB.
fn peak(cluster: &Consorcio) -> anyhow::Result<f64> {
    let mut largest = 0;
    for node in 0..NODES {
        largest = largest.max(cluster.node(node).peak_bytes()?);
    }
    Ok(largest as f64 / MIB as f64)
}

fn setting(args: &Args, scratch: &Scratch) -> Vec<String> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        format!("nodes and clients on one machine, {processors} processors"),
        format!("data in {}", scratch.describe()),
        format!(
            "the large file has {} MiB and {} copies of each chunk; medians of {} rounds",
            args.large_mib, args.copies, args.rounds
        ),
        format!(
            "the small ones have 3 copies each, and {} clients put them",
            args.clients
        ),
        "all copies are on this one disk; cp makes one".to_owned(),
    ]
}
