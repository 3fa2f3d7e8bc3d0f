//! What can be wrong with a message, and which problem code the sender is told.

use quorate_identity::{RosterError, SignatureError};
use quorate_query::problem::{Code, Problem};

/// Why bytes are no message. The fault lies with the sender, or with an older or newer release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not protobuf of this type.
    #[error("not a message of this type")]
    Malformed,
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field is longer than allowed.
    #[error("`{0}` is too large")]
    TooLarge(&'static str),
    /// A field holds something that is not allowed there.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
}

/// Why a signed message is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Kind or signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The payload.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The signer has no place in the roster, or has lost it.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The signer has a place, but not the one the message claims.
    #[error("the signer is not the {role} `{name}` that the message names")]
    Speaker {
        /// Claimed role.
        role: quorate_identity::Role,
        /// Claimed name.
        name: String,
    },
    /// Another network's message.
    #[error("the message belongs to the network `{0}`")]
    Network(String),
}

impl OpenError {
    /// The code that the sender is told.
    #[must_use]
    pub fn code(&self) -> Code {
        Code(match self {
            Self::Signature(_) => "A406",
            Self::Wire(_) => "A414",
            Self::Roster(RosterError::Revoked { .. }) => "A410",
            Self::Roster(RosterError::Expired { .. }) => "A402",
            Self::Roster(_) | Self::Speaker { .. } => "A401",
            Self::Network(_) => "A405",
        })
    }

    /// The problem that the sender is told: the table's own sentence, nothing of the message.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::of(self.code())
    }
}
