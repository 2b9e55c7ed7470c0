//! Files: by the command line, and while nodes that hold and serve them are killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::Client;
use api::client::{Content, FileName, IfThere, PutFile};
use bytes::Bytes;

use super::harness::{Cluster, PATIENCE, Server, eventually, run, sign_in, stderr, stdout};

/// Bytes that tell one file from another, more than one chunk of them.
fn content(number: usize) -> Bytes {
    let words = (0_u64..200_000).map(|at| (at ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_le_bytes).collect()
}

fn named(number: usize) -> FileName {
    FileName {
        name: format!("dir/{number}"),
        private: false,
    }
}

async fn put(client: &Client, number: usize) -> Result<(), api::Error> {
    let put = PutFile {
        file: named(number),
        media_type: "application/octet-stream".to_owned(),
        area: None,
        tags: Vec::new(),
        copies: None,
        if_there: IfThere::Replace,
        root: None,
    };
    let content = Content::Bytes(content(number));
    client.put_file(&put, &content, &|_| ()).await.map(drop)
}

async fn read(client: &Client, number: usize) -> Result<Vec<u8>, api::Error> {
    let about = client.file(&named(number)).await?;
    let mut reader = client.read_file(named(number), about, 0);
    let mut bytes = Vec::new();
    while let Some(more) = reader.next().await? {
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

/// A client that asks this node alone.
async fn alone(node: &Server) -> Client {
    let client = Client::builder().endpoint(node.url()).learn(false);
    sign_in(&client.build().unwrap()).await
}

/// Puts files one after the other and reads an earlier one after each, until told to stop; answers
/// how many were acknowledged. None may fail: there is always a majority.
async fn work(client: Client, stop: Arc<AtomicBool>, done: Arc<std::sync::atomic::AtomicUsize>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        put(&client, number).await.expect("a file is put");
        let earlier = number / 2;
        let bytes = read(&client, earlier).await.expect("a file is read");
        assert!(bytes == content(earlier), "file {earlier} has other bytes");
        number += 1;
        done.store(number, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_put_and_read_while_nodes_are_killed() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin().await.with_deadline(PATIENCE);
    let (stop, done) = (Arc::<AtomicBool>::default(), Arc::default());
    let working = tokio::spawn(work(client, Arc::clone(&stop), Arc::clone(&done)));
    let goes_on = async |count: usize| {
        let wanted = done.load(Ordering::Relaxed) + count;
        eventually("files are put", async || {
            assert!(!working.is_finished(), "the work failed");
            (done.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    };
    goes_on(3).await;
    for round in 0..3 {
        let leader = cluster.leader().await;
        let victim = (leader + round) % 3;
        cluster.nodes[victim].kill();
        goes_on(3).await;
        cluster.nodes[victim].start(None);
        cluster.all_ready().await;
        goes_on(3).await;
    }
    stop.store(true, Ordering::Relaxed);
    working.await.unwrap();
    let count = done.load(Ordering::Relaxed);
    assert!(count > 20, "{count}");
    // Each node has its share again, and alone serves every file that was acknowledged.
    let admin = cluster.admin().await;
    for number in 0..count {
        eventually("three nodes have each chunk", async || {
            let page = admin.file_chunks(&named(number), 0).await.ok()?;
            let whole = page.chunks.iter().all(|chunk| chunk.nodes.len() == 3);
            (page.chunks.len() == 2 && whole).then_some(())
        })
        .await;
    }
    for node in &cluster.nodes {
        let client = alone(node).await;
        for number in 0..count {
            let bytes = read(&client, number).await.expect("it is read");
            assert!(bytes == content(number), "{number} on {}", node.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_puts_finds_gets_and_removes() {
    let cluster = Cluster::start(1).await;
    let (config, dir) = (cluster.dir.path().join("config"), cluster.dir.path());
    let url = cluster.nodes[0].url();
    let ask = |arguments: &[&str]| run(&config, &url, arguments);
    assert!(ask(&["account", "login", "admin"]).status.success());
    let bytes = content(7);
    let (here, there) = (dir.join("acta.pdf"), dir.join("copy.pdf"));
    std::fs::write(&here, &bytes).unwrap();
    let (here, there) = (here.to_str().unwrap(), there.to_str().unwrap());

    let made = ask(&["file", "put", here, "actas/enero.pdf", "--tag", "acta"]);
    assert!(made.status.success(), "{}", stderr(&made));
    assert!(stdout(&made).starts_with("Put actas/enero.pdf: 1.6 MB, BLAKE3 "));
    let again = ask(&["file", "put", here, "actas/enero.pdf", "--new"]);
    assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
    let found = ask(&["file", "find", "*.PDF", "--tag", "acta", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&stdout(&found)).unwrap();
    assert_eq!(found["name"], "actas/enero.pdf");
    assert_eq!(found["media_type"], "application/pdf");
    let info = stdout(&ask(&["file", "info", "actas/enero.pdf", "--chunks"]));
    assert!(info.contains("chunk    0 to 1 (2) on n1"), "{info}");

    // A beginning that an earlier try left is gone on from; nothing of it is asked for again.
    let root = found["root"].as_str().unwrap();
    let part = format!("{there}.{}.part", &root[..16]);
    std::fs::write(&part, &bytes[..1_000_000]).unwrap();
    let got = ask(&["file", "get", "actas/enero.pdf", there]);
    assert!(got.status.success(), "{}", stderr(&got));
    assert!(std::fs::read(there).unwrap() == bytes, "other bytes");
    assert!(!std::path::Path::new(&part).exists());
    // One that is wrong is noticed, and the next try begins anew.
    std::fs::write(&part, b"something else").unwrap();
    let wrong = ask(&["file", "get", "actas/enero.pdf", there, "--force"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", stderr(&wrong));
    let right = ask(&["file", "get", "actas/enero.pdf", there, "--force"]);
    assert!(right.status.success(), "{}", stderr(&right));
    let kept = ask(&["file", "get", "actas/enero.pdf", there]);
    assert!(stderr(&kept).contains("--force"), "{}", stderr(&kept));
    let output = ask(&["file", "get", "actas/enero.pdf", "-"]);
    assert!(output.stdout == bytes, "other bytes");

    let moved = ask(&["file", "mv", "actas/enero.pdf", "enero.pdf"]);
    assert!(moved.status.success(), "{}", stderr(&moved));
    let usage = stdout(&ask(&["file", "usage"]));
    assert!(
        usage.starts_with("yours  1.6 MB of 274.8 GB, 1 of"),
        "{usage}"
    );
    assert!(ask(&["file", "rm", "enero.pdf"]).status.success());
    let gone = ask(&["file", "info", "enero.pdf"]);
    assert_eq!(gone.status.code(), Some(5), "{}", stderr(&gone));
    let listed = stdout(&ask(&["file", "list"]));
    assert_eq!(listed, "There are no such files.\n");
}

/// A node that is stopped in the middle of a file does not keep its reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_with_another_node() {
    let mut cluster = Cluster::start(3).await;
    let client = cluster.admin().await.with_deadline(PATIENCE);
    put(&client, 1).await.unwrap();
    let about = client.file(&named(1)).await.unwrap();
    let mut reader = client.read_file(named(1), about, 0);
    let mut bytes = reader.next().await.unwrap().expect("a beginning").to_vec();
    // Whichever serves it: all but one node die, one after the other, and come back.
    for victim in 0..3 {
        cluster.nodes[victim].kill();
        tokio::time::sleep(Duration::from_millis(50)).await;
        cluster.nodes[victim].start(None);
        cluster.all_ready().await;
    }
    while let Some(more) = reader.next().await.unwrap() {
        bytes.extend_from_slice(&more);
    }
    assert!(bytes == content(1)[..], "other bytes");
}
