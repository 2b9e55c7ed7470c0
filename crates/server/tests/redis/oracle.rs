//! The same conversations with this door and with a real Redis, where one is installed: every reply
//! must be the same, to the word.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Client, Node, PATIENCE, Reply, line};
use crate::programs::is_installed;

/// A real Redis, which is stopped when it is dropped.
struct Redis {
    address: std::net::SocketAddr,
    child: Child,
    _data: TempDir,
}

impl Redis {
    /// Starts one, or says why not.
    async fn start() -> Option<Self> {
        // The program that checks Redis's files is Redis itself, under another name: it comes with
        // the clients, without a service that starts by itself.
        if !is_installed("redis-check-rdb") {
            return None;
        }
        let data = TempDir::new().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("redis-check-rdb")
            .arg0("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Redis {
            address,
            child,
            _data: data,
        };
        let reachable = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reachable).await.unwrap();
        Some(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both of them.
struct Pair {
    redis: Redis,
    node: Node,
    theirs: Client,
    ours: Client,
}

impl Pair {
    async fn start(version: &str) -> Option<Self> {
        let redis = Redis::start().await?;
        let node = Node::start().await;
        let mut pair = Pair {
            theirs: Client::connect(redis.address).await,
            ours: node.client().await,
            redis,
            node,
        };
        pair.theirs.ask(version).await;
        pair.ours.ask(version).await;
        Some(pair)
    }

    /// Says the same to both.
    async fn say(&mut self, words: &str) -> (Reply, Reply) {
        let bytes = line(words);
        self.theirs.send(&bytes).await;
        self.ours.send(&bytes).await;
        let both = (self.theirs.reply().await, self.ours.reply().await);
        (sorted(both.0, words), sorted(both.1, words))
    }

    async fn stop(self) {
        self.node.stop().await;
        drop(self.redis);
    }
}

/// The reply to a request; what may come in any order, in one.
fn sorted(reply: Reply, request: &str) -> Reply {
    let command = request.split(' ').next().unwrap().to_ascii_uppercase();
    let free = [
        "HGETALL",
        "HKEYS",
        "HVALS",
        "SMEMBERS",
        "KEYS",
        "SCAN",
        "SPOP",
        "SRANDMEMBER",
    ];
    match free.contains(&command.as_str()) {
        true => in_order(reply, &command),
        false => reply,
    }
}

/// What may come in any order, in one.
fn in_order(reply: Reply, command: &str) -> Reply {
    let sort = |mut items: Vec<Reply>| {
        items.sort_by_key(|item| format!("{item:?}"));
        items
    };
    match reply {
        // In version 2 fields and their values follow each other.
        Reply::Array(items) if command == "HGETALL" => {
            let pairs = items.chunks(2).map(|pair| Reply::Array(pair.to_vec()));
            Reply::Array(sort(pairs.collect()))
        }
        Reply::Array(items) => Reply::Array(sort(
            items
                .into_iter()
                .map(|item| in_order(item, command))
                .collect(),
        )),
        Reply::Set(items) => Reply::Set(sort(items)),
        Reply::Map(mut pairs) => {
            pairs.sort_by_key(|pair| format!("{pair:?}"));
            Reply::Map(pairs)
        }
        other => other,
    }
}

/// Conversations with what Redis answered: each request at the start of a line, and its reply in
/// version 2 of the protocol below it.
const CONVERSATIONS: [(&str, &str); 2] = [
    ("conversation.txt", include_str!("conversation.txt")),
    ("edges.txt", include_str!("edges.txt")),
];

/// The requests of a conversation.
fn requests(conversation: &str) -> impl Iterator<Item = &str> {
    conversation
        .lines()
        .filter(|line| !line.starts_with(['#', ' ']))
}

/// A conversation as it goes with whoever is at the other end.
async fn said(client: &mut Client, conversation: &str) -> String {
    let mut said = String::new();
    for request in conversation.lines().filter(|line| !line.starts_with(' ')) {
        said.push_str(request);
        said.push('\n');
        if !request.starts_with('#') {
            client.send(&line(request)).await;
            let reply = sorted(client.reply().await, request);
            said.push_str(format!("    {reply:?}").trim_end());
            said.push('\n');
        }
    }
    said
}

/// Where there is no Redis to be asked, what it answered once is known. With
/// `CONSORCIO_REDIS_RECORD=1` it is asked again, and written down.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_answers_as_redis_once_did() {
    if std::env::var("CONSORCIO_REDIS_RECORD").is_ok() {
        return record().await;
    }
    for (_, conversation) in CONVERSATIONS {
        let node = Node::start().await;
        let said = said(&mut node.client().await, conversation).await;
        let mut request = "";
        for (said, expected) in said.lines().zip(conversation.lines()) {
            if !expected.starts_with(' ') {
                request = expected;
            }
            assert_eq!(said, expected, "{request}");
        }
        node.stop().await;
    }
}

async fn record() {
    for (name, conversation) in CONVERSATIONS {
        let redis = Redis::start().await.expect("a Redis to be asked");
        let said = said(&mut Client::connect(redis.address).await, conversation).await;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis");
        std::fs::write(format!("{folder}/{name}"), said).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_answers_as_redis_does() {
    for (version, (_, conversation)) in ["HELLO 2", "HELLO 3"]
        .into_iter()
        .flat_map(|version| CONVERSATIONS.map(|conversation| (version, conversation)))
    {
        let Some(mut pair) = Pair::start(version).await else {
            return;
        };
        let mut differences = Vec::new();
        for words in requests(conversation) {
            let (theirs, ours) = pair.say(words).await;
            if ours != theirs {
                differences.push(format!("{words}: {ours:?}, Redis has {theirs:?}"));
            }
        }
        assert!(differences.is_empty(), "{version}: {differences:#?}");
        pair.stop().await;
    }
}

/// Bytes as no library sends them: lines of words, and frames that are broken.
const RAW: &[&[u8]] = &[
    b"set k v\r\nget k\r\n",
    b"SET k \"a b\"\nGET k\n",
    b"set k '\\'' \r\nget k\r\n",
    b"set k \"\\x41\\n\\q\"\r\nget k\r\n",
    b"   \r\n\r\n\n  echo   hi  \r\n",
    b"echo \"a\"b\r\necho c\r\n",
    b"echo 'a\r\necho c\r\n",
    b"get\r\n",
    b"*0\r\n*-1\r\n*-10\r\necho a\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*x\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-2147483649\r\n",
    b"*1\r\n$9223372036854775807\r\n",
    b"*1\r\n$x\r\n",
    b"*2\r\n$4\r\nECHO\r\n:1\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
];

/// What comes back for some bytes, with a PING and the end behind them.
async fn answer_to(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut client = Client::connect(address).await;
    client.send(&[bytes, b"PING\r\nQUIT\r\n"].concat()).await;
    client.rest().await
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_are_answered_as_redis_answers_them() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let node = Node::start().await;
    for bytes in RAW {
        let theirs = answer_to(redis.address, bytes).await;
        let ours = answer_to(node.address, bytes).await;
        assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(bytes));
    }
    node.stop().await;
}

/// Requests in which `K` is one of few keys, `V` a value, `I` a small integer, `N` any integer, `F`
/// a field or member, and `E` the id of an entry.
const RANDOM: &[&str] = &[
    "GET K",
    "SET K V",
    "SET K N",
    "SET K V NX",
    "SET K V XX GET",
    "SET K V KEEPTTL",
    "GETSET K V",
    "SETNX K V",
    "APPEND K V",
    "STRLEN K",
    "GETRANGE K I I",
    "SETRANGE K 3 V",
    "INCR K",
    "DECR K",
    "INCRBY K N",
    "DECRBY K N",
    "MGET K K K",
    "MSET K V K V",
    "MSETNX K V K V",
    "GETDEL K",
    "GETEX K",
    "GETEX K PERSIST",
    "SET K V EX 100",
    "SETEX K 100 V",
    "DEL K",
    "DEL K K",
    "EXISTS K K K",
    "TYPE K",
    "RENAME K K",
    "RENAMENX K K",
    "KEYS *",
    "KEYS ?",
    "DBSIZE",
    "EXPIRE K 100",
    "EXPIRE K 200 GT",
    "EXPIRE K 50 LT",
    "EXPIRE K 100 NX",
    "EXPIRE K 100 XX",
    "EXPIRE K -1",
    "PERSIST K",
    "TTL K",
    "EXPIREAT K 99999999999",
    "EXPIRETIME K",
    "TOUCH K K",
    "LPUSH K V V",
    "RPUSH K V",
    "RPUSH K V V V",
    "LPUSHX K V",
    "RPUSHX K V",
    "LPOP K",
    "RPOP K",
    "LPOP K 2",
    "RPOP K I",
    "LLEN K",
    "LRANGE K 0 -1",
    "LRANGE K I I",
    "LINDEX K I",
    "LSET K I V",
    "LREM K I V",
    "LTRIM K I I",
    "LMOVE K K LEFT RIGHT",
    "LMOVE K K RIGHT RIGHT",
    "RPOPLPUSH K K",
    "LMPOP 2 K K LEFT",
    "LMPOP 2 K K RIGHT COUNT 2",
    "HSET K F V",
    "HSET K F V F V",
    "HMSET K F V",
    "HSETNX K F V",
    "HGET K F",
    "HMGET K F F F",
    "HGETALL K",
    "HDEL K F F",
    "HLEN K",
    "HEXISTS K F",
    "HSTRLEN K F",
    "HINCRBY K F N",
    "HKEYS K",
    "HVALS K",
    "HSET K F N",
    "SADD K F F",
    "SREM K F",
    "SMEMBERS K",
    "SISMEMBER K F",
    "SMISMEMBER K F F",
    "SCARD K",
    "SMOVE K K F",
    "SPOP K 100",
    "SRANDMEMBER K 100",
    "XADD K E F V",
    "XADD K NOMKSTREAM E F V",
    "XADD K MAXLEN 3 E F V",
    "XLEN K",
    "XRANGE K - +",
    "XRANGE K E E",
    "XRANGE K (E + COUNT 2",
    "XREVRANGE K + - COUNT 2",
    "XREVRANGE K E E",
    "XREAD COUNT 2 STREAMS K E",
    "XREAD STREAMS K K E E",
    "XTRIM K MAXLEN 2",
    "XTRIM K MINID E",
    "XDEL K E E",
];

/// A generator that repeats from its seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn any<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }

    fn request(&mut self) -> String {
        let words = self.any(RANDOM).split(' ');
        let words = words.map(|word| match word {
            "K" => self.any(&["a", "b", "c", "d"]).to_owned(),
            "V" => self
                .any(&["x", "yy", "7", "long-long-value", "x"])
                .to_owned(),
            "I" => (self.roll(9) as i64 - 4).to_string(),
            "N" => self
                .any(&[
                    "1",
                    "-3",
                    "0",
                    "9223372036854775807",
                    "-9223372036854775808",
                    "40",
                ])
                .to_owned(),
            "F" => self.any(&["f", "g", "h"]).to_owned(),
            "E" => format!("{}-{}", self.roll(12), self.roll(3)),
            "(E" => format!("({}-{}", self.roll(12), self.roll(3)),
            other => other.to_owned(),
        });
        words.collect::<Vec<String>>().join(" ")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_are_answered_as_redis_answers_them() {
    const REQUESTS: usize = 1_500;
    let seed = std::env::var("CONSORCIO_REDIS_SEED");
    let seeds = match seed.map(|seed| seed.parse::<u64>().unwrap()) {
        Ok(seed) => vec![seed],
        Err(_) => vec![1, 2],
    };
    for seed in seeds {
        let Some(mut pair) = Pair::start("HELLO 3").await else {
            return;
        };
        let mut dice = Dice(seed);
        for number in 0..REQUESTS {
            // What is there is forgotten now and then: keys of all kinds come about.
            let words = match dice.roll(150) {
                0 => "FLUSHDB".to_owned(),
                _ => dice.request(),
            };
            let (theirs, ours) = pair.say(&words).await;
            assert_eq!(
                ours, theirs,
                "CONSORCIO_REDIS_SEED={seed}, request {number}: {words}"
            );
        }
        pair.stop().await;
    }
}
