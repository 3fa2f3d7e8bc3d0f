//! Registered states of the data: what the files were, and how many persons stand out among their
//! quasi-identifiers, signed by the custodian. A changed file is another state without a
//! registration, never silently the same. Nothing of a registration leaves the node but its digest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use quorate_identity::envelope::kind;
use quorate_identity::{KeyId, Role as Member, Signed, digest_text, parse_digest};
use quorate_query::codebook::{Codebook, Role};
use quorate_query::value::Scalar;
use serde::{Deserialize, Serialize};

use crate::data_check::scalar;
use crate::node::Node;
use crate::policy::Policy;
use crate::source::{SourceError, SourceFault, held, read_table};
use crate::state;

/// Folder in the state folder.
const FOLDER: &str = "registrations";
/// The schema that registrations name.
pub const SCHEMA: &str = "quorate.registration/1";

/// A registered state of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Which node.
    pub node: String,
    /// Name of the population.
    pub population: String,
    /// Digest of the codebook that the columns are named by.
    pub codebook: String,
    /// The state's name outside.
    pub snapshot: String,
    /// Digest of the state; covers the bytes of every file.
    pub epoch: String,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// How many persons stand out.
    pub risk: Risk,
    /// When, unix seconds.
    pub time: i64,
    /// Random, so that the digest of a registration tells nothing about the data.
    pub salt: String,
}

/// How many persons stand out among the quasi-identifiers of the unit table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// The columns that somebody might know of a person.
    pub columns: Vec<String>,
    /// Groups smaller than this are small.
    pub k: u32,
    /// Persons.
    pub persons: u64,
    /// Different combinations of values.
    pub combinations: u64,
    /// Persons whom nobody else is like in these columns.
    pub unique: u64,
    /// Persons in groups smaller than `k`, the unique ones with them.
    pub small: u64,
    /// Persons in the smallest group of each single column.
    pub smallest: BTreeMap<String, u64>,
}

/// Why a state cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The data.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The unit table is not held here.
    #[error("no source provides the unit table `{0}`: there are no persons to count")]
    NoPersons(String),
    /// Not a column of the unit table, or an identifier.
    #[error("`{0}` is no column of the unit table that can be compared")]
    Column(String),
}

/// The columns of the unit table that somebody might know of a person: those that can be filtered
/// or grouped by, and are not sensitive.
#[must_use]
pub fn quasi_identifiers(codebook: &Codebook) -> Vec<String> {
    let table = codebook.tables.get(&codebook.unit.table);
    let columns = table.into_iter().flat_map(|table| &table.columns);
    let known = columns.filter(|(_, column)| {
        let used = [Role::Filter, Role::Group];
        !column.sensitive && used.iter().any(|role| column.roles.contains(role))
    });
    known.map(|(name, _)| name.clone()).collect()
}

/// Counts how many persons stand out.
///
/// # Errors
/// If the unit table cannot be read, or a column is none of it.
pub(crate) async fn assess(
    policy: &Policy,
    codebook: &Codebook,
    columns: &[String],
    k: u32,
) -> Result<Risk, RegistrationError> {
    let unit = &codebook.unit.table;
    let (name, spec, table) = held(policy, codebook)
        .find(|(name, ..)| name == unit)
        .ok_or_else(|| RegistrationError::NoPersons(unit.clone()))?;
    let identifier = |name: &str| {
        let roles = table.columns.get(name).map(|column| &column.roles);
        roles.is_none_or(|roles| roles.contains(&Role::Unit) || roles.contains(&Role::Key))
    };
    if let Some(wrong) = columns.iter().find(|column| identifier(column)) {
        return Err(RegistrationError::Column(wrong.clone()));
    }
    let failed = || SourceFault::MapFailed.of(name);
    let (provider, _) = read_table(name, spec, table).await?;
    let rows = datafusion::prelude::SessionContext::new().read_table(provider);
    let rows = rows.map_err(|_| failed())?.execute_stream().await;
    let mut batches = rows.map_err(|_| failed())?;
    let mut groups: BTreeMap<Vec<Scalar>, u64> = BTreeMap::new();
    let mut single: BTreeMap<(usize, Scalar), u64> = BTreeMap::new();
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|_| failed())?;
        for row in 0..batch.num_rows() {
            let mut values = Vec::with_capacity(columns.len());
            for (at, column) in columns.iter().enumerate() {
                let typed = table.columns.get(column).zip(batch.column_by_name(column));
                let Some((typed, array)) = typed else {
                    return Err(RegistrationError::Column(column.clone()));
                };
                let value = scalar(array, typed.ty, row);
                *single.entry((at, value.clone())).or_default() += 1;
                values.push(value);
            }
            *groups.entry(values).or_default() += 1;
        }
    }
    Ok(risk(columns, k, &groups, &single))
}

fn risk(
    columns: &[String],
    k: u32,
    groups: &BTreeMap<Vec<Scalar>, u64>,
    single: &BTreeMap<(usize, Scalar), u64>,
) -> Risk {
    let below = |limit: u64| groups.values().filter(|n| **n < limit).sum();
    let smallest = |at: usize| {
        let of = single.iter().filter(|((column, _), _)| *column == at);
        of.map(|(_, persons)| *persons).min().unwrap_or(0)
    };
    Risk {
        columns: columns.to_vec(),
        k,
        persons: groups.values().sum(),
        combinations: u64::try_from(groups.len()).unwrap_or(u64::MAX),
        unique: below(2),
        small: below(u64::from(k)),
        smallest: (0..)
            .zip(columns)
            .map(|(at, column)| (column.clone(), smallest(at)))
            .collect(),
    }
}

fn path(folder: &Path, snapshot: &str) -> Option<PathBuf> {
    let digest = parse_digest(snapshot)?;
    let name = format!("{}.json", hex::encode(digest));
    Some(folder.join(FOLDER).join(name))
}

/// Keeps a signed registration; returns its digest.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn keep(folder: &Path, snapshot: &str, signed: &Signed) -> std::io::Result<String> {
    let path = path(folder, snapshot);
    let path = path.ok_or_else(|| std::io::Error::other("the state has no name"))?;
    state::folder(&folder.join(FOLDER))?;
    state::write_file(&path, &serde_json::to_vec(signed)?)?;
    Ok(digest_text(&signed.digest()))
}

/// The digest of the registration of a state of a node's data, if a custodian of the roster as it
/// stands signed one.
#[must_use]
pub fn of_node(node: &Node, epoch: &str) -> Option<String> {
    let roster = node.roster();
    let members = roster.members(roster.last_at());
    let custodians = members.filter(|member| member.role == Member::Custodian);
    let keys: Vec<KeyId> = custodians.map(|member| member.key.clone()).collect();
    let snapshot = node.secrets().label(epoch);
    of_state(&node.policy.node.state, &snapshot, &keys)
}

/// The digest of the registration of a state, if one of these custodians signed it.
#[must_use]
pub fn of_state(folder: &Path, snapshot: &str, custodians: &[KeyId]) -> Option<String> {
    let bytes = std::fs::read(path(folder, snapshot)?).ok()?;
    let signed: Signed = serde_json::from_slice(&bytes).ok()?;
    let signer = signed.verify_sole(kind::REGISTRATION).ok()?;
    let said: Registration = serde_json::from_slice(&signed.payload).ok()?;
    let fits = custodians.contains(signer) && said.snapshot == snapshot;
    fits.then(|| digest_text(&signed.digest()))
}

#[cfg(test)]
mod tests {
    use quorate_identity::SigningKey;

    use super::*;

    fn text(value: &str) -> Scalar {
        Scalar::Text(value.to_owned())
    }

    #[test]
    fn who_stands_out_is_counted() {
        let columns = ["sex".to_owned(), "town".to_owned()];
        let people = [
            ("f", "a", 9_u64),
            ("f", "b", 1),
            ("m", "a", 3),
            ("m", "b", 7),
        ];
        let (mut groups, mut single) = (BTreeMap::new(), BTreeMap::new());
        for (sex, town, persons) in people {
            groups.insert(vec![text(sex), text(town)], persons);
            *single.entry((0, text(sex))).or_default() += persons;
            *single.entry((1, text(town))).or_default() += persons;
        }
        let risk = risk(&columns, 8, &groups, &single);
        assert_eq!((risk.persons, risk.combinations), (20, 4));
        assert_eq!((risk.unique, risk.small), (1, 11));
        assert_eq!((risk.smallest["sex"], risk.smallest["town"]), (10, 8));
    }

    #[test]
    fn a_state_is_registered_by_its_custodian_and_no_other_state_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (custodian, other) = (
            SigningKey::from_seed(&[1; 32]).unwrap(),
            SigningKey::from_seed(&[2; 32]).unwrap(),
        );
        let (snapshot, changed) = (digest_text(&[5; 32]), digest_text(&[6; 32]));
        let registration = Registration {
            snapshot: snapshot.clone(),
            ..Registration::default()
        };
        let payload = serde_json::to_vec(&registration).unwrap();
        let signed = Signed::by(&custodian, kind::REGISTRATION, payload);
        let digest = keep(folder.path(), &snapshot, &signed).unwrap();
        let keys = [custodian.key_id().clone()];
        assert_eq!(of_state(folder.path(), &snapshot, &keys), Some(digest));
        assert_eq!(of_state(folder.path(), &changed, &keys), None);
        let strangers = [other.key_id().clone()];
        assert_eq!(of_state(folder.path(), &snapshot, &strangers), None);
        keep(folder.path(), &changed, &signed).unwrap();
        assert_eq!(
            of_state(folder.path(), &changed, &keys),
            None,
            "of another state"
        );
    }
}
