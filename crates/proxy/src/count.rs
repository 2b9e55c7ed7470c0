//! What a proxy counts, in Prometheus' text format.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::config::Door;

/// Counters and gauges; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    changes: AtomicU64,
    readings: AtomicU64,
    retries: AtomicU64,
    unanswered: AtomicU64,
    http: AtomicI64,
    redis: AtomicI64,
    redis_reads: AtomicI64,
    grpc: AtomicI64,
    lottery: AtomicI64,
}

/// Counts as an open connection until it is dropped.
#[derive(Debug)]
pub struct Open(Counts, Option<Door>);

impl Counts {
    /// A request was taken.
    pub fn request(&self, changes: bool) {
        let counter = if changes {
            &self.0.changes
        } else {
            &self.0.readings
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A request goes to another node, because one could not serve.
    pub fn retry(&self) {
        self.0.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was answered by the proxy itself, because no node did.
    pub fn unanswered(&self) {
        self.0.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was accepted at a port; `None` is HTTP's.
    pub fn open(&self, door: Option<Door>) -> Open {
        self.gauge(door).fetch_add(1, Ordering::Relaxed);
        Open(self.clone(), door)
    }

    fn gauge(&self, door: Option<Door>) -> &AtomicI64 {
        match door {
            None => &self.0.http,
            Some(Door::Redis) => &self.0.redis,
            Some(Door::RedisReads) => &self.0.redis_reads,
            Some(Door::Grpc) => &self.0.grpc,
            Some(Door::Lottery) => &self.0.lottery,
        }
    }

    /// All of them as text; `nodes` are the names of those that answer, and whether they can serve.
    pub fn text(&self, nodes: &[(String, bool)]) -> String {
        let numbers = &self.0;
        let mut text = String::new();
        let mut line = |head: &str, name: &str, value: String| {
            if !head.is_empty() {
                let metric = name.split('{').next().unwrap_or(name);
                let kind = if metric.ends_with("_total") {
                    "counter"
                } else {
                    "gauge"
                };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "# HELP {metric} {head}\n# TYPE {metric} {kind}");
            }
            let _ = writeln!(text, "{name} {value}");
        };
        let total = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
        let open = |gauge: &AtomicI64| gauge.load(Ordering::Relaxed).to_string();
        let requests = "consorcio_proxy_requests_total";
        line(
            "HTTP requests.",
            &format!("{requests}{{kind=\"change\"}}"),
            total(&numbers.changes),
        );
        line(
            "",
            &format!("{requests}{{kind=\"reading\"}}"),
            total(&numbers.readings),
        );
        line(
            "Requests that went to another node, because one could not serve.",
            "consorcio_proxy_retries_total",
            total(&numbers.retries),
        );
        line(
            "Requests that no node answered.",
            "consorcio_proxy_unanswered_total",
            total(&numbers.unanswered),
        );
        let connections = "consorcio_proxy_connections";
        let doors = [
            ("http", &numbers.http),
            ("redis", &numbers.redis),
            ("redis-reads", &numbers.redis_reads),
            ("grpc", &numbers.grpc),
            ("lottery", &numbers.lottery),
        ];
        for (place, (door, gauge)) in doors.into_iter().enumerate() {
            let head = if place == 0 { "Open connections." } else { "" };
            line(
                head,
                &format!("{connections}{{door=\"{door}\"}}"),
                open(gauge),
            );
        }
        for (place, (node, ready)) in nodes.iter().enumerate() {
            let head = if place == 0 {
                "Nodes that answer; 1 if they can serve."
            } else {
                ""
            };
            let name = format!("consorcio_proxy_node_ready{{node=\"{node}\"}}");
            line(head, &name, u8::from(*ready).to_string());
        }
        text
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.gauge(self.1).fetch_sub(1, Ordering::Relaxed);
    }
}
