//! openraft's way to the other nodes.

use std::future::Future;
use std::io;
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
use openraft_rt::{AsyncRuntime, Select2};

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
        handshake::connect(env, identity, &self.address, Some(self.target), purpose).await
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
        let path = self.state.scratch(&format!("send-{}.db", self.target));
        let meta = self
            .state
            .copy(path.clone())
            .await
            .map_err(io::Error::other)?;
        tracing::info!(to = self.address, state = ?meta.last_log_id, "sending a snapshot");
        let disk = self.peers.env().disk().clone();
        let opening = path.clone();
        let open = move || disk.open(&opening, false);
        let file = E::Runtime::spawn_blocking(open).await??;
        let sent = self.send_snapshot(vote, Arc::new(file), meta).await;
        let disk = self.peers.env().disk().clone();
        let remove = move || crate::state::store::remove_database(&disk, &path);
        E::Runtime::spawn_blocking(remove).await?;
        sent
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
        match E::Runtime::select2(Box::pin(sending), Box::pin(cancel)).await {
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
struct Pipeline<'s, E: Env, S> {
    link: &'s mut Link<E>,
    /// Made for the first request: openraft waits in its input before it tries a dead node again.
    halves: Option<Halves<E>>,
    input: Option<S>,
    sent: usize,
    timeout: Duration,
}

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
        loop {
            let input = self.input.as_mut().filter(|_| self.sent < PIPELINE_MAX);
            let request = match (input, self.sent, &mut self.halves) {
                (None, 0, _) => return Ok(None),
                (Some(input), 0, _) | (Some(input), _, None) => input.next().await,
                (None, _, _) => return self.answer().await.map(Some),
                (Some(input), _, Some((_, receiver))) => {
                    let answer = E::Runtime::timeout(self.timeout, receiver.receive());
                    match E::Runtime::select2(answer, input.next()).await {
                        Select2::First(frame) => return self.read(frame.map_err(late)?).map(Some),
                        Select2::Second(request) => request,
                    }
                }
            };
            match request {
                Some(request) => self.send(&request).await?,
                None => self.input = None,
            }
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

    async fn answer(&mut self) -> io::Result<StreamAppendResult<C<E>>> {
        let (_, receiver) = self.halves.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let frame = E::Runtime::timeout(self.timeout, receiver.receive()).await;
        self.read(frame.map_err(late)?)
    }

    fn read(&mut self, frame: io::Result<Option<Bytes>>) -> io::Result<StreamAppendResult<C<E>>> {
        let frame = frame?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let answer: AppendAnswer<E::Runtime> = wire::decode(&frame).map_err(io::Error::other)?;
        self.sent -= 1;
        answer.map_err(io::Error::other)
    }
}

fn late<T>(_: T) -> io::Error {
    io::ErrorKind::TimedOut.into()
}
