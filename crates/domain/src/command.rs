//! What can change, who asks for it, and what is answered.

mod answer;

pub use answer::{Rejection, Reply, Right, Thing};

use serde::{Deserialize, Serialize};

use crate::event::EventId;
use crate::files::{Condition as FileCondition, FileName, NewFile};
use crate::lottery::{Bet, Disclosure, Rule};
use crate::names::{AreaName, Name};
use crate::polls::NewPoll;
use crate::polls::lists::ListItem;
use crate::store::{Condition, Operation};

/// A change that a front door asks for. It is encoded once ([`Proposal::encode`]), travels and is
/// logged as those bytes, and becomes a [`Command`] when the log gives it a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who asks.
    pub actor: Actor,
    /// Makes a retry safe; see [`RequestId`].
    pub request: Option<RequestId>,
    /// What is asked.
    pub action: Action,
}

/// A proposal with its place in the log: the input of [`crate::Machine::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// All that is not deterministic, fixed by the proposer and by the log.
    pub stamp: Stamp,
    /// What to do.
    pub action: Action,
}

/// What a command may know of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The command's place: log index, and number within the entry. Its events carry it.
    pub position: EventId,
    /// The Raft term it was ordered in; 0 where there are none.
    pub term: u64,
    /// The proposing leader's wall clock, in milliseconds since 1970 (UTC). The machine never lets
    /// time run backwards: see [`crate::Machine::apply`].
    pub at_ms: i64,
    /// Who asks.
    pub actor: Actor,
    /// The caller's request id.
    pub request: Option<RequestId>,
    /// Random bytes, the same on every replica.
    pub entropy: [u8; 32],
}

/// Who asks. A session is checked when the command is applied, not when it is received, so a
/// revoked session cannot slip in from a node that lags behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// Nobody has signed in.
    Anonymous,
    /// The holder of the session token with this BLAKE3 hash.
    Session([u8; 32]),
    /// The node itself: first start, demonstration data, maintenance. It may do what an
    /// administrator may.
    System,
    /// The node itself, in a member's name: demonstration data with authors and a past. No front
    /// door makes this actor.
    OnBehalf {
        /// Account id of the member.
        account: i64,
        /// When a post is said to have been published, in milliseconds since 1970; log time if
        /// that is earlier.
        at_ms: i64,
    },
    /// A front door by itself, for a client that it has: what is taken for somebody who waits. It
    /// may do what somebody may who has not signed in. Its request ids are for its own retries,
    /// and remembered no longer than those take: see [`crate::replies::DOOR_REPLY_KEPT_MS`].
    Door,
}

/// A client-made id that makes a command exactly-once: the first reply is stored with the effects,
/// and a retry gets that reply again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestId {
    /// 1 to 128 bytes of visible ASCII, unique for the actor.
    pub key: String,
    /// BLAKE3 of what the client asked, made by the front door from the client's own bytes: the
    /// same key with another fingerprint is a conflict. It never covers a password.
    pub fingerprint: [u8; 16],
}

/// Everything that can change. The order of the variants is the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Makes an account. The password arrives hashed (Argon2id, PHC string).
    Register {
        /// The normalised name.
        name: Name,
        /// PHC string.
        password_hash: String,
    },
    /// Opens a session for `account`; the front door has checked the password against
    /// `password_hash`, and the command is refused if that is no longer the account's hash.
    LogIn {
        /// Account id (whoever the actor is).
        account: i64,
        /// What the password was checked against.
        password_hash: String,
        /// BLAKE3 of the token that only the client holds.
        token_hash: [u8; 32],
        /// How long the session lasts, in milliseconds of log time.
        lifetime_ms: i64,
    },
    /// Revokes the actor's session.
    LogOut,
    /// Revokes every session of the actor's account.
    LogOutEverywhere,
    /// Changes the actor's password and revokes its other sessions. The front door has checked
    /// the old one against `old_hash`.
    ChangePassword {
        /// What the old password was checked against.
        old_hash: String,
        /// PHC string of the new one.
        new_hash: String,
    },
    /// Makes or unmakes an administrator (administrators only). The last one stays.
    SetAdministrator {
        /// The member's name.
        name: Name,
        /// True makes, false unmakes.
        administrator: bool,
    },
    /// Makes (or replaces) the actor's secret for the private feed.
    SetFeedToken {
        /// BLAKE3 of the feed token.
        token_hash: [u8; 32],
    },
    /// Adds an area (administrators only).
    AddArea {
        /// The normalised name.
        name: AreaName,
        /// One paragraph, may be empty.
        description: String,
    },
    /// Renames or describes an area (administrators only). `None` leaves as it is.
    EditArea {
        /// Area id.
        area: i64,
        /// The new name.
        name: Option<AreaName>,
        /// The new description.
        description: Option<String>,
    },
    /// Removes an area with its posts and subscriptions (administrators only).
    RemoveArea {
        /// Area id.
        area: i64,
    },
    /// Subscribes the actor to an area; a second time changes nothing.
    Subscribe {
        /// Area id.
        area: i64,
    },
    /// Ends a subscription; without one nothing changes.
    Unsubscribe {
        /// Area id.
        area: i64,
    },
    /// Publishes a post.
    Publish {
        /// Area id.
        area: i64,
        /// 1 to [`crate::news::TITLE_MAX_CHARS`] characters, one line.
        title: String,
        /// Markdown, 1 to [`crate::news::TEXT_MAX_BYTES`] bytes.
        text: String,
    },
    /// Deletes a post of the actor's own; a tombstone stays.
    DeletePost {
        /// Area id.
        area: i64,
        /// Post id.
        post: i64,
    },
    /// Hides a post with a reason (administrators only); a tombstone stays.
    HidePost {
        /// Area id.
        area: i64,
        /// Post id.
        post: i64,
        /// Shown in the post's place.
        reason: String,
    },
    /// Marks posts of an area read or unread for the actor.
    Mark {
        /// Area id.
        area: i64,
        /// Which posts.
        which: Which,
        /// True marks read, false undoes.
        read: bool,
    },
    /// Applies operations to the replicated store, one after the other with nothing in between.
    Store {
        /// All must hold, or nothing is tried; at most [`crate::store::CONDITIONS_MAX`].
        conditions: Vec<Condition>,
        /// At most [`crate::store::OPERATIONS_MAX`].
        operations: Vec<Operation>,
    },
    /// Makes the administrator named `admin` at the first start; refused once it exists. Nobody
    /// else can register that name.
    Bootstrap {
        /// PHC string.
        password_hash: String,
    },
    /// Opens a lottery (administrators only); it becomes the current one.
    OpenLottery {
        /// One line, 1 to [`crate::lottery::NAME_MAX_CHARS`] characters.
        name: String,
        /// Agencies are numbered from 1 to this, at most [`crate::lottery::AGENCIES_MAX`].
        agencies: u32,
        /// How the number is found.
        rule: Rule,
    },
    /// Stores the bets of an agency that has not closed, all or none (administrators and the
    /// agencies' front door).
    StoreBets {
        /// Lottery id.
        lottery: i64,
        /// The agency, from 1.
        agency: u32,
        /// Only if no lottery was opened after it, as if it were gone then: an agency means the
        /// current one, and a front door may not have heard of it yet.
        current: bool,
        /// 1 to [`crate::lottery::BETS_PER_BATCH_MAX`].
        bets: Vec<Bet>,
    },
    /// Closes an agency; a second time changes nothing. With the fixed rule the last one draws.
    CloseAgency {
        /// Lottery id.
        lottery: i64,
        /// The agency, from 1.
        agency: u32,
        /// As of [`Action::StoreBets`].
        current: bool,
    },
    /// Draws a lottery whose agencies have all closed (administrators only).
    DrawLottery {
        /// Lottery id.
        lottery: i64,
        /// What the rule asks for.
        disclosure: Disclosure,
    },
    /// Makes a poll (members).
    CreatePoll {
        /// What is asked, and how.
        poll: NewPoll,
    },
    /// Casts the actor's ballot, or changes it.
    CastBallot {
        /// Poll id.
        poll: i64,
        /// The option's number from 1; `None` is a blank ballot.
        choice: Option<u32>,
        /// SHA-256 of the random code that the voter's client chose.
        code_hash: [u8; 32],
        /// Who votes if nobody has signed in: BLAKE3 of what the browser's cookie holds.
        voter: Option<[u8; 32]>,
    },
    /// Closes a poll before its time (its author, or an administrator).
    ClosePoll {
        /// Poll id.
        poll: i64,
    },
    /// Writes down that a poll's closing time has passed (the node itself).
    SettlePoll {
        /// Poll id.
        poll: i64,
    },
    /// Takes items from the head of a poll's list and counts them, in one step: see
    /// [`crate::polls::lists`] (the node itself).
    CountList {
        /// Poll id.
        poll: i64,
        /// What the head of the list is, and what a front door makes of it: at most
        /// [`crate::polls::lists::ITEMS_MAX`]. At the first that differs it stops.
        items: Vec<ListItem>,
    },
    /// Makes a file, or replaces the one of that name (its owner, or an administrator). A front
    /// door has stored the chunks.
    PutFile {
        /// The entry.
        file: NewFile,
        /// What must be there before.
        condition: FileCondition,
    },
    /// Gives a file another name, which must be free (its owner, or an administrator).
    RenameFile {
        /// Whether the actor's own private one is meant.
        private: bool,
        /// Its name.
        name: FileName,
        /// Its name from now on.
        to: FileName,
    },
    /// Removes a file (its owner, or an administrator).
    RemoveFile {
        /// Whether the actor's own private one is meant.
        private: bool,
        /// Its name.
        name: FileName,
        /// What must be there.
        condition: FileCondition,
    },
}

impl Action {
    /// True if carrying it out may take much longer than most: its work grows with all that was
    /// stored before (bets, ballots, posts), or it walks over ranges of the store.
    pub fn may_take_long(&self) -> bool {
        match self {
            Action::Store { operations, .. } => operations.iter().any(Operation::may_take_long),
            Action::RemoveArea { .. }
            | Action::Mark {
                which: Which::UpTo(_) | Which::All,
                ..
            }
            | Action::CloseAgency { .. }
            | Action::DrawLottery { .. }
            | Action::ClosePoll { .. }
            | Action::SettlePoll { .. } => true,
            _ => false,
        }
    }
}

/// Which posts of an area a [`Action::Mark`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// One post.
    One(i64),
    /// This post and all before it.
    UpTo(i64),
    /// All posts there are.
    All,
}

/// The first byte of an encoded proposal.
const PROPOSAL_VERSION: u8 = 2;

/// An encoded proposal could not be read: another version, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecodable;

impl std::fmt::Display for Undecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a command is damaged or was written by another version")
    }
}

impl std::error::Error for Undecodable {}

impl Proposal {
    /// The bytes that travel and are logged: a version byte, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        let buffer = vec![PROPOSAL_VERSION];
        // Writing to a Vec cannot fail, and every field here has a serialisation.
        postcard::to_extend(self, buffer).unwrap_or_default()
    }

    /// Reads what [`Proposal::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        match bytes.split_first() {
            Some((&PROPOSAL_VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| Undecodable),
            _ => Err(Undecodable),
        }
    }

    /// Gives the proposal its place in the log.
    pub fn place(self, position: EventId, term: u64, at_ms: i64, entropy: [u8; 32]) -> Command {
        let Proposal {
            actor,
            request,
            action,
        } = self;
        Command {
            stamp: Stamp {
                position,
                term,
                at_ms,
                actor,
                request,
                entropy,
            },
            action,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{End, Read, Write};

    fn store(operation: impl Into<Operation>) -> Action {
        Action::Store {
            conditions: vec![],
            operations: vec![Write::set("key", "value").into(), operation.into()],
        }
    }

    #[test]
    fn what_walks_over_what_was_stored_may_take_long() {
        let key = bytes::Bytes::from_static(b"key");
        let pop = |count| Write::ListPop {
            key: key.clone(),
            end: End::Head,
            count,
        };
        let short = [
            store(Write::set("key", "value")),
            store(Read::Get { key: key.clone() }),
            store(pop(None)),
            store(pop(Some(128))),
            Action::LogOut,
        ];
        for action in short {
            assert!(!action.may_take_long(), "{action:?}");
        }
        let long = [
            store(pop(Some(129))),
            store(Read::HashAll { key: key.clone() }),
            Action::RemoveArea { area: 1 },
            Action::SettlePoll { poll: 1 },
        ];
        for action in long {
            assert!(action.may_take_long(), "{action:?}");
        }
    }
}
