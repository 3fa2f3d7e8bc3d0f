//! Exit codes, and failures that carry theirs.

use std::fmt;
use std::process::ExitCode;

/// How the program ends. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a question: answered.
    Answered,
    /// Something failed.
    Failed,
    /// The question was refused.
    Refused,
    /// Fewer nodes answered than were asked for.
    TooFewNodes,
    /// The answer is not there yet.
    Waiting,
    /// Something is not what its signature or digest says.
    NotVerified,
    /// The command was not understood.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Answered => 0,
            Exit::Failed => 1,
            Exit::Refused => 2,
            Exit::TooFewNodes => 3,
            Exit::Waiting => 4,
            Exit::NotVerified => 5,
            Exit::Usage => 64,
        })
    }
}

/// Why a command did not do what was asked: one message and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    /// A failure that ends the program with this code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// The command was not understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    /// Any error of a step: its message and those of its causes.
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(Exit::Failed, message)
    }
}
