//! What the gRPC front door counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tonic::Code;

use super::LATENCY_SECONDS;
use crate::app::App;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    method: String,
    code: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: String,
}

/// The figures.
pub(crate) struct GrpcFigures {
    calls: Family<CallLabels, Counter>,
    seconds: Family<MethodLabels, Histogram, fn() -> Histogram>,
    /// Open connections.
    pub connections: Gauge,
    /// Connections that were closed because they did not read.
    pub stalled: Counter,
    /// Connections that were closed because too many strangers were there.
    pub turned_away: Counter,
    at_work: AtomicUsize,
    streams: AtomicUsize,
    working: Gauge,
    open_streams: Gauge,
}

impl GrpcFigures {
    /// All at zero.
    pub fn new() -> Self {
        GrpcFigures {
            calls: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(LATENCY_SECONDS)),
            connections: Gauge::default(),
            stalled: Counter::default(),
            turned_away: Counter::default(),
            at_work: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            working: Gauge::default(),
            open_streams: Gauge::default(),
        }
    }

    pub(super) fn register(&self, to: &mut Registry) {
        to.register("grpc_calls", "Ended gRPC calls", self.calls.clone());
        to.register(
            "grpc_call_seconds",
            "Time to the answer of a gRPC call, or to the start of a stream",
            self.seconds.clone(),
        );
        to.register(
            "grpc_turned_away",
            "gRPC connections closed because too many were not signed in",
            self.turned_away.clone(),
        );
        to.register(
            "grpc_calls_at_work",
            "gRPC calls at work",
            self.working.clone(),
        );
        to.register(
            "grpc_streams",
            "Open gRPC streams",
            self.open_streams.clone(),
        );
        to.register(
            "grpc_connections",
            "Open gRPC connections",
            self.connections.clone(),
        );
        to.register(
            "grpc_connections_cut",
            "gRPC connections cut because answers were not read",
            self.stalled.clone(),
        );
    }

    pub(super) fn look(&self) {
        self.working
            .set(self.at_work.load(Ordering::Relaxed) as i64);
        self.open_streams
            .set(self.streams.load(Ordering::Relaxed) as i64);
    }

    fn seats(&self, stream: bool) -> &AtomicUsize {
        match stream {
            true => &self.streams,
            false => &self.at_work,
        }
    }

    /// Notes when the answer of a call began.
    pub fn answered(&self, method: &str, took: Duration) {
        let method = method.to_owned();
        let labels = MethodLabels { method };
        self.seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }
}

/// A call at work, or an open stream, as long as it lives.
pub(crate) struct GrpcSeat {
    app: App,
    stream: bool,
}

impl GrpcSeat {
    /// A seat for one more, unless `max` are taken.
    pub fn take(app: &App, stream: bool, max: usize) -> Option<Self> {
        let taken = app
            .metrics
            .grpc
            .seats(stream)
            .fetch_add(1, Ordering::Relaxed);
        let app = app.clone();
        let seat = GrpcSeat { app, stream };
        (taken < max).then_some(seat)
    }
}

impl Drop for GrpcSeat {
    fn drop(&mut self) {
        let figures = &self.app.metrics.grpc;
        figures.seats(self.stream).fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that has not ended. One that is dropped was cancelled by the client.
pub(crate) struct GrpcCall {
    app: App,
    method: String,
    started: Instant,
    code: Code,
}

impl GrpcCall {
    /// A call that begins now.
    pub fn begin(app: &App, method: &str) -> Self {
        GrpcCall {
            app: app.clone(),
            method: method.to_owned(),
            started: Instant::now(),
            code: Code::Cancelled,
        }
    }

    /// Its answer begins.
    pub fn answers(&self) {
        let took = self.started.elapsed();
        self.app.metrics.grpc.answered(&self.method, took);
    }

    /// It ends with this code.
    pub fn ended(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for GrpcCall {
    fn drop(&mut self) {
        let (method, code) = (std::mem::take(&mut self.method), self.code as i32);
        tracing::debug!(method, code, took = ?self.started.elapsed(), "gRPC call");
        let labels = CallLabels { method, code };
        self.app.metrics.grpc.calls.get_or_create(&labels).inc();
    }
}
