//! `data register`: the custodian's word on a state of the data.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use quorate_identity::envelope::kind;
use quorate_identity::{Role, Signed, SigningKey};

use super::args::{DataRegister, Place};
use super::data::pick_codebook;
use super::{Done, runtime, ui};
use crate::data_check::check_all;
use crate::home::Home;
use crate::ledger::{Actor, Noted};
use crate::link::Clock;
use crate::notes;
use crate::registration::{self, Registration, SCHEMA, assess, quasi_identifiers};
use crate::source::{self, Cache};

/// Counts, shows, signs and keeps; the ledger says that it was done and by which key.
pub(super) fn register(place: &Place, args: &DataRegister, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let codebook = pick_codebook(&home, &policy, args.codebook.as_deref())?;
    let key = SigningKey::load(
        &args
            .key
            .clone()
            .unwrap_or_else(|| home.custodian_key_path()),
    )
    .context("the custodian's key (`--key FILE` says where it is)")?;
    let now = clock();
    let roster = home.roster(&policy)?;
    let custodian = roster.by_key(key.key_id(), now)?;
    if custodian.role != Role::Custodian {
        bail!(
            "{} is the key of a {}: only a custodian registers data",
            key.key_id(),
            custodian.role
        );
    }
    let columns = match args.quasi.as_slice() {
        [] => quasi_identifiers(&codebook),
        named => named.to_vec(),
    };
    let k = policy.release_for(&codebook).k;
    let runtime = runtime()?;
    let report = runtime.block_on(check_all(&policy, &codebook));
    if !report.sound() {
        report.problems.iter().for_each(|problem| ui::note(problem));
        bail!("data with problems are not registered: see `quorate-node data check`");
    }
    let cache = Cache::new(&policy.node.state);
    let epoch = |cache| {
        let none = BTreeSet::new();
        let found = runtime.block_on(source::snapshot(&policy, &codebook, &none, cache));
        found.map(|snapshot| snapshot.epoch)
    };
    let before = epoch(&cache)?;
    let risk = runtime.block_on(assess(&policy, &codebook, &columns, k))?;
    if epoch(&Cache::new(&policy.node.state))? != before {
        bail!("the files changed while they were read: do it again");
    }
    let rows: BTreeMap<String, u64> = report
        .tables
        .iter()
        .map(|t| (t.name.clone(), t.rows))
        .collect();
    let registration = Registration {
        schema: SCHEMA.to_owned(),
        node: policy.node.name.to_string(),
        population: policy.population.name.clone(),
        codebook: codebook.digest.clone(),
        snapshot: home.secrets()?.label(&before),
        epoch: before,
        rows,
        risk,
        time: now,
        salt: hex::encode(quorate_identity::random::<32>()?),
    };
    ui::say(&serde_json::to_string_pretty(&registration)?);
    let signed = Signed::by(&key, kind::REGISTRATION, serde_json::to_vec(&registration)?);
    let digest = registration::keep(&policy.node.state, &registration.snapshot, &signed)?;
    let noted = Noted {
        what: "data_registered".to_owned(),
        actor: Actor {
            subject: custodian.name.to_string(),
            key: key.key_id().to_string(),
            role: "custodian".to_owned(),
            organisation: String::new(),
        },
        concerns: registration.snapshot,
        documents: [digest.clone()].into(),
    };
    notes::note(&policy, &home.node_key()?, noted, now)?;
    ui::note(&format!("registered by {}: {digest}", custodian.name));
    Ok(Done::Well)
}
