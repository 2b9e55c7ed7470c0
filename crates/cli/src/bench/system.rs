//! What is measured: this program, or another beside it.

use std::net::SocketAddr;
use std::time::Duration;

use super::load::{Measured, Operation, Until};

/// Three nodes of a replicated store on this machine.
pub trait System {
    /// Its name and version, for the report.
    fn name(&self) -> String;

    /// The place of the node that leads.
    fn leader(&self) -> anyhow::Result<usize>;

    /// Where each node takes its clients.
    fn addresses(&self) -> Vec<SocketAddr>;

    /// Drives `clients` connections to the given nodes in turn, each writing or reading one key at
    /// a time; readings are linearizable.
    fn drive(
        &self,
        operation: Operation,
        nodes: &[usize],
        clients: usize,
        until: Until,
    ) -> anyhow::Result<Measured>;

    /// Makes one write on a new connection; an error unless it is acknowledged. It runs on any
    /// thread, so it is a value of its own.
    fn single_write(&self) -> SingleWrite;

    /// Kills a node with SIGKILL.
    fn kill(&mut self, node: usize);

    /// Starts a killed node again, and returns when every node follows the same leader.
    fn restart(&mut self, node: usize) -> anyhow::Result<()>;
}

/// The nodes, the leader first: a client that is alone asks it.
pub fn leader_first(system: &dyn System) -> anyhow::Result<Vec<usize>> {
    let mut nodes: Vec<_> = (0..system.addresses().len()).collect();
    nodes.rotate_left(system.leader()?);
    Ok(nodes)
}

/// Writes the key of a number to the node at an address, with a limit for every step.
pub type SingleWrite =
    std::sync::Arc<dyn Fn(SocketAddr, u64, Duration) -> anyhow::Result<()> + Send + Sync>;

/// Nodes of a system under test.
pub const NODES: usize = 3;

/// The longest a system may take to start, or to be whole again after a restart.
pub const START_AT_MOST: Duration = Duration::from_secs(60);
