//! The body of an answer on its way out: it holds its seat, ends with the client's deadline, is
//! counted, and shows whether it is read.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Code, Status};

use super::status;
use crate::metrics::{GrpcCall, GrpcSeat};
use crate::problem::{Kind, Trouble};

/// A part of an answer has at most so many bytes: the rest waits here, where it is seen whether it
/// is read, and not in HTTP/2's own memory.
const PART_MAX_BYTES: usize = 8 * 1024;

/// An answer's body.
pub(super) struct Answering {
    inner: tonic::body::Body,
    /// What is left of the part that came last.
    rest: Bytes,
    /// Freed when the answer has left, or nobody wants it any more.
    _seat: Option<GrpcSeat>,
    read: Option<Read>,
    ends: Ends,
    over: bool,
}

/// What ends a stream besides itself.
#[derive(Default)]
pub(super) struct Ends {
    /// The client waits no longer.
    pub deadline: Option<Pin<Box<Sleep>>>,
    /// The node stops, which the stream does not notice by itself.
    pub stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Counts the call when it ends.
    pub call: Option<GrpcCall>,
}

impl Answering {
    /// A body that is watched; one without content needs no more than itself.
    pub fn new(inner: tonic::body::Body, seat: GrpcSeat, pace: &Arc<Pace>, ends: Ends) -> Self {
        if inner.is_end_stream() {
            return Answering::empty();
        }
        Answering {
            inner,
            rest: Bytes::new(),
            _seat: Some(seat),
            read: Some(Read::new(pace.clone())),
            ends,
            over: false,
        }
    }

    /// The body of an answer whose head says everything.
    pub fn empty() -> Self {
        Answering {
            inner: tonic::body::Body::empty(),
            rest: Bytes::new(),
            _seat: None,
            read: None,
            ends: Ends::default(),
            over: false,
        }
    }

    fn cut(&mut self, context: &mut Context<'_>) -> Option<Trouble> {
        let Ends {
            deadline, stopping, ..
        } = &mut self.ends;
        if deadline
            .as_mut()
            .is_some_and(|d| d.as_mut().poll(context).is_ready())
        {
            return Some(Trouble::new(Kind::Deadline, "the deadline has passed"));
        }
        if stopping
            .as_mut()
            .is_some_and(|s| s.as_mut().poll(context).is_ready())
        {
            return Some(Trouble::new(Kind::Stopping, "the node is stopping"));
        }
        None
    }

    /// The next part of what is left.
    fn part(&mut self) -> Frame<Bytes> {
        self.read.iter().for_each(Read::handed);
        let length = self.rest.len().min(PART_MAX_BYTES);
        Frame::data(self.rest.split_to(length))
    }

    fn count(&mut self, trailers: &HeaderMap) {
        if let Some(call) = self.ends.call.take() {
            let status = Status::from_header_map(trailers);
            call.ended(status.map_or(Code::Unknown, |status| status.code()));
        }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Some(read) = &this.read {
            read.asked();
        }
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(this.part())));
        }
        if this.over {
            return Poll::Ready(None);
        }
        if let Some(trouble) = this.cut(context) {
            this.over = true;
            let mut trailers = HeaderMap::new();
            status::write(&trouble.into(), &mut trailers);
            this.count(&trailers);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let Some(frame) = ready!(Pin::new(&mut this.inner).poll_frame(context)?) else {
            return Poll::Ready(None);
        };
        if let Some(trailers) = frame.trailers_ref() {
            this.count(trailers);
        }
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(data) => {
                this.rest = data;
                this.part()
            }
            Err(trailers) => trailers,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && (self.over || self.inner.is_end_stream())
    }
}

/// The answers of one connection, and since when each waits to be taken. HTTP/2 asks for the next
/// part of an answer when the client has made room for it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: Mutex<BTreeMap<u64, Instant>>,
    next: AtomicU64,
}

impl Pace {
    /// Whether an answer has waited for longer than this.
    pub fn has_stalled(&self, patience: Duration) -> bool {
        self.lock().values().any(|since| since.elapsed() > patience)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the answers of a connection.
struct Read {
    pace: Arc<Pace>,
    id: u64,
}

impl Read {
    fn new(pace: Arc<Pace>) -> Self {
        let id = pace.next.fetch_add(1, Ordering::Relaxed);
        Read { pace, id }
    }

    /// A part was handed over.
    fn handed(&self) {
        self.pace.lock().insert(self.id, Instant::now());
    }

    /// The next part is asked for: the one before has left.
    fn asked(&self) {
        self.pace.lock().remove(&self.id);
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.asked();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_again_stalls() {
        let pace = Arc::new(Pace::default());
        let (one, other) = (Read::new(pace.clone()), Read::new(pace.clone()));
        assert!(!pace.has_stalled(Duration::ZERO));
        one.handed();
        other.handed();
        one.asked();
        std::thread::sleep(Duration::from_millis(2));
        assert!(pace.has_stalled(Duration::ZERO));
        assert!(!pace.has_stalled(Duration::from_secs(60)));
        drop(other);
        assert!(!pace.has_stalled(Duration::ZERO));
    }
}
