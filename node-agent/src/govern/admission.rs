//! What the acts say at a moment: which projects run here, and who or what is stopped.

use std::collections::BTreeMap;

use quorate_governance::acceptance::{AdmitError, Admitted, Deciders, admit};
use quorate_governance::project::Part;
use quorate_governance::suspension::{Target, standing};
use quorate_identity::{KeyId, Roster};

use super::{Acts, GovernError, complete};
use crate::node::Node;
use crate::policy::{Approval, Governance, Project};

/// The acts of a node, seen with its policy at one moment.
pub struct Standing<'n> {
    /// The acts.
    pub acts: Acts,
    node: &'n Node,
    now: i64,
}

impl<'n> Standing<'n> {
    /// Reads the acts of a node.
    ///
    /// # Errors
    /// If any cannot be read.
    pub fn read(node: &'n Node, now: i64) -> Result<Self, GovernError> {
        let acts = Acts::read(&node.shelf, &node.govern_folder())?;
        complete(node, &acts)?;
        Ok(Self { acts, node, now })
    }

    /// The project of that id: the policy file's own, else the newest signed record that is admitted.
    ///
    /// # Errors
    /// Why the newest record does not run; `None` if there is no project at all.
    pub fn project(&self, id: &str) -> Result<Project, Option<AdmitError>> {
        if let Some(written) = self.node.policy.projects.get(id) {
            return match self.now < written.until {
                true => Ok(written.clone()),
                false => Err(None),
            };
        }
        let all = self.acts.projects.iter();
        let newest = all
            .filter(|record| record.content().id.as_str() == id)
            .max_by_key(|record| (record.content().version, record.digest().to_owned()));
        let newest = newest.ok_or(None)?;
        let admitted = admitted(self.node, &self.acts, newest.digest(), self.now);
        let approval = match self.node.policy.governance.approvers.is_empty() {
            true => Approval::Auto,
            false => Approval::Signed,
        };
        admitted
            .map(|admitted| project(&admitted, approval))
            .map_err(Some)
    }

    /// Why this person, project or node is stopped, if it is: the reason is the custodian's.
    #[must_use]
    pub fn stopped(&self, project: &str, key: Option<&KeyId>) -> Option<String> {
        let governance = &self.node.policy.governance;
        let (pause, resume) = (
            governance.may_pause(),
            Governance::keys(&governance.custodian),
        );
        let (network, node) = (self.node.roster(), &self.node.policy.node.name);
        let stands = standing(&self.acts.suspensions, &self.acts.lifts, &pause, &resume);
        let about = |target: &Target| match target {
            Target::Node => true,
            Target::Project { id } => id.as_str() == project,
            Target::Person { key: stopped } => Some(stopped) == key,
        };
        let found = stands.into_iter().map(|one| one.content()).find(|one| {
            one.network == *network.network() && one.node == **node && about(&one.target)
        });
        found.map(|one| one.reason.clone())
    }
}

/// What the acts say of a record at this node.
///
/// # Errors
/// What is missing.
pub fn admitted(node: &Node, acts: &Acts, record: &str, now: i64) -> Result<Admitted, AdmitError> {
    let governance = &node.policy.governance;
    let roster = node.roster();
    let custodian = Governance::keys(&governance.custodian);
    let deciders = Deciders {
        network: roster.network().as_str(),
        node: &node.policy.node.name,
        custodian: &custodian,
        committee: &governance.committee,
    };
    let record = acts.projects.iter().find(|one| one.digest() == record);
    let record = record.ok_or(AdmitError::NotAccepted)?;
    admit(record, &acts.votes, &acts.words, &deciders, now)
}

/// Whether a key that the policy names still stands: one that the roster ended does not.
pub(crate) fn stands(roster: &Roster, key: &KeyId, now: i64) -> bool {
    use quorate_identity::RosterError::{Expired, Revoked};
    !matches!(
        roster.by_key(key, now),
        Err(Revoked { .. } | Expired { .. })
    )
}

/// An admitted project as the approve step reads it. Who only manages is not among those who ask.
fn project(admitted: &Admitted, approval: Approval) -> Project {
    let record = admitted.record();
    let mut members = BTreeMap::new();
    let mut others = vec![record.applicant.clone()];
    for member in &record.members {
        match member.part {
            Part::Analyst => {
                let (name, key) = (member.person.name.to_string(), member.person.key.clone());
                members.insert(name, key);
            }
            Part::Manager => others.push(member.person.clone()),
        }
    }
    let organisations = members
        .keys()
        .map(|name| (name.clone(), record.organisation.clone()));
    Project {
        id: record.id.to_string(),
        until: admitted.until().saturating_add(1),
        tables: admitted.data().keys().cloned().collect(),
        organisations: organisations.collect(),
        members,
        legal_basis: Some(record.legal.article6.clone()),
        approval,
        release: admitted.release(),
        columns: Some(admitted.data().clone()),
        record: admitted.digest().to_owned(),
        acceptance: admitted.acceptance().to_owned(),
        questions: Some(record.budget.questions),
        others,
    }
}
