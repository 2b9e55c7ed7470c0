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
}

/// What there is to say about a kind.
struct Facts {
    kind: Kind,
    /// Its name in the URI.
    name: &'static str,
    /// The HTTP status.
    status: u16,
    title: &'static str,
    /// What to do about it.
    advice: &'static str,
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

    /// One title a kind.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }
}

/// In the order of [`Kind`].
static FACTS: [Facts; 30] = [
    Facts {
        kind: Kind::Malformed,
        name: "malformed-request",
        status: 400,
        title: "The request cannot be read",
        advice: "The body is not JSON in UTF-8, or a header or the query is not what it must be.",
    },
    Facts {
        kind: Kind::NotSignedIn,
        name: "not-signed-in",
        status: 401,
        title: "Not signed in",
        advice: "Open a session with POST /v1/sessions and send its token as Authorization: \
                 Bearer.",
    },
    Facts {
        kind: Kind::SessionExpired,
        name: "session-expired",
        status: 401,
        title: "The session has expired",
        advice: "Open a new one with POST /v1/sessions.",
    },
    Facts {
        kind: Kind::WrongCredentials,
        name: "wrong-credentials",
        status: 401,
        title: "Wrong name or password",
        advice: "Nobody of that name has that password.",
    },
    Facts {
        kind: Kind::Forbidden,
        name: "forbidden",
        status: 403,
        title: "Not allowed",
        advice: "Only an administrator, or the author, may do this.",
    },
    Facts {
        kind: Kind::CrossSite,
        name: "cross-site",
        status: 403,
        title: "Sent from another site",
        advice: "A browser sent a change that did not start on a page of this site.",
    },
    Facts {
        kind: Kind::NotFound,
        name: "not-found",
        status: 404,
        title: "There is no such thing",
        advice: "It never existed or was removed, or the path is not part of the API.",
    },
    Facts {
        kind: Kind::MethodNotAllowed,
        name: "method-not-allowed",
        status: 405,
        title: "The method is not allowed here",
        advice: "The Allow header names those that are.",
    },
    Facts {
        kind: Kind::RequestTimeout,
        name: "request-timeout",
        status: 408,
        title: "The request took too long to arrive",
        advice: "Send it again; nothing was done.",
    },
    Facts {
        kind: Kind::Taken,
        name: "taken",
        status: 409,
        title: "The name is taken",
        advice: "Choose another; upper and lower case count as the same.",
    },
    Facts {
        kind: Kind::RequestConflict,
        name: "request-conflict",
        status: 409,
        title: "The request id was used before",
        advice: "An Idempotency-Key belongs to one request: a different one needs another key.",
    },
    Facts {
        kind: Kind::LastAdministrator,
        name: "last-administrator",
        status: 409,
        title: "The last administrator stays",
        advice: "Make somebody else an administrator first.",
    },
    Facts {
        kind: Kind::PasswordChanged,
        name: "password-changed",
        status: 409,
        title: "The password has changed meanwhile",
        advice: "Start again with the password of now.",
    },
    Facts {
        kind: Kind::LimitReached,
        name: "limit-reached",
        status: 409,
        title: "There are too many already",
        advice: "Remove what is no longer needed first.",
    },
    Facts {
        kind: Kind::MembershipRefused,
        name: "membership-refused",
        status: 409,
        title: "The change of nodes was refused",
        advice: "It would leave the cluster without a working majority; the detail says why.",
    },
    Facts {
        kind: Kind::AgencyClosed,
        name: "agency-closed",
        status: 409,
        title: "The agency has closed",
        advice: "Nothing was stored. An agency that has closed takes no more bets in this lottery.",
    },
    Facts {
        kind: Kind::AgenciesOpen,
        name: "agencies-open",
        status: 409,
        title: "Not all agencies have closed",
        advice: "Nothing was drawn. Wait for them, or close those that will not come.",
    },
    Facts {
        kind: Kind::AlreadyDrawn,
        name: "already-drawn",
        status: 409,
        title: "The lottery has been drawn",
        advice: "There is one draw in a lottery; open another lottery for another.",
    },
    Facts {
        kind: Kind::NotDrawn,
        name: "not-drawn",
        status: 409,
        title: "The lottery has not been drawn",
        advice: "There are no winners yet. Wait for the event lottery.drawn, or ask again later.",
    },
    Facts {
        kind: Kind::TooLarge,
        name: "too-large",
        status: 413,
        title: "The request is too large",
        advice: "The detail says how much is accepted.",
    },
    Facts {
        kind: Kind::UnsupportedMediaType,
        name: "unsupported-media-type",
        status: 415,
        title: "The body's type is not accepted here",
        advice: "Send JSON, with Content-Type: application/json.",
    },
    Facts {
        kind: Kind::Invalid,
        name: "invalid",
        status: 422,
        title: "A field is not valid",
        advice: "The list of errors names the fields and what is wrong with them.",
    },
    Facts {
        kind: Kind::TooManyAttempts,
        name: "too-many-attempts",
        status: 429,
        title: "Too many attempts",
        advice: "Wait as long as Retry-After says.",
    },
    Facts {
        kind: Kind::Internal,
        name: "internal",
        status: 500,
        title: "The node failed",
        advice: "This should not happen; the log of the node says more.",
    },
    Facts {
        kind: Kind::Busy,
        name: "busy",
        status: 503,
        title: "Busy",
        advice: "Nothing was done. Try again after the time that Retry-After says.",
    },
    Facts {
        kind: Kind::NoLeader,
        name: "no-leader",
        status: 503,
        title: "There is no leader",
        advice: "Nothing was done. An election takes about a second; if it stays so, fewer than \
                 half of the nodes can be reached.",
    },
    Facts {
        kind: Kind::Behind,
        name: "behind",
        status: 503,
        title: "This node is behind",
        advice: "It has not seen yet what you have seen; ask another node, or again.",
    },
    Facts {
        kind: Kind::OutcomeUnknown,
        name: "outcome-unknown",
        status: 503,
        title: "The outcome is unknown",
        advice: "The change may or may not have happened. Send it again with the same \
                 Idempotency-Key: it will not happen twice.",
    },
    Facts {
        kind: Kind::Stopping,
        name: "stopping",
        status: 503,
        title: "This node is stopping",
        advice: "Nothing was done. Ask another node.",
    },
    Facts {
        kind: Kind::DiskFull,
        name: "disk-full",
        status: 507,
        title: "The disk is full",
        advice: "Nothing was done. Reading goes on; writing works again once there is space.",
    },
];

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
                        @for Facts { kind, name, status, title, advice } in &FACTS {
                            dt id=(name) { code { (kind.uri()) } " · " (status) " · " (title) }
                            dd { (advice) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_facts() {
        for (number, facts) in FACTS.iter().enumerate() {
            assert_eq!(facts.kind as usize, number, "{}", facts.name);
            assert!((400..600).contains(&facts.status), "{}", facts.name);
        }
        let mut names: Vec<&str> = FACTS.iter().map(|facts| facts.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FACTS.len());
    }
}
