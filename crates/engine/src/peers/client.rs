//! Calls to another node: many at a time over one connection, which is made when it is needed.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use openraft_rt::{AsyncRuntime, Instant as _};
use tokio::sync::{mpsc, oneshot};

use super::handshake;
use super::wire::{self, Purpose, Request, Response};
use crate::env::{Env, FrameReceiver, FrameSender, Runtime};
use crate::identity::Identity;
use crate::links::Links;
use crate::types::NodeId;

/// Requests that may wait to be sent on a connection.
const QUEUE_MAX: usize = 256;

/// A connection that said nothing for this long while an answer was due is given up: the peer may
/// have gone without a word.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It was never sent.
    #[error("the peer cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// It was sent, and then the connection broke or the time was over.
    #[error("the peer did not answer")]
    Lost,
}

/// Another node, for calls.
pub struct Caller<E: Env> {
    env: E,
    identity: Arc<Identity>,
    links: Links,
    target: Option<NodeId>,
    address: String,
    purpose: Purpose,
    live: tokio::sync::Mutex<Option<Live<E>>>,
}

type Pending<R> = Mutex<BTreeMap<u64, oneshot::Sender<Response<R>>>>;

struct Live<E: Env> {
    outgoing: mpsc::Sender<Bytes>,
    shared: Arc<Shared<E>>,
}

impl<E: Env> Clone for Live<E> {
    fn clone(&self) -> Self {
        Live {
            outgoing: self.outgoing.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<E: Env> {
    pending: Pending<E::Runtime>,
    next: AtomicU64,
    heard: Mutex<<E::Runtime as AsyncRuntime>::Instant>,
}

/// A call under way. An answer to it is waited for as long as this is there.
struct Asked<E: Env> {
    shared: Arc<Shared<E>>,
    id: u64,
}

impl<E: Env> Drop for Asked<E> {
    fn drop(&mut self) {
        lock(&self.shared.pending).remove(&self.id);
    }
}

impl<E: Env> Caller<E> {
    /// A caller to `target` at `address`; `None` takes whoever is there.
    pub fn new(
        env: E,
        identity: Arc<Identity>,
        links: Links,
        target: Option<NodeId>,
        address: String,
    ) -> Self {
        Caller {
            env,
            identity,
            links,
            target,
            address,
            purpose: Purpose::Calls,
            live: tokio::sync::Mutex::new(None),
        }
    }

    /// The same for calls about chunks, over a connection of their own.
    pub fn for_chunks(self) -> Self {
        let purpose = Purpose::Chunks;
        Caller { purpose, ..self }
    }

    /// Where it calls.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request and waits for its answer.
    pub async fn call(
        &self,
        request: &Request<E::Runtime>,
        timeout: Duration,
    ) -> Result<Response<E::Runtime>, CallError> {
        let begun = E::Runtime::timeout(timeout, self.begin(request));
        let (asked, answer) = begun.await.map_err(|_| timed_out())??;
        let answered = E::Runtime::timeout(timeout, answer).await;
        if let Ok(Ok(response)) = answered {
            return Ok(response);
        }
        if elapsed::<E>(&asked.shared) > SILENCE_MAX {
            *self.live.lock().await = None;
        }
        Err(CallError::Lost)
    }

    async fn begin(
        &self,
        request: &Request<E::Runtime>,
    ) -> Result<(Asked<E>, oneshot::Receiver<Response<E::Runtime>>), CallError> {
        let Live { outgoing, shared } = self.connection().await?;
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&shared.pending).insert(id, sender);
        let asked = Asked { shared, id };
        match outgoing.send(frame(id, &wire::encode(request))).await {
            Ok(()) => Ok((asked, answer)),
            Err(_) => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
        }
    }

    async fn connection(&self) -> io::Result<Live<E>> {
        let mut live = self.live.lock().await;
        if let Some(live) = live.as_ref().filter(|live| !live.outgoing.is_closed()) {
            return Ok(live.clone());
        }
        let (sender, receiver) = handshake::connect(
            &self.env,
            &self.identity,
            &self.links,
            &self.address,
            self.target,
            self.purpose,
        )
        .await?;
        let (outgoing, frames) = mpsc::channel(QUEUE_MAX);
        let shared = Arc::new(Shared {
            pending: Mutex::new(BTreeMap::new()),
            next: AtomicU64::new(0),
            heard: Mutex::new(now::<E>()),
        });
        let fresh = Live {
            outgoing,
            shared: Arc::clone(&shared),
        };
        drop(E::Runtime::spawn(carry::<E>(
            sender, receiver, frames, shared,
        )));
        *live = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Carries frames both ways until either side ends; then every call under way is lost.
async fn carry<E: Env>(
    sender: impl FrameSender,
    receiver: impl FrameReceiver,
    frames: mpsc::Receiver<Bytes>,
    shared: Arc<Shared<E>>,
) {
    let sending = send_all(sender, frames, &shared.pending);
    let receiving = receive_all(receiver, &shared);
    E::Runtime::select2(Box::pin(sending), Box::pin(receiving)).await;
    lock(&shared.pending).clear();
}

/// Sends what was asked. What nobody waits for any more stays here: on a slow link it would do
/// something long after its caller was told that it may have been lost.
async fn send_all<R: Runtime>(
    mut sender: impl FrameSender,
    mut frames: mpsc::Receiver<Bytes>,
    pending: &Pending<R>,
) {
    while let Some(frame) = frames.recv().await {
        let awaited = unframe(&frame).is_some_and(|(id, _)| lock(pending).contains_key(&id));
        if awaited && sender.send(frame).await.is_err() {
            return;
        }
    }
}

async fn receive_all<E: Env>(mut receiver: impl FrameReceiver, shared: &Shared<E>) {
    while let Ok(Some(frame)) = receiver.receive().await {
        *lock(&shared.heard) = now::<E>();
        let Some((id, body)) = unframe(&frame) else {
            return;
        };
        let Ok(response) = wire::decode(body) else {
            return;
        };
        if let Some(waiting) = lock(&shared.pending).remove(&id) {
            // A caller that no longer waits has given up; there is nobody to tell.
            drop(waiting.send(response));
        }
    }
}

/// A message with the number of its call before it.
pub fn frame(id: u64, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + body.len());
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(body);
    frame.freeze()
}

/// The number of a call and its message.
pub fn unframe(frame: &[u8]) -> Option<(u64, &[u8])> {
    let (id, body) = frame.split_first_chunk()?;
    Some((u64::from_be_bytes(*id), body))
}

fn elapsed<E: Env>(shared: &Shared<E>) -> Duration {
    now::<E>() - *lock(&shared.heard)
}

fn now<E: Env>() -> <E::Runtime as AsyncRuntime>::Instant {
    <E::Runtime as AsyncRuntime>::Instant::now()
}

fn timed_out() -> CallError {
    CallError::Unreachable(io::ErrorKind::TimedOut.into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
