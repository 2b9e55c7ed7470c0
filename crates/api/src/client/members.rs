//! What the client learns from the cluster: its members, and the nodes of an area.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::call::Call;
use super::endpoints::{Base, Pick};
use super::send::read_json;
use super::transport::Exchange;
use super::{Client, Error, parse_base};
use crate::types::{Cluster, Route};

/// Members and routes are asked for anew after this long.
const FRESH_FOR: Duration = Duration::from_secs(20);

/// A hint must not delay the call it is for: without an answer in this time there is no hint.
const HINT_TIMEOUT: Duration = Duration::from_millis(300);

/// Routes are kept for this many areas; beyond, all are forgotten and asked for again.
const ROUTES_MAX: usize = 1024;

/// What is known, and since when.
#[derive(Debug)]
pub(super) struct Members {
    enabled: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    members_asked: Option<Instant>,
    routes: BTreeMap<String, (Instant, Vec<Base>)>,
}

impl Members {
    pub(super) fn new(enabled: bool) -> Self {
        Members {
            enabled,
            known: Mutex::default(),
        }
    }

    /// Held for a few instructions, never across an `await`.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for the one caller who should ask for the members now.
    fn claim(&self, now: Instant) -> bool {
        let mut known = self.known();
        let due = known
            .members_asked
            .is_none_or(|asked| now - asked > FRESH_FOR);
        if due {
            known.members_asked = Some(now);
        }
        self.enabled && due
    }

    fn route(&self, area: &str, now: Instant) -> Option<Vec<Base>> {
        let known = self.known();
        let (asked, nodes) = known.routes.get(area)?;
        (now - *asked <= FRESH_FOR).then(|| nodes.clone())
    }

    fn keep_route(&self, area: &str, nodes: Vec<Base>, now: Instant) {
        let mut known = self.known();
        if known.routes.len() >= ROUTES_MAX {
            known.routes.clear();
        }
        known.routes.insert(area.to_owned(), (now, nodes));
    }
}

impl Client {
    /// Asks for the cluster's members now, so that later calls know where else to go.
    pub async fn learn_members(&self) -> Result<(), Error> {
        let cluster = self.cluster().await?;
        self.keep_members(&cluster);
        Ok(())
    }

    /// Asks for the members in the background when that is due.
    pub(super) fn learn_in_background(&self) {
        if self.shared.members.claim(Instant::now()) {
            let client = self.clone();
            tokio::spawn(async move {
                if let Some(cluster) = client.hint(Call::get(&["v1", "cluster"])).await {
                    client.keep_members(&cluster);
                }
            });
        }
    }

    fn keep_members(&self, cluster: &Cluster) {
        let known = self.shared.cluster.get_or_init(|| cluster.id.clone());
        if *known != cluster.id {
            // It was asked before the id was known, beside another call that learnt it.
            return;
        }
        let urls = cluster.nodes.iter().map(|node| node.http.as_str());
        let members: Vec<Base> = urls.filter_map(|url| parse_base(url).ok()).collect();
        self.endpoints_now().learn(&members);
    }

    /// The nodes to ask about `area`, best first; none if nobody tells in time.
    pub(super) async fn nodes_for(&self, area: Option<&str>, deadline: Instant) -> Vec<Base> {
        let members = &self.shared.members;
        let now = Instant::now();
        let Some(area) = area.filter(|_| members.enabled && now + HINT_TIMEOUT < deadline) else {
            return Vec::new();
        };
        if let Some(nodes) = members.route(area, now) {
            return nodes;
        }
        let route: Option<Route> = self.hint(Call::get(&["v1", "route", "areas", area])).await;
        let nodes = route.map(|route| assigned(&route)).unwrap_or_default();
        members.keep_route(area, nodes.clone(), now);
        nodes
    }

    /// One try on one node, for an answer that the call can do without.
    async fn hint<T: serde::de::DeserializeOwned>(&self, call: Call) -> Option<T> {
        debug_assert_eq!(call.method, Method::GET);
        let pick = self.endpoints_now().pick(&[], Instant::now());
        let Pick::Ask(base) = pick else { return None };
        let request = self.request(&call, &base, None).ok()?;
        match self.shared.transport.exchange(request, HINT_TIMEOUT).await {
            Exchange::Answered(answer) if answer.status.is_success() => {
                read_json(&base, &answer.body).ok()
            }
            Exchange::Answered(_) => None,
            Exchange::NotSent(_) | Exchange::Lost(_) => {
                self.endpoints_now().failed(&base, None, Instant::now());
                None
            }
        }
    }
}

/// The front doors of the nodes that the area is assigned to.
fn assigned(route: &Route) -> Vec<Base> {
    let nodes = route.nodes.iter().filter(|node| node.assigned);
    nodes
        .filter_map(|node| parse_base(&node.http).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_asks_for_the_members_and_again_when_they_are_old() {
        let members = Members::new(true);
        let now = Instant::now();
        assert!(members.claim(now));
        assert!(!members.claim(now + FRESH_FOR / 2));
        assert!(members.claim(now + FRESH_FOR * 2));
        assert!(!Members::new(false).claim(now), "learning is off");
    }

    #[test]
    fn a_route_ages_and_the_map_is_bounded() {
        let members = Members::new(true);
        let now = Instant::now();
        members.keep_route("7", vec!["http://a".into()], now);
        assert_eq!(
            members.route("7", now + FRESH_FOR),
            Some(vec!["http://a".into()])
        );
        assert_eq!(members.route("7", now + FRESH_FOR * 2), None);
        for area in 0..2 * ROUTES_MAX {
            members.keep_route(&area.to_string(), Vec::new(), now);
        }
        assert!(members.known().routes.len() <= ROUTES_MAX);
    }
}
