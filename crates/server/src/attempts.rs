//! Slows down who guesses passwords or makes accounts in bulk, and keeps nobody out.
//!
//! ```text
//!   address ............ wrong passwords from it, for any name
//!   name and address ... wrong passwords for the name from it
//!   name ............... wrong passwords for it from all addresses where nobody has signed in
//!                        under that name before
//! ```
//!
//! Guessing at a name from elsewhere uses up the last allowance only. It refills one attempt at a
//! time, so the member gets in sooner or later from a new place; from a place where the member has
//! signed in before it does not count at all (OWASP's device cookies, with addresses in the place
//! of cookies). An address is an IPv4 address or the /64 of an IPv6 one: that is what one customer
//! gets. All of this is one node's own and is forgotten when it stops.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Limits;
use crate::limiter::Limiter;

/// Pairs of a name and an address at which it signed in, about 100 bytes each. Past it the older
/// half is forgotten.
const FAMILIAR_MAX: usize = 16_384;

/// How long a name is familiar at an address: as long as a session lasts.
const FAMILIAR_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The allowances of a node.
pub(crate) struct Attempts {
    by_address: Limiter,
    by_name_and_address: Limiter,
    by_name: Limiter,
    registrations: Limiter,
    familiar: Mutex<HashMap<String, Instant>>,
}

/// An attempt under way, which has been counted.
pub(crate) struct Attempt {
    address: String,
    name: String,
    both: String,
    /// True if it was counted among those for the name from anywhere.
    strange: bool,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The password was right.
    Right,
    /// It was wrong, or nobody has that name.
    Wrong,
    /// The node could not decide, which is nobody's failure.
    Undecided,
}

impl Attempts {
    /// With the allowances of these limits, all unused.
    pub fn new(limits: &Limits) -> Self {
        let window = limits.login_window;
        Attempts {
            by_address: Limiter::new(limits.login_failures_per_address, window),
            by_name_and_address: Limiter::new(limits.login_failures_per_name_and_address, window),
            by_name: Limiter::new(limits.login_failures_per_name, window),
            registrations: Limiter::new(
                limits.registrations_per_address,
                limits.registration_window,
            ),
            familiar: Mutex::new(HashMap::new()),
        }
    }

    /// Counts an attempt before its password is looked at, so that many at once cannot pass
    /// together; or says how long to wait.
    pub fn begin(&self, name: &str, from: IpAddr, now: Instant) -> Result<Attempt, Duration> {
        let address = place(from);
        let attempt = Attempt {
            both: format!("{address} {name}"),
            name: name.to_owned(),
            strange: !self.is_familiar(&format!("{address} {name}"), now),
            address,
        };
        self.by_address.take(&attempt.address, now)?;
        if let Err(wait) = self.by_name_and_address.take(&attempt.both, now) {
            self.by_address.give_back(&attempt.address, now);
            return Err(wait);
        }
        if attempt.strange
            && let Err(wait) = self.by_name.take(&attempt.name, now)
        {
            self.by_address.give_back(&attempt.address, now);
            self.by_name_and_address.give_back(&attempt.both, now);
            return Err(wait);
        }
        Ok(attempt)
    }

    /// Gives back what an attempt was counted for, unless it was a failure.
    pub fn end(&self, attempt: &Attempt, verdict: Verdict, now: Instant) {
        if verdict == Verdict::Wrong {
            return;
        }
        self.by_address.give_back(&attempt.address, now);
        self.by_name_and_address.give_back(&attempt.both, now);
        if attempt.strange {
            self.by_name.give_back(&attempt.name, now);
        }
        if verdict == Verdict::Right {
            self.make_familiar(&attempt.both, now);
        }
    }

    /// Counts an account to be made, or says how long to wait.
    pub fn register(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        self.registrations.take(&place(from), now)
    }

    /// Nothing came of an account that was counted, and that is nobody's fault.
    pub fn not_registered(&self, from: IpAddr, now: Instant) {
        self.registrations.give_back(&place(from), now);
    }

    fn is_familiar(&self, both: &str, now: Instant) -> bool {
        let since = self.familiar().get(both).copied();
        since.is_some_and(|since| now.saturating_duration_since(since) < FAMILIAR_FOR)
    }

    fn make_familiar(&self, both: &str, now: Instant) {
        let mut familiar = self.familiar();
        if familiar.len() >= FAMILIAR_MAX && !familiar.contains_key(both) {
            let mut ages: Vec<Instant> = familiar.values().copied().collect();
            let (_, median, _) = ages.select_nth_unstable(FAMILIAR_MAX / 2);
            let median = *median;
            familiar.retain(|_, since| *since > median);
        }
        familiar.insert(both.to_owned(), now);
    }

    fn familiar(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.familiar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where somebody comes from, as far as it can be told apart.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn attempts() -> Attempts {
        Attempts::new(&Limits {
            login_failures_per_address: 5,
            login_failures_per_name_and_address: 2,
            login_failures_per_name: 4,
            registrations_per_address: 2,
            ..Limits::default()
        })
    }

    fn elsewhere(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 1, number])
    }

    fn fail(attempts: &Attempts, name: &str, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let attempt = attempts.begin(name, from, now)?;
        attempts.end(&attempt, Verdict::Wrong, now);
        Ok(())
    }

    fn succeed(attempts: &Attempts, name: &str, from: IpAddr, now: Instant) {
        let attempt = attempts.begin(name, from, now).map_err(|_| name).unwrap();
        attempts.end(&attempt, Verdict::Right, now);
    }

    /// Guesses at Ana from one address after the other until nobody new may.
    fn siege(attempts: &Attempts, now: Instant) {
        for number in 0..4 {
            fail(attempts, "ana", elsewhere(number), now).unwrap();
        }
        assert!(fail(attempts, "ana", elsewhere(9), now).is_err());
    }

    #[test]
    fn guessing_from_one_address_keeps_nobody_out_elsewhere() {
        let (attempts, now) = (attempts(), Instant::now());
        fail(&attempts, "ana", elsewhere(1), now).unwrap();
        fail(&attempts, "ana", elsewhere(1), now).unwrap();
        assert!(fail(&attempts, "ana", elsewhere(1), now).is_err());
        succeed(&attempts, "ana", HOME, now);
    }

    #[test]
    fn guessing_from_everywhere_keeps_nobody_out_of_where_they_signed_in_before() {
        let (attempts, now) = (attempts(), Instant::now());
        succeed(&attempts, "ana", HOME, now);
        siege(&attempts, now);
        succeed(&attempts, "ana", HOME, now);
        assert!(attempts.begin("ana", elsewhere(5), now).is_err());
        succeed(&attempts, "luis", elsewhere(5), now);
        // Elsewhere it is one attempt every 75 s for all.
        succeed(
            &attempts,
            "ana",
            elsewhere(5),
            now + Duration::from_secs(76),
        );
    }

    #[test]
    fn a_familiar_place_may_not_guess_without_end() {
        let (attempts, now) = (attempts(), Instant::now());
        succeed(&attempts, "ana", HOME, now);
        fail(&attempts, "ana", HOME, now).unwrap();
        fail(&attempts, "ana", HOME, now).unwrap();
        assert!(fail(&attempts, "ana", HOME, now).is_err());
        let later = now + FAMILIAR_FOR;
        siege(&attempts, later);
        assert!(attempts.begin("ana", HOME, later).is_err(), "long ago");
    }

    #[test]
    fn what_is_refused_or_undecided_is_not_counted() {
        let (attempts, now) = (attempts(), Instant::now());
        for _ in 0..20 {
            let attempt = attempts.begin("ana", HOME, now).map_err(|_| "").unwrap();
            attempts.end(&attempt, Verdict::Undecided, now);
        }
        siege(&attempts, now);
        for _ in 0..20 {
            assert!(attempts.begin("ana", HOME, now).is_err());
        }
        succeed(&attempts, "luis", HOME, now);
    }

    #[test]
    fn an_ipv6_customer_is_one_place() {
        let (attempts, now) = (attempts(), Instant::now());
        let customer = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, n, n, n, n]);
        for number in 0..5 {
            fail(&attempts, &number.to_string(), customer(number), now).unwrap();
        }
        assert!(fail(&attempts, "x", customer(9), now).is_err());
        let neighbour = IpAddr::from([0x2001, 0xdb8, 0, 2, 1, 1, 1, 1]);
        fail(&attempts, "x", neighbour, now).unwrap();
        // An IPv4 address is the same one when a dual-stack socket shows it.
        assert_eq!(place("::ffff:10.0.0.1".parse().unwrap()), place(HOME));
    }

    #[test]
    fn accounts_are_made_one_after_the_other() {
        let (attempts, now) = (attempts(), Instant::now());
        attempts.register(HOME, now).unwrap();
        attempts.not_registered(HOME, now);
        attempts.register(HOME, now).unwrap();
        attempts.register(HOME, now).unwrap();
        assert!(attempts.register(HOME, now).is_err());
        attempts.register(elsewhere(1), now).unwrap();
    }

    #[test]
    fn familiar_places_are_bounded() {
        let (attempts, now) = (attempts(), Instant::now());
        for number in 0..FAMILIAR_MAX as u64 + 10 {
            attempts.make_familiar(&number.to_string(), now + Duration::from_millis(number));
        }
        assert!(attempts.familiar().len() <= FAMILIAR_MAX);
        assert!(!attempts.is_familiar("0", now));
        let newest = (FAMILIAR_MAX + 9).to_string();
        assert!(attempts.is_familiar(&newest, now));
    }
}
