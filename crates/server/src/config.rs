//! What a node's front doors can be told.

use std::time::Duration;

use api::types::Doors;

/// Settings of the front doors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Base URL under which browsers and feed readers reach this node or the balancer before it,
    /// without a slash at the end. Without one, the address of each request is used.
    pub public_url: Option<String>,
    /// Where others reach this node's other front doors, which it tells to whoever asks.
    pub doors: Doors,
    /// Believe the last address of `X-Forwarded-For`: only behind a proxy that sets it.
    pub trust_forwarded_for: bool,
    /// Say on the sign-in page how to enter the demonstration.
    pub demo: bool,
    /// Let administrators make this node fail on purpose.
    pub allow_drills: bool,
    /// How long a session lasts after it was opened.
    pub session_lifetime: Duration,
    /// What a password hash costs.
    pub password_cost: PasswordCost,
    /// What one node takes before it says "busy".
    pub limits: Limits,
}

/// The parameters of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes.
    pub lanes: u32,
}

/// Bounds; past each there is a clear answer, never unbounded memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Requests at work at once (an open event stream is not at work).
    pub requests: usize,
    /// Open event streams at once.
    pub event_readers: usize,
    /// From the first byte of a request's head to its last, and how long an idle connection stays.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// From the end of the head to the start of the answer.
    pub request_timeout: Duration,
    /// A connection that takes nothing for this long is closed.
    pub write_stall: Duration,
    /// How long requests may go on after the node was told to stop.
    pub shutdown_grace: Duration,
    /// Time between two signs of life on an event stream.
    pub heartbeat: Duration,
    /// Wrong passwords for one name from one address within [`Limits::login_window`].
    pub login_failures_per_name_and_address: u32,
    /// Wrong passwords for one name within [`Limits::login_window`] from all addresses where it
    /// has not signed in before.
    pub login_failures_per_name: u32,
    /// Wrong passwords from one address within [`Limits::login_window`].
    pub login_failures_per_address: u32,
    /// The time in which a used-up allowance of attempts is full again.
    pub login_window: Duration,
    /// Accounts made from one address within [`Limits::registration_window`].
    pub registrations_per_address: u32,
    /// The time in which a used-up allowance of new accounts is full again.
    pub registration_window: Duration,
    /// Password hashes computed at once.
    pub hashes_at_once: usize,
    /// Password hashes that may wait for their turn.
    pub hashes_waiting: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            public_url: None,
            doors: Doors::default(),
            trust_forwarded_for: false,
            demo: false,
            allow_drills: false,
            session_lifetime: Duration::from_secs(30 * 24 * 3600),
            password_cost: PasswordCost::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for PasswordCost {
    /// OWASP's password storage cheat sheet, first choice for Argon2id.
    fn default() -> Self {
        PasswordCost {
            memory_kib: 19_456,
            iterations: 2,
            lanes: 1,
        }
    }
}

impl PasswordCost {
    /// The cheapest that Argon2 allows, for tests: passwords hashed so are not safe.
    pub fn cheapest() -> Self {
        PasswordCost {
            memory_kib: 8,
            iterations: 1,
            lanes: 1,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // About 20 KiB each while idle: 160 MiB at the very worst.
            connections: 8_192,
            // As many as may wait for one group commit without its queue growing past a second.
            requests: 2_048,
            // Twice what a large association has on-line, within `connections`.
            event_readers: 4_096,
            // A head fits one packet; slower than this is an attack or a broken network.
            head_timeout: Duration::from_secs(15),
            // 512 KiB over a slow mobile line.
            body_timeout: Duration::from_secs(20),
            // Above the engine's own deadlines, so that the engine's clearer answer comes first.
            request_timeout: Duration::from_secs(30),
            // Two heartbeats: what lives takes one of them.
            write_stall: Duration::from_secs(30),
            // A write under way is answered within the engine's deadline, well below this.
            shutdown_grace: Duration::from_secs(5),
            // Under the usual 30–60 s after which proxies drop an idle connection.
            heartbeat: Duration::from_secs(15),
            // A person mistypes a few times; a guesser gets 2,880 a day for one name.
            login_failures_per_name_and_address: 10,
            // Many guessers together get 14,400 a day; a member in a new place, when they are at
            // it, gets one of the attempts that come back every 6 seconds.
            login_failures_per_name: 50,
            // A whole household or office may share an address.
            login_failures_per_address: 50,
            login_window: Duration::from_secs(300),
            // A whole assembly registers in one hall; afterwards one account a minute.
            registrations_per_address: 60,
            registration_window: Duration::from_secs(3600),
            // 19 MiB and a core each.
            hashes_at_once: 2,
            // At some 20 ms each, the last waits about a second.
            hashes_waiting: 64,
        }
    }
}
