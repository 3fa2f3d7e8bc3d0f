//! The enrolment token: `qt1.` and base64url JSON.
//!
//! An operator hands it over by a channel it trusts. It names the coordinator and pins its
//! certificate authority, so that the first contact is already authenticated. It works once.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::keys::KeyId;
use crate::name::Name;
use crate::roster::Role;

const PREFIX: &str = "qt1.";
const LIMIT: usize = 8 * 1024;

/// Everything a machine needs to enrol.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolToken {
    /// Where the coordinator listens, `https://host:port`.
    pub url: String,
    /// SHA-256 of the coordinator's CA certificate (DER), as `sha256:` and hex.
    pub ca_sha256: String,
    /// Proof that the operator invited this party; used once.
    pub secret: String,
    /// Last moment of validity, unix seconds.
    pub until: i64,
    /// As what the bearer enrols.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Under which name the bearer enrols.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The founders' keys as the operator knows them: to be compared with those received out of band.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub genesis: Vec<KeyId>,
}

/// Why a token is refused; the bearer should ask the operator for a new one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `qt1.` in front.
    #[error("not an enrolment token: it starts with `qt1.`")]
    NotAToken,
    /// Cut off or mistyped.
    #[error("the token is damaged; copy it again, whole and on one line")]
    Damaged,
    /// A field holds something impossible.
    #[error("the token's {0} is wrong; ask the operator for a new token")]
    Field(&'static str),
    /// Too late.
    #[error("the token has expired; ask the operator for a new one")]
    Expired,
}

impl EnrolToken {
    /// Reads a token and checks its fields, not its age.
    ///
    /// # Errors
    /// If it is not a whole token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let body = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or(TokenError::NotAToken)?;
        if body.len() > LIMIT {
            return Err(TokenError::Damaged);
        }
        let json = BASE64.decode(body).map_err(|_| TokenError::Damaged)?;
        let token: Self = serde_json::from_slice(&json).map_err(|_| TokenError::Damaged)?;
        if !token.url.starts_with("https://") {
            return Err(TokenError::Field("address"));
        }
        if crate::parse_digest(&token.ca_sha256).is_none() {
            return Err(TokenError::Field("fingerprint"));
        }
        if token.secret.len() < 16 {
            return Err(TokenError::Field("secret"));
        }
        Ok(token)
    }

    /// Refuses a token whose time is over.
    ///
    /// # Errors
    /// If `now` is after `until`.
    pub fn check_time(&self, now: i64) -> Result<(), TokenError> {
        if now <= self.until {
            Ok(())
        } else {
            Err(TokenError::Expired)
        }
    }

    /// The pinned certificate authority.
    ///
    /// # Errors
    /// If the field is no digest.
    pub fn ca_pin(&self) -> Result<[u8; 32], TokenError> {
        crate::parse_digest(&self.ca_sha256).ok_or(TokenError::Field("fingerprint"))
    }
}

impl fmt::Display for EnrolToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", BASE64.encode(json))
    }
}

impl fmt::Debug for EnrolToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolToken")
            .field("url", &self.url)
            .field("role", &self.role)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl FromStr for EnrolToken {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}
