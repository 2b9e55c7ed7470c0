//! Which node to ask next.
//!
//! The client stays with one node (its favourite) as long as that one answers. A node that failed
//! rests for a while and the others are asked meanwhile; when all of them rest, the client waits
//! for the first to be ready again. Pure: time is an argument.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// The base URL of a node's HTTP front door, `http://host:port`, without a slash at its end.
pub(super) type Base = Arc<str>;

/// At most this many endpoints are kept; a cluster has a handful of nodes, and an answer must not
/// make a client grow.
const ENDPOINTS_MAX: usize = 64;

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// Ask this one.
    Ask(Base),
    /// All of them rest; one is ready at this instant.
    Rest(Instant),
}

/// The nodes that a client knows.
#[derive(Debug)]
pub(super) struct Endpoints {
    list: Vec<Endpoint>,
    favourite: usize,
}

#[derive(Debug)]
struct Endpoint {
    base: Base,
    /// Named by the user, so it stays even if the cluster does not list it.
    given: bool,
    /// It has answered this client before.
    proven: bool,
    rests_until: Option<Instant>,
    failures: u32,
}

impl Endpoint {
    fn new(base: Base, given: bool) -> Self {
        Endpoint {
            base,
            given,
            proven: false,
            rests_until: None,
            failures: 0,
        }
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }

    /// False for a node that cannot be reached from here at all, such as one whose address is
    /// known only inside the cluster's own network: preferring it would cost each call a timeout.
    fn worth_preferring(&self) -> bool {
        self.proven || self.failures == 0
    }
}

impl Endpoints {
    /// Starts with what the user named, in that order.
    pub(super) fn new(given: Vec<Base>) -> Self {
        let mut endpoints = Endpoints {
            list: Vec::new(),
            favourite: 0,
        };
        for base in given {
            endpoints.add(base, true);
        }
        endpoints
    }

    /// All that are known, in order.
    pub(super) fn bases(&self) -> Vec<Base> {
        self.list
            .iter()
            .map(|endpoint| endpoint.base.clone())
            .collect()
    }

    /// The next one to ask: the first of `preferred`, the favourite, then the others in turn that
    /// does not rest.
    pub(super) fn pick(&self, preferred: &[Base], now: Instant) -> Pick {
        let preferred = preferred
            .iter()
            .filter_map(|base| self.find(base))
            .filter(|place| self.list[*place].worth_preferring());
        let turn = (0..self.list.len()).map(|step| (self.favourite + step) % self.list.len());
        let mut candidates = preferred.chain(turn).map(|place| &self.list[place]);
        match candidates.find(|endpoint| !endpoint.rests(now)) {
            Some(endpoint) => Pick::Ask(endpoint.base.clone()),
            None => Pick::Rest(self.first_ready().unwrap_or(now)),
        }
    }

    /// It answered. It becomes the favourite if that one rests.
    pub(super) fn worked(&mut self, base: &Base, now: Instant) {
        let Some(place) = self.find(base) else { return };
        self.list[place].proven = true;
        self.list[place].failures = 0;
        self.list[place].rests_until = None;
        if self
            .list
            .get(self.favourite)
            .is_none_or(|favourite| favourite.rests(now))
        {
            self.favourite = place;
        }
    }

    /// It could not be reached, or cannot serve now: it rests for `after`, or for a pause that
    /// grows with each failure in a row.
    pub(super) fn failed(&mut self, base: &Base, after: Option<Duration>, now: Instant) {
        let Some(place) = self.find(base) else { return };
        let endpoint = &mut self.list[place];
        endpoint.failures = endpoint.failures.saturating_add(1);
        let pause = after.unwrap_or_else(|| backoff::pause(endpoint.failures));
        endpoint.rests_until = Some(now + pause);
    }

    /// The cluster's members now: new ones are added, those that are gone are dropped unless the
    /// user named them.
    pub(super) fn learn(&mut self, members: &[Base]) {
        let favourite = self
            .list
            .get(self.favourite)
            .map(|endpoint| endpoint.base.clone());
        self.list
            .retain(|endpoint| endpoint.given || members.contains(&endpoint.base));
        for base in members {
            self.add(base.clone(), false);
        }
        self.favourite = favourite.and_then(|base| self.find(&base)).unwrap_or(0);
    }

    fn add(&mut self, base: Base, given: bool) {
        if self.find(&base).is_none() && self.list.len() < ENDPOINTS_MAX {
            self.list.push(Endpoint::new(base, given));
        }
    }

    fn find(&self, base: &Base) -> Option<usize> {
        self.list.iter().position(|endpoint| endpoint.base == *base)
    }

    fn first_ready(&self) -> Option<Instant> {
        self.list
            .iter()
            .filter_map(|endpoint| endpoint.rests_until)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> Base {
        Base::from(name)
    }

    fn three() -> (Endpoints, Instant) {
        (
            Endpoints::new(vec![base("a"), base("b"), base("c")]),
            Instant::now(),
        )
    }

    #[test]
    fn it_stays_with_the_favourite_and_moves_when_that_one_fails() {
        let (mut endpoints, now) = three();
        assert_eq!(endpoints.pick(&[], now), Pick::Ask(base("a")));
        endpoints.failed(&base("a"), None, now);
        assert_eq!(endpoints.pick(&[], now), Pick::Ask(base("b")));
        endpoints.worked(&base("b"), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(
            endpoints.pick(&[], later),
            Pick::Ask(base("b")),
            "the new favourite"
        );
    }

    #[test]
    fn when_all_rest_it_waits_for_the_first() {
        let (mut endpoints, now) = three();
        for (name, seconds) in [("a", 3), ("b", 1), ("c", 2)] {
            endpoints.failed(&base(name), Some(Duration::from_secs(seconds)), now);
        }
        let ready = now + Duration::from_secs(1);
        assert_eq!(endpoints.pick(&[], now), Pick::Rest(ready));
        assert_eq!(endpoints.pick(&[], ready), Pick::Ask(base("b")));
    }

    #[test]
    fn a_preferred_node_is_asked_first_unless_it_rests_or_is_unknown() {
        let (mut endpoints, now) = three();
        let preferred = [base("nobody"), base("c"), base("b")];
        assert_eq!(endpoints.pick(&preferred, now), Pick::Ask(base("c")));
        endpoints.failed(&base("c"), None, now);
        assert_eq!(endpoints.pick(&preferred, now), Pick::Ask(base("b")));
        endpoints.worked(&base("b"), now);
        assert_eq!(
            endpoints.pick(&[], now),
            Pick::Ask(base("a")),
            "the favourite stays"
        );
    }

    #[test]
    fn a_node_that_never_answered_is_not_preferred_again() {
        let (mut endpoints, now) = three();
        let later = now + Duration::from_secs(60);
        endpoints.failed(&base("c"), None, now);
        assert_eq!(endpoints.pick(&[base("c")], later), Pick::Ask(base("a")));
        endpoints.worked(&base("c"), now);
        endpoints.failed(&base("c"), None, now);
        assert_eq!(endpoints.pick(&[base("c")], later), Pick::Ask(base("c")));
    }

    #[test]
    fn members_come_and_go_and_the_given_stay() {
        let mut endpoints = Endpoints::new(vec![base("proxy")]);
        endpoints.learn(&[base("a"), base("b")]);
        assert_eq!(endpoints.bases(), [base("proxy"), base("a"), base("b")]);
        endpoints.failed(&base("proxy"), None, Instant::now());
        endpoints.worked(&base("b"), Instant::now());
        endpoints.learn(&[base("b"), base("c")]);
        assert_eq!(endpoints.bases(), [base("proxy"), base("b"), base("c")]);
        assert_eq!(endpoints.pick(&[], Instant::now()), Pick::Ask(base("b")));
    }

    #[test]
    fn an_answer_cannot_make_it_grow_without_bound() {
        let mut endpoints = Endpoints::new(vec![base("a")]);
        let many: Vec<Base> = (0..1000).map(|n| base(&n.to_string())).collect();
        endpoints.learn(&many);
        assert_eq!(endpoints.bases().len(), ENDPOINTS_MAX);
    }
}
