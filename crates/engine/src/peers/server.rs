//! What a node answers its peers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use openraft::errors::RaftError;
use openraft::raft::{VoteRequest, VoteResponse};
use openraft::storage::{Snapshot, SnapshotMeta};
use openraft_rt::AsyncRuntime;
use tokio::sync::{Semaphore, mpsc};

use super::client::{frame, unframe};
use super::handshake::{self, Halves};
use super::wire::{
    self, AppendAnswer, AppendRequest, Purpose, Refusal, Request, Response, SnapshotAnswer,
    SnapshotEnd, SnapshotStart,
};
use crate::answer::WriteError;
use crate::env::{Disk, Env, FRAME_MAX_BYTES, File, FrameReceiver, FrameSender, Transport};
use crate::node::Node;
use crate::state::{SnapshotData, store};
use crate::types::Types;

/// Calls of one connection that are worked on at once; the peer's own queue holds back the rest.
const CALLS_MAX: usize = 256;

/// The same of a connection for chunks: up to a mebibyte each, coming or going.
const CHUNK_CALLS_MAX: usize = 8;

/// Append requests of one connection that wait for Raft.
const APPENDS_MAX: usize = 16;

/// How long a connection may take to say who it is.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections that may be shaking hands at once: strangers can cost no more than this.
const STRANGERS_MAX: usize = 64;

/// A connection on which the peer says nothing for this long is given up; a chunk of a snapshot
/// takes far less, too.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Pause after an accept failed (no file descriptors left, for example).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts connections until the node stops.
pub async fn run<E: Env>(node: Node<E>) {
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&strangers).acquire_owned().await else {
            return;
        };
        match node.env().transport().accept().await {
            Ok(halves) => {
                let this = node.clone();
                let serve = async move {
                    let links = this.peers().links();
                    let greeting = handshake::accept::<E>(this.identity(), links, halves);
                    let greeted = E::Runtime::timeout(HANDSHAKE_TIMEOUT, Box::pin(greeting)).await;
                    drop(permit);
                    match greeted {
                        Ok(Ok((hello, halves))) => serve(this, halves, hello.purpose).await,
                        Ok(Err(error)) => turned_away(&this, &error),
                        Err(_) => tracing::debug!("a peer did not say who it is in time"),
                    }
                };
                node.spawn(serve);
            }
            Err(error) => {
                tracing::warn!(%error, "a peer's connection could not be accepted");
                E::Runtime::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Members of another cluster that look for one of theirs at this node's address are a sign that
/// this node was one of them and has lost its data: said once.
fn turned_away<E: Env>(node: &Node<E>, error: &io::Error) {
    let stranger = matches!(handshake::refusal_in(error), Some(Refusal::Cluster));
    if stranger && !node.inner.missed.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a node of another cluster looks for one of its own at this address: if this node was \
             that one and has lost its data, stop it, empty its data directory and join it anew"
        );
    } else {
        tracing::debug!(%error, "a peer was turned away");
    }
}

async fn serve<E: Env>(node: Node<E>, halves: Halves<E>, purpose: Purpose) {
    let ended = match purpose {
        Purpose::Calls => calls(node, halves, CALLS_MAX).await,
        Purpose::Chunks => calls(node, halves, CHUNK_CALLS_MAX).await,
        Purpose::Append => appends(node, halves).await,
        Purpose::Snapshot => snapshot(node, halves).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a peer's connection ended");
    }
}

async fn calls<E: Env>(
    node: Node<E>,
    (mut sender, mut receiver): Halves<E>,
    at_once: usize,
) -> io::Result<()> {
    let (answers, mut outgoing) = mpsc::channel::<Bytes>(at_once);
    let sending = async move {
        while let Some(frame) = outgoing.recv().await {
            if sender.send(frame).await.is_err() {
                return;
            }
        }
    };
    drop(E::Runtime::spawn(sending));
    let turns = Arc::new(Semaphore::new(at_once));
    while let Some(message) = in_time::<E>(&mut receiver).await? {
        let (id, body) = unframe(&message).ok_or(io::ErrorKind::InvalidData)?;
        let request: Request<E::Runtime> = wire::decode(body).map_err(io::Error::other)?;
        let turn = Arc::clone(&turns)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (node, answers) = (node.clone(), answers.clone());
        let answering = async move {
            let proposed = matches!(request, Request::Propose(_));
            let mut answer = frame(id, &wire::encode(&answer(&node, request).await));
            if answer.len() > FRAME_MAX_BYTES {
                // It has been done, and cannot be told.
                let untold = match proposed {
                    true => Response::Proposed(Err(WriteError::OutcomeUnknown)),
                    false => Response::Unavailable("the answer is too large".to_owned()),
                };
                answer = frame(id, &wire::encode::<Response<E::Runtime>>(&untold));
            }
            // The peer may be gone, and then it does not miss the answer.
            drop(answers.send(answer).await);
            drop(turn);
        };
        drop(E::Runtime::spawn(answering));
    }
    Ok(())
}

/// Answers what another node asks.
pub(crate) async fn answer<E: Env>(
    node: &Node<E>,
    request: Request<E::Runtime>,
) -> Response<E::Runtime> {
    let stopped = |error: &dyn std::fmt::Display| Response::Unavailable(error.to_string());
    match request {
        Request::Vote(vote) => match vote_for(node, vote).await {
            Ok(response) => Response::Vote(response),
            Err(error) => stopped(&error),
        },
        Request::PreVote(vote) => match node.raft().pre_vote(vote).await {
            Ok(response) => Response::Vote(response),
            Err(error) => stopped(&error),
        },
        // All voters are told who is to take over; an outvoted node could not serve.
        Request::TransferLeader(transfer)
            if node.is_outvoted() && *transfer.to_node_id() == node.identity().id =>
        {
            stopped(&WriteError::Outvoted)
        }
        Request::TransferLeader(transfer) => {
            if *transfer.to_node_id() == node.identity().id {
                node.note_transfer(transfer.from_leader());
            }
            match node.raft().handle_transfer_leader(transfer).await {
                Ok(response) => Response::TransferLeader(response),
                Err(error) => stopped(&error),
            }
        }
        Request::Propose(proposals) => node.propose_forwarded(proposals).await,
        Request::ReadPoint => Response::ReadPoint(node.confirmed_point().await),
        Request::Ping(pulse) => node.answer_ping(pulse),
        Request::Join(candidate) => node.admit(candidate).await,
        Request::Remove(name) => node.dismiss(&name).await,
        Request::Elections => Response::Elections(node.own_elections()),
        Request::Rebuild { confirmed } => Response::Rebuilding(node.begin_anew(confirmed).await),
        Request::PutChunk(chunk) => Response::PutChunk(node.chunks().put(chunk).await),
        Request::GetChunk(hash) => Response::GetChunk(node.chunks().get(hash).await),
        Request::LacksChunks(hashes, look) => {
            Response::LacksChunks(node.chunks().lacks(hashes, look).await)
        }
    }
}

/// Answers a candidate, and notes if it was given the vote.
async fn vote_for<E: Env>(
    node: &Node<E>,
    request: VoteRequest<Types<E::Runtime>>,
) -> Result<VoteResponse<Types<E::Runtime>>, RaftError<Types<E::Runtime>>> {
    let (vote, cause) = (request.vote, node.cause_of(request.leadership_transfer));
    let response = node.raft().vote(request).await?;
    if response.vote_granted {
        node.note_vote_given(&vote, cause);
    }
    Ok(response)
}

/// Feeds append requests to Raft in order and answers in order; several may be under way.
async fn appends<E: Env>(node: Node<E>, (mut sender, mut receiver): Halves<E>) -> io::Result<()> {
    let (requests, queue) = mpsc::channel::<AppendRequest<E::Runtime>>(APPENDS_MAX);
    let input = futures_util::stream::unfold(queue, |mut queue| async move {
        queue.recv().await.map(|request| (request, queue))
    });
    let mut answers = Box::pin(node.raft().stream_append(Box::pin(input)));
    let reading = async {
        while let Some(frame) = in_time::<E>(&mut receiver).await? {
            let request: AppendRequest<E::Runtime> =
                wire::decode(&frame).map_err(io::Error::other)?;
            let committed = request.leader_commit.map(|log_id| log_id.index);
            node.heard_leader(&request.vote, committed);
            if requests.send(request).await.is_err() {
                break;
            }
        }
        io::Result::Ok(())
    };
    let answering = async {
        while let Some(answer) = answers.next().await {
            let answer: AppendAnswer<E::Runtime> = answer.map_err(|fatal| fatal.to_string());
            let last = !matches!(answer, Ok(Ok(_)));
            sender.send(wire::encode(&answer)).await?;
            if last {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Whichever ends first ends the connection: the leader makes a new one and asks again.
    match E::Runtime::select2(Box::pin(reading), Box::pin(answering)).await {
        openraft_rt::Select2::First(ended) | openraft_rt::Select2::Second(ended) => ended,
    }
}

async fn snapshot<E: Env>(node: Node<E>, mut halves: Halves<E>) -> io::Result<()> {
    let answer: SnapshotAnswer<E::Runtime> = match node.receiving().try_lock() {
        Ok(_turn) => {
            let path = node.state().scratch("receive");
            let received = receive(&node, &mut halves.1, path.clone()).await;
            if received.is_err() {
                node.state().remove_later(path);
            }
            received.map_err(|error| error.to_string())
        }
        Err(_) => Err("another snapshot is being received".to_owned()),
    };
    halves.0.send(wire::encode(&answer)).await
}

async fn receive<E: Env>(
    node: &Node<E>,
    receiver: &mut impl FrameReceiver,
    path: PathBuf,
) -> io::Result<openraft::raft::SnapshotResponse<crate::types::Types<E::Runtime>>> {
    let frame = next_frame::<E>(receiver).await?;
    let start: SnapshotStart = wire::decode(&frame).map_err(io::Error::other)?;
    tracing::info!(bytes = start.size_bytes, state = ?start.last_log_id, "receiving a snapshot");
    let disk = node.env().disk().clone();
    let opening = path.clone();
    let file = blocking::<E, _>(move || {
        store::remove_database(&disk, &opening);
        disk.open(&opening, true)
    })
    .await?;
    let file = Arc::new(file);
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < start.size_bytes {
        let chunk = next_frame::<E>(receiver).await?;
        hasher.update(&chunk);
        let (writing, at) = (Arc::clone(&file), offset);
        offset += chunk.len() as u64;
        blocking::<E, _>(move || writing.write_all_at(&chunk, at)).await?;
    }
    let frame = next_frame::<E>(receiver).await?;
    let end: SnapshotEnd = wire::decode(&frame).map_err(io::Error::other)?;
    if offset != start.size_bytes || end.hash != *hasher.finalize().as_bytes() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the snapshot arrived damaged",
        ));
    }
    drop(file);
    let meta = SnapshotMeta {
        last_log_id: start.last_log_id,
        last_membership: start.membership,
    };
    let snapshot = Snapshot {
        meta,
        snapshot: SnapshotData::Received(path),
    };
    node.heard_leader(&start.vote, None);
    let installed = node
        .raft()
        .install_full_snapshot(start.vote, snapshot)
        .await;
    installed.map_err(io::Error::other)
}

/// The next frame of a peer. One that fell silent is gone, whatever its machine says: it asks how
/// this node is four times a second, and one that leads has something to say more often.
async fn in_time<E: Env>(receiver: &mut impl FrameReceiver) -> io::Result<Option<Bytes>> {
    match E::Runtime::timeout(SILENCE_MAX, receiver.receive()).await {
        Ok(frame) => frame,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The next frame of a snapshot. A leader that fell silent must not keep the place of the next one.
async fn next_frame<E: Env>(receiver: &mut impl FrameReceiver) -> io::Result<Bytes> {
    let frame = in_time::<E>(receiver).await?;
    frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

async fn blocking<E: Env, T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    E::Runtime::spawn_blocking(work).await?
}
