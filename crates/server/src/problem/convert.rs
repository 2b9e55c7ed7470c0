//! How what the engine and the rules say becomes a problem.

use api::types::Hex32;
use domain::Rejection;
use domain::command::{Right, Thing};
use domain::names::NameProblem;
use domain::store::StoreError;
use engine::{ChunkError, MembershipError, ReadError, WriteError};

use super::{Kind, Trouble};
use crate::render::rfc3339;

/// When to try again after an election or a change of nodes: about as long as an election takes.
const ELECTION_MS: u64 = 1_000;

/// When to try again on a node that catches up.
const CATCH_UP_MS: u64 = 500;

/// When to try again after a full disk: people make space, not machines.
const DISK_FULL_MS: u64 = 30_000;

/// When to try again while much is being stored: about as long as it takes to store some of it.
const CHUNKS_BUSY_MS: u64 = 5_000;

/// When to try again on a node that is to be replaced: others serve.
const OUT_OF_SERVICE_MS: u64 = 60_000;

impl From<Rejection> for Trouble {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotSignedIn => Trouble::not_signed_in(),
            Rejection::SessionExpired => session_expired(),
            Rejection::Forbidden(right) => Trouble::new(Kind::Forbidden, forbidden(right)),
            Rejection::NotFound(thing) => Trouble::not_found(noun(thing)),
            Rejection::Taken(thing) => Trouble::new(
                Kind::Taken,
                format!("there is already {} of that name", a(noun(thing))),
            ),
            Rejection::Invalid { field, reason } => Trouble::field(&field, reason),
            Rejection::RequestConflict => Trouble::new(
                Kind::RequestConflict,
                "this Idempotency-Key was used with another request",
            ),
            Rejection::LimitReached { what, limit } => Trouble::new(
                Kind::LimitReached,
                format!("there may be at most {limit} of this kind: {}", noun(what)),
            ),
            Rejection::PasswordChanged => Trouble::new(
                Kind::PasswordChanged,
                "the password was changed at the same moment",
            ),
            Rejection::LastAdministrator => Trouble::new(
                Kind::LastAdministrator,
                "somebody must be able to administer",
            ),
            Rejection::AgencyClosed => Trouble::new(
                Kind::AgencyClosed,
                "the agency has closed: it takes no more bets in this lottery",
            ),
            Rejection::AgenciesOpen { open } => Trouble::new(
                Kind::AgenciesOpen,
                format!("it cannot be drawn yet; agencies that are still open: {open}"),
            ),
            Rejection::AlreadyDrawn { number } => Trouble::new(
                Kind::AlreadyDrawn,
                format!("it has been drawn already: {number:04}"),
            ),
            Rejection::PollNotOpen { opens_at_ms } => Trouble::new(
                Kind::PollNotOpen,
                format!("the poll opens at {}", rfc3339(opens_at_ms)),
            ),
            Rejection::PollClosed => Trouble::new(Kind::PollClosed, "the poll is closed"),
            Rejection::NotAVoter => Trouble::new(
                Kind::NotAVoter,
                "you are not on the list of this poll's voters",
            ),
            Rejection::FileChanged { root } => file_changed(root.as_ref()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ValueTooLong => Trouble::new(Kind::TooLarge, error.to_string()),
            StoreError::Busy => Trouble::new(Kind::Busy, error.to_string()),
            StoreError::KeyTooLong => Trouble::field("key", error.to_string()),
            _ => Trouble::field("key", format!("the store refused: {error}")),
        }
    }
}

/// The session's time is over.
pub(crate) fn session_expired() -> Trouble {
    Trouble::new(
        Kind::SessionExpired,
        "the session's time is over: log in again",
    )
}

/// Only administrators may.
pub(crate) fn forbidden_to_members() -> Trouble {
    Trouble::new(Kind::Forbidden, forbidden(Right::Administrator))
}

fn forbidden(right: Right) -> &'static str {
    match right {
        Right::Administrator => "only administrators may do this",
        Right::Author => "only its author may do this",
        Right::System => "only the node itself may do this",
        Right::Owner => "only its owner or an administrator may do this",
    }
}

/// A noun with its article.
fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

pub(super) fn noun(thing: Thing) -> &'static str {
    match thing {
        Thing::Account => "account",
        Thing::Session => "session",
        Thing::Area => "area",
        Thing::Post => "post",
        Thing::Key => "key",
        Thing::Mark => "mark",
        Thing::Lottery => "lottery",
        Thing::Agency => "agency",
        Thing::Bet => "bet",
        Thing::Receipt => "receipt",
        Thing::Poll => "poll",
        Thing::Ballot => "ballot",
        Thing::File => "file",
        Thing::FileByte => "byte of files",
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        let detail = error.to_string();
        match error {
            WriteError::Busy { retry_after_ms } => {
                Trouble::new(Kind::Busy, detail).retry_after_ms(retry_after_ms)
            }
            WriteError::NoLeader => {
                Trouble::new(Kind::NoLeader, detail).retry_after_ms(ELECTION_MS)
            }
            WriteError::OutcomeUnknown => {
                Trouble::new(Kind::OutcomeUnknown, detail).retry_after_ms(ELECTION_MS)
            }
            WriteError::TooLarge { .. } => Trouble::new(Kind::TooLarge, detail),
            WriteError::DiskFull => {
                Trouble::new(Kind::DiskFull, detail).retry_after_ms(DISK_FULL_MS)
            }
            // It is stopped as soon as that is noticed.
            WriteError::Stopping | WriteError::CannotGoOn => {
                Trouble::new(Kind::Stopping, detail).retry_after_ms(ELECTION_MS)
            }
            WriteError::Outvoted => out_of_service(Kind::Outvoted, detail),
            WriteError::Removed => out_of_service(Kind::Removed, detail),
        }
    }
}

impl From<ChunkError> for Trouble {
    fn from(error: ChunkError) -> Self {
        let detail = error.to_string();
        match error {
            ChunkError::Busy => Trouble::new(Kind::Busy, detail).retry_after_ms(CHUNKS_BUSY_MS),
            ChunkError::DiskFull => {
                Trouble::new(Kind::DiskFull, detail).retry_after_ms(DISK_FULL_MS)
            }
            ChunkError::TooFew { .. } | ChunkError::Silent => {
                Trouble::new(Kind::TooFewCopies, detail).retry_after_ms(ELECTION_MS)
            }
            ChunkError::Missing(_) => {
                Trouble::new(Kind::BytesMissing, detail).retry_after_ms(ELECTION_MS)
            }
            ChunkError::Damaged | ChunkError::Disk(_) => Trouble::internal(detail),
        }
    }
}

/// The file is not what the request expects.
pub(crate) fn file_changed(root: Option<&[u8; 32]>) -> Trouble {
    let detail = match root {
        Some(root) => format!("the file is another version: {}", Hex32(*root)),
        None => "there is no such file".to_owned(),
    };
    Trouble::new(Kind::FileChanged, detail)
}

fn out_of_service(kind: Kind, detail: String) -> Trouble {
    Trouble::new(kind, detail).retry_after_ms(OUT_OF_SERVICE_MS)
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::Busy { retry_after_ms } => {
                Trouble::new(Kind::Busy, detail).retry_after_ms(retry_after_ms)
            }
            ReadError::NoLeader => Trouble::new(Kind::NoLeader, detail).retry_after_ms(ELECTION_MS),
            ReadError::Behind { .. } => {
                Trouble::new(Kind::Behind, detail).retry_after_ms(CATCH_UP_MS)
            }
            ReadError::DiskFull => {
                Trouble::new(Kind::DiskFull, detail).retry_after_ms(DISK_FULL_MS)
            }
            ReadError::Failed(_) => Trouble::internal(detail),
            ReadError::Outvoted => out_of_service(Kind::Outvoted, detail),
            ReadError::Removed => out_of_service(Kind::Removed, detail),
            ReadError::Stopping | ReadError::CannotGoOn => {
                Trouble::new(Kind::Stopping, detail).retry_after_ms(ELECTION_MS)
            }
        }
    }
}

impl From<MembershipError> for Trouble {
    fn from(error: MembershipError) -> Self {
        let detail = error.to_string();
        match error {
            MembershipError::NoLeader => {
                Trouble::new(Kind::NoLeader, detail).retry_after_ms(ELECTION_MS)
            }
            MembershipError::UnknownNode(_) => Trouble::new(Kind::NotFound, detail),
            MembershipError::Refused(_) | MembershipError::Silent(_) => {
                Trouble::new(Kind::MembershipRefused, detail)
            }
            MembershipError::TimedOut => {
                Trouble::new(Kind::OutcomeUnknown, detail).retry_after_ms(ELECTION_MS)
            }
        }
    }
}

/// A name that breaks the rules, in the field called `field`.
pub(crate) fn bad_name(field: &'static str) -> impl Fn(NameProblem) -> Trouble {
    move |NameProblem(reason)| Trouble::field(field, reason)
}
