//! Exit codes, and failures that carry theirs.

use std::fmt;
use std::process::ExitCode;

use quorate_identity::token::TokenError;
use quorate_query::problem::{Family, Problem};
use quorate_query::toml_reader::Mistakes;

use crate::client::ClientError;
use crate::link::LinkError;
use crate::login::LoginError;
use crate::profile::ProfileError;
use crate::verify::VerifyError;

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
    /// Whether the message says by itself where it comes from, as `file:line:column` does.
    pub(crate) placed: bool,
}

impl Failure {
    /// A failure that ends the program with this code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            placed: false,
        }
    }

    /// Mistakes in a file, each with its place.
    pub(crate) fn mistakes(mistakes: &Mistakes) -> Self {
        let mut failure = Self::new(Exit::Failed, mistakes.to_string());
        failure.placed = true;
        failure
    }

    /// What went wrong between us and the coordinator.
    pub(crate) fn client(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Verify(VerifyError::NoCodebook(_)) => Exit::Failed,
            ClientError::Verify(_) | ClientError::Profile(ProfileError::Roster(_)) => {
                Exit::NotVerified
            }
            ClientError::Waiting(_) => Exit::Waiting,
            ClientError::Link(LinkError::Problem(problem)) => problem
                .known()
                .map_or(Exit::Refused, |problem| Self::exit_of(&problem)),
            _ => Exit::Failed,
        };
        let mut failure = Self::from(error);
        failure.exit = exit;
        failure
    }

    /// Why somebody could not join.
    pub(crate) fn login(error: LoginError) -> Self {
        let exit = match &error {
            LoginError::NoName | LoginError::Name(_) | LoginError::Token(TokenError::NotAToken) => {
                Exit::Usage
            }
            LoginError::Roster(_)
            | LoginError::Answer(_)
            | LoginError::Profile(ProfileError::Roster(_)) => Exit::NotVerified,
            _ => Exit::Failed,
        };
        let mut failure = Self::from(error);
        failure.exit = exit;
        failure
    }

    /// How the program ends when the coordinator states this problem.
    pub(crate) fn exit_of(problem: &Problem) -> Exit {
        match (problem.code.0, problem.code.family()) {
            ("X801" | "X802", _) => Exit::TooFewNodes,
            ("A411" | "A413" | "L706", _) => Exit::Failed,
            (_, Some(Family::Quorum | Family::Internal) | None) => Exit::Failed,
            (_, Some(_)) => Exit::Refused,
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
