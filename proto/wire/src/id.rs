//! Question ids: version 7 UUIDs, in the one spelling with lower-case hyphenated digits.

use std::fmt;
use std::str::FromStr;

use quorate_identity::KeyError;

/// The id of a question: single use at a node for its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(uuid::Uuid);

/// A text that is no question id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a question id: it is a version 7 UUID in lower case")]
pub struct NotAnId;

impl QuestionId {
    /// A fresh id, made at `now` (unix milliseconds).
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn generate(now_millis: u64) -> Result<Self, KeyError> {
        Ok(Self::new(now_millis, &quorate_identity::random()?))
    }

    /// The id of a moment and ten bytes of randomness.
    #[must_use]
    pub fn new(now_millis: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now_millis, random).into_uuid())
    }

    /// Reads the one spelling of an id.
    ///
    /// # Errors
    /// For anything else, other versions of UUID included.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let id = Self(uuid::Uuid::try_parse(text).map_err(|_| NotAnId)?);
        let canonical = id.0.get_version_num() == 7 && id.to_string() == text;
        if canonical { Ok(id) } else { Err(NotAnId) }
    }
}

impl fmt::Display for QuestionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for QuestionId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        Self::parse(text)
    }
}
