//! The kinds of problems. Their names are part of the API and never change.

use maud::{DOCTYPE, Markup, html};

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
}

/// Name in the URI, HTTP status, title, and what to do about it.
struct Facts(&'static str, u16, &'static str, &'static str);

const ALL: [Kind; 26] = [
    Kind::Malformed,
    Kind::NotSignedIn,
    Kind::SessionExpired,
    Kind::WrongCredentials,
    Kind::Forbidden,
    Kind::CrossSite,
    Kind::NotFound,
    Kind::MethodNotAllowed,
    Kind::RequestTimeout,
    Kind::Taken,
    Kind::RequestConflict,
    Kind::LastAdministrator,
    Kind::PasswordChanged,
    Kind::LimitReached,
    Kind::MembershipRefused,
    Kind::TooLarge,
    Kind::UnsupportedMediaType,
    Kind::Invalid,
    Kind::TooManyAttempts,
    Kind::Internal,
    Kind::Busy,
    Kind::NoLeader,
    Kind::Behind,
    Kind::OutcomeUnknown,
    Kind::Stopping,
    Kind::DiskFull,
];

impl Kind {
    /// The URI in a problem's `type`.
    pub fn uri(self) -> String {
        format!("/problems/{}", self.facts().0)
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.facts().1
    }

    /// One title a kind.
    pub fn title(self) -> &'static str {
        self.facts().2
    }

    fn facts(self) -> Facts {
        match self {
            Kind::Malformed => Facts(
                "malformed-request",
                400,
                "The request cannot be read",
                "The body is not JSON in UTF-8, or a header or the query is not what it must be.",
            ),
            Kind::NotSignedIn => Facts(
                "not-signed-in",
                401,
                "Not signed in",
                "Open a session with POST /v1/sessions and send its token as Authorization: Bearer.",
            ),
            Kind::SessionExpired => Facts(
                "session-expired",
                401,
                "The session has expired",
                "Open a new one with POST /v1/sessions.",
            ),
            Kind::WrongCredentials => Facts(
                "wrong-credentials",
                401,
                "Wrong name or password",
                "Nobody of that name has that password.",
            ),
            Kind::Forbidden => Facts(
                "forbidden",
                403,
                "Not allowed",
                "Only an administrator, or the author, may do this.",
            ),
            Kind::CrossSite => Facts(
                "cross-site",
                403,
                "Sent from another site",
                "A browser sent a change that did not start on a page of this site.",
            ),
            Kind::NotFound => Facts(
                "not-found",
                404,
                "There is no such thing",
                "It never existed or was removed, or the path is not part of the API.",
            ),
            Kind::MethodNotAllowed => Facts(
                "method-not-allowed",
                405,
                "The method is not allowed here",
                "The Allow header names those that are.",
            ),
            Kind::RequestTimeout => Facts(
                "request-timeout",
                408,
                "The request took too long to arrive",
                "Send it again; nothing was done.",
            ),
            Kind::Taken => Facts(
                "taken",
                409,
                "The name is taken",
                "Choose another; upper and lower case count as the same.",
            ),
            Kind::RequestConflict => Facts(
                "request-conflict",
                409,
                "The request id was used before",
                "An Idempotency-Key belongs to one request: a different one needs another key.",
            ),
            Kind::LastAdministrator => Facts(
                "last-administrator",
                409,
                "The last administrator stays",
                "Make somebody else an administrator first.",
            ),
            Kind::PasswordChanged => Facts(
                "password-changed",
                409,
                "The password has changed meanwhile",
                "Start again with the password of now.",
            ),
            Kind::LimitReached => Facts(
                "limit-reached",
                409,
                "There are too many already",
                "Remove what is no longer needed first.",
            ),
            Kind::MembershipRefused => Facts(
                "membership-refused",
                409,
                "The change of nodes was refused",
                "It would leave the cluster without a working majority; the detail says why.",
            ),
            Kind::TooLarge => Facts(
                "too-large",
                413,
                "The request is too large",
                "The detail says how much is accepted.",
            ),
            Kind::UnsupportedMediaType => Facts(
                "unsupported-media-type",
                415,
                "The body's type is not accepted here",
                "Send JSON, with Content-Type: application/json.",
            ),
            Kind::Invalid => Facts(
                "invalid",
                422,
                "A field is not valid",
                "The list of errors names the fields and what is wrong with them.",
            ),
            Kind::TooManyAttempts => Facts(
                "too-many-attempts",
                429,
                "Too many attempts",
                "Wait as long as Retry-After says.",
            ),
            Kind::Internal => Facts(
                "internal",
                500,
                "The node failed",
                "This should not happen; the log of the node says more.",
            ),
            Kind::Busy => Facts(
                "busy",
                503,
                "Busy",
                "Nothing was done. Try again after the time that Retry-After says.",
            ),
            Kind::NoLeader => Facts(
                "no-leader",
                503,
                "There is no leader",
                "Nothing was done. An election takes about a second; if it stays so, fewer than \
                 half of the nodes can be reached.",
            ),
            Kind::Behind => Facts(
                "behind",
                503,
                "This node is behind",
                "It has not seen yet what you have seen; ask another node, or again.",
            ),
            Kind::OutcomeUnknown => Facts(
                "outcome-unknown",
                503,
                "The outcome is unknown",
                "The change may or may not have happened. Send it again with the same \
                 Idempotency-Key: it will not happen twice.",
            ),
            Kind::Stopping => Facts(
                "stopping",
                503,
                "This node is stopping",
                "Nothing was done. Ask another node.",
            ),
            Kind::DiskFull => Facts(
                "disk-full",
                507,
                "The disk is full",
                "Nothing was done. Reading goes on; writing works again once there is space.",
            ),
        }
    }
}

/// The page at `/problems`, which every problem's `type` leads to.
pub(crate) fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Problems · Consorcio" }
                link rel="stylesheet" href="/assets/style.css";
            }
            body {
                main {
                    h1 { "What an answer of Consorcio's API can say is wrong" }
                    dl {
                        @for kind in ALL {
                            @let Facts(name, status, title, advice) = kind.facts();
                            dt id=(name) { code { "/problems/" (name) } " · " (status) " · " (title) }
                            dd { (advice) }
                        }
                    }
                }
            }
        }
    }
}
