//! Changes of a node's policy (rule 3): tightening is at once and one person's; loosening takes
//! the custodian and a second person, and a day during which everybody can see it coming.

use std::collections::BTreeSet;

use quorate_identity::{KeyId, Name};
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_digest, need_text};

/// How long a loosening is announced before it counts: 24 hours, in seconds.
pub const DELAY: i64 = 86_400;

/// That a node's policy changes to another text. Signed by the custodian, and by a second person
/// where it loosens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Network that it is for.
    pub network: Name,
    /// Node that it is for.
    pub node: Name,
    /// Digest of the policy in force.
    pub from: String,
    /// Digest of the policy that follows.
    pub to: String,
    /// Why.
    pub reason: String,
    /// When it was announced, unix seconds.
    pub at: i64,
}

impl Artefact for Change {
    const KIND: &'static str = quorate_identity::envelope::kind::CHANGE;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_digest(&mut found, "from", &self.from);
        need_digest(&mut found, "to", &self.to);
        need_text(&mut found, "reason", &self.reason, 2_000);
        if self.from == self.to {
            found.push("`to` is the policy in force".to_owned());
        }
        found
    }
}

/// Why a changed policy does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Nobody announced it.
    #[error("rule 3: the policy became looser ({}), and no signed change says so", .0.join(", "))]
    NotAnnounced(Vec<String>),
    /// One person only.
    #[error("rule 3: a looser policy needs the custodian and a second person")]
    OnePerson,
    /// Too soon.
    #[error("rule 3: a looser policy counts from {0} (unix seconds), a day after it was announced")]
    TooSoon(i64),
}

/// Whether a policy may take the place of another. `looser` says in what it is looser: nothing at
/// all makes it a tightening, which needs no signature here. `announced` is when the node first
/// saw the change: a date written by its signers does not shorten the wait.
///
/// # Errors
/// If it is looser and not two persons', or too soon.
pub fn in_force(
    (from, to): (&str, &str),
    looser: &[String],
    changes: &[(Opened<Change>, i64)],
    custodian: &BTreeSet<KeyId>,
    seconds: &BTreeSet<KeyId>,
    now: i64,
) -> Result<(), ChangeError> {
    if looser.is_empty() {
        return Ok(());
    }
    let fits = |change: &&(Opened<Change>, i64)| {
        let content = change.0.content();
        content.from == from && content.to == to
    };
    let mut found = changes.iter().filter(fits).peekable();
    if found.peek().is_none() {
        return Err(ChangeError::NotAnnounced(looser.to_vec()));
    }
    let by_two = found.filter(|(change, _)| {
        let signers = change.signers();
        let custodian_signed = signers.iter().any(|key| custodian.contains(key));
        let second = signers
            .iter()
            .any(|key| seconds.contains(key) && !custodian.contains(key));
        custodian_signed && second
    });
    let since = by_two
        .map(|(change, seen)| (*seen).max(change.content().at))
        .min()
        .ok_or(ChangeError::OnePerson)?;
    let from = since.saturating_add(DELAY);
    match now >= from {
        true => Ok(()),
        false => Err(ChangeError::TooSoon(from)),
    }
}
