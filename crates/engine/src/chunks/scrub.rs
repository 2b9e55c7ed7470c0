//! Disks forget: every node reads its own chunks again and again, slowly, and removes what is no
//! longer what its name says. [`mod@super::repair`] then copies it from another.

use std::time::Duration;

use openraft_rt::AsyncRuntime;

use super::ChunkError;
use crate::env::Env;
use crate::node::Node;

/// Bytes that are read in a second: a terabyte in three days, and hardly felt by those who read
/// and write.
const READ_PER_SECOND: u64 = 4 * 1024 * 1024;

/// The pause between two rounds, and after a disk failed.
const PAUSE: Duration = Duration::from_secs(60);

/// Reads all chunks of this node until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    loop {
        E::Runtime::sleep(PAUSE).await;
        for first in 0..=u8::MAX {
            if let Err(error) = read(&node, first).await {
                tracing::warn!(%error, "chunks on this disk cannot be read");
                E::Runtime::sleep(PAUSE).await;
            }
        }
    }
}

/// Reads the chunks that begin so, at a bounded rate.
async fn read<E: Env>(node: &Node<E>, first: u8) -> Result<(), ChunkError> {
    for hash in node.chunks().beginning(first).await? {
        let bytes = node.chunks().get(hash).await?;
        let read = bytes.map_or(0, |bytes| bytes.len()) as u64;
        // A small one costs a seek.
        let took = Duration::from_micros(read * 1_000_000 / READ_PER_SECOND);
        E::Runtime::sleep(took.max(Duration::from_millis(5))).await;
    }
    Ok(())
}
