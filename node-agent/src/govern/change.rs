//! Changes of the policy (rule 3). Where the policy names `governance.seconds`, the node keeps the
//! policy that is in force and starts with a looser one only if the custodian and one of the
//! seconds have signed the change and a day has passed since the node saw it.

use std::collections::BTreeMap;
use std::path::Path;

use quorate_governance::artefact::{Artefact, Opened};
use quorate_governance::change::{Change, ChangeError, in_force};
use quorate_query::codebook::Codebook;

use super::{Acts, GovernError};
use crate::policy::{self, Governance, Policy, looser};
use crate::state::write_file;

/// The policy that is in force, in the state folder.
const ACCEPTED: &str = "policy.accepted.toml";
/// When each change was first seen here.
const SEEN: &str = "changes.json";

/// Why the node does not start with its policy file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyChangeError {
    /// Not allowed, or not yet.
    #[error(
        "{0}: put the earlier text back (`policy.accepted.toml` in the state folder), or announce the change with `quorate-node govern change`"
    )]
    Change(#[from] ChangeError),
    /// Acts cannot be read.
    #[error(transparent)]
    Govern(#[from] GovernError),
    /// The file system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// In what a policy is looser than the one in force, and the digest of that; nothing where no policy
/// is kept, or where it is the same.
///
/// # Errors
/// If the kept text cannot be read.
pub fn compared(
    policy: &Policy,
    codebooks: &[&Codebook],
) -> Result<Option<(String, Vec<String>)>, PolicyChangeError> {
    let path = policy.node.state.join(ACCEPTED);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let from = policy::digest(&text);
    if from == policy.digest {
        return Ok(None);
    }
    let name = path.display().to_string();
    let looser = match policy::read(&text, &name, &policy.base, codebooks) {
        Ok(old) => looser(&old, policy),
        Err(_) => vec!["the policy in force cannot be compared any more".to_owned()],
    };
    Ok(Some((from, looser)))
}

/// Lets a policy come into force, or says why not. `text` is what the policy was read from.
///
/// # Errors
/// If it is looser than the one in force and not yet allowed.
pub fn enforce(
    policy: &Policy,
    text: &str,
    codebooks: &[&Codebook],
    now: i64,
) -> Result<(), PolicyChangeError> {
    let state = &policy.node.state;
    if let Some((from, looser)) = compared(policy, codebooks)? {
        let old = std::fs::read_to_string(state.join(ACCEPTED))?;
        let name = ACCEPTED;
        let governance = policy::read(&old, name, &policy.base, codebooks)
            .map_or_else(|_| policy.governance.clone(), |old| old.governance);
        let seen = seen(state)?;
        let changes = Acts::load(state)?.changes.into_iter().map(|change| {
            let since = seen.get(change.digest()).copied().unwrap_or(now);
            (change, since)
        });
        let changes: Vec<(Opened<Change>, i64)> = changes.collect();
        let custodian = Governance::keys(&governance.custodian);
        let seconds = Governance::keys(&governance.seconds);
        let between = (from.as_str(), policy.digest.as_str());
        in_force(between, &looser, &changes, &custodian, &seconds, now)?;
    } else if state.join(ACCEPTED).exists() || policy.governance.seconds.is_empty() {
        return Ok(());
    }
    Ok(write_file(&state.join(ACCEPTED), text.as_bytes())?)
}

/// Notes when a change was first seen here: its own date does not count.
///
/// # Errors
/// If that cannot be written.
pub fn note_seen(state: &Path, digest: &str, now: i64) -> Result<(), PolicyChangeError> {
    let mut seen = seen(state)?;
    seen.entry(digest.to_owned()).or_insert(now);
    let text = serde_json::to_vec_pretty(&seen).unwrap_or_default();
    Ok(write_file(&state.join(SEEN), &text)?)
}

/// Whether an act is a change, whose first sight is noted.
#[must_use]
pub fn is_change(kind: &str) -> bool {
    kind == Change::KIND
}

fn seen(state: &Path) -> Result<BTreeMap<String, i64>, PolicyChangeError> {
    match std::fs::read(state.join(SEEN)) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| GovernError::NotAnAct(state.join(SEEN)).into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use quorate_governance::Artefact;
    use quorate_governance::change::{Change, DELAY};
    use quorate_identity::Name;

    use super::{compared, enforce, note_seen};
    use crate::govern::keep;
    use crate::testing::{BOOK, House, NOW, key, people};

    fn house() -> House {
        let mut house = people(BOOK, "k = 9");
        let entry =
            |name: &str, seed| format!("{{ name = \"{name}\", key = \"{}\" }}", key(seed).key_id());
        house.policy.push_str(&format!(
            "[governance]\ncustodian = [{}]\nseconds = [{}]\n",
            entry("carla", 1),
            entry("dana", 35),
        ));
        crate::state::folder(&house.state()).unwrap();
        house
    }

    fn start(house: &House, now: i64) -> Result<(), String> {
        let policy = house.policy();
        let started = enforce(&policy, &house.policy, &[&house.codebook], now);
        started.map_err(|error| error.to_string())
    }

    fn announce(house: &House, from: &str, by: &[u8]) {
        let change = Change {
            network: Name::parse("net").unwrap(),
            node: Name::parse("cleveland").unwrap(),
            from: from.to_owned(),
            to: house.policy().digest,
            reason: "a new threshold".to_owned(),
            at: NOW - 9 * DELAY,
        };
        for seed in by {
            let digest = keep(&house.state(), &change.sign(&key(*seed))).unwrap();
            note_seen(&house.state(), &digest, NOW).unwrap();
        }
    }

    #[test]
    fn a_looser_policy_waits_a_day_for_two_and_a_stricter_one_does_not() {
        let mut house = house();
        start(&house, NOW).unwrap();
        house.policy = house.policy.replace("k = 9", "k = 12");
        start(&house, NOW).unwrap();
        let strict = house.policy().digest;
        house.policy = house.policy.replace("k = 12", "k = 10");
        let looser = compared(&house.policy(), &[&house.codebook]).unwrap();
        assert_eq!(looser, Some((strict.clone(), vec!["release.k".to_owned()])));
        assert!(start(&house, NOW).unwrap_err().contains("no signed change"));
        announce(&house, &strict, &[1]);
        assert!(
            start(&house, NOW + 9 * DELAY)
                .unwrap_err()
                .contains("second person")
        );
        announce(&house, &strict, &[35]);
        assert!(
            start(&house, NOW + DELAY - 1).is_err(),
            "a day from first sight"
        );
        start(&house, NOW + DELAY).unwrap();
        start(&house, NOW + DELAY).unwrap();
    }

    #[test]
    fn taking_the_second_person_away_is_looser_too() {
        let mut house = house();
        start(&house, NOW).unwrap();
        let from = house.policy.find("seconds").unwrap();
        house.policy.truncate(from);
        assert!(
            start(&house, NOW)
                .unwrap_err()
                .contains("governance.seconds")
        );
    }

    #[test]
    fn each_loosening_is_named() {
        let mut house = house();
        start(&house, NOW).unwrap();
        let loosen = [
            ("2030-12-31", "2031-12-31", "project heart-1"),
            (
                "approval = \"auto\"",
                "approval = \"auto\"\nquestions = 5",
                "",
            ),
            ("name = \"alice\"", "name = \"anna\"", "project heart-1"),
            ("k = 9", "", "release.k"),
            (
                "synthetic = false",
                "synthetic = true",
                "population.synthetic",
            ),
            ("name = \"dana\"", "name = \"dora\"", "governance.seconds"),
            (
                "people.csv\"",
                "people.csv\"\nmap = \"SELECT * FROM source\"",
                "source.person",
            ),
        ];
        let text = house.policy.clone();
        for (from, to, what) in loosen {
            house.policy = text.replace(from, to);
            let (_, looser) = compared(&house.policy(), &[&house.codebook])
                .unwrap()
                .unwrap();
            let expected: Vec<&str> = [what].into_iter().filter(|what| !what.is_empty()).collect();
            assert_eq!(looser, expected, "{from} -> {to}");
        }
    }
}
