//! A network of the test's own: as far as packets go each node is on a machine of its own, with a
//! cable that can be pulled. Connections over loopback end when a process ends; on a broken network
//! packets are just gone.
//!
//! ```text
//!   the test ── switch (a bridge) ─┬─ cable ── n1     each in a network namespace
//!                                  ├─ cable ── n2
//!                                  └─ cable ── n3
//! ```
//!
//! Linux lets everybody make that in a user namespace of their own, unless somebody forbade it. The
//! test runs itself again in there: see [`inside`].

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use super::harness::{PROGRAM, Running, Server, eventually, turn, unset};

/// Set for the run that is in a network of its own.
const INSIDE: &str = "CONSORCIO_TEST_NETWORK";

/// Nobody has this address: what is sent to it arrives nowhere.
const NOBODY: &str = "02:00:00:00:00:fe";

/// What a network takes; tried before, because not every machine allows it.
const NEEDED: &str = "ip link set lo up && ip link add switch type bridge && \
    ip link add cable type veth peer name eth0 && unshare --net -- true";

/// Runs the test of this name again in a network of its own, and answers false; true in there.
/// Where that is not allowed it says so: partitions are tested over loopback as well, by drills.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let _turn = turn();
    let tried = isolated("sh").args(["-c", NEEDED]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        // Not `eprintln`, which the test runner swallows when a test passes.
        let said = b"note: nobody may make a network here; partitions are of connections alone\n";
        std::io::stderr().write_all(said).unwrap();
        return false;
    }
    let itself = std::env::current_exe().unwrap();
    let mut again = isolated(itself.to_str().unwrap());
    again.args([test, "--exact", "--nocapture"]);
    let ended = again.env(INSIDE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}{complained}");
    assert!(said.contains("1 passed"), "{test} is no test: {said}");
    false
}

/// A program in a network namespace of its own, not yet started.
fn isolated(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--", program]);
    command
}

/// The switch with its cables; they are gone with the test's namespace.
pub struct Network {
    cables: u8,
}

/// A node's end of a cable.
pub struct Socket {
    number: u8,
    /// Keeps the namespace.
    keeper: Running,
}

impl Network {
    /// A switch, with the test itself plugged in.
    pub fn new() -> Self {
        ip(&["link", "set", "lo", "up"]);
        ip(&["link", "add", "switch", "type", "bridge"]);
        ip(&["address", "add", "10.78.0.254/24", "dev", "switch"]);
        ip(&["link", "set", "switch", "up"]);
        Network { cables: 0 }
    }

    /// A cable to a new machine.
    pub async fn plug(&mut self) -> Socket {
        self.cables += 1;
        let number = self.cables;
        let keeper = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .spawn();
        let socket = Socket {
            number,
            keeper: Running(keeper.unwrap()),
        };
        let (cable, pid) = (socket.cable(), socket.keeper.id());
        eventually("a namespace of its own", async || {
            let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/net")).ok();
            (of(&pid.to_string())? != of("self")?).then_some(())
        })
        .await;
        let end = ["peer", "name", "eth0", "netns", &pid.to_string()];
        ip(&[&["link", "add", &cable, "type", "veth"][..], &end].concat());
        ip(&["link", "set", &cable, "master", "switch", "up"]);
        let address = format!("{}/24", socket.address());
        socket.ip(&["address", "add", &address, "dev", "eth0"]);
        socket.ip(&["link", "set", "eth0", "up"]);
        socket.ip(&["link", "set", "lo", "up"]);
        socket
    }
}

impl Socket {
    /// The machine's address.
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 78, 0, self.number)
    }

    /// The program, not yet started, on this machine.
    pub fn program(&self) -> Command {
        let mut command = self.enter();
        command.arg(PROGRAM);
        unset(command)
    }

    /// Pulls the cable: nothing reaches this machine or comes from it, and nobody is told.
    pub fn pull(&self) {
        ip(&["link", "set", &self.cable(), "down"]);
    }

    /// Plugs it in again.
    pub fn plug_in(&self) {
        ip(&["link", "set", &self.cable(), "up"]);
    }

    /// Loses whatever this machine sends to another; what the other sends still arrives.
    pub fn lose_to(&self, other: &Socket) {
        let to = other.address().to_string();
        let lost = ["neighbour", "replace", &to, "lladdr", NOBODY];
        self.ip(&[&lost[..], &["dev", "eth0", "nud", "permanent"]].concat());
    }

    /// Loses nothing more.
    pub fn find_again(&self, other: &Socket) {
        let to = other.address().to_string();
        self.ip(&["neighbour", "delete", &to, "dev", "eth0"]);
    }

    /// The switch's end.
    fn cable(&self) -> String {
        format!("cable{}", self.number)
    }

    fn ip(&self, arguments: &[&str]) {
        let mut command = self.enter();
        succeed(command.arg("ip").args(arguments));
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        let keeper = self.keeper.id().to_string();
        command.args(["--target", &keeper, "--net", "--"]);
        command
    }
}

/// The cable of a node that has been plugged in.
pub fn socket(node: &Server) -> &Socket {
    node.socket.as_ref().unwrap()
}

fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

fn succeed(command: &mut Command) {
    let ended = command.output().unwrap();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {complained}");
}
