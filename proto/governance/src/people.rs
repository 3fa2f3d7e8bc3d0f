//! Persons, what they are in a project, and the evidence that they may be let in: training taken
//! and agreements accepted, each signed by whoever issued it, each with a version and an end.

use std::collections::BTreeSet;

use quorate_identity::{KeyId, Name};
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_text};

/// A person, known by roster name and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name in the roster.
    pub name: Name,
    /// Identity key.
    pub key: KeyId,
}

impl Person {
    /// Whether both are taken for one person: one name or one key is enough.
    #[must_use]
    pub fn is(&self, other: &Person) -> bool {
        self.name == other.name || self.key == other.key
    }

    /// Whether the person is among others.
    pub fn among<'p>(&self, others: impl IntoIterator<Item = &'p Person>) -> bool {
        others.into_iter().any(|other| self.is(other))
    }
}

/// What somebody has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A course was taken.
    Training,
    /// An agreement was accepted.
    Agreement,
    /// The organisation is accredited.
    Accreditation,
}

/// What a custodian asks of everybody who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Required {
    /// Of which kind.
    pub kind: EvidenceKind,
    /// Of which course or agreement.
    pub name: String,
    /// Of which version: another one does not count.
    pub version: String,
}

/// That somebody was trained, or has accepted an agreement. Signed by its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Network that it is for.
    pub network: Name,
    /// Who has it.
    pub subject: Person,
    /// Of which kind.
    pub kind: EvidenceKind,
    /// Of which course or agreement.
    pub name: String,
    /// Of which version.
    pub version: String,
    /// Name of the issuer, whose key signs.
    pub issuer: Person,
    /// From when, unix seconds.
    pub issued: i64,
    /// Last moment at which it counts, unix seconds.
    pub expires: i64,
}

impl Artefact for Evidence {
    const KIND: &'static str = quorate_identity::envelope::kind::EVIDENCE;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_text(&mut found, "name", &self.name, 200);
        need_text(&mut found, "version", &self.version, 64);
        if self.expires <= self.issued {
            found.push("`expires` is not after `issued`".to_owned());
        }
        if self.subject.is(&self.issuer) {
            found.push("nobody issues evidence about themselves".to_owned());
        }
        found
    }
}

/// What somebody lacks. They are told which, so that they can get it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} has no current {} `{}` version {}", .person, word(.required.kind), .required.name, .required.version)]
pub struct Lacking {
    /// Who.
    pub person: Name,
    /// What.
    pub required: Required,
}

fn word(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Training => "training",
        EvidenceKind::Agreement => "agreement",
        EvidenceKind::Accreditation => "accreditation",
    }
}

/// Checks that a person has everything that is required, signed by an issuer that the custodian
/// trusts, at this moment.
///
/// # Errors
/// The first requirement that is not met.
pub fn check(
    person: &Person,
    required: &BTreeSet<Required>,
    (network, issuers): (&str, &BTreeSet<KeyId>),
    evidence: &[Opened<Evidence>],
    now: i64,
) -> Result<(), Lacking> {
    let shown = |wanted: &Required, one: &Opened<Evidence>| {
        let Evidence {
            network: of,
            subject,
            kind,
            name,
            version,
            issuer,
            issued,
            expires,
        } = one.content();
        subject == person
            && of.as_str() == network
            && (*kind, name, version) == (wanted.kind, &wanted.name, &wanted.version)
            && (*issued..=*expires).contains(&now)
            && one.sole_signer() == Some(&issuer.key)
            && issuers.contains(&issuer.key)
    };
    let lacking = required
        .iter()
        .find(|wanted| !evidence.iter().any(|one| shown(wanted, one)));
    match lacking {
        None => Ok(()),
        Some(required) => Err(Lacking {
            person: person.name.clone(),
            required: required.clone(),
        }),
    }
}
