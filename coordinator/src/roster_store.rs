//! The roster as the coordinator carries it: custodians sign entries, it only verifies, keeps and
//! hands them on. It cannot add anyone, and it never takes a log that goes back or forks.

use quorate_identity::roster::{Change, Entry};
use quorate_identity::{Head, KeyId, Name, Roster, RosterError, Signed};

use crate::journal::{JournalError, Store, pack, unpack};

/// Why the roster cannot be read or an entry is not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// An entry does not fit: its custodians must mend it.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The state file is at fault.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Somebody else published at the same time.
    #[error("the roster has grown in the meantime: propose the entry again on the new head")]
    Overtaken,
}

/// The verified roster, or none before its genesis entry was published.
pub(crate) fn load(store: &Store, network: &Name) -> Result<Option<Roster>, PublishError> {
    let log: Vec<Signed> = store
        .roster()?
        .iter()
        .map(|bytes| unpack(bytes))
        .collect::<Result<_, _>>()?;
    match log.first() {
        None => Ok(None),
        Some(first) => {
            let founders = founders(first)?;
            Ok(Some(Roster::verify(
                Some(network.as_str()),
                &founders,
                &log,
            )?))
        }
    }
}

/// Verifies and appends entries; those already in the log may stand in front of them. Either all
/// new entries fit, or none is published.
pub(crate) fn publish(
    store: &mut Store,
    network: &Name,
    entries: &[Signed],
    now: i64,
) -> Result<Roster, PublishError> {
    let known = load(store, network)?;
    let (next, new) = grow(known, network, entries)?;
    next.check_time(now)?;
    for signed in new {
        let before = Entry::parse(&signed.payload)?.seq.saturating_sub(1);
        if !store.append_roster(before, &pack(signed), now)? {
            return Err(PublishError::Overtaken);
        }
    }
    Ok(next)
}

/// The roster with the new ones among the entries appended, and those entries.
fn grow<'a>(
    known: Option<Roster>,
    network: &Name,
    entries: &'a [Signed],
) -> Result<(Roster, &'a [Signed]), RosterError> {
    let Some(mut roster) = known else {
        let first = entries.first().ok_or(RosterError::Empty)?;
        let roster = Roster::verify(Some(network.as_str()), &founders(first)?, entries)?;
        return Ok((roster, entries));
    };
    let mut new = entries;
    while let Some((first, rest)) = new.split_first()
        && is_known(&roster, first)?
    {
        new = rest;
    }
    for entry in new {
        roster.append(entry)?;
    }
    Ok((roster, new))
}

/// Whether the entry is in the log; another entry under a known number is a fork.
fn is_known(roster: &Roster, signed: &Signed) -> Result<bool, RosterError> {
    let entry = Entry::parse(&signed.payload)?;
    if entry.seq > roster.head().seq {
        return Ok(false);
    }
    let hash = quorate_identity::digest_text(&signed.digest());
    roster.check_extends(&Head {
        seq: entry.seq,
        hash,
    })?;
    Ok(true)
}

/// The keys that a genesis entry names. They prove nothing here: nodes and researchers compare
/// them with the keys that they received out of band.
fn founders(genesis: &Signed) -> Result<Vec<KeyId>, RosterError> {
    match Entry::parse(&genesis.payload)?.change {
        Change::Genesis { custodians } => Ok(custodians.into_iter().map(|c| c.key).collect()),
        Change::Add { .. } | Change::Revoke { .. } => Err(RosterError::Genesis { seq: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::{PublishError, load, publish};
    use crate::journal::Store;
    use quorate_identity::roster::{Change, Founder, cosign, genesis, unsigned};
    use quorate_identity::{Name, Role, Roster, RosterError, Signed, SigningKey};

    const FAR: i64 = 4_000_000_000;

    struct Founders {
        network: Name,
        keys: Vec<SigningKey>,
    }

    impl Founders {
        fn new(count: usize) -> Self {
            let keys = (0..count)
                .map(|_| SigningKey::generate().unwrap())
                .collect();
            Self {
                network: Name::parse("heart").unwrap(),
                keys,
            }
        }

        fn genesis(&self) -> Signed {
            let custodians = self.keys.iter().enumerate().map(|(i, key)| Founder {
                name: Name::parse(&format!("c{i}")).unwrap(),
                key: key.key_id().clone(),
                until: FAR,
            });
            let mut entry = unsigned(genesis(&self.network, custodians.collect(), 100));
            cosign(&self.keys[0], &mut entry);
            entry
        }

        fn add(&self, roster: &Roster, name: &str, signers: usize) -> Signed {
            let change = Change::Add {
                role: Role::Node,
                name: Name::parse(name).unwrap(),
                key: SigningKey::generate().unwrap().key_id().clone(),
                until: FAR,
            };
            let mut entry = unsigned(roster.propose(change, 200));
            self.keys
                .iter()
                .take(signers)
                .for_each(|key| cosign(key, &mut entry));
            entry
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn entries_are_published_once_and_read_back_verified() {
        let (_dir, mut store) = store();
        let founders = Founders::new(1);
        let roster = publish(&mut store, &founders.network, &[founders.genesis()], 1).unwrap();
        let entry = founders.add(&roster, "north", 1);
        let log = [founders.genesis(), entry];
        let grown = publish(&mut store, &founders.network, &log, 2).unwrap();
        assert_eq!(grown.head().seq, 2);
        publish(&mut store, &founders.network, &log, 3).unwrap();
        let read = load(&store, &founders.network).unwrap().unwrap();
        assert_eq!(read.head(), grown.head());
    }

    #[test]
    fn an_entry_without_its_quorum_is_refused() {
        let (_dir, mut store) = store();
        let founders = Founders::new(3);
        let network = &founders.network;
        let mut first = founders.genesis();
        cosign(&founders.keys[1], &mut first);
        let roster = publish(&mut store, network, &[first], 1).unwrap();
        let refused = publish(&mut store, network, &[founders.add(&roster, "north", 1)], 2);
        assert!(matches!(
            refused,
            Err(PublishError::Roster(RosterError::Quorum { need: 2, .. }))
        ));
        publish(&mut store, network, &[founders.add(&roster, "north", 2)], 2).unwrap();
    }

    #[test]
    fn a_batch_with_one_bad_entry_publishes_nothing() {
        let (_dir, mut store) = store();
        let founders = Founders::new(1);
        let network = &founders.network;
        let roster = publish(&mut store, network, &[founders.genesis()], 1).unwrap();
        let batch = [
            founders.add(&roster, "north", 1),
            founders.add(&roster, "south", 1),
        ];
        assert!(publish(&mut store, network, &batch, 2).is_err());
        assert_eq!(load(&store, network).unwrap().unwrap().head().seq, 1);
    }

    #[test]
    fn a_log_that_differs_in_its_past_is_refused() {
        let (_dir, mut store) = store();
        let founders = Founders::new(1);
        let network = &founders.network;
        let roster = publish(&mut store, network, &[founders.genesis()], 1).unwrap();
        publish(&mut store, network, &[founders.add(&roster, "north", 1)], 2).unwrap();
        let fork = founders.add(&roster, "south", 1);
        let refused = publish(&mut store, network, &[founders.genesis(), fork], 3);
        assert!(matches!(
            refused,
            Err(PublishError::Roster(RosterError::Fork { seq: 2 }))
        ));
        let foreign = Founders::new(1).genesis();
        let refused = publish(&mut store, network, &[foreign], 3);
        assert!(matches!(
            refused,
            Err(PublishError::Roster(RosterError::Fork { seq: 1 }))
        ));
    }
}
