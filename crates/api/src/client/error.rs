//! Why a call did not succeed.

use crate::types::Problem;

/// Why a call did not succeed. Each variant says what is known about its effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server understood and said no; nothing was changed.
    #[error("{}", say(.0))]
    Refused(Box<Problem>),
    /// Nodes answered, but none could serve before the deadline; nothing was changed.
    #[error("the cluster cannot serve now: {}", say(.0))]
    Unavailable(Box<Problem>),
    /// No node could be reached before the deadline; nothing was changed.
    #[error("no node can be reached at {endpoints}: {reason}")]
    Unreachable {
        /// What was tried, separated by commas.
        endpoints: String,
        /// What happened at the last try.
        reason: String,
    },
    /// A request was sent and its answer was lost until the deadline passed: it may or may not
    /// have been done. The same call with the same request id is safe.
    #[error("the outcome is unknown: {reason}; repeat it with its request id{}", id(.request_id))]
    OutcomeUnknown {
        /// The request id that makes a repetition safe, if the call had one.
        request_id: Option<String>,
        /// What happened at the last try.
        reason: String,
    },
    /// The answer is not what this version of the API says; another program may be listening.
    #[error("the answer of {endpoint} cannot be understood: {reason}")]
    Unintelligible {
        /// Who answered.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The events after the last one seen are no longer kept: read anew, then follow from now on.
    #[error("the history is gone: events up to {oldest} are no longer kept")]
    HistoryGone {
        /// The event that every kept one comes after.
        oldest: String,
    },
    /// The caller's own values make no request.
    #[error("{field} {reason}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        reason: String,
    },
}

impl Error {
    /// The problem that a server described, if one did.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Error::Refused(problem) | Error::Unavailable(problem) => Some(problem),
            _ => None,
        }
    }

    /// The HTTP status of that problem.
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }
}

/// A problem as one sentence.
fn say(problem: &Problem) -> String {
    let general = if problem.detail.is_empty() {
        &problem.title
    } else {
        &problem.detail
    };
    let fields = problem
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.reason));
    let fields: Vec<String> = fields.filter(|field| !general.contains(field)).collect();
    if fields.is_empty() {
        general.clone()
    } else {
        format!("{general} ({})", fields.join("; "))
    }
}

fn id(request_id: &Option<String>) -> String {
    request_id
        .as_ref()
        .map(|id| format!(" ({id})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FieldError;

    fn problem(detail: &str, errors: Vec<FieldError>) -> Box<Problem> {
        Box::new(Problem {
            kind: "/problems/invalid".into(),
            title: "Invalid".into(),
            status: 422,
            detail: detail.into(),
            errors,
            retry_after_ms: None,
        })
    }

    #[test]
    fn a_problem_becomes_one_sentence() {
        let field = FieldError {
            field: "title".into(),
            reason: "is empty".into(),
        };
        let cases = [
            (problem("", vec![]), "Invalid"),
            (problem("the area is gone", vec![]), "the area is gone"),
            (
                problem("not accepted", vec![field.clone()]),
                "not accepted (title: is empty)",
            ),
            (problem("title: is empty", vec![field]), "title: is empty"),
        ];
        for (problem, sentence) in cases {
            assert_eq!(Error::Refused(problem).to_string(), sentence);
        }
    }

    #[test]
    fn an_unknown_outcome_names_the_id_to_repeat_it_with() {
        let error = Error::OutcomeUnknown {
            request_id: Some("k1".into()),
            reason: "the connection was cut".into(),
        };
        let said = error.to_string();
        assert!(
            said.contains("(k1)") && said.contains("the connection was cut"),
            "{said}"
        );
    }
}
