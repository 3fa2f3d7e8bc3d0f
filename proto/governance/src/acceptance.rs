//! A custodian's word on a project record for its own node: yes, perhaps for less, or no. The
//! latest word counts, and nobody else's does.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::{KeyId, Name};
use serde::{Deserialize, Serialize};

use crate::airlock::Mode;
use crate::artefact::{Artefact, Opened, need_digest, need_text};
use crate::people::Person;
use crate::project::{self, Project, ProjectError};
use crate::vote::{Committee, Vote, VoteError, count};

/// What the custodian says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Word {
    /// The project may run here.
    Accept {
        /// How answers are let out here: never looser than the record says.
        release: Mode,
        /// Tables of the record that are left out here.
        without: BTreeSet<String>,
        /// Last moment here, unix seconds.
        until: i64,
    },
    /// It may not, or not any more.
    Refuse,
}

/// A custodian's word. Signed with the custodian's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Network that it is for.
    pub network: Name,
    /// Node that it is for.
    pub node: Name,
    /// Digest of the project record.
    pub record: String,
    /// Yes or no.
    pub word: Word,
    /// Why, for the custodian's own files.
    pub reason: String,
    /// When, unix seconds.
    pub at: i64,
}

impl Artefact for Acceptance {
    const KIND: &'static str = quorate_identity::envelope::kind::ACCEPTANCE;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_digest(&mut found, "record", &self.record);
        need_text(&mut found, "reason", &self.reason, 2_000);
        found
    }
}

/// A project that may run at a node. Only [`admit`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    record: Project,
    digest: String,
    acceptance: String,
    release: Mode,
    data: BTreeMap<String, BTreeSet<String>>,
    until: i64,
    voters: Vec<Person>,
}

impl Admitted {
    /// What was applied for.
    #[must_use]
    pub fn record(&self) -> &Project {
        &self.record
    }

    /// Digest of the record.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Digest of the custodian's acceptance.
    #[must_use]
    pub fn acceptance(&self) -> &str {
        &self.acceptance
    }

    /// How answers are let out: the stricter of record and custodian.
    #[must_use]
    pub fn release(&self) -> Mode {
        self.release
    }

    /// Tables and columns that may be used here.
    #[must_use]
    pub fn data(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.data
    }

    /// Last moment here.
    #[must_use]
    pub fn until(&self) -> i64 {
        self.until
    }

    /// Who voted for it.
    #[must_use]
    pub fn voters(&self) -> &[Person] {
        &self.voters
    }
}

/// Why a project does not run at a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// Record or signature.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The record does not name this node.
    #[error("the project record does not name this node")]
    NotThisNode,
    /// The committee.
    #[error("the committee: {0}")]
    Vote(#[from] VoteError),
    /// The custodian has said nothing.
    #[error("the custodian has not accepted the project for this node")]
    NotAccepted,
    /// The custodian has said no.
    #[error("the custodian has refused the project for this node")]
    Refused,
    /// Not begun, or over.
    #[error("the project has not begun, or has ended")]
    NotCurrent,
}

/// Who decides at a node.
pub struct Deciders<'a> {
    /// Network and name of the node.
    pub network: &'a str,
    /// Name of the node.
    pub node: &'a str,
    /// Keys that speak for its custodian.
    pub custodian: &'a BTreeSet<KeyId>,
    /// Who votes; without members no vote is needed.
    pub committee: &'a Committee,
}

/// Deny by default: a record is admitted at a node only if its applicant signed it, the committee
/// carries it, this custodian accepts it, and its time is now.
///
/// # Errors
/// What is missing.
pub fn admit(
    record: &Opened<Project>,
    votes: &[Opened<Vote>],
    words: &[Opened<Acceptance>],
    deciders: &Deciders<'_>,
    now: i64,
) -> Result<Admitted, AdmitError> {
    let content = record.content();
    project::check(record, deciders.network)?;
    if !content.nodes.iter().any(|node| *node == *deciders.node) {
        return Err(AdmitError::NotThisNode);
    }
    let voters = match deciders.committee.members.is_empty() {
        true => Vec::new(),
        false => count(record, votes, deciders.committee)?,
    };
    let ours = words
        .iter()
        .filter(|word| is_ours(word, record.digest(), deciders));
    // Of two words at one moment the refusal counts.
    let latest = ours.max_by_key(|word| (word.content().at, word.content().word == Word::Refuse));
    let latest = latest.ok_or(AdmitError::NotAccepted)?;
    let Word::Accept {
        release,
        without,
        until,
    } = &latest.content().word
    else {
        return Err(AdmitError::Refused);
    };
    let until = (*until).min(content.expires);
    if !content.is_current(now) || now > until {
        return Err(AdmitError::NotCurrent);
    }
    let mut data = content.data.clone();
    data.retain(|table, _| !without.contains(table));
    Ok(Admitted {
        record: content.clone(),
        digest: record.digest().to_owned(),
        acceptance: latest.digest().to_owned(),
        release: content.release.max(*release),
        data,
        until,
        voters,
    })
}

fn is_ours(word: &Opened<Acceptance>, record: &str, deciders: &Deciders<'_>) -> bool {
    let content = word.content();
    let stops = content.word == Word::Refuse;
    let mut custodian = deciders.custodian.iter();
    let theirs = custodian.any(|key| word.said_by(key, stops));
    theirs
        && content.record == record
        && content.network.as_str() == deciders.network
        && content.node.as_str() == deciders.node
}
