//! The kinds of problems. Their names are part of the API and never change.

use tonic::Code;

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    NotSignedIn,
    SessionExpired,
    WrongCredentials,
    Forbidden,
    CrossSite,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Taken,
    RequestConflict,
    LastAdministrator,
    PasswordChanged,
    LimitReached,
    MembershipRefused,
    AgencyClosed,
    AgenciesOpen,
    AlreadyDrawn,
    NotDrawn,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyAttempts,
    Internal,
    Busy,
    NoLeader,
    Behind,
    OutcomeUnknown,
    Stopping,
    DiskFull,
    WrongCluster,
    Outvoted,
    Removed,
    PollNotOpen,
    PollClosed,
    NotAVoter,
    ResultHidden,
    HistoryGone,
    Cut,
    Deadline,
    Moved,
    DrillsNotAllowed,
    DrillRefused,
    FileChanged,
    RangeNotSatisfiable,
    BytesMissing,
    TooFewCopies,
}

/// What there is to say about a kind.
pub(super) struct Facts {
    pub(super) kind: Kind,
    /// Its name in the URI.
    pub(super) name: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// The gRPC code. UNAVAILABLE is for what did nothing: clients send that again by themselves.
    pub(super) code: Code,
    pub(super) title: &'static str,
    /// What to do about it.
    pub(super) advice: &'static str,
}

impl Kind {
    /// The URI in a problem's `type`.
    pub fn uri(self) -> String {
        format!("/problems/{}", self.facts().name)
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.facts().status
    }

    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The gRPC code.
    pub fn code(self) -> Code {
        self.facts().code
    }

    /// One title a kind.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}

/// In the order of [`Kind`].
pub(super) static FACTS: [Facts; 47] = [
    Facts {
        kind: Kind::Malformed,
        name: "malformed-request",
        status: 400,
        code: Code::InvalidArgument,
        title: "The request cannot be read",
        advice: "The body is not JSON in UTF-8, or a header or the query is not what it must be.",
    },
    Facts {
        kind: Kind::NotSignedIn,
        name: "not-signed-in",
        status: 401,
        code: Code::Unauthenticated,
        title: "Not signed in",
        advice: "Open a session with POST /v1/sessions and send its token as Authorization: \
                 Bearer.",
    },
    Facts {
        kind: Kind::SessionExpired,
        name: "session-expired",
        status: 401,
        code: Code::Unauthenticated,
        title: "The session has expired",
        advice: "Open a new one with POST /v1/sessions.",
    },
    Facts {
        kind: Kind::WrongCredentials,
        name: "wrong-credentials",
        status: 401,
        code: Code::Unauthenticated,
        title: "Wrong name or password",
        advice: "Nobody of that name has that password.",
    },
    Facts {
        kind: Kind::Forbidden,
        name: "forbidden",
        status: 403,
        code: Code::PermissionDenied,
        title: "Not allowed",
        advice: "Only an administrator, or the author, may do this.",
    },
    Facts {
        kind: Kind::CrossSite,
        name: "cross-site",
        status: 403,
        code: Code::PermissionDenied,
        title: "Sent from another site",
        advice: "A browser sent a change that did not start on a page of this site.",
    },
    Facts {
        kind: Kind::NotFound,
        name: "not-found",
        status: 404,
        code: Code::NotFound,
        title: "There is no such thing",
        advice: "It never existed or was removed, or the path is not part of the API.",
    },
    Facts {
        kind: Kind::MethodNotAllowed,
        name: "method-not-allowed",
        status: 405,
        code: Code::Unimplemented,
        title: "The method is not allowed here",
        advice: "The Allow header names those that are.",
    },
    Facts {
        kind: Kind::RequestTimeout,
        name: "request-timeout",
        status: 408,
        code: Code::DeadlineExceeded,
        title: "The request took too long to arrive",
        advice: "Send it again; nothing was done.",
    },
    Facts {
        kind: Kind::Taken,
        name: "taken",
        status: 409,
        code: Code::AlreadyExists,
        title: "The name is taken",
        advice: "Choose another; upper and lower case count as the same.",
    },
    Facts {
        kind: Kind::RequestConflict,
        name: "request-conflict",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The request id was used before",
        advice: "An Idempotency-Key belongs to one request: a different one needs another key.",
    },
    Facts {
        kind: Kind::LastAdministrator,
        name: "last-administrator",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The last administrator stays",
        advice: "Make somebody else an administrator first.",
    },
    Facts {
        kind: Kind::PasswordChanged,
        name: "password-changed",
        status: 409,
        code: Code::Aborted,
        title: "The password has changed meanwhile",
        advice: "Start again with the password of now.",
    },
    Facts {
        kind: Kind::LimitReached,
        name: "limit-reached",
        status: 409,
        code: Code::ResourceExhausted,
        title: "There are too many already",
        advice: "Remove what is no longer needed first.",
    },
    Facts {
        kind: Kind::MembershipRefused,
        name: "membership-refused",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The change of nodes was refused",
        advice: "It would leave the cluster without a working majority; the detail says why.",
    },
    Facts {
        kind: Kind::AgencyClosed,
        name: "agency-closed",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The agency has closed",
        advice: "Nothing was stored. An agency that has closed takes no more bets in this lottery.",
    },
    Facts {
        kind: Kind::AgenciesOpen,
        name: "agencies-open",
        status: 409,
        code: Code::FailedPrecondition,
        title: "Not all agencies have closed",
        advice: "Nothing was drawn. Wait for them, or close those that will not come.",
    },
    Facts {
        kind: Kind::AlreadyDrawn,
        name: "already-drawn",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The lottery has been drawn",
        advice: "There is one draw in a lottery; open another lottery for another.",
    },
    Facts {
        kind: Kind::NotDrawn,
        name: "not-drawn",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The lottery has not been drawn",
        advice: "There are no winners yet. Wait for the event lottery.drawn, or ask again later.",
    },
    Facts {
        kind: Kind::TooLarge,
        name: "too-large",
        status: 413,
        code: Code::ResourceExhausted,
        title: "The request is too large",
        advice: "The detail says how much is accepted.",
    },
    Facts {
        kind: Kind::UnsupportedMediaType,
        name: "unsupported-media-type",
        status: 415,
        code: Code::Unimplemented,
        title: "The body's type is not accepted here",
        advice: "Send JSON, with Content-Type: application/json.",
    },
    Facts {
        kind: Kind::Invalid,
        name: "invalid",
        status: 422,
        code: Code::InvalidArgument,
        title: "A field is not valid",
        advice: "The list of errors names the fields and what is wrong with them.",
    },
    Facts {
        kind: Kind::TooManyAttempts,
        name: "too-many-attempts",
        status: 429,
        code: Code::ResourceExhausted,
        title: "Too many attempts",
        advice: "Wait as long as Retry-After says.",
    },
    Facts {
        kind: Kind::Internal,
        name: "internal",
        status: 500,
        code: Code::Internal,
        title: "The node failed",
        advice: "This should not happen; the log of the node says more.",
    },
    Facts {
        kind: Kind::Busy,
        name: "busy",
        status: 503,
        code: Code::Unavailable,
        title: "Busy",
        advice: "Nothing was done. Try again after the time that Retry-After says.",
    },
    Facts {
        kind: Kind::NoLeader,
        name: "no-leader",
        status: 503,
        code: Code::Unavailable,
        title: "There is no leader",
        advice: "Nothing was done. An election takes about a second; if it stays so, fewer than \
                 half of the nodes can be reached.",
    },
    Facts {
        kind: Kind::Behind,
        name: "behind",
        status: 503,
        code: Code::Unavailable,
        title: "This node is behind",
        advice: "It has not seen yet what you have seen; ask another node, or again.",
    },
    Facts {
        kind: Kind::OutcomeUnknown,
        name: "outcome-unknown",
        status: 503,
        code: Code::DeadlineExceeded,
        title: "The outcome is unknown",
        advice: "The change may or may not have happened. Send it again with the same \
                 Idempotency-Key: it will not happen twice.",
    },
    Facts {
        kind: Kind::Stopping,
        name: "stopping",
        status: 503,
        code: Code::Unavailable,
        title: "This node is stopping",
        advice: "Nothing was done. Ask another node.",
    },
    Facts {
        kind: Kind::DiskFull,
        name: "disk-full",
        status: 507,
        code: Code::ResourceExhausted,
        title: "The disk is full",
        advice: "Nothing was done. Reading goes on; writing works again once there is space.",
    },
    Facts {
        kind: Kind::WrongCluster,
        name: "wrong-cluster",
        status: 421,
        code: Code::FailedPrecondition,
        title: "This node belongs to another cluster",
        advice: "Nothing was done. A node that lost its data and was started without the token \
                 has founded a cluster of its own: stop it, empty its data directory, join it.",
    },
    Facts {
        kind: Kind::Outvoted,
        name: "outvoted",
        status: 503,
        code: Code::Unavailable,
        title: "The state of this node differs from the others'",
        advice: "Nothing was done. Ask another node. An administrator has this one begin anew: \
                 consorcio cluster rebuild.",
    },
    Facts {
        kind: Kind::Removed,
        name: "removed",
        status: 503,
        code: Code::Unavailable,
        title: "This node was removed from the cluster",
        advice: "Nothing was done. Ask another node. Whoever runs this one stops it and removes \
                 its data directory.",
    },
    Facts {
        kind: Kind::PollNotOpen,
        name: "poll-not-open",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The poll has not opened yet",
        advice: "Vote again after its opening, which the detail names.",
    },
    Facts {
        kind: Kind::PollClosed,
        name: "poll-closed",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The poll is closed",
        advice: "What was cast before counts, and nothing changes it any more.",
    },
    Facts {
        kind: Kind::NotAVoter,
        name: "not-a-voter",
        status: 403,
        code: Code::PermissionDenied,
        title: "The poll is for others",
        advice: "Only the members on its list may vote.",
    },
    Facts {
        kind: Kind::ResultHidden,
        name: "result-hidden",
        status: 409,
        code: Code::FailedPrecondition,
        title: "There is no result to show yet",
        advice: "Ask again after the poll's close.",
    },
    Facts {
        kind: Kind::HistoryGone,
        name: "history-gone",
        status: 410,
        code: Code::OutOfRange,
        title: "The history is gone",
        advice: "What happened after that cursor is no longer kept: read how things are now, and \
                 follow what happens from now on.",
    },
    Facts {
        kind: Kind::Cut,
        name: "cut",
        status: 503,
        code: Code::Aborted,
        title: "The stream was cut",
        advice: "It was read too slowly, or this node itself missed something. Come back with the \
                 last cursor: nothing is lost.",
    },
    Facts {
        kind: Kind::Deadline,
        name: "deadline",
        status: 504,
        code: Code::DeadlineExceeded,
        title: "The deadline has passed",
        advice: "Nothing was done. Ask again, and wait longer.",
    },
    Facts {
        kind: Kind::Moved,
        name: "version-moved",
        status: 412,
        code: Code::Aborted,
        title: "The key has changed meanwhile",
        advice: "Nothing was done. Read it again, and decide anew.",
    },
    Facts {
        kind: Kind::DrillsNotAllowed,
        name: "drills-not-allowed",
        status: 403,
        code: Code::PermissionDenied,
        title: "Drills are not allowed here",
        advice: "Start the node with --allow-drills (or `up --allow-drills`) if it may fail on \
                 purpose.",
    },
    Facts {
        kind: Kind::DrillRefused,
        name: "drill-refused",
        status: 409,
        code: Code::FailedPrecondition,
        title: "The drill was refused",
        advice: "Another lasts still, or no majority would be left; the detail says which.",
    },
    Facts {
        kind: Kind::FileChanged,
        name: "file-changed",
        status: 412,
        code: Code::Aborted,
        title: "The file is not what the request expects",
        advice: "Nothing was done. If-Match or If-None-Match names another version than there is: \
                 read the file again, and decide anew.",
    },
    Facts {
        kind: Kind::RangeNotSatisfiable,
        name: "range-not-satisfiable",
        status: 416,
        code: Code::OutOfRange,
        title: "The file has no such range",
        advice: "Content-Range says how long the file is.",
    },
    Facts {
        kind: Kind::BytesMissing,
        name: "bytes-missing",
        status: 503,
        code: Code::Unavailable,
        title: "The bytes of the file cannot be found now",
        advice: "The nodes that have them are away, or too many of their copies are gone. \
                 GET /v1/files/{name}/chunks says which nodes have which.",
    },
    Facts {
        kind: Kind::TooFewCopies,
        name: "too-few-copies",
        status: 503,
        code: Code::Unavailable,
        title: "The file cannot be stored safely now",
        advice: "Nothing was done. Too few nodes can take its bytes; try again.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_facts() {
        for (number, facts) in FACTS.iter().enumerate() {
            assert_eq!(facts.kind as usize, number, "{}", facts.name);
            assert!((400..600).contains(&facts.status), "{}", facts.name);
            assert_ne!(facts.code, Code::Ok, "{}", facts.name);
        }
        let mut names: Vec<&str> = FACTS.iter().map(|facts| facts.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FACTS.len());
    }
}
