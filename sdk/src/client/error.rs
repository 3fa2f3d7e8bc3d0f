//! What can go wrong between a researcher and the coordinator, by who is at fault.

use quorate_wire::{QuestionId, WireError};

use crate::ask::AskError;
use crate::heads::NotNoticed;
use crate::link::LinkError;
use crate::profile::ProfileError;
use crate::verify::VerifyError;

/// Why something could not be done with the coordinator.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The researcher's own folder.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// TLS could not be set up from the profile.
    #[error("the certificate in the profile cannot be used ({0}); run `quorate login TOKEN` again")]
    Tls(#[from] quorate_identity::tls::TlsError),
    /// The coordinator, or the way there.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The coordinator sent something that is no message.
    #[error("the coordinator sent something that is no message: {0}")]
    Wire(#[from] WireError),
    /// The result is not believed.
    #[error("NOT VERIFIED: {0}")]
    Verify(#[from] VerifyError),
    /// The question was not signed.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// There is no answer yet.
    #[error("the question {0} has no answer yet")]
    Waiting(QuestionId),
}

impl From<NotNoticed> for ClientError {
    fn from(error: NotNoticed) -> Self {
        match error {
            NotNoticed::Profile(error) => Self::Profile(error),
            NotNoticed::Ledger(error) => Self::Verify(error),
        }
    }
}

impl ClientError {
    /// The problem the coordinator stated, if that is the reason.
    #[must_use]
    pub fn problem(&self) -> Option<&quorate_wire::RemoteProblem> {
        match self {
            Self::Link(LinkError::Problem(problem)) => Some(problem),
            _ => None,
        }
    }

    /// Whether trying again later can help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Link(link) if link.is_passing())
    }
}
