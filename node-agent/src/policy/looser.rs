//! In what one policy is looser than another (rule 3). What cannot be shown to be the same or
//! stricter counts as looser; running costs and ways to the coordinator do not count.

use std::collections::{BTreeMap, BTreeSet};

use quorate_governance::Person;

use super::{Approval, Governance, Policy, Project, ReleaseFloor};

/// Every part of `new` that is looser than in `old`.
#[must_use]
pub fn looser(old: &Policy, new: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |is_looser: bool, what: &str| {
        if is_looser {
            found.push(what.to_owned());
        }
    };
    note(old.node.name != new.node.name, "node.name");
    note(old.node.genesis != new.node.genesis, "node.genesis");
    note(old.node.state != new.node.state, "node.state");
    let codebooks = new.node.codebooks.is_subset(&old.node.codebooks);
    note(!codebooks, "node.codebooks");
    note(
        old.population.name != new.population.name,
        "population.name",
    );
    let synthetic = new.population.synthetic && !old.population.synthetic;
    note(synthetic, "population.synthetic");
    let registered = old.population.registered && !new.population.registered;
    note(registered, "population.registered");
    let slot = new.limits.latency_slot < old.limits.latency_slot;
    note(slot, "limits.latency_slot");
    note(
        new.caps.per_epoch > old.caps.per_epoch,
        "release.cells_per_epoch",
    );
    let principal = new.caps.per_principal > old.caps.per_principal;
    note(principal, "release.cells_per_principal");
    for (table, spec) in &new.sources {
        note(
            old.sources.get(table) != Some(spec),
            &format!("source.{table}"),
        );
    }
    for (id, project) in &new.projects {
        let stricter = old.projects.get(id).is_some_and(|old| within(old, project));
        note(!stricter, &format!("project {id}"));
    }
    floors(&old.release, &new.release, &mut note);
    duties(&old.governance, &new.governance, &mut note);
    found
}

/// Whether a project allows nothing that it did not allow before.
fn within(old: &Project, new: &Project) -> bool {
    let members = new
        .members
        .iter()
        .all(|(name, key)| old.members.get(name) == Some(key));
    let approval = match (&old.approval, &new.approval) {
        (Approval::Auto, _) | (Approval::Signed, Approval::Signed) => true,
        (Approval::Listed(old), Approval::Listed(new)) => new.is_subset(old),
        _ => false,
    };
    let questions = match (old.questions, new.questions) {
        (None, _) => true,
        (Some(old), Some(new)) => new <= old,
        (Some(_), None) => false,
    };
    members
        && approval
        && questions
        && new.until <= old.until
        && new.tables.is_subset(&old.tables)
        && new.release >= old.release
}

fn floors(old: &ReleaseFloor, new: &ReleaseFloor, note: &mut impl FnMut(bool, &str)) {
    for (old, new, what) in [
        (old.k, new.k, "release.k"),
        (old.round_base, new.round_base, "release.round_base"),
        (old.p_pct, new.p_pct, "release.p_pct"),
        (old.dof, new.dof, "release.dof"),
    ] {
        note(new < old, what);
    }
    let cells = match (old.max_cells, new.max_cells) {
        (None, _) => false,
        (Some(old), Some(new)) => new > old,
        (Some(_), None) => true,
    };
    note(cells, "release.max_cells");
    let dominance = match (old.nk, new.nk) {
        (None, _) => false,
        (Some((n, share)), Some((of, most))) => of < n || most > share,
        (Some(_), None) => true,
    };
    note(dominance, "release.nk");
}

fn duties(old: &Governance, new: &Governance, note: &mut impl FnMut(bool, &str)) {
    let voters = |governance: &Governance| -> Vec<Person> {
        let members = governance.committee.members.iter();
        members.map(|member| member.person.clone()).collect()
    };
    let lists = BTreeMap::from([
        ("custodian", (old.custodian.clone(), new.custodian.clone())),
        ("committee", (voters(old), voters(new))),
        ("approvers", (old.approvers.clone(), new.approvers.clone())),
        ("checkers", (old.checkers.clone(), new.checkers.clone())),
        ("operators", (old.operators.clone(), new.operators.clone())),
        ("auditors", (old.auditors.clone(), new.auditors.clone())),
        ("issuers", (old.issuers.clone(), new.issuers.clone())),
        ("seconds", (old.seconds.clone(), new.seconds.clone())),
    ]);
    for (what, (old, new)) in lists {
        let old: BTreeSet<_> = old.into_iter().collect();
        let new: BTreeSet<_> = new.into_iter().collect();
        // Nobody at all means that nobody is asked.
        let nobody = new.is_empty() && !old.is_empty();
        note(
            nobody || !new.is_subset(&old),
            &format!("governance.{what}"),
        );
    }
    note(new.approvals < old.approvals, "governance.approvals");
    note(new.recognise && !old.recognise, "governance.recognise");
    let (old_committee, new_committee) = (&old.committee, &new.committee);
    note(
        new_committee.quorum < old_committee.quorum,
        "governance.quorum",
    );
    let lay = |members: &super::governance::Members| members.iter().filter(|m| m.lay).count();
    let lay = lay(&new_committee.members) > lay(&old_committee.members);
    note(
        old_committee.lay && (!new_committee.lay || lay),
        "governance.lay",
    );
    note(
        !old.required.is_subset(&new.required),
        "governance.required",
    );
}
