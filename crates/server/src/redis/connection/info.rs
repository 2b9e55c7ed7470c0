//! INFO: this node in the words that Redis has for itself, as far as they are true.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use domain::store::{Read, StoreReply};
use engine::ClusterStatus;

use super::sign_in::REDIS_VERSION;
use super::{Connection, Cut};
use crate::redis::commands::{Arguments, is};
use crate::redis::resp::Request;

/// The sections, in the order in which they are told.
const SECTIONS: [&str; 7] = [
    "server",
    "clients",
    "persistence",
    "stats",
    "replication",
    "cluster",
    "keyspace",
];

impl Connection {
    pub(super) async fn info(&mut self, request: Request<'_>) -> Result<(), Cut> {
        let mut words = Arguments::of(request);
        let everything = words.left() == 0;
        let mut wanted = [everything; SECTIONS.len()];
        while let Some(word) = words.next() {
            let all = ["all", "default", "everything"]
                .iter()
                .any(|all| is(word, all));
            for (wanted, section) in wanted.iter_mut().zip(SECTIONS) {
                *wanted |= all || is(word, section);
            }
        }
        let status = self.shared.store.engine().status();
        let mut text = String::new();
        for (section, _) in SECTIONS.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let mut title = (*section).to_owned();
            title[..1].make_ascii_uppercase();
            line(&mut text, &format!("# {title}"));
            match *section {
                "server" => self.server(&mut text, &status),
                "clients" => self.clients(&mut text),
                "persistence" => persistence(&mut text),
                "stats" => self.stats(&mut text),
                "replication" => replication(&mut text, &status),
                "cluster" => line(&mut text, "cluster_enabled:0"),
                _ => self.keyspace(&mut text).await,
            }
        }
        self.replies.text(&text);
        Ok(())
    }

    fn server(&self, text: &mut String, status: &ClusterStatus) {
        let uptime = self.shared.started.elapsed().as_secs();
        let port = self.client.local.port();
        let version = env!("CARGO_PKG_VERSION");
        line(text, &format!("redis_version:{REDIS_VERSION}"));
        line(text, "redis_mode:standalone");
        line(text, &format!("consorcio_version:{version}"));
        line(text, &format!("consorcio_node:{}", status.node));
        line(text, &format!("consorcio_cluster:{}", status.cluster));
        line(text, &format!("process_id:{}", std::process::id()));
        line(text, &format!("tcp_port:{port}"));
        line(text, &format!("uptime_in_seconds:{uptime}"));
        line(text, &format!("uptime_in_days:{}", uptime / 86_400));
    }

    fn clients(&self, text: &mut String) {
        let metrics = &self.shared.metrics;
        let connections = self.shared.config.limits.connections;
        line(
            text,
            &format!("connected_clients:{}", metrics.connections.get()),
        );
        line(text, &format!("maxclients:{connections}"));
        line(text, &format!("blocked_clients:{}", metrics.blocked.get()));
    }

    fn stats(&self, text: &mut String) {
        let metrics = &self.shared.metrics;
        let received = self.shared.last_client.load(Ordering::Relaxed);
        line(text, &format!("total_connections_received:{received}"));
        line(
            text,
            &format!("total_commands_processed:{}", metrics.commands()),
        );
        line(
            text,
            &format!("rejected_connections:{}", metrics.refused.get()),
        );
    }

    async fn keyspace(&self, text: &mut String) {
        let read = self.shared.store.read(&[Read::CountKeys]);
        if let Ok([Ok(StoreReply::Integer(keys @ 1..))]) = read.await.as_deref() {
            // How many of them expire is not counted, so it is not told.
            line(text, &format!("db0:keys={keys},avg_ttl=0"));
        }
    }
}

fn persistence(text: &mut String) {
    line(text, "loading:0");
    line(text, "aof_enabled:1");
}

fn replication(text: &mut String, status: &ClusterStatus) {
    let others = status
        .nodes
        .iter()
        .filter(|node| *node.name != *status.node);
    let connected = others.filter(|node| node.healthy).count();
    // Any node takes writes.
    line(text, "role:master");
    line(text, &format!("connected_slaves:{connected}"));
    line(text, &format!("master_repl_offset:{}", status.applied));
    line(text, &format!("raft_term:{}", status.term));
    let leader = status.leader.as_deref().unwrap_or_default();
    line(text, &format!("raft_leader:{leader}"));
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{line}\r\n");
}
