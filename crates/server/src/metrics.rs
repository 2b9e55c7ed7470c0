//! Figures for Prometheus, in the OpenMetrics text format.

mod grpc;

pub(crate) use grpc::{GrpcCall, GrpcFigures, GrpcSeat};

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::news::queries::CountAll;
use engine::{Consistency, Role};
use http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::redis::RedisMetrics;

/// Upper ends of the latency buckets, in seconds: a read, a synced write, a write on a slow disk,
/// an election.
const LATENCY_SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    node: String,
}

/// What this node counts.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    at_work: AtomicUsize,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Readers of the live stream that were cut because they were slow.
    pub slow_readers: Counter,
    /// Open connections.
    pub connections: Gauge,
    /// What the gRPC front door counts.
    pub grpc: GrpcFigures,
    readers: Gauge,
    working: Gauge,
    ready: Gauge,
    leads: Gauge,
    term: Gauge,
    committed: Gauge,
    applied: Gauge,
    healthy: Family<NodeLabels, Gauge>,
    accounts: Gauge,
    areas: Gauge,
    posts: Gauge,
    /// What the Redis front door counts.
    pub redis: RedisMetrics,
}

/// One request at work.
pub(crate) struct AtWork<'a>(&'a AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// All figures at zero.
    pub fn new() -> Self {
        let metrics = Metrics {
            registry: Mutex::new(Registry::with_prefix("consorcio")),
            at_work: AtomicUsize::new(0),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(LATENCY_SECONDS)),
            slow_readers: Counter::default(),
            connections: Gauge::default(),
            grpc: GrpcFigures::new(),
            readers: Gauge::default(),
            working: Gauge::default(),
            ready: Gauge::default(),
            leads: Gauge::default(),
            term: Gauge::default(),
            committed: Gauge::default(),
            applied: Gauge::default(),
            healthy: Family::default(),
            accounts: Gauge::default(),
            areas: Gauge::default(),
            posts: Gauge::default(),
            redis: RedisMetrics::new(),
        };
        metrics.register(&mut metrics.lock());
        metrics
    }

    fn register(&self, to: &mut Registry) {
        to.register("http_requests", "Answered requests", self.requests.clone());
        to.register(
            "http_request_seconds",
            "Time to the answer's head",
            self.seconds.clone(),
        );
        to.register(
            "http_requests_at_work",
            "Requests at work",
            self.working.clone(),
        );
        to.register(
            "http_connections",
            "Open connections",
            self.connections.clone(),
        );
        to.register("event_readers", "Open event streams", self.readers.clone());
        to.register(
            "event_readers_cut",
            "Streams cut as too slow",
            self.slow_readers.clone(),
        );
        to.register("ready", "1 if this node can serve", self.ready.clone());
        to.register("leader", "1 if this node leads", self.leads.clone());
        to.register("raft_term", "Raft term", self.term.clone());
        to.register(
            "raft_committed_index",
            "Last committed index",
            self.committed.clone(),
        );
        to.register(
            "raft_applied_index",
            "Last applied index",
            self.applied.clone(),
        );
        to.register(
            "node_healthy",
            "1 if the node answers this one",
            self.healthy.clone(),
        );
        to.register("accounts", "Accounts", self.accounts.clone());
        to.register("areas", "Areas", self.areas.clone());
        to.register("posts", "Posts ever published", self.posts.clone());
        self.grpc.register(to);
        self.redis.register(to);
    }

    /// Admits a request, unless `max` are at work.
    pub fn start_request(&self, max: usize) -> Option<AtWork<'_>> {
        let before = self.at_work.fetch_add(1, Ordering::Relaxed);
        let at_work = AtWork(&self.at_work);
        (before < max).then_some(at_work)
    }

    /// Counts an answered request.
    pub fn request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let method = known(method);
        let labels = RequestLabels {
            method,
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let RequestLabels { route, .. } = labels;
        let labels = RouteLabels { method, route };
        self.seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client may invent methods; it may not invent time series.
fn known(method: &Method) -> &'static str {
    let usual = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let found = usual.into_iter().find(|usual| *usual == method.as_str());
    found.unwrap_or("other")
}

impl App {
    /// All figures as text.
    pub(crate) async fn metrics_text(&self) -> String {
        self.look().await;
        let mut text = String::new();
        match encode(&mut text, &self.metrics.lock()) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                String::new()
            }
        }
    }

    /// Sets the gauges to what is true now.
    async fn look(&self) {
        let (metrics, status) = (&self.metrics, self.engine.status());
        metrics.grpc.look();
        metrics.readers.set(self.hub.readers() as i64);
        metrics
            .working
            .set(metrics.at_work.load(Ordering::Relaxed) as i64);
        metrics.ready.set(i64::from(status.ready));
        metrics
            .leads
            .set(i64::from(status.leader.as_deref() == Some(&*status.node)));
        metrics.term.set(status.term as i64);
        metrics.committed.set(status.committed as i64);
        metrics.applied.set(status.applied as i64);
        metrics.healthy.clear();
        for node in status
            .nodes
            .iter()
            .filter(|node| node.role != Role::Candidate)
        {
            let labels = NodeLabels {
                node: node.name.clone(),
            };
            metrics
                .healthy
                .get_or_create(&labels)
                .set(i64::from(node.healthy));
        }
        if let Ok(counts) = self.engine.read(Consistency::Stale, CountAll).await {
            metrics.accounts.set(counts.value.accounts);
            metrics.areas.set(counts.value.areas);
            metrics.posts.set(counts.value.posts);
        }
    }
}
