//! Where the ledgers of other nodes were last seen, so that none of them can be rewritten, cut off
//! or shown differently to different parties without somebody else holding the proof.
//!
//! A file of signed checkpoints in the state folder. What it must not know: what those ledgers say.

use std::collections::BTreeMap;
use std::path::Path;

use quorate_evidence::{Contradiction, Kept, Seen, Standing, judge};
use quorate_identity::roster::Entry;
use quorate_identity::{Role, Roster, Signed};
use quorate_wire::Checkpoint;
use serde::{Deserialize, Serialize};

use crate::state::write_file;

/// File name in the state folder.
pub const PEERS_FILE: &str = "peers.json";
/// Checkpoints kept of one node, beside those that are evidence.
const KEPT: usize = 64;
/// Contradictions kept of one node: the first say enough.
const EVIDENCE: usize = 16;
/// Seconds after which a ledger that was not seen again is worth a word.
pub const STALE: i64 = 7 * 24 * HOUR;
/// The code of the note in answers of a node that nobody but the coordinator witnesses.
pub const UNWITNESSED: &str = "N130";
/// An hour, in seconds.
const HOUR: i64 = 3600;

/// How a coordinator's log is called among the ledgers of nodes: no node's name has a space.
pub const COORDINATOR: &str = "coordinator ";

/// A checkpoint with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// What it says.
    pub seen: Seen,
    /// As the node signed it.
    pub signed: Signed,
}

/// Two checkpoints that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// Why.
    pub why: String,
    /// Those that were kept.
    pub kept: Vec<Signed>,
    /// The one that was shown then.
    pub shown: Signed,
    /// When, by our clock, unix seconds.
    pub time: i64,
}

/// What is known of one node's ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The newest checkpoints, by size.
    pub sightings: BTreeMap<u64, Sighting>,
    /// When the last one was signed, by that node's clock and not after ours, unix seconds: a
    /// coordinator that repeats an old one makes nothing fresh.
    pub heard: i64,
    /// Checkpoints that no proof linked to the one before.
    pub unlinked: u64,
    /// What cannot be true.
    pub conflicts: Vec<Conflict>,
}

/// What is known of the other nodes' ledgers, by node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Peers(BTreeMap<String, Peer>);

/// What a checkpoint came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// It was noted, or says nothing new.
    Well(Standing),
    /// It contradicts an earlier one; both are kept.
    Contradiction(Contradiction),
    /// The node has no tree yet.
    Nothing,
}

impl Peers {
    /// As the file tells; a file that cannot be read tells nothing, and is told by `doctor`.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self::read(folder).unwrap_or_default()
    }

    /// As the file tells.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn read(folder: &Path) -> Result<Self, std::io::Error> {
        match std::fs::read(folder.join(PEERS_FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            found => Ok(serde_json::from_slice(&found?)?),
        }
    }

    /// The nodes that were seen.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Peer)> {
        self.0.iter()
    }

    /// When any other node's ledger was last heard of.
    #[must_use]
    pub fn freshest(&self) -> Option<i64> {
        let nodes = self
            .0
            .iter()
            .filter(|(name, _)| !name.starts_with(COORDINATOR));
        nodes.map(|(_, peer)| peer.heard).max()
    }

    /// Since when nobody but the coordinator witnesses the node of this name, if that is longer than
    /// a week: since another node's ledger was last seen, or since the roster has another node. A
    /// network of one node has nobody to see.
    #[must_use]
    pub fn unwitnessed(&self, roster: &Roster, own: &str, now: i64) -> Option<i64> {
        let others = roster
            .members(now)
            .filter(|member| member.role == Role::Node && member.name != *own);
        let joined = others.filter_map(|member| {
            let place = usize::try_from(member.since.checked_sub(1)?).ok()?;
            let entry = Entry::parse(&roster.log().get(place)?.payload).ok()?;
            Some(entry.at)
        });
        let since = joined.min()?.max(self.freshest().unwrap_or(i64::MIN));
        (now.saturating_sub(since) > STALE).then_some(since)
    }

    /// Judges a checkpoint by what was seen before, and notes it on the disk.
    ///
    /// # Errors
    /// If it cannot be noted.
    pub fn notice(
        &mut self,
        folder: &Path,
        signed: &Signed,
        said: &Checkpoint,
        now: i64,
    ) -> Result<Noticed, std::io::Error> {
        let Some(seen) = said.seen() else {
            return Ok(Noticed::Nothing);
        };
        let peer = self.0.entry(said.node.clone()).or_default();
        let heard = peer.heard;
        let noticed = peer.take(signed, said, seen, now);
        let known = matches!(noticed, Noticed::Well(Standing::Late | Standing::Known));
        // What says nothing new is written down once an hour: only that the ledger was seen again.
        if !known || peer.heard.saturating_sub(heard) > HOUR {
            write_file(&folder.join(PEERS_FILE), &serde_json::to_vec(&self)?)?;
        }
        Ok(noticed)
    }
}

impl Peer {
    fn take(&mut self, signed: &Signed, said: &Checkpoint, seen: Seen, now: i64) -> Noticed {
        let at = |size: &u64| self.sightings.get(size).map(|found| found.seen.clone());
        let kept = Kept {
            newest: self.sightings.values().next_back().map(|s| s.seen.clone()),
            same: at(&seen.size),
            base: said.proof.as_ref().and_then(|proof| at(&proof.from)),
        };
        match judge(&kept, &seen, said.proof.as_ref()) {
            Err(why) => {
                self.contradicted(&kept, signed, &why, now);
                Noticed::Contradiction(why)
            }
            Ok(standing) => {
                if matches!(standing, Standing::Continues | Standing::Unlinked) {
                    self.unlinked +=
                        u64::from(standing == Standing::Unlinked && kept.newest.is_some());
                    let signed = signed.clone();
                    self.sightings.insert(seen.size, Sighting { seen, signed });
                    if self.sightings.len() > KEPT {
                        self.sightings.pop_first();
                    }
                }
                self.heard = self.heard.max(said.time.min(now));
                Noticed::Well(standing)
            }
        }
    }

    fn contradicted(&mut self, kept: &Kept, signed: &Signed, why: &Contradiction, now: i64) {
        let known = self.conflicts.iter().any(|known| known.shown == *signed);
        if known || self.conflicts.len() >= EVIDENCE {
            return;
        }
        let places = [&kept.newest, &kept.same, &kept.base];
        let mut sizes: Vec<u64> = places.into_iter().flatten().map(|seen| seen.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let kept = sizes.iter().filter_map(|size| self.sightings.get(size));
        self.conflicts.push(Conflict {
            why: why.to_string(),
            kept: kept.map(|found| found.signed.clone()).collect(),
            shown: signed.clone(),
            time: now,
        });
    }
}

#[cfg(test)]
mod tests {
    use quorate_evidence::Tree;
    use quorate_identity::roster::{Change, cosign, unsigned};
    use quorate_identity::{Name, SigningKey};

    use super::*;
    use crate::testing::{NOW, alice, answered, hear_at, key};

    fn tree(words: &[&str]) -> Tree {
        let mut tree = Tree::default();
        words.iter().for_each(|word| tree.push(word.as_bytes()));
        tree
    }

    fn checkpoint(tree: &Tree, from: u64, size: u64, time: i64) -> (Signed, Checkpoint) {
        let said = Checkpoint {
            network: "test".to_owned(),
            node: "north".to_owned(),
            seq: size,
            head: quorate_identity::digest_text(&[1; 32]),
            time,
            root: tree.root(size),
            proof: tree.consistency(from, size),
        };
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        (quorate_wire::sign(&said, &key), said)
    }

    #[test]
    fn a_ledger_is_followed_over_restarts_and_its_rewriting_is_kept_as_evidence() {
        let folder = tempfile::tempdir().unwrap();
        let (honest, other) = (tree(&["a", "b", "c", "d"]), tree(&["x", "b", "c", "d"]));
        let notice = |(signed, said): (Signed, Checkpoint), now| {
            let mut peers = Peers::read(folder.path()).unwrap();
            peers.notice(folder.path(), &signed, &said, now).unwrap()
        };
        let well = Noticed::Well;
        assert_eq!(
            notice(checkpoint(&honest, 0, 2, 10), 11),
            well(Standing::Unlinked)
        );
        assert_eq!(
            notice(checkpoint(&honest, 2, 3, 20), 21),
            well(Standing::Continues)
        );
        assert_eq!(
            notice(checkpoint(&honest, 2, 3, 20), 25),
            well(Standing::Known)
        );
        assert_eq!(
            notice(checkpoint(&honest, 0, 1, 5), 26),
            well(Standing::Late)
        );
        let rewritten = notice(checkpoint(&other, 3, 4, 30), 31);
        assert!(matches!(
            rewritten,
            Noticed::Contradiction(Contradiction::Rewritten { from: 3, to: 4 })
        ));
        let back = notice(checkpoint(&honest, 1, 1, 40), 41);
        assert!(matches!(
            back,
            Noticed::Contradiction(Contradiction::RolledBack { kept: 3, shown: 1 })
        ));
        let split = notice(checkpoint(&other, 2, 3, 50), 51);
        assert!(matches!(
            split,
            Noticed::Contradiction(Contradiction::Split { size: 3, .. })
        ));
        let peers = Peers::read(folder.path()).unwrap();
        let (name, peer) = peers.iter().next().unwrap();
        assert_eq!(
            (name.as_str(), peer.conflicts.len(), peer.unlinked),
            ("north", 3, 0)
        );
        assert_eq!(peer.conflicts[0].kept.len(), 1);
        assert_eq!(
            peers.freshest(),
            Some(20),
            "what contradicts is no fresh head"
        );
    }

    /// Our roster with a second node.
    fn roster_of_two() -> Roster {
        let mut roster = crate::testing::people(crate::testing::BOOK, "").roster;
        let change = Change::Add {
            role: Role::Node,
            name: Name::parse("north").unwrap(),
            key: key(41).key_id().clone(),
            until: NOW + 400 * 86_400,
        };
        let mut entry = unsigned(roster.propose(change, NOW));
        cosign(&key(1), &mut entry);
        roster.append(&entry).unwrap();
        roster
    }

    #[test]
    fn a_week_without_another_ledger_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut peers, two) = (Peers::default(), roster_of_two());
        let alone = crate::testing::people(crate::testing::BOOK, "").roster;
        let told = |peers: &Peers, roster, now| peers.unwitnessed(roster, "cleveland", now);
        assert_eq!(told(&peers, &two, NOW + STALE), None);
        assert_eq!(told(&peers, &two, NOW + STALE + 1), Some(NOW));
        assert_eq!(told(&peers, &alone, NOW + 9 * STALE), None, "nobody to see");
        let (mut long, day) = (Tree::default(), NOW + 3 * 86_400);
        long.push(b"a");
        let (signed, said) = checkpoint(&long, 0, 1, day);
        peers.notice(folder.path(), &signed, &said, day).unwrap();
        assert_eq!(told(&peers, &two, day + STALE), None);
        assert_eq!(told(&peers, &two, day + STALE + 1), Some(day));
        let later = day + STALE + 9;
        peers.notice(folder.path(), &signed, &said, later).unwrap();
        assert_eq!(told(&peers, &two, later), Some(day), "repeated, not fresh");
    }

    #[test]
    fn an_answer_says_that_nobody_witnesses_its_node() {
        let mut house = crate::testing::people(crate::testing::BOOK, "");
        house.roster = roster_of_two();
        let node = house.open();
        let notes = |now: i64| {
            node.note_stamp(now + 86_400);
            let mut question = house.question("SELECT count(*) FROM person");
            (question.not_before, question.expires) = (now - 60, now + 3600);
            let said = hear_at(&node, house.deliver(&question, &alice()), now).unwrap();
            answered(&said).notes
        };
        assert_eq!(notes(NOW), []);
        let told = notes(NOW + STALE + 1);
        assert_eq!(told[0].code, UNWITNESSED);
        assert!(told[0].text.contains("seven days"), "{}", told[0].text);
    }

    #[test]
    fn old_sightings_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut long = Tree::default();
        (0..90_u64).for_each(|i| long.push(&i.to_be_bytes()));
        let mut peers = Peers::default();
        for size in 1..=90 {
            let (signed, said) = checkpoint(&long, size - 1, size, 10);
            peers.notice(folder.path(), &signed, &said, 11).unwrap();
        }
        let (_, peer) = peers.iter().next().unwrap();
        assert_eq!((peer.sightings.len(), peer.unlinked), (KEPT, 0));
        assert_eq!(Peers::read(folder.path()).unwrap(), peers);
    }
}
