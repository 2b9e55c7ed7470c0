//! Proxies before a cluster: clients that know two of them notice nothing when one dies, nor when a
//! node does.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::Client;
use api::client::{Order, PostsQuery};
use api::grpc::v1;
use api::grpc::v1::cluster_client::ClusterClient;
use api::grpc::v1::operation::Operation as Do;
use api::grpc::v1::operation_result::Result as Came;
use api::grpc::v1::store_client::StoreClient;
use api::types::NewLottery;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::harness::{Cluster, Running, eventually, free_ports, program, sign_in, signal, stderr};
use super::load::{Follower, Load};

/// Posts to see acknowledged after each blow.
const SIGN_OF_LIFE: usize = 40;

/// Who reads at once.
const READERS: usize = 3;

/// One proxy.
pub struct Proxy {
    pub http: SocketAddr,
    pub lottery: SocketAddr,
    pub redis: SocketAddr,
    pub redis_reads: SocketAddr,
    pub grpc: SocketAddr,
    log: PathBuf,
    nodes: String,
    child: Option<Child>,
}

impl Proxy {
    /// A proxy that is told of these nodes and learns the others.
    pub fn start(dir: &Path, name: &str, nodes: &[String]) -> Self {
        let base = free_ports(5);
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut proxy = Proxy {
            http: address(base),
            lottery: address(base + 1),
            redis: address(base + 2),
            redis_reads: address(base + 3),
            grpc: address(base + 4),
            log: dir.join(format!("{name}.log")),
            nodes: nodes.join(","),
            child: None,
        };
        proxy.again();
        proxy
    }

    /// Starts the process.
    pub fn again(&mut self) {
        let mut log = File::options();
        let log = log.create(true).append(true).open(&self.log).unwrap();
        let child = program()
            .args(["proxy", "--supervised", "--nodes", &self.nodes])
            .args(["--http", &self.http.to_string()])
            .args(["--lottery", &self.lottery.to_string()])
            .args(["--redis", &self.redis.to_string()])
            .args(["--redis-reads", &self.redis_reads.to_string()])
            .args(["--grpc", &self.grpc.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    pub async fn ready(&self) {
        let builder = Client::builder().endpoint(self.url()).learn(false);
        let client = builder.deadline(Duration::from_secs(2)).build().unwrap();
        eventually("the proxy is ready", async || client.ready().await.ok()).await;
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        signal(child.id(), Signal::TERM);
        let ended = eventually("the proxy stops", async || child.try_wait().unwrap()).await;
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let logged = std::fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("--- what a proxy logged ---\n{logged}");
        }
    }
}

/// Two proxies, neither told of all nodes, and a client that knows nothing but them.
async fn two_before(cluster: &Cluster) -> ([Proxy; 2], Client) {
    let dir = cluster.dir.path();
    let proxies = [0, 1].map(|number| {
        let nodes = [0, 1].map(|next| cluster.nodes[number + next].url());
        Proxy::start(dir, &format!("p{number}"), &nodes)
    });
    let mut builder = Client::builder().learn(false);
    for proxy in &proxies {
        proxy.ready().await;
        builder = builder.endpoint(proxy.url());
    }
    let client = sign_in(&builder.build().unwrap()).await;
    (proxies, client)
}

/// Members who read all the time: nothing may fail, and nobody may see an older state than before.
struct Readers {
    tasks: JoinSet<()>,
    read: Arc<AtomicUsize>,
}

impl Readers {
    fn start(client: &Client, area: &'static str) -> Self {
        let (mut tasks, read) = (JoinSet::new(), Arc::<AtomicUsize>::default());
        for _ in 0..READERS {
            let (client, read) = (client.clone(), read.clone());
            tasks.spawn(async move {
                let newest = PostsQuery {
                    order: Order::Newest,
                    limit: Some(1),
                    ..PostsQuery::default()
                };
                let mut seen = 0;
                loop {
                    let page = client.posts(area, newest).await.expect("a page");
                    let id = page.posts.first().map_or(0, |post| post.id);
                    assert!(id >= seen, "{id} was read after {seen}");
                    seen = id;
                    read.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        Readers { tasks, read }
    }

    async fn go_on(&mut self, more: usize) {
        let wanted = self.read.load(Ordering::Relaxed) + more;
        eventually("pages are read", async || {
            if let Some(ended) = self.tasks.try_join_next() {
                panic!("a reader ended: {ended:?}");
            }
            (self.read.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_two_proxies_notice_neither_the_death_of_one_nor_of_a_node() {
    let mut cluster = Cluster::start(3).await;
    cluster.admin_with_area("Obras").await;
    let (mut proxies, client) = two_before(&cluster).await;
    let follower = Follower::start(&client, "Obras").await;
    let mut load = Load::start(&client, "Obras");
    let mut readers = Readers::start(&client, "Obras");
    load.goes_on(SIGN_OF_LIFE).await;
    readers.go_on(SIGN_OF_LIFE).await;

    // The client's favourite first.
    proxies[0].kill();
    load.goes_on(SIGN_OF_LIFE).await;
    readers.go_on(SIGN_OF_LIFE).await;
    proxies[0].again();
    proxies[0].ready().await;

    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    load.goes_on(SIGN_OF_LIFE).await;
    readers.go_on(SIGN_OF_LIFE).await;
    cluster.nodes[leader].start(None);
    cluster.all_ready().await;

    let follower_node = (cluster.leader().await + 1) % 3;
    cluster.nodes[follower_node].kill();
    proxies[1].kill();
    load.goes_on(SIGN_OF_LIFE).await;
    readers.go_on(SIGN_OF_LIFE).await;
    cluster.nodes[follower_node].start(None);
    cluster.all_ready().await;

    load.stop().await;
    load.assert_no_failure();
    readers.tasks.abort_all();
    load.audit(&cluster).await;
    follower.audit(&cluster, "Obras").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_leader_and_a_rolling_restart_fail_no_request_through_proxies() {
    let mut cluster = Cluster::start(3).await;
    cluster.admin_with_area("Obras").await;
    let (mut proxies, client) = two_before(&cluster).await;
    let mut load = Load::start(&client, "Obras");
    let mut readers = Readers::start(&client, "Obras");
    load.goes_on(SIGN_OF_LIFE).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].signal(Signal::STOP);
    load.goes_on(SIGN_OF_LIFE).await;
    readers.go_on(SIGN_OF_LIFE).await;
    cluster.nodes[leader].signal(Signal::CONT);
    cluster.all_ready().await;
    for place in 0..3 {
        let status = cluster.nodes[place].stop().await;
        assert!(status.success(), "{status}");
        cluster.nodes[place].start(None);
        cluster.nodes[place].ready().await;
        load.goes_on(SIGN_OF_LIFE).await;
    }
    for proxy in &mut proxies {
        proxy.stop().await;
        proxy.again();
        proxy.ready().await;
        load.goes_on(SIGN_OF_LIFE).await;
        readers.go_on(SIGN_OF_LIFE).await;
    }
    load.stop().await;
    load.assert_no_failure();
    readers.tasks.abort_all();
    load.audit(&cluster).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agencies_are_led_to_the_nodes() {
    let mut cluster = Cluster::start(3).await;
    let admin = cluster.admin().await;
    let (mut proxies, client) = two_before(&cluster).await;
    let lottery = NewLottery {
        name: "De mayo".to_owned(),
        agencies: 1,
        rule: None,
        commitment: None,
        source: None,
    };
    let id = admin.open_lottery(&lottery).await.unwrap().id.to_string();
    let dir = cluster.dir.path().join("bets");
    let sample = [
        "lottery",
        "sample",
        "--agencies",
        "1",
        "--bets",
        "3000",
        "--out",
    ];
    let output = program().args(sample).arg(&dir).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    proxies[0].kill();
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    let servers = proxies.each_ref().map(|proxy| proxy.lottery.to_string());
    let mut agency = program();
    agency
        .args(["agency", "--agency", "1", "--server", &servers.join(",")])
        .args([
            "--retry-sleep",
            "20ms",
            "--retry-sleep-max",
            "200ms",
            "--file",
        ])
        .arg(dir.join("agency-1.csv"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let agency = Running(agency.spawn().unwrap());
    let stored = async || {
        let shown = client.lottery(&id).await.ok()?;
        (shown.lottery.bets == 3000).then_some(())
    };
    eventually("all bets are stored", stored).await;
    drop(agency);
    cluster.nodes[leader].start(None);
    cluster.all_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_clients_are_led_to_all_nodes_and_away_from_the_dead() {
    let mut cluster = Cluster::start(3).await;
    let (proxies, _) = two_before(&cluster).await;
    // Each has a connection of its own, and keeps it.
    let clients: Vec<ClusterClient<Channel>> = (0..6)
        .map(|_| {
            let url = format!("http://{}", proxies[0].grpc);
            ClusterClient::new(Channel::from_shared(url).unwrap().connect_lazy())
        })
        .collect();
    let answered = async |client: &ClusterClient<Channel>| {
        let answer = client.clone().get_cluster(v1::GetClusterRequest {}).await;
        answer.map(|answer| answer.into_inner().node)
    };
    let mut nodes = Vec::new();
    for client in &clients {
        nodes.push(answered(client).await.unwrap());
    }
    nodes.sort();
    assert_eq!(nodes, ["n1", "n1", "n2", "n2", "n3", "n3"]);
    cluster.nodes[1].kill();
    for client in &clients {
        // A call that was under way may fail; the channel makes a new connection for the next.
        let node = eventually("another node answers", async || answered(client).await.ok()).await;
        assert_ne!(node, "n2");
    }
    cluster.nodes[1].start(None);
    cluster.all_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_client_of_two_proxies_goes_to_the_other_when_one_dies() {
    let cluster = Cluster::start(3).await;
    let (mut proxies, _) = two_before(&cluster).await;
    // As any gRPC client does with several addresses: one channel over all of them.
    let endpoints = proxies.each_ref().map(|proxy| {
        let url = format!("http://{}", proxy.grpc);
        let endpoint = Channel::from_shared(url).unwrap();
        endpoint.connect_timeout(Duration::from_secs(1))
    });
    let store = StoreClient::new(Channel::balance_list(endpoints.into_iter()));
    let mut counted = 0;
    for number in 0..60_i64 {
        if number == 20 {
            proxies[0].kill();
        }
        if number == 40 {
            proxies[0].again();
            proxies[0].ready().await;
            proxies[1].kill();
        }
        // The same id for all tries: what was done once is not done again.
        let id = format!("visit-{number}");
        counted = eventually("a visit is counted", async || {
            let mut request = tonic::Request::new(v1::TransactRequest {
                operations: vec![v1::Operation {
                    operation: Some(Do::Add(v1::Add {
                        key: "visits".into(),
                        by: 1,
                    })),
                }],
                ..v1::TransactRequest::default()
            });
            let id = id.parse().unwrap();
            request.metadata_mut().insert("idempotency-key", id);
            let answer = store.clone().transact(request).await.ok()?.into_inner();
            match answer.results.first()?.result.as_ref()? {
                Came::Number(number) => Some(*number),
                other => panic!("{other:?}"),
            }
        })
        .await;
        assert_eq!(counted, number + 1, "once each");
    }
    assert_eq!(counted, 60);
}

/// A Redis client that knows several addresses, and goes to the next when one does not answer.
struct Redis {
    addresses: Vec<SocketAddr>,
    stream: Option<BufReader<TcpStream>>,
    broken: usize,
}

impl Redis {
    fn new(addresses: &[SocketAddr]) -> Self {
        Redis {
            addresses: addresses.to_vec(),
            stream: None,
            broken: 0,
        }
    }

    /// What a command is answered; `None` if the connection broke, and then the next one goes to
    /// the next address.
    async fn ask(&mut self, command: &str) -> Option<String> {
        let answer = tokio::time::timeout(Duration::from_secs(5), self.exchange(command)).await;
        let answer = answer.ok().and_then(Result::ok);
        if answer.is_none() {
            self.stream = None;
            self.addresses.rotate_left(1);
            self.broken += 1;
        }
        answer
    }

    async fn exchange(&mut self, command: &str) -> std::io::Result<String> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.addresses[0]).await?;
                self.stream.insert(BufReader::new(stream))
            }
        };
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut line = String::new();
        while line.is_empty() || line.starts_with('$') {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(line.trim_end().to_owned())
    }

    /// Counts until so many visits were acknowledged; answers the last number.
    async fn count(&mut self, visits: usize, last: i64) -> i64 {
        let (mut number, mut acknowledged) = (last, 0);
        eventually("visits are counted", async || {
            let answer = self.ask("INCR visits").await;
            let counted = answer.as_deref().and_then(|text| text.strip_prefix(':'));
            if let Some(counted) = counted {
                let counted: i64 = counted.parse().unwrap();
                assert!(counted > number, "{counted} after {number}");
                (number, acknowledged) = (counted, acknowledged + 1);
            }
            (acknowledged >= visits).then_some(())
        })
        .await;
        number
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_clients_are_led_to_the_leader_and_those_that_read_to_the_followers() {
    let mut cluster = Cluster::start(3).await;
    let (mut proxies, _) = two_before(&cluster).await;
    let mut redis = Redis::new(&proxies.each_ref().map(|proxy| proxy.redis));
    let mut number = redis.count(50, 0).await;
    assert_eq!((number, redis.broken), (50, 0), "each visit counts once");
    let mut reader = Redis::new(&[proxies[1].redis_reads]);
    let reads = async |reader: &mut Redis, number: i64| {
        eventually("the followers have it", async || {
            let read = reader.ask("GET visits").await?;
            (read == number.to_string()).then_some(())
        })
        .await;
    };
    reads(&mut reader, number).await;

    proxies[0].kill();
    number = redis.count(50, number).await;
    assert_eq!(redis.broken, 1, "the connection through the dead proxy");
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    let after = redis.count(50, number).await;
    // What was under way when its connection broke may have been counted.
    assert!(
        after - number - 50 <= redis.broken as i64,
        "{after} after {number}"
    );
    reads(&mut reader, after).await;
    cluster.nodes[leader].start(None);
    cluster.all_ready().await;
}
