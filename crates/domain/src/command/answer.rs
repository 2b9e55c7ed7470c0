//! What a command is answered: yes with a reply, or no with the reason.

use serde::{Deserialize, Serialize};

use crate::store::Executed;

/// What an accepted command answers. The order of the variants is the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; there is nothing more to say.
    Done,
    /// An account was made.
    Account {
        /// Account id.
        id: i64,
    },
    /// A session was opened.
    Session {
        /// Account id.
        account: i64,
        /// When it ends, in milliseconds of log time since 1970.
        expires_at_ms: i64,
    },
    /// An area was added.
    Area {
        /// Area id.
        id: i64,
    },
    /// A post was published.
    Post {
        /// Post id, counted from 1 within its area.
        id: i64,
        /// Log time of publication, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Posts were marked; this many are unread now.
    Unread {
        /// Unread posts of the area.
        count: i64,
    },
    /// What the operations on the store came to.
    Store(Executed),
    /// A lottery was opened.
    LotteryOpened {
        /// Lottery id.
        id: i64,
    },
    /// A batch was stored: the agency's receipt.
    BetsStored {
        /// Index of its first bet, from 1 over the whole lottery.
        first: i64,
        /// How many bets it has.
        count: u32,
        /// Index of its leaf, from 0.
        leaf_index: i64,
        /// The leaf: see [`crate::lottery::canonical`].
        leaf: [u8; 32],
    },
    /// An agency has closed.
    AgencyClosed {
        /// True if this command closed it, false if it had closed before.
        changed: bool,
        /// Agencies that have not closed yet.
        open_agencies: u32,
        /// Whether the number has been drawn, by this command or before.
        drawn: bool,
    },
    /// A lottery was drawn.
    Drawn {
        /// The number.
        number: u16,
        /// Bets on it, over all agencies.
        winners: i64,
    },
    /// A poll was made.
    Poll {
        /// Poll id.
        id: i64,
    },
    /// A ballot was cast or changed.
    Ballot {
        /// Log time, in milliseconds since 1970.
        at_ms: i64,
        /// True if it took the place of an earlier one.
        changed: bool,
        /// What it weighs.
        weight: i64,
        /// Its leaf in the tree of final ballots, if it is not changed again.
        leaf: [u8; 32],
    },
    /// Items of a poll's list were taken.
    ListCounted {
        /// Ballots cast or changed.
        counted: u32,
        /// Items that were no ballot, and were put aside.
        refused: u32,
    },
    /// A file was put.
    File {
        /// File id.
        id: i64,
        /// Log time, in milliseconds since 1970.
        at_ms: i64,
        /// True if it took the place of an earlier version.
        replaced: bool,
    },
}

/// An applied command whose answer is no. The order of the variants is the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rejection {
    /// The action needs a session and there is none, or it is unknown or revoked.
    NotSignedIn,
    /// The session's time is over.
    SessionExpired,
    /// The actor may not do this.
    Forbidden(Right),
    /// There is no such thing (or no longer).
    NotFound(Thing),
    /// The name is taken.
    Taken(Thing),
    /// A field is out of its bounds.
    Invalid {
        /// The field's name as in the API.
        field: String,
        /// Why, in one English sentence.
        reason: String,
    },
    /// The same request id was used with another request.
    RequestConflict,
    /// A limit was reached.
    LimitReached {
        /// What there is too much of.
        what: Thing,
        /// How many there may be.
        limit: i64,
    },
    /// The password changed since the front door checked it.
    PasswordChanged,
    /// The last administrator cannot be unmade.
    LastAdministrator,
    /// The agency has closed: it takes no more bets.
    AgencyClosed,
    /// The lottery cannot be drawn before its agencies have closed.
    AgenciesOpen {
        /// How many have not.
        open: u32,
    },
    /// The lottery has been drawn.
    AlreadyDrawn {
        /// The number.
        number: u16,
    },
    /// The poll takes no ballots yet.
    PollNotOpen {
        /// When it opens, in milliseconds of log time since 1970.
        opens_at_ms: i64,
    },
    /// The poll takes no ballots any more.
    PollClosed,
    /// The poll is for others.
    NotAVoter,
    /// The file is not what the request expects.
    FileChanged {
        /// BLAKE3 of what it is; `None` if there is no such file.
        root: Option<[u8; 32]>,
    },
}

/// A right that was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Right {
    /// Only administrators may.
    Administrator,
    /// Only the author may.
    Author,
    /// Only the node itself may.
    System,
    /// Only the owner may.
    Owner,
}

/// What a rejection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thing {
    /// An account.
    Account,
    /// A session.
    Session,
    /// An area.
    Area,
    /// A post.
    Post,
    /// A key.
    Key,
    /// A read or unread mark.
    Mark,
    /// A lottery.
    Lottery,
    /// A lottery's agency.
    Agency,
    /// A bet.
    Bet,
    /// A batch's receipt.
    Receipt,
    /// A poll.
    Poll,
    /// A ballot.
    Ballot,
    /// A file.
    File,
    /// A byte of a file.
    FileByte,
}
