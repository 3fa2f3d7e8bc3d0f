//! The ledger is told of every act that a node holds, once for each who signed it, before the next
//! question and within a second while the node runs. An act that the ledger knows and that is not
//! there any more stops everything: taking a suspension away is not a way to lift it.

use std::sync::Arc;

use quorate_evidence::record::{ACT, POLICY_CHANGED};
use quorate_governance::airlock::Review;
use quorate_governance::artefact::Artefact;
use quorate_identity::KeyId;

use super::act::Act;
use super::{Acts, GovernError};
use crate::ledger::{Actor, Event, Ledger, LedgerError, Noted};
use crate::node::Node;
use crate::policy::Governance;

/// Records what the ledger has not been told of yet: acts, and a policy that took another's place.
/// While acts cannot be read nothing is recorded of them, and nothing runs either.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn tell(node: &Node, ledger: &mut Ledger, now: i64) -> Result<(), LedgerError> {
    let policy = &node.policy;
    if !ledger.policy().is_empty() && ledger.policy() != policy.digest {
        let noted = Noted {
            what: POLICY_CHANGED.to_owned(),
            concerns: policy.digest.clone(),
            documents: [ledger.policy().to_owned()].into(),
            ..Noted::default()
        };
        ledger.append(Event::Noted(Box::new(noted)), &node.key, now)?;
    }
    let Ok(acts) = node.shelf.acts(&node.govern_folder(), |_| true) else {
        return Ok(());
    };
    for act in acts {
        for key in act.signers() {
            if !knows(ledger, &act, key) {
                let noted = noted(&policy.governance, &act, key);
                ledger.append(Event::Noted(Box::new(noted)), &node.key, now)?;
            }
        }
    }
    Ok(())
}

fn knows(ledger: &Ledger, act: &Arc<Act>, key: &KeyId) -> bool {
    let told = ledger.acts().get(act.digest());
    told.is_some_and(|told| told.signers.contains(key.as_str()))
}

fn noted(governance: &Governance, act: &Act, key: &KeyId) -> Noted {
    let (subject, role) = governance.duty(key).unwrap_or_default();
    Noted {
        what: format!("{ACT}{}", act.kind()),
        actor: Actor {
            subject,
            key: key.to_string(),
            role: role.to_owned(),
            organisation: String::new(),
        },
        concerns: act.words(),
        documents: [act.digest().to_owned()].into(),
    }
}

/// Whether every act that the ledger knows is still there. Reviews may go when their question has.
///
/// # Errors
/// The first that is gone.
pub(crate) fn complete(node: &Node, acts: &Acts) -> Result<(), GovernError> {
    let here = acts.digests();
    let gone = node.with_ledger(|ledger| {
        let mut told = ledger.acts().iter();
        let gone =
            told.find(|(digest, act)| act.kind != Review::KIND && !here.contains(digest.as_str()));
        Ok(gone.map(|(digest, act)| (act.kind.clone(), digest.clone())))
    });
    match gone {
        Ok(Some((kind, digest))) => Err(GovernError::Gone { kind, digest }),
        // A trial has no ledger, and decides nothing.
        Ok(None) | Err(_) => Ok(()),
    }
}
