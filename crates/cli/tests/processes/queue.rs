//! A queue in a list, with workers that wait over the Redis port, while the node that leads is
//! killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::{Cluster, PATIENCE, eventually, run, stdout};

/// A Redis client with as much of the protocol as this needs.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Client(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// The reply to some words: its lines, with the items of an array one after the other.
    async fn ask(&mut self, words: &str) -> Vec<String> {
        let request = format!("{words}\r\n");
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .await
            .unwrap();
        let head = self.line().await;
        match head.strip_prefix('*') {
            Some(count) => {
                let mut items = Vec::new();
                for _ in 0..count.parse::<i64>().unwrap() {
                    let length = self.line().await[1..].parse::<usize>().unwrap();
                    let mut item = vec![0; length + 2];
                    self.0.read_exact(&mut item).await.unwrap();
                    item.truncate(length);
                    items.push(String::from_utf8(item).unwrap());
                }
                items
            }
            None => vec![head],
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(2 * PATIENCE, self.0.read_line(&mut line));
        read.await.expect("a reply").unwrap();
        line.trim_end().to_owned()
    }
}

/// Takes items until one says that it is the end.
async fn work(address: SocketAddr) -> Vec<String> {
    let mut client = Client::connect(address).await;
    let mut done = Vec::new();
    loop {
        let reply = client.ask("BLPOP jobs 0").await;
        match &reply[..] {
            [_, item] if item == "end" => return done,
            [_, item] => done.push(item.clone()),
            other => panic!("{other:?}"),
        }
    }
}

/// Pushes items until so many are acknowledged. Answers how often each may be found: once if it
/// was acknowledged, and once or not at all if nobody knows.
async fn push(client: &mut Client, from: usize, count: usize) -> BTreeMap<String, bool> {
    let mut pushed = BTreeMap::new();
    let mut item = from;
    while pushed.values().filter(|sure| **sure).count() < count {
        let reply = client.ask(&format!("RPUSH jobs {item}")).await.remove(0);
        match reply.split(' ').next().unwrap() {
            length if length.starts_with(':') => drop(pushed.insert(item.to_string(), true)),
            "-UNKNOWNOUTCOME" => drop(pushed.insert(item.to_string(), false)),
            // Certainly not.
            "-CLUSTERDOWN" | "-BUSY" => {}
            _ => panic!("{reply}"),
        }
        item += 1;
    }
    pushed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_that_was_acknowledged_is_done_once_when_the_leader_dies() {
    const WORKERS: usize = 8;
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let address = |number: usize| cluster.nodes[others[number % 2]].redis;
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| tokio::spawn(work(address(number))))
        .collect();
    let mut front = Client::connect(address(0)).await;
    let mut pushed = push(&mut front, 0, 200).await;
    cluster.nodes[leader].kill();
    pushed.extend(push(&mut front, 100_000, 200).await);
    for _ in 0..WORKERS {
        while !front.ask("RPUSH jobs end").await[0].starts_with(':') {}
    }
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    for worker in workers {
        for item in timeout(3 * PATIENCE, worker).await.unwrap().unwrap() {
            *done.entry(item).or_default() += 1;
        }
    }
    for (item, sure) in &pushed {
        let times = done.remove(item).unwrap_or(0);
        assert!(
            times == 1 || (!sure && times == 0),
            "{item} was done {times} times"
        );
    }
    assert!(done.is_empty(), "nobody pushed {done:?}");
}

/// A vote front end that pushes JSON, and no worker at all: the poll takes its ballots itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ballots_pushed_to_a_list_are_counted_once_when_the_leader_dies() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let (config, url) = (
        cluster.dir.path().join("c"),
        cluster.nodes[(leader + 1) % 3].url(),
    );
    let consorcio = |arguments: &[&str]| {
        let output = run(&config, &url, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        stdout(&output)
    };
    consorcio(&["account", "login", "admin"]);
    let create = ["poll", "create", "¿A o B?", "--options", "A,B"];
    consorcio(&[&create[..], &["--from-list", "votes"]].concat());
    let mut front = Client::connect(cluster.nodes[(leader + 1) % 3].redis).await;
    let (mut sure, mut doubtful) = (0, 0);
    for voter in 0..400 {
        if voter == 200 {
            cluster.nodes[leader].kill();
        }
        let item = format!(r#"'{{"voter_id": {voter}, "vote": "a"}}'"#);
        loop {
            let reply = front.ask(&format!("RPUSH votes {item}")).await.remove(0);
            match reply.split(' ').next().unwrap() {
                length if length.starts_with(':') => sure += 1,
                "-UNKNOWNOUTCOME" => doubtful += 1,
                "-CLUSTERDOWN" | "-BUSY" => continue,
                _ => panic!("{reply}"),
            }
            break;
        }
    }
    let client = cluster.nodes[(leader + 1) % 3].client();
    let counted = eventually("all are counted", async || {
        let length = front.ask("LLEN votes").await.remove(0);
        let poll = client.poll(1).await.ok()?;
        let counted = poll.tally?.options[0].ballots;
        (length == ":0" && counted >= sure).then_some(counted)
    })
    .await;
    assert!(
        counted <= sure + doubtful,
        "{counted} of {sure} and {doubtful}"
    );
    assert_eq!(front.ask("EXISTS votes:refused").await, [":0"]);
}
