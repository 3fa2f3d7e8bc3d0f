//! Entries of the roster as they are written, signed and read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::envelope::{Signed, kind};
use crate::keys::{KeyId, SigningKey};
use crate::name::Name;
use crate::roster::{Head, RosterError};

/// As what a party acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Signs roster entries.
    Custodian,
    /// Answers questions from its own data.
    Node,
    /// Asks questions.
    Researcher,
    /// Approves questions and projects.
    Approver,
    /// Delivers and combines.
    Coordinator,
    /// Judges outputs before they leave.
    Checker,
    /// Runs a node.
    Operator,
    /// Reads the record.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 8] = [
        Role::Custodian,
        Role::Node,
        Role::Researcher,
        Role::Approver,
        Role::Coordinator,
        Role::Checker,
        Role::Operator,
        Role::Auditor,
    ];

    /// How the role is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Custodian => "custodian",
            Role::Node => "node",
            Role::Researcher => "researcher",
            Role::Approver => "approver",
            Role::Coordinator => "coordinator",
            Role::Checker => "checker",
            Role::Operator => "operator",
            Role::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a role: write custodian, node, researcher, approver, coordinator, checker, operator or auditor"
)]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Self, NotARole> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(NotARole)
    }
}

/// A custodian that founds the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// Its name.
    pub name: Name,
    /// Its custodian key.
    pub key: KeyId,
    /// Last moment of its membership, unix seconds.
    pub until: i64,
}

/// What an entry changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The first entry: who founds the network.
    Genesis {
        /// The founders; their keys are what everybody pins.
        custodians: Vec<Founder>,
    },
    /// A new member, or a longer term for one that has this very key.
    Add {
        /// As what.
        role: Role,
        /// Under which name.
        name: Name,
        /// With which key; a key belongs to one role and name for ever.
        key: KeyId,
        /// Last moment of membership, unix seconds.
        until: i64,
    },
    /// The end of a membership. The key never comes back.
    Revoke {
        /// As what.
        role: Role,
        /// Under which name.
        name: Name,
        /// Which key.
        key: KeyId,
    },
}

/// One entry of the log. Its payload is the JSON of this, exactly as first signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// 1 for the genesis entry, then one more each.
    pub seq: u64,
    /// Hash of the entry before: `sha256:...`; empty at genesis.
    pub previous: String,
    /// The network, fixed by the genesis entry.
    pub network: Name,
    /// When it was proposed, unix seconds; never earlier than the entry before.
    pub at: i64,
    /// What it changes.
    pub change: Change,
}

impl Entry {
    /// Reads an entry's payload.
    ///
    /// # Errors
    /// If it is not exactly the JSON of an entry.
    pub fn parse(payload: &[u8]) -> Result<Self, RosterError> {
        serde_json::from_slice(payload).map_err(|_| RosterError::NotAnEntry)
    }

    /// The bytes to sign.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Names, numbers and key ids always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The entry that would follow `head`.
    #[must_use]
    pub fn after(head: &Head, network: &Name, change: Change, at: i64) -> Self {
        Self {
            seq: head.seq.saturating_add(1),
            previous: head.hash.clone(),
            network: network.clone(),
            at,
            change,
        }
    }
}

/// The payload of a genesis entry, to be signed by the founders.
#[must_use]
pub fn genesis(network: &Name, custodians: Vec<Founder>, at: i64) -> Vec<u8> {
    let change = Change::Genesis { custodians };
    Entry {
        seq: 1,
        previous: String::new(),
        network: network.clone(),
        at,
        change,
    }
    .to_bytes()
}

/// Adds a custodian's signature to a proposed entry; a second one of the same key changes nothing.
pub fn cosign(key: &SigningKey, entry: &mut Signed) {
    if !entry.signatures.iter().any(|s| &s.key_id == key.key_id()) {
        entry
            .signatures
            .push(key.sign(kind::ROSTER, &entry.payload));
    }
}

/// A proposed entry that nobody has signed yet.
#[must_use]
pub fn unsigned(payload: Vec<u8>) -> Signed {
    Signed {
        kind: kind::ROSTER.to_owned(),
        payload,
        signatures: Vec::new(),
    }
}

/// A log as text for files: one entry a line, as JSON.
#[must_use]
pub fn write_log(log: &[Signed]) -> String {
    log.iter()
        .map(|entry| serde_json::to_string(entry).unwrap_or_default() + "\n")
        .collect()
}

/// Reads what [`write_log`] writes. Nothing is verified yet.
///
/// # Errors
/// If a line is not a signed entry.
pub fn parse_log(text: &str) -> Result<Vec<Signed>, RosterError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|_| RosterError::NotAnEntry))
        .collect()
}
