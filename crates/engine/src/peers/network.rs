//! openraft's way to the other nodes.

use std::future::{Future, pending};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::OptionalSend;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft_rt::{AsyncRuntime, Instant as _, Select2, Select3};

use super::Peers;
use super::client::{CallError, Caller};
use super::handshake::{self, Halves};
use super::wire::{self, AppendAnswer, Purpose, Request, Response, SnapshotEnd, SnapshotStart};
use crate::env::{Disk, Env, File, FrameReceiver, FrameSender};
use crate::state::{SnapshotData, State};
use crate::types::{Member, NodeId, Types, Vote};

/// Append requests on their way to one node. On a real network this hides the round trip; each is
/// bounded by what one read of the log returns.
const PIPELINE_MAX: usize = 8;

/// While entries follow each other this closely, word of a commit waits to travel with the next.
const CLOSE: Duration = Duration::from_millis(2);

/// So long it waits, in the coarse steps of the runtime's timer: a follower that has an entry but
/// does not know that it is committed cannot show it.
const HOLD_MAX: Duration = Duration::from_millis(1);

/// Bytes of a snapshot in one frame.
const CHUNK_BYTES: usize = 1024 * 1024;

/// The least time given to an append: a slow disk must not look like a dead node.
const APPEND_TIMEOUT_MIN: Duration = Duration::from_secs(2);

/// Makes clients for openraft.
pub struct Network<E: Env> {
    /// The peers and who we are.
    pub peers: Peers<E>,
    /// Read when a snapshot is sent.
    pub state: State<E>,
}

/// The way to one node.
pub struct Link<E: Env> {
    caller: Arc<Caller<E>>,
    peers: Peers<E>,
    state: State<E>,
    target: NodeId,
    address: String,
    append: Option<Halves<E>>,
}

type C<E> = Types<<E as Env>::Runtime>;

impl<E: Env> RaftNetworkFactory<C<E>> for Network<E> {
    type Network = Link<E>;

    async fn new_client(&mut self, target: NodeId, member: &Member) -> Link<E> {
        Link {
            caller: self.peers.caller(target, &member.peer),
            peers: self.peers.clone(),
            state: self.state.clone(),
            target,
            address: member.peer.clone(),
            append: None,
        }
    }
}

impl<E: Env> Link<E> {
    async fn connect(&self, purpose: Purpose) -> io::Result<Halves<E>> {
        let (env, identity) = (self.peers.env(), self.peers.identity());
        let (links, target) = (self.peers.links(), Some(self.target));
        handshake::connect(env, identity, links, &self.address, target, purpose).await
    }

    async fn call(
        &self,
        request: Request<E::Runtime>,
        option: &RPCOption,
    ) -> Result<Response<E::Runtime>, RPCError<C<E>>> {
        match self.caller.call(&request, option.soft_ttl()).await {
            Ok(Response::Unavailable(reason)) => {
                Err(RPCError::Network(NetworkError::from_string(reason)))
            }
            Ok(response) => Ok(response),
            Err(error @ CallError::Unreachable(_)) => {
                Err(RPCError::Unreachable(Unreachable::new(&error)))
            }
            Err(error @ CallError::Lost) => Err(RPCError::Network(NetworkError::new(&error))),
        }
    }

    async fn send_snapshot(
        &self,
        vote: Vote,
        file: Arc<<E::Disk as Disk>::File>,
        meta: crate::state::Meta,
    ) -> io::Result<SnapshotResponse<C<E>>> {
        let (mut sender, mut receiver) = self.connect(Purpose::Snapshot).await?;
        let measured = Arc::clone(&file);
        let size_bytes = E::Runtime::spawn_blocking(move || measured.len()).await??;
        let start = SnapshotStart {
            vote,
            last_log_id: meta.last_log_id,
            membership: meta.last_membership,
            size_bytes,
        };
        sender.send(wire::encode(&start)).await?;
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        while offset < size_bytes {
            let reading = Arc::clone(&file);
            let chunk = E::Runtime::spawn_blocking(move || read_chunk(&*reading, offset)).await??;
            hasher.update(&chunk);
            offset += chunk.len() as u64;
            sender.send(Bytes::from(chunk)).await?;
        }
        let end = SnapshotEnd {
            hash: *hasher.finalize().as_bytes(),
        };
        sender.send(wire::encode(&end)).await?;
        let frame = receiver
            .receive()
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let answer: wire::SnapshotAnswer<E::Runtime> =
            wire::decode(&frame).map_err(io::Error::other)?;
        answer.map_err(io::Error::other)
    }

    async fn copy_and_send(&self, vote: Vote) -> io::Result<SnapshotResponse<C<E>>> {
        // A copy of the state is costly, and one who is away is tried again and again.
        drop(self.connect(Purpose::Calls).await?);
        let path = self.scratch();
        let copied = self.state.copy(path.clone()).await;
        let meta = copied.map_err(io::Error::other)?;
        tracing::info!(to = self.address, state = ?meta.last_log_id, "sending a snapshot");
        let disk = self.peers.env().disk().clone();
        let open = move || disk.open(&path, false);
        let file = E::Runtime::spawn_blocking(open).await??;
        self.send_snapshot(vote, Arc::new(file), meta).await
    }

    /// The copy of the state that is sent.
    fn scratch(&self) -> PathBuf {
        self.state.scratch(&format!("send-{}", self.target))
    }
}

fn read_chunk<F: File>(file: &F, offset: u64) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let count = file.read_at(&mut chunk, offset)?;
    chunk.truncate(count);
    if chunk.is_empty() {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(chunk)
    }
}

fn unexpected<E: Env>() -> RPCError<C<E>> {
    RPCError::Network(NetworkError::from_string(
        "the peer answered something else",
    ))
}

fn broken<E: Env>(error: &io::Error) -> RPCError<C<E>> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut => {
            RPCError::Unreachable(Unreachable::new(error))
        }
        _ => RPCError::Network(NetworkError::new(error)),
    }
}

impl<E: Env> RaftNetworkV2<C<E>> for Link<E> {
    type SnapshotData = SnapshotData<E>;

    /// openraft streams all appends; a single one is a stream of one.
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<C<E>>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<C<E>>, RPCError<C<E>>> {
        let input = futures_util::stream::iter([request]);
        let mut answers = self.stream_append(Box::pin(input), option).await?;
        match answers.next().await {
            Some(answer) => answer.map(Into::into),
            None => Err(unexpected::<E>()),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<C<E>>, RPCError<C<E>>>>, RPCError<C<E>>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<C<E>>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let halves = self.append.take();
            let timeout = option.soft_ttl().max(APPEND_TIMEOUT_MIN);
            let pipeline = Pipeline {
                link: self,
                halves,
                input: Some(input),
                sent: 0,
                held: None,
                last_entries: None,
                close: false,
                timeout,
            };
            let answers = futures_util::stream::unfold(Some(pipeline), Pipeline::next);
            let answers: BoxStream<'s, _> = Box::pin(answers);
            Ok(answers)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<C<E>>,
        option: RPCOption,
    ) -> Result<VoteResponse<C<E>>, RPCError<C<E>>> {
        match self.call(Request::Vote(request), &option).await? {
            Response::Vote(response) => Ok(response),
            _ => Err(unexpected::<E>()),
        }
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<C<E>>,
        option: RPCOption,
    ) -> Result<VoteResponse<C<E>>, RPCError<C<E>>> {
        match self.call(Request::PreVote(request), &option).await? {
            Response::Vote(response) => Ok(response),
            _ => Err(unexpected::<E>()),
        }
    }

    /// Copies the state as it is now, which may be newer than what openraft asked for, and sends
    /// it: the receiver then simply needs fewer entries.
    async fn full_snapshot(
        &mut self,
        vote: Vote,
        _snapshot: openraft::type_config::alias::SnapshotOf<C<E>, SnapshotData<E>>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<C<E>>, StreamingError<C<E>>> {
        let sending = self.copy_and_send(vote);
        let ended = E::Runtime::select2(Box::pin(sending), Box::pin(cancel)).await;
        self.state.remove_later(self.scratch());
        match ended {
            Select2::First(Ok(response)) => Ok(response),
            Select2::First(Err(error)) => Err(match broken::<E>(&error) {
                RPCError::Unreachable(unreachable) => unreachable.into(),
                _ => NetworkError::new(&error).into(),
            }),
            Select2::Second(closed) => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<C<E>>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<C<E>>, RPCError<C<E>>> {
        match self.call(Request::TransferLeader(request), &option).await? {
            Response::TransferLeader(response) => Ok(response),
            _ => Err(unexpected::<E>()),
        }
    }
}

/// An append stream under way. The connection goes back to the link only if every request was
/// answered; otherwise nobody could tell which answer belongs to which request.
///
/// openraft sends each commit to the followers in a request of its own, unless entries are there to
/// carry it. Under load they are about to be: such a request is held for a moment, and the next one
/// takes its place, which halves the messages of a write. The answer to the next one answers both.
struct Pipeline<'s, E: Env, S> {
    link: &'s mut Link<E>,
    /// Made for the first request: openraft waits in its input before it tries a dead node again.
    halves: Option<Halves<E>>,
    input: Option<S>,
    sent: usize,
    /// Holds no entries, and when it is sent if nothing takes its place.
    held: Option<(AppendEntriesRequest<C<E>>, Now<E>)>,
    /// When entries were last asked for.
    last_entries: Option<Now<E>>,
    /// True if the last entries followed closely on those before.
    close: bool,
    timeout: Duration,
}

type Now<E> = <<E as Env>::Runtime as AsyncRuntime>::Instant;

type Answer<E> = Result<StreamAppendResult<C<E>>, RPCError<C<E>>>;

impl<'s, E, S> Pipeline<'s, E, S>
where
    E: Env,
    S: Stream<Item = AppendEntriesRequest<C<E>>> + OptionalSend + Unpin + 'static,
{
    async fn next(pipeline: Option<Self>) -> Option<(Answer<E>, Option<Self>)> {
        let mut pipeline = pipeline?;
        match pipeline.step().await {
            Ok(Some(answer)) => {
                let go_on = answer.is_ok();
                Some((Ok(answer), go_on.then_some(pipeline)))
            }
            Ok(None) => {
                pipeline.link.append = pipeline.halves;
                None
            }
            Err(error) => Some((Err(broken::<E>(&error)), None)),
        }
    }

    /// The next answer; `None` when all requests are sent and answered.
    async fn step(&mut self) -> io::Result<Option<StreamAppendResult<C<E>>>> {
        while self.input.is_some() || self.sent > 0 {
            match self.wait().await {
                Select3::First(frame) => return self.read(frame.map_err(late)?).map(Some),
                Select3::Second(Some(request)) => self.take(request).await?,
                Select3::Second(None) => {
                    self.input = None;
                    self.release().await?;
                }
                Select3::Third(()) => self.release().await?,
            }
        }
        Ok(None)
    }

    /// Waits for an answer, the next request, or until the held one must go.
    async fn wait(&mut self) -> Happened<E> {
        let (sent, timeout) = (self.sent, self.timeout);
        let answer = async {
            match &mut self.halves {
                Some((_, receiver)) if sent > 0 => {
                    E::Runtime::timeout(timeout, receiver.receive()).await
                }
                _ => pending().await,
            }
        };
        let request = async {
            match &mut self.input {
                Some(input) if sent < PIPELINE_MAX => input.next().await,
                _ => pending().await,
            }
        };
        let overdue = async {
            match &self.held {
                Some((_, until)) if sent < PIPELINE_MAX => E::Runtime::sleep_until(*until).await,
                _ => pending().await,
            }
        };
        E::Runtime::select3(Box::pin(answer), request, Box::pin(overdue)).await
    }

    /// Sends a request, or holds it. What was held is covered by it: it tells of a later commit.
    async fn take(&mut self, request: AppendEntriesRequest<C<E>>) -> io::Result<()> {
        self.held = None;
        let now = Now::<E>::now();
        if !request.entries.is_empty() {
            let since = self.last_entries.replace(now).map(|last| now - last);
            self.close = since.is_some_and(|since| since <= CLOSE);
        } else if self.close {
            self.held = Some((request, now + HOLD_MAX));
            return Ok(());
        }
        self.send(&request).await
    }

    async fn release(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some((request, _)) => self.send(&request).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, request: &AppendEntriesRequest<C<E>>) -> io::Result<()> {
        if self.halves.is_none() {
            self.halves = Some(self.link.connect(Purpose::Append).await?);
        }
        let (sender, _) = self.halves.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let sending = sender.send(wire::encode(request));
        E::Runtime::timeout(self.timeout, sending)
            .await
            .map_err(late)??;
        self.sent += 1;
        Ok(())
    }

    fn read(&mut self, frame: io::Result<Option<Bytes>>) -> io::Result<StreamAppendResult<C<E>>> {
        let frame = frame?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let answer: AppendAnswer<E::Runtime> = wire::decode(&frame).map_err(io::Error::other)?;
        self.sent -= 1;
        answer.map_err(io::Error::other)
    }
}

/// An answer or that none came in time; a request or the end of them; or the held one must go.
type Happened<E> = Select3<
    Result<io::Result<Option<Bytes>>, <<E as Env>::Runtime as AsyncRuntime>::TimeoutError>,
    Option<AppendEntriesRequest<C<E>>>,
    (),
>;

fn late<T>(_: T) -> io::Error {
    io::ErrorKind::TimedOut.into()
}
