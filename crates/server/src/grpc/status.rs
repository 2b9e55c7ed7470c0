//! Problems in gRPC's own form: a code, and details that say the rest.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::problem::{Kind, Trouble};

/// Who says so, in every error's details.
const DOMAIN: &str = "consorcio";

impl From<Trouble> for Status {
    fn from(trouble: Trouble) -> Self {
        with(trouble, [])
    }
}

/// What happened after a cursor is no longer kept; the oldest that is kept is among the details.
pub(super) fn history_gone(oldest: impl Display) -> Status {
    let detail = format!("what comes after that is no longer kept; the oldest is {oldest}");
    let oldest = ("oldest".to_owned(), oldest.to_string());
    with(Trouble::new(Kind::HistoryGone, detail), [oldest])
}

fn with(trouble: Trouble, more: impl IntoIterator<Item = (String, String)>) -> Status {
    let (kind, reason) = (trouble.kind, trouble.kind.name());
    let mut details = ErrorDetails::new();
    let about = [("type".to_owned(), kind.uri())].into_iter().chain(more);
    details.set_error_info(reason, DOMAIN, about.collect::<HashMap<_, _>>());
    for error in trouble.errors {
        details.add_bad_request_violation(error.field, error.reason);
    }
    if let Some(ms) = trouble.retry_after_ms {
        details.set_retry_info(Some(Duration::from_millis(ms)));
    }
    Status::with_error_details(kind.code(), trouble.detail, details)
}

/// Gives an error that was found before a service was called (a message that is none, or is too
/// long) the form of all others.
pub(super) fn explain(head: &mut HeaderMap) {
    let Some(status) = Status::from_header_map(head) else {
        return;
    };
    if status.code() == Code::Ok || !status.details().is_empty() {
        return;
    }
    let kind = match status.code() {
        // Not ours: a service says so with details.
        Code::Internal => Kind::Malformed,
        Code::OutOfRange | Code::ResourceExhausted => Kind::TooLarge,
        Code::Unimplemented => Kind::UnsupportedMediaType,
        Code::NotFound => Kind::NotFound,
        _ => return,
    };
    write(&Trouble::new(kind, status.message()).into(), head);
}

/// Writes a status as headers or trailers.
pub(super) fn write(status: &Status, head: &mut HeaderMap) {
    for name in [
        Status::GRPC_STATUS,
        Status::GRPC_MESSAGE,
        Status::GRPC_STATUS_DETAILS,
    ] {
        head.remove(name);
    }
    // A message that cannot be written is left out; the code is always there.
    if status.add_header(head).is_err() {
        let _ = Status::new(status.code(), "").add_header(head);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_problem_says_its_reason_its_fields_and_when_to_come_back() {
        let status = Status::from(Trouble::field("title", "it is empty"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("invalid", "consorcio")
        );
        assert_eq!(info.metadata["type"], "/problems/invalid");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "title");
        assert!(details.retry_info().is_none());

        let busy = Trouble::new(Kind::Busy, "busy").retry_after_ms(500);
        let details = Status::from(busy).get_error_details();
        let wait = details.retry_info().unwrap().retry_delay;
        assert_eq!(wait, Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_has_no_details_gets_them() {
        let mut head = HeaderMap::new();
        Status::internal("no message")
            .add_header(&mut head)
            .unwrap();
        explain(&mut head);
        let status = Status::from_header_map(&head).unwrap();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "malformed-request"
        );
        let before = head.clone();
        explain(&mut head);
        assert_eq!(head, before);
    }
}
