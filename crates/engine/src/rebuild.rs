//! A node that begins anew: its data are put away, and it joins under another id like any stranger.
//! What it had kept is wrong, damaged, or to be lost on purpose; it never votes as the one it was.
//!
//! ```text
//!   asked ─▶ is a majority left without it? ─▶ the order, durably ─▶ its process begins anew
//!                                                                            │
//!     order forgotten ◀─ it is a member ◀─ it joins ◀─ its data are put away ◀┘
//! ```
//!
//! The order is a file in the data directory. It names the node that is to go: so it is carried out
//! once, whenever the process dies in between, and never on the node that came after.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use openraft_rt::AsyncRuntime;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::answer::MembershipError;
use crate::env::{Disk, Env, File, Runtime as _};
use crate::log::recovery::read_whole;
use crate::node::Node;
use crate::peers::wire::{Request, Response};
use crate::types::{Member, NodeId};

/// The file in the data directory.
pub const FILE: &str = "rebuild";

/// Version of that file.
const VERSION: u8 = 1;

/// Stands for the node of data that do not tell whose they are. No node has this id.
pub const NOBODY: NodeId = 0;

/// How long a voter may take to say that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a node may take to make up its mind: it asks all others first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// That a node is to begin anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The node that is to go, or [`NOBODY`].
    pub node: NodeId,
    /// Whether it goes in any case.
    pub when: When,
    /// With what it joins anew.
    pub token: String,
    /// When this was ordered, in milliseconds since 1970.
    pub at_ms: i64,
}

/// When an order holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// At the next start.
    Always,
    /// If the node finds at the next start that it cannot go on with its data; otherwise never.
    Damaged,
}

impl Order {
    /// Reads the order of a data directory, if there is one. Blocking.
    pub fn load<D: Disk>(disk: &D, data: &Path) -> io::Result<Option<Self>> {
        let file = match disk.open(&path(data), false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match read_whole(&file)?.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest)
                .map(Some)
                .map_err(|_| unreadable()),
            _ => Err(unreadable()),
        }
    }

    /// Writes the order durably, whole or not at all. Blocking.
    pub fn save<D: Disk>(&self, disk: &D, data: &Path) -> io::Result<()> {
        let draft = data.join(format!("{FILE}.new"));
        let file = disk.open(&draft, true)?;
        let bytes = postcard::to_extend(self, vec![VERSION]).map_err(io::Error::other)?;
        file.set_len(0)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_data()?;
        disk.rename(&draft, &path(data))?;
        disk.sync_dir(data)
    }

    /// Takes back the order of a data directory, if there is one. Blocking.
    pub fn forget<D: Disk>(disk: &D, data: &Path) -> io::Result<()> {
        match disk.remove(&path(data)) {
            Ok(()) => disk.sync_dir(data),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

fn unreadable() -> io::Error {
    let said = "the file `rebuild` of the data directory is damaged or of another version";
    io::Error::new(io::ErrorKind::InvalidData, said)
}

/// How far a running node has come to beginning anew.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    /// True from the moment at which it counts for nobody any more.
    begun: AtomicBool,
    /// Cancelled when its process is to end in good order and begin anew.
    due: CancellationToken,
}

impl<E: Env> Node<E> {
    /// Has a member begin anew; answers the id that it leaves behind. Any node may be asked.
    pub async fn rebuild_node(
        &self,
        name: &str,
        confirmed: bool,
    ) -> Result<NodeId, MembershipError> {
        if self.member().name == name {
            // By itself: whoever asked may go, and it must not stay half done.
            let node = self.clone();
            let begun = E::Runtime::spawn(async move { node.begin_anew(confirmed).await });
            return begun
                .await
                .unwrap_or_else(|error| refused(error.to_string()));
        }
        let others = self.others().into_iter();
        let named = others.filter(|(_, member)| member.name == name);
        // While one takes the place of another of its name, the one that lives is meant.
        let Some((id, member)) = named.max_by_key(|(id, _)| self.is_alive(*id)) else {
            return Err(MembershipError::UnknownNode(name.to_owned()));
        };
        let caller = self.peers().caller(id, &member.peer);
        let request = Request::Rebuild { confirmed };
        match caller.call(&request, ANSWER_TIMEOUT).await {
            Ok(Response::Rebuilding(answer)) => answer,
            Ok(_) | Err(_) => Err(MembershipError::Silent(name.to_owned())),
        }
    }

    /// Orders that this node begins anew, and has its process end for it.
    pub(crate) async fn begin_anew(&self, confirmed: bool) -> Result<NodeId, MembershipError> {
        self.order_rebuild(When::Always, confirmed).await?;
        self.inner.leaving.due.cancel();
        Ok(self.identity().id)
    }

    /// Waits until the process is to end in good order and to begin anew.
    pub async fn rebuild_is_due(&self) {
        self.inner.leaving.due.cancelled().await;
    }

    /// Orders that this node begins anew at its next start, durably. Refused if it would take the
    /// majority with it; `confirmed` says that this may last until others are back. Whoever asks
    /// waits for the answer, and then ends the process or takes it back.
    pub async fn order_rebuild(&self, when: When, confirmed: bool) -> Result<(), MembershipError> {
        // First: of two that ask themselves at the same time whether they may go, at least one
        // finds the other gone.
        if self.inner.leaving.begun.swap(true, Ordering::AcqRel) {
            let name = self.member().name;
            return refused(format!("{name} is about to begin anew already"));
        }
        let ordered = match self.may_begin_anew(confirmed).await {
            Ok(()) => self.write_order(when).await,
            refused => refused,
        };
        match &ordered {
            Ok(()) => tracing::warn!(?when, "this node is to begin anew, under another id"),
            Err(_) => self.inner.leaving.begun.store(false, Ordering::Release),
        }
        ordered
    }

    /// Takes the order back: nothing has come of it.
    pub async fn withdraw_rebuild(&self) {
        let (disk, data) = (self.env().disk().clone(), self.inner.options.data.clone());
        let forgotten = E::Runtime::spawn_blocking(move || Order::forget(&disk, &data)).await;
        if let Err(error) = forgotten.and_then(|forgotten| forgotten) {
            tracing::error!(%error, "the order to begin anew could not be taken back");
        }
        self.inner.leaving.begun.store(false, Ordering::Release);
    }

    /// True once this node counts for no majority any more.
    pub(crate) fn is_leaving(&self) -> bool {
        self.inner.leaving.begun.load(Ordering::Acquire)
    }

    async fn write_order(&self, when: When) -> Result<(), MembershipError> {
        let peers = self.others().into_iter().map(|(_, member)| member.peer);
        let order = Order {
            node: self.identity().id,
            when,
            token: self.identity().token(peers.collect()).to_string(),
            at_ms: E::Runtime::wall_clock_ms(),
        };
        let (disk, data) = (self.env().disk().clone(), self.inner.options.data.clone());
        let saved = E::Runtime::spawn_blocking(move || order.save(&disk, &data)).await;
        match saved {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) | Err(error) => refused(format!("it cannot be noted: {error}")),
        }
    }

    /// Whether the voters that are left are a majority, by what they say at this moment.
    async fn may_begin_anew(&self, confirmed: bool) -> Result<(), MembershipError> {
        if self.is_changing() {
            return refused("a change of the members is under way; try again".to_owned());
        }
        let (id, name) = (self.identity().id, self.member().name);
        let voters: Vec<NodeId> = self.raft().voter_ids().collect();
        let others = voters.iter().filter(|voter| **voter != id).count();
        let needed = voters.len() / 2 + 1;
        if others == voters.len() && others > 0 {
            // It does not vote, so no majority misses it.
            return Ok(());
        }
        if others < needed {
            return refused(format!(
                "without {name} {others} of {} voters are left, who can take nobody in: it would \
                 never come back",
                voters.len()
            ));
        }
        let left = self.voters_that_answer(&voters).await;
        if left >= needed || confirmed {
            return Ok(());
        }
        refused(format!(
            "without {name} {left} voters would answer, and {needed} are needed: nobody could \
             write, nor take {name} in, until others are back"
        ))
    }

    async fn voters_that_answer(&self, voters: &[NodeId]) -> usize {
        let others = self.others().into_iter();
        let asked = others.filter(|(id, _)| voters.contains(id));
        let answers = join_all(asked.map(|(id, member)| self.counts(id, member))).await;
        answers.into_iter().filter(|counts| *counts).count()
    }

    async fn counts(&self, id: NodeId, member: Member) -> bool {
        let caller = self.peers().caller(id, &member.peer);
        let ping = Request::Ping(self.pulse());
        match caller.call(&ping, CHECK_TIMEOUT).await {
            Ok(Response::Pong(pulse) | Response::Stranger(pulse, _)) => {
                let is_right = !pulse.outvoted;
                self.heard(pulse);
                // It may not know yet what others have found out. To one that is outvoted itself
                // all the others differ.
                is_right && (self.is_outvoted() || !self.differs(id))
            }
            Ok(_) | Err(_) => false,
        }
    }
}

fn refused<T>(reason: String) -> Result<T, MembershipError> {
    Err(MembershipError::Refused(reason))
}
