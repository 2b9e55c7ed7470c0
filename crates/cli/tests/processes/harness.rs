//! Nodes as processes, which are gone when the test is, however it ends.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::Client;
use api::types::{Cluster as Status, Credentials, NewArea};
use rustix::process::{Pid, Signal, kill_process};

use super::disk::SmallDisk;
use super::network::Socket;

/// The administrator's password in every test.
pub const PASSWORD: &str = "correcto caballo pila grapa";

/// What takes longer than this on a busy machine does not come.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_consorcio");

/// One cluster at a time.
static TURN: Mutex<()> = Mutex::new(());

/// The longest turn. The slowest test takes a minute or two on a busy machine: what takes longer
/// hangs, and without a limit would hold up all others for ever.
const TURN_MAX: Duration = Duration::from_secs(600);

/// Whoever sets one of these wants long tests.
const WANTS_LONG: [&str; 2] = ["CONSORCIO_TEST_KILLS", "CONSORCIO_SIM_SEEDS"];

/// A test's turn.
pub struct Turn {
    _turn: MutexGuard<'static, ()>,
    /// Its end tells that the turn is over.
    _over: Sender<()>,
}

/// Waits for this test's turn.
pub fn turn() -> Turn {
    // A test that failed leaves nothing behind that could hurt the next.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (over, ends) = channel();
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let limited = WANTS_LONG
        .iter()
        .all(|name| std::env::var_os(name).is_none());
    std::thread::spawn(move || {
        if limited && ends.recv_timeout(TURN_MAX) == Err(RecvTimeoutError::Timeout) {
            end_hanging(&test);
        }
    });
    Turn {
        _turn: turn,
        _over: over,
    }
}

/// Ends the whole run: a thread that hangs cannot be ended alone. What the tests have started goes
/// first.
fn end_hanging(test: &str) -> ! {
    // Not `eprintln`, which the test runner keeps for an end that will not come.
    let said = format!("\n{test} hangs: it has had its turn for {TURN_MAX:?}. Ending all tests.\n");
    let _ = std::io::stderr().write_all(said.as_bytes());
    for child in children() {
        let _ = kill_process(child, Signal::KILL);
    }
    std::process::exit(101);
}

/// The processes that this one has started. Theirs end with them: servers notice that whoever
/// supervises them is gone.
fn children() -> Vec<Pid> {
    let own = std::process::id().to_string();
    let parent = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which may contain anything: the state, and the parent.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        rest.split_whitespace().nth(1).map(str::to_owned)
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = pids.filter(|pid| parent(pid).is_some_and(|parent| parent == own));
    ours.filter_map(Pid::from_raw).collect()
}

#[test]
fn a_test_that_hangs_would_find_what_it_has_started() {
    let child = Running(Command::new("sleep").arg("60").spawn().unwrap());
    let pid = child.id();
    let is_it = |found: &Pid| found.as_raw_nonzero().get() as u32 == pid;
    assert!(children().iter().any(is_it));
    drop(child);
    assert!(!is_alive(pid));
}

/// A process that a test has started, and that is gone when the test is.
pub struct Running(pub Child);

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, not yet started: with no settings but those of the test.
pub fn program() -> Command {
    unset(Command::new(PROGRAM))
}

/// Without the settings and the input of whoever runs the test.
pub fn unset(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CONSORCIO_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// How often each kind of blow is dealt: `CONSORCIO_TEST_KILLS`, or once.
pub fn rounds() -> usize {
    std::env::var("CONSORCIO_TEST_KILLS").map_or(1, |text| text.parse().unwrap())
}

/// Waits until `condition` gives a value.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "never came about: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// The first of `count` ports in a row that are free, below those that the system gives out.
pub fn free_ports(count: u16) -> u16 {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let candidate = || 10_000 + (getrandom::u32().unwrap() % 20_000) as u16;
    std::iter::repeat_with(candidate)
        .find(|base| (*base..*base + count).all(free))
        .unwrap()
}

/// Sends a signal to a process that a test started.
pub fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

/// Whether a process runs. One that has ended and that nobody waited for does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses and may contain anything.
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// One node.
pub struct Server {
    pub name: String,
    pub data: PathBuf,
    http: SocketAddr,
    peer: SocketAddr,
    /// Where the lottery's agencies are served.
    pub lottery: SocketAddr,
    /// Where Redis clients are served.
    pub redis: SocketAddr,
    /// Where gRPC clients are served.
    pub grpc: SocketAddr,
    /// Settings besides those that every node of a test has: variables and their values.
    pub settings: Vec<(&'static str, &'static str)>,
    /// The disk that its data are on, if it is not the machine's.
    pub disk: Option<SmallDisk>,
    /// The network that it is on, if it is not the machine's.
    pub socket: Option<Socket>,
    /// The program that it runs, if it is another build than the one under test.
    pub build: Option<PathBuf>,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    pub fn new(dir: &Path, name: &str) -> Self {
        let base = free_ports(5);
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Server {
            name: name.to_owned(),
            data: dir.join(name),
            http: address(base),
            peer: address(base + 1),
            lottery: address(base + 2),
            redis: address(base + 3),
            grpc: address(base + 4),
            settings: Vec::new(),
            disk: None,
            socket: None,
            build: None,
            log: dir.join(format!("{name}.log")),
            child: None,
        }
    }

    /// Puts the node on a machine of its own, before its first start.
    pub fn plug_into(&mut self, socket: Socket) {
        let addresses = [
            &mut self.http,
            &mut self.peer,
            &mut self.lottery,
            &mut self.redis,
            &mut self.grpc,
        ];
        for address in addresses {
            address.set_ip(socket.address().into());
        }
        self.socket = Some(socket);
    }

    /// Starts the process; with a token, the node joins that cluster if it is in none.
    pub fn start(&mut self, token: Option<&str>) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let mut command = match (&self.disk, &self.socket, &self.build) {
            (Some(disk), _, _) => disk.program(),
            (None, Some(socket), _) => socket.program(),
            (None, None, Some(build)) => unset(Command::new(build)),
            (None, None, None) => program(),
        };
        command
            .args(["serve", "--supervised", "--name", &self.name, "--data"])
            .arg(&self.data)
            .args([
                "--http",
                &self.http.to_string(),
                "--peer",
                &self.peer.to_string(),
                "--lottery",
                &self.lottery.to_string(),
                "--redis",
                &self.redis.to_string(),
                "--grpc",
                &self.grpc.to_string(),
            ])
            .env("CONSORCIO_ADMIN_PASSWORD", PASSWORD)
            .envs(self.settings.iter().copied())
            // Its end tells the node that the test is gone.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(token) = token {
            command.env("CONSORCIO_JOIN", token);
        }
        self.child = Some(command.spawn().unwrap());
    }

    /// Sends a request as it is, and answers what came back.
    pub fn raw(&self, head: &str, body: &str) -> String {
        let length = body.len();
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// A client that asks this node and no other.
    pub fn client(&self) -> Client {
        Client::builder()
            .endpoint(self.url())
            .learn(false)
            .build()
            .unwrap()
    }

    pub async fn ready(&self) {
        let what = format!("{} is ready", self.name);
        eventually(&what, async || {
            let client = self.client().with_deadline(Duration::from_secs(2));
            client.ready().await.ok()
        })
        .await;
    }

    /// What this node says of the cluster.
    pub async fn status(&self) -> Option<Status> {
        self.client()
            .with_deadline(Duration::from_secs(2))
            .cluster()
            .await
            .ok()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, what: Signal) {
        signal(self.pid(), what);
    }

    /// SIGKILL, and the end of the process.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and how the process ended.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child.take().unwrap();
        eventually("the node stops", async || child.try_wait().unwrap()).await
    }

    /// How the process ended by itself, once it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// What the node has logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The secret with which others join.
    pub async fn token(&self) -> String {
        let file = self.data.join("join-token");
        let file = match &self.disk {
            Some(disk) => disk.seen(&file),
            None => file,
        };
        eventually("the token is written", async || {
            std::fs::read_to_string(&file).ok()
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be paused, and it may be gone.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let logged = self.logged();
            let lines: Vec<&str> = logged.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the end of what {} logged ---\n{tail}", self.name);
        }
    }
}

/// A cluster of nodes in a directory of its own.
pub struct Cluster {
    pub nodes: Vec<Server>,
    pub dir: tempfile::TempDir,
    _turn: Turn,
}

impl Cluster {
    /// Starts `count` nodes and waits until all vote.
    pub async fn start(count: usize) -> Self {
        Self::with(count, &[]).await
    }

    /// The same, each with more settings: variables and their values.
    pub async fn with(count: usize, settings: &[(&'static str, &'static str)]) -> Self {
        Self::prepared(count, |node| node.settings = settings.to_vec()).await
    }

    /// The same, each prepared before its first start.
    pub async fn prepared(count: usize, prepare: impl FnMut(&mut Server)) -> Self {
        let turn = turn();
        let dir = tempfile::tempdir().unwrap();
        let nodes = (1..=count).map(|number| Server::new(dir.path(), &format!("n{number}")));
        let mut cluster = Cluster {
            nodes: nodes.collect(),
            dir,
            _turn: turn,
        };
        cluster.nodes.iter_mut().for_each(prepare);
        cluster.nodes[0].start(None);
        let token = cluster.nodes[0].token().await;
        for node in &mut cluster.nodes[1..] {
            node.start(Some(&token));
        }
        cluster.all_ready().await;
        cluster.all_vote().await;
        cluster
    }

    pub async fn all_ready(&self) {
        for node in &self.nodes {
            node.ready().await;
        }
    }

    /// Waits until every node sees all of them, healthy and voting.
    pub async fn all_vote(&self) {
        for node in &self.nodes {
            eventually("all nodes vote", async || {
                let status = node.status().await?;
                let well = status
                    .nodes
                    .iter()
                    .filter(|n| n.healthy && votes(n))
                    .count();
                (well == self.nodes.len() && status.nodes.len() == well).then_some(())
            })
            .await;
        }
    }

    /// The place of the node that leads, as all that run agree.
    pub async fn leader(&self) -> usize {
        eventually("a node leads", async || {
            let mut leaders = Vec::new();
            for node in self.nodes.iter().filter(|node| node.child.is_some()) {
                leaders.push(node.status().await?.leader?);
            }
            leaders.dedup();
            let [name] = leaders.as_slice() else {
                return None;
            };
            self.nodes.iter().position(|node| node.name == *name)
        })
        .await
    }

    /// A client that knows all nodes, signed in as the administrator.
    pub async fn admin(&self) -> Client {
        let urls = self.nodes.iter().map(Server::url);
        let client = urls.fold(Client::builder(), |builder, url| builder.endpoint(url));
        sign_in(&client.build().unwrap()).await
    }

    /// The same with an area to post to.
    pub async fn admin_with_area(&self, name: &str) -> Client {
        let client = self.admin().await;
        let area = NewArea {
            name: name.to_owned(),
            description: String::new(),
        };
        client.add_area(&area).await.unwrap();
        client
    }
}

impl Drop for Cluster {
    /// Keeps the data of a failed test for those who ask for it with `CONSORCIO_TEST_KEEP`.
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("CONSORCIO_TEST_KEEP").is_some() {
            self.nodes.clear();
            self.dir.disable_cleanup(true);
            eprintln!("--- the data are kept in {} ---", self.dir.path().display());
        }
    }
}

fn votes(node: &api::types::Node) -> bool {
    use api::types::NodeRole::{Follower, Leader};
    matches!(node.role, Leader | Follower)
}

/// Signs in as the administrator.
pub async fn sign_in(client: &Client) -> Client {
    let credentials = Credentials {
        name: "admin".into(),
        password: PASSWORD.into(),
    };
    let session = client.log_in(&credentials).await.unwrap();
    client.with_token(session.token.as_str())
}

/// Runs a one-shot command with its own configuration directory, and waits for it.
pub fn run(config: &Path, server: &str, arguments: &[&str]) -> Output {
    let mut command = program();
    command
        .env("XDG_CONFIG_HOME", config)
        .env("CONSORCIO_SERVER", server);
    command
        .env("CONSORCIO_PASSWORD", PASSWORD)
        .args(arguments)
        .output()
        .unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
