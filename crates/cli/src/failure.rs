//! How a command ends when it does not succeed: one sentence and an exit code that a script can
//! tell apart.

use std::fmt;
use std::process::ExitCode;

use api::Error;

/// The meaning of an exit code. 0 is success; `consorcio --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The server said no, or something failed.
    Failed = 1,
    /// The command line or the configuration makes no sense.
    Usage = 2,
    /// No node can be reached, or none can serve now; nothing was changed.
    Unreachable = 3,
    /// Not signed in, or not allowed.
    Denied = 4,
    /// There is no such thing.
    NotFound = 5,
    /// A change may or may not have been made; repeating it with its request id is safe.
    Unknown = 6,
    /// The nodes belong to another cluster than the one that is remembered; nothing was changed.
    OtherCluster = 7,
}

/// Why a command did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the process exits with.
    pub exit: Exit,
    /// One sentence for a person, without a full stop.
    pub message: String,
}

/// What a command ends with.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// Something failed.
    pub fn failed(message: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Failed,
            message: message.to_string(),
        }
    }

    /// The command line or the configuration makes no sense.
    pub fn usage(message: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Usage,
            message: message.to_string(),
        }
    }

    /// The exit code for the operating system.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Refused(problem) => match problem.status {
                401 | 403 => Exit::Denied,
                404 | 410 => Exit::NotFound,
                _ => Exit::Failed,
            },
            Error::Unavailable(problem) if problem.status == 421 => Exit::OtherCluster,
            Error::Unavailable(_) | Error::Unreachable { .. } => Exit::Unreachable,
            Error::OutcomeUnknown { .. } => Exit::Unknown,
            Error::Invalid { .. } => Exit::Usage,
            Error::Unintelligible { .. } | Error::HistoryGone { .. } => Exit::Failed,
        };
        Failure {
            exit,
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::types::Problem;

    fn problem(status: u16) -> Problem {
        Problem {
            kind: "/problems/x".into(),
            title: "X".into(),
            status,
            detail: "no".into(),
            errors: Vec::new(),
            retry_after_ms: None,
        }
    }

    fn refused(status: u16) -> Error {
        Error::Refused(Box::new(problem(status)))
    }

    #[test]
    fn each_error_has_its_exit_code() {
        let unreachable = Error::Unreachable {
            endpoints: "a".into(),
            reason: "b".into(),
        };
        let unknown = Error::OutcomeUnknown {
            request_id: None,
            reason: "b".into(),
        };
        let cases = [
            (refused(401), Exit::Denied),
            (refused(403), Exit::Denied),
            (refused(404), Exit::NotFound),
            (refused(409), Exit::Failed),
            (
                Error::Unavailable(Box::new(problem(421))),
                Exit::OtherCluster,
            ),
            (
                Error::Unavailable(Box::new(problem(503))),
                Exit::Unreachable,
            ),
            (unreachable, Exit::Unreachable),
            (unknown, Exit::Unknown),
        ];
        for (error, exit) in cases {
            assert_eq!(Failure::from(error.clone()).exit, exit, "{error}");
        }
        assert_eq!(Exit::Unknown as u8, 6);
    }
}
