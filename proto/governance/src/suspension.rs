//! Suspensions: one person stops a person, a project or a node at once; two let it go on (rule 7).
//! A suspension keeps its reason, and an appeal can be noted beside it.

use std::collections::BTreeSet;

use quorate_identity::{KeyId, Name};
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_digest, need_text};

/// What is stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Whoever holds this key.
    Person {
        /// Identity key.
        key: KeyId,
    },
    /// A project, whatever its record.
    Project {
        /// Its id.
        id: Name,
    },
    /// The whole node.
    Node,
}

/// That something stops, from now on. Signed by one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Network that it is for.
    pub network: Name,
    /// Node that it is for.
    pub node: Name,
    /// What stops.
    pub target: Target,
    /// Why.
    pub reason: String,
    /// What the suspended person says against it; may be empty.
    pub appeal: String,
    /// When, unix seconds.
    pub at: i64,
}

/// That a suspension ends. Signed by two persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// Network that it is for.
    pub network: Name,
    /// Node that it is for.
    pub node: Name,
    /// Digest of the suspension.
    pub suspension: String,
    /// Why.
    pub reason: String,
    /// When, unix seconds.
    pub at: i64,
}

impl Artefact for Suspension {
    const KIND: &'static str = quorate_identity::envelope::kind::SUSPENSION;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_text(&mut found, "reason", &self.reason, 2_000);
        found
    }
}

impl Artefact for Lift {
    const KIND: &'static str = quorate_identity::envelope::kind::LIFT;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_digest(&mut found, "suspension", &self.suspension);
        need_text(&mut found, "reason", &self.reason, 2_000);
        found
    }
}

/// The suspensions that stand: those that nobody lifted with two keys of people who may. Whoever
/// is suspended themselves lifts nothing. One signature of anybody trusted to pause is enough to
/// stop.
#[must_use]
pub fn standing<'s>(
    suspensions: &'s [Opened<Suspension>],
    lifts: &[Opened<Lift>],
    may_pause: &BTreeSet<KeyId>,
    may_resume: &BTreeSet<KeyId>,
) -> Vec<&'s Opened<Suspension>> {
    let counts = |one: &&Opened<Suspension>| !one.signers().is_disjoint(may_pause);
    let lifted = |one: &&Opened<Suspension>| {
        lifts.iter().any(|lift| {
            let content = lift.content();
            let entitled = lift.signers().iter().filter(|key| {
                let themselves =
                    matches!(&one.content().target, Target::Person { key: own } if own == *key);
                may_resume.contains(*key) && !themselves
            });
            content.suspension == one.digest()
                && content.node == one.content().node
                && content.network == one.content().network
                && entitled.count() >= 2
        })
    };
    suspensions
        .iter()
        .filter(counts)
        .filter(|one| !lifted(one))
        .collect()
}
