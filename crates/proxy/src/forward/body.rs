//! Bodies: a request's, kept so that it can be sent again, and an answer's, passed on as it comes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::full;
use super::headers::announced_bytes;
use super::problem::Problem;
use crate::client::{Body, BodyError};
use crate::config::Limits;
use crate::node::{AtWork, Node};

/// A request's body on its way to a node.
pub enum Sending {
    /// All of it is here.
    Whole {
        /// The body.
        bytes: Bytes,
        /// Its share of what may be kept.
        _room: Option<OwnedSemaphorePermit>,
    },
    /// It is long: what is here, and the rest as it comes. `None` once it was sent.
    Long(Option<Body>),
}

impl Sending {
    /// True if it was sent and cannot be sent again.
    pub fn is_spent(&self) -> bool {
        matches!(self, Sending::Long(None))
    }

    /// The body to send now; `None` if it was sent before and is not here any more.
    pub fn take(&mut self) -> Option<Body> {
        match self {
            Sending::Whole { bytes, .. } => Some(full(bytes.clone())),
            Sending::Long(body) => body.take(),
        }
    }
}

/// Keeps a body, up to what can be sent again.
pub async fn keep(
    mut body: Incoming,
    headers: &HeaderMap,
    limits: &Limits,
    room: &Arc<Semaphore>,
) -> Result<Sending, Problem> {
    let long = announced_bytes(headers).is_some_and(|bytes| bytes > limits.replay_bytes as u64);
    let mut kept = Kept {
        chunks: VecDeque::new(),
        bytes: 0,
        permit: None,
    };
    let deadline = Instant::now() + limits.body_timeout;
    while !long && kept.bytes <= limits.replay_bytes {
        let next = timeout_at(deadline, body.frame()).await;
        match next.map_err(|_| Problem::Late)? {
            Some(frame) => {
                let frame = frame.map_err(|_| Problem::BrokenOff)?;
                // What holds no data is trailers, which no node reads.
                if let Ok(chunk) = frame.into_data() {
                    kept.add(chunk, room)?;
                }
            }
            None => {
                return Ok(Sending::Whole {
                    bytes: kept.whole(),
                    _room: kept.permit,
                });
            }
        }
    }
    Ok(Sending::Long(Some(Body::new(Long { kept, rest: body }))))
}

/// What has come of a body.
struct Kept {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Kept {
    fn add(&mut self, chunk: Bytes, room: &Arc<Semaphore>) -> Result<(), Problem> {
        let kib = u32::try_from(chunk.len().div_ceil(1024)).unwrap_or(u32::MAX);
        let more = Arc::clone(room).try_acquire_many_owned(kib);
        let more = more.map_err(|_| Problem::Busy("too many bodies are on their way"))?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
        Ok(())
    }

    fn whole(&mut self) -> Bytes {
        match self.chunks.len() {
            0 => Bytes::new(),
            1 => self.chunks.pop_front().unwrap_or_default(),
            _ => {
                let mut whole = BytesMut::with_capacity(self.bytes);
                for chunk in self.chunks.drain(..) {
                    whole.extend_from_slice(&chunk);
                }
                whole.freeze()
            }
        }
    }
}

/// A long body: what is here, then the rest.
struct Long {
    kept: Kept,
    rest: Incoming,
}

impl HttpBody for Long {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(chunk) = self.kept.chunks.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        self.kept.permit = None;
        let rest = Pin::new(&mut self.rest).poll_frame(context);
        rest.map_err(|error| error.into())
    }
}

/// An answer's body, which ends when its node falls silent, or a stream when the proxy stops.
pub struct Guarded {
    body: Body,
    silent: Pin<Box<WaitForCancellationFutureOwned>>,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    _work: AtWork,
}

/// The node is gone in the middle of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the node that answered is silent")]
struct Silent;

impl Guarded {
    /// The body of an answer of `node`; with `stop`, it has no end of its own.
    pub fn new(body: Body, node: &Arc<Node>, stop: Option<CancellationToken>) -> Self {
        Guarded {
            body,
            silent: Box::pin(node.life.clone().cancelled_owned()),
            stop: stop.map(|stop| Box::pin(stop.cancelled_owned())),
            _work: node.work(),
        }
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if self.silent.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Silent.into())));
        }
        match &mut self.stop {
            Some(stop) => stop.as_mut().poll(context).map(|()| None),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
