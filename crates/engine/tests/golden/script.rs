//! The words of the scripts.
//!
//! A prefix says who acts: `ana:` is the session that `login Ana …` opened, `system:` the node
//! itself, `door:` a front door's own retries, `as_ana:` the node in Ana's name, and nothing before
//! a command is somebody who has not signed in. A tag is the request id: `ana: publish … [r1]`.
//! `{300}` as a text is 300 times `x`.

use std::str::FromStr;

use domain::command::Which;

/// A line of a script.
#[derive(Clone, Debug, goldenscript::Command)]
pub enum Line {
    // Accounts.
    Bootstrap(String),
    Register {
        name: String,
        password: String,
    },
    Login {
        name: String,
        /// The one that the front door saw and checked.
        password: String,
        #[arg(key)]
        session: Option<String>,
        #[arg(key)]
        lifetime: Option<Span>,
    },
    Logout,
    LogoutEverywhere,
    ChangePassword {
        old: String,
        new: String,
    },
    MakeAdministrator(String),
    UnmakeAdministrator(String),
    SetFeedToken(String),

    // Areas.
    AddArea {
        name: String,
        description: Option<String>,
    },
    EditArea {
        area: String,
        #[arg(key)]
        name: Option<String>,
        #[arg(key)]
        description: Option<String>,
    },
    RemoveArea(String),
    Subscribe(String),
    Unsubscribe(String),

    // Posts.
    Publish {
        area: String,
        title: String,
        text: String,
    },
    DeletePost {
        area: String,
        post: i64,
    },
    HidePost {
        area: String,
        post: i64,
        reason: String,
    },
    MarkRead {
        area: String,
        which: Posts,
    },
    MarkUnread {
        area: String,
        which: Posts,
    },

    // The store, in the words of Redis; see `keys.rs`.
    /// A command with one operation: `do set color azul ex 10`.
    Do(Vec<String>),
    /// A command with several: `block "set a 1" "incr a"`. `watch` before it makes conditions.
    Block(Vec<String>),
    /// The next block is conditional on what these keys are now.
    Watch(Vec<String>),
    /// A query: `ask get color`.
    Ask(Vec<String>),
    /// Keys that begin so and changed since an entry of the log.
    Changed {
        prefix: String,
        since: u64,
    },
    /// Keys that begin so and were removed since an entry of the log.
    Removed {
        prefix: String,
        since: u64,
    },

    // Lotteries.
    OpenLottery {
        name: String,
        #[arg(key)]
        agencies: Option<u32>,
        /// `fixed`, `fixed:NUMBER`, `external` or `verifiable`.
        #[arg(key)]
        rule: Option<String>,
        /// What a verifiable lottery commits to, as a word.
        #[arg(key)]
        secret: Option<String>,
        #[arg(key)]
        source: Option<String>,
    },
    /// Bets such as `Ana;Pérez;30904465;1999-03-17;7574`.
    Bets {
        lottery: i64,
        agency: u32,
        #[arg(key, optional)]
        current: bool,
        #[arg(pos, many)]
        bets: Vec<String>,
    },
    /// Batches of one bet each, on 0, 1, 2 …
    ManyBets {
        lottery: i64,
        agency: u32,
        count: u16,
    },
    CloseAgency {
        lottery: i64,
        agency: u32,
        #[arg(key, optional)]
        current: bool,
    },
    DrawLottery {
        lottery: i64,
        #[arg(key)]
        number: Option<u16>,
        #[arg(key)]
        secret: Option<String>,
        #[arg(key)]
        value: Option<String>,
    },
    // Polls.
    CreatePoll {
        question: String,
        /// Separated by commas; `*60` is sixty of them.
        options: String,
        /// `members`, `anyone`, or `ana:3,beto` with weights.
        #[arg(key)]
        voters: Option<String>,
        #[arg(key, optional)]
        hidden: bool,
        #[arg(key, optional)]
        named: bool,
        /// From now on.
        #[arg(key)]
        opens: Option<Span>,
        #[arg(key)]
        closes: Option<Span>,
        /// `30%` or a weight.
        #[arg(key)]
        quorum: Option<String>,
        #[arg(key)]
        majority: Option<String>,
    },
    /// `blank`, or an option's number.
    Vote {
        poll: i64,
        choice: String,
        /// The voter's code; the name of whoever votes if it is absent.
        #[arg(key)]
        code: Option<String>,
        /// What the browser's cookie holds.
        #[arg(key)]
        cookie: Option<String>,
    },
    ClosePoll(i64),
    SettlePoll(i64),

    // Files.
    /// Puts a file of one byte, whose content a word stands for.
    PutFile {
        name: String,
        content: String,
        #[arg(key)]
        size: Option<i64>,
        /// Hashes of chunks, instead of as many as the size needs.
        #[arg(key)]
        chunks: Option<usize>,
        #[arg(key, optional)]
        private: bool,
        #[arg(key)]
        area: Option<i64>,
        #[arg(key)]
        kind: Option<String>,
        /// Separated by commas; `*60` is sixty of them.
        #[arg(key)]
        tags: Option<String>,
        #[arg(key)]
        copies: Option<u32>,
        /// `absent`, `present`, a word that stands for the content, or `!` and such a word.
        #[arg(key)]
        when: Option<String>,
    },
    RenameFile {
        name: String,
        to: String,
        #[arg(key, optional)]
        private: bool,
    },
    RemoveFile {
        name: String,
        #[arg(key, optional)]
        private: bool,
        #[arg(key)]
        when: Option<String>,
    },
    File {
        name: String,
        #[arg(key, optional)]
        private: bool,
    },
    Files {
        #[arg(key)]
        pattern: Option<String>,
        #[arg(key)]
        tag: Option<String>,
        #[arg(key)]
        owner: Option<String>,
        #[arg(key)]
        before: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
    },
    /// How much the asker has, and all.
    Usage,
    /// The blocks of hashes, and how often anything changed.
    Chunks,

    // Questions.
    Polls {
        #[arg(key)]
        before: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
    },
    Poll {
        poll: i64,
        #[arg(key)]
        cookie: Option<String>,
    },
    Tallies {
        #[arg(key)]
        since: Option<Span>,
    },
    Due,
    PollRecord {
        poll: i64,
        #[arg(key)]
        from: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
    },
    Proof {
        poll: i64,
        code: String,
    },

    Whoami,
    Credentials(String),
    WhoseFeed(String),
    Accounts {
        #[arg(key, optional)]
        after: String,
        #[arg(key)]
        limit: Option<u32>,
    },
    Areas,
    Subscriptions,
    Area(String),
    Posts {
        area: String,
        #[arg(key, optional)]
        unread: bool,
        #[arg(key)]
        after: Option<i64>,
        #[arg(key)]
        before: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
    },
    Post {
        area: String,
        post: i64,
    },
    Search {
        text: String,
        #[arg(key)]
        before: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
    },
    Events {
        #[arg(key)]
        after: Option<String>,
        #[arg(key)]
        limit: Option<u32>,
    },
    Counts,
    Lotteries {
        #[arg(key)]
        before: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
    },
    CurrentLottery,
    Lottery(i64),
    Winners {
        lottery: i64,
        agency: u32,
        #[arg(key)]
        after: Option<i64>,
    },
    Record {
        lottery: i64,
        #[arg(key)]
        from: Option<i64>,
        #[arg(key)]
        limit: Option<u32>,
        #[arg(key, optional)]
        bets: bool,
    },
    /// The receipt of a batch, by its leaf; its proof is checked.
    Receipt {
        lottery: i64,
        leaf: i64,
    },

    // The world.
    /// Time passes; with a minus, the next leader's clock is behind.
    Wait(Span),
    /// When what is done in a member's name is said to have happened.
    SaidAgo(Span),
    /// Adds this many areas.
    ManyAreas(usize),
    /// A member makes this many polls.
    ManyPolls {
        author: String,
        count: usize,
    },
    /// Rows that are still there of an area, by its id.
    Remains(i64),
    /// The state hash, and a hash of all that is stored.
    State,
}

/// `3`, `..3` (up to it) or `all`.
#[derive(Clone, Debug)]
pub struct Posts(pub Which);

impl FromStr for Posts {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("..") {
            _ if text == "all" => Ok(Self(Which::All)),
            Some(post) => post.parse().map(|post| Self(Which::UpTo(post))),
            None => text.parse().map(|post| Self(Which::One(post))),
        }
    }
}

/// A time span such as `30s`, `-5m`, `24h` or `366d`, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub i64);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit_ms) = if let Some(number) = text.strip_suffix("ms") {
            (number, 1)
        } else if let Some(number) = text.strip_suffix('s') {
            (number, 1_000)
        } else if let Some(number) = text.strip_suffix('m') {
            (number, 60_000)
        } else if let Some(number) = text.strip_suffix('h') {
            (number, 3_600_000)
        } else if let Some(number) = text.strip_suffix('d') {
            (number, 86_400_000)
        } else {
            return Err(format!("{text} has no unit"));
        };
        let number: i64 = number
            .parse()
            .map_err(|_| format!("{text} is no time span"))?;
        Ok(Self(number * unit_ms))
    }
}
