//! Verifying a log, entry by entry, and asking who is who.

use std::collections::BTreeMap;

use crate::envelope::{Signed, kind};
use crate::keys::KeyId;
use crate::name::Name;
use crate::roster::{Change, Entry, Founder, Role, RosterError};

/// How far a clock may be ahead of ours: 5 minutes, in seconds.
pub(super) const CLOCK_SKEW: i64 = 300;

/// Where a log ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last entry; the first is 1.
    pub seq: u64,
    /// `sha256:` of the last entry's payload.
    pub hash: String,
}

/// A place in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As what.
    pub role: Role,
    /// Who.
    pub name: Name,
    /// With which key.
    pub key: KeyId,
    /// Last moment of membership, unix seconds.
    pub until: i64,
    /// The entry that added the key.
    pub since: u64,
    /// The entry that revoked the key, if any.
    pub revoked: Option<u64>,
}

impl Member {
    /// Refuses a member that was revoked or has expired.
    fn valid(&self, now: i64) -> Result<&Self, RosterError> {
        let (role, name) = (self.role, self.name.clone());
        if self.revoked.is_some() {
            return Err(RosterError::Revoked { role, name });
        }
        if now > self.until {
            Err(RosterError::Expired { role, name })
        } else {
            Ok(self)
        }
    }
}

/// A log that was verified from its first entry. There is no other way to make one, and no way
/// to shorten one.
///
/// ```compile_fail
/// fn last(roster: &mut quorate_identity::Roster) -> Option<quorate_identity::Signed> {
///     roster.log.pop()
/// }
/// ```
///
/// ```
/// fn last(roster: &mut quorate_identity::Roster) -> Option<&quorate_identity::Signed> {
///     roster.log().last()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    network: Name,
    founders: Vec<KeyId>,
    log: Vec<Signed>,
    /// Hash of each entry, in order.
    hashes: Vec<String>,
    last_at: i64,
    /// Everyone who ever was a member, by key: a key belongs to one place for ever.
    members: BTreeMap<KeyId, Member>,
    /// How many custodians must sign; never falls.
    quorum: usize,
}

impl Roster {
    /// Verifies a whole log: founders as pinned, every entry following the one before, dated no
    /// earlier, and signed by as many custodians as the log demands at that point.
    ///
    /// # Errors
    /// At the first entry that does not fit.
    pub fn verify(
        network: Option<&str>,
        genesis: &[KeyId],
        log: &[Signed],
    ) -> Result<Self, RosterError> {
        let (first, rest) = log.split_first().ok_or(RosterError::Empty)?;
        let mut roster = Self::found(network, genesis, first)?;
        for entry in rest {
            roster.append(entry)?;
        }
        Ok(roster)
    }

    /// Verifies a log that should continue this one, as a coordinator offers it on each contact.
    ///
    /// # Errors
    /// If the log is invalid, shorter than ours, or differs in its past.
    pub fn advance(&self, log: &[Signed]) -> Result<Self, RosterError> {
        // What we verified already and receive again unchanged need not be verified again.
        if let Some(news) = log.strip_prefix(self.log.as_slice()) {
            let mut newer = self.clone();
            news.iter().try_for_each(|entry| newer.append(entry))?;
            return Ok(newer);
        }
        let newer = Self::verify(Some(self.network.as_str()), &self.founders, log)?;
        newer.check_extends(&self.head())?;
        Ok(newer)
    }

    /// Appends one entry.
    ///
    /// # Errors
    /// If it does not fit; the roster is then unchanged.
    pub fn append(&mut self, signed: &Signed) -> Result<(), RosterError> {
        let entry = Entry::parse(&signed.payload)?;
        let expected = self.head();
        let seq = entry.seq;
        if seq != expected.seq.saturating_add(1) || entry.previous != expected.hash {
            return Err(RosterError::Gap {
                seq: expected.seq.saturating_add(1),
            });
        }
        if entry.network != self.network {
            return Err(RosterError::Network {
                expected: self.network.to_string(),
                found: entry.network.to_string(),
            });
        }
        if entry.at < self.last_at {
            return Err(RosterError::Time { seq });
        }
        self.check_signers(&entry, signed)?;
        match &entry.change {
            Change::Genesis { .. } => return Err(RosterError::Genesis { seq }),
            Change::Add {
                role,
                name,
                key,
                until,
            } => {
                let member = Member {
                    role: *role,
                    name: name.clone(),
                    key: key.clone(),
                    until: *until,
                    since: seq,
                    revoked: None,
                };
                self.add(member, entry.at)?;
            }
            Change::Revoke { role, name, key } => self.revoke(*role, name, key, seq)?,
        }
        self.finish(signed, entry.at);
        Ok(())
    }

    /// The payload of the next entry, for custodians to sign.
    #[must_use]
    pub fn propose(&self, change: Change, at: i64) -> Vec<u8> {
        Entry::after(&self.head(), &self.network, change, at.max(self.last_at)).to_bytes()
    }

    /// The network this roster founds.
    #[must_use]
    pub fn network(&self) -> &Name {
        &self.network
    }

    /// When the newest entry was proposed, unix seconds.
    #[must_use]
    pub fn last_at(&self) -> i64 {
        self.last_at
    }

    /// Where the log ends.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            seq: u64::try_from(self.log.len()).unwrap_or(u64::MAX),
            hash: self.hashes.last().cloned().unwrap_or_default(),
        }
    }

    /// The log as it was carried.
    #[must_use]
    pub fn log(&self) -> &[Signed] {
        &self.log
    }

    /// The founders' keys.
    #[must_use]
    pub fn founders(&self) -> &[KeyId] {
        &self.founders
    }

    /// How many custodians must sign an entry: 1 at first, 2 once there are three custodians.
    /// It never falls again. A researcher's entry needs one.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// Everyone with a place that was neither revoked nor has expired, by role and name.
    pub fn members(&self, now: i64) -> impl Iterator<Item = &Member> {
        let mut valid: Vec<_> = self
            .members
            .values()
            .filter(|member| member.valid(now).is_ok())
            .collect();
        valid.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        valid.into_iter()
    }

    /// The member of this role and name.
    ///
    /// # Errors
    /// If there is none, or it was revoked or has expired.
    pub fn member(&self, role: Role, name: &str, now: i64) -> Result<&Member, RosterError> {
        let newest = self
            .members
            .values()
            .filter(|m| m.role == role && m.name == *name)
            .max_by_key(|m| m.since);
        newest
            .ok_or_else(|| RosterError::NotAMember {
                role,
                name: name.chars().take(63).collect(),
            })?
            .valid(now)
    }

    /// The member with this key.
    ///
    /// # Errors
    /// If there is none, or it was revoked or has expired.
    pub fn by_key(&self, key: &KeyId, now: i64) -> Result<&Member, RosterError> {
        self.members
            .get(key)
            .ok_or_else(|| RosterError::UnknownKey(key.clone()))?
            .valid(now)
    }

    /// Whether this log continues (or is) the one that ended at `earlier`.
    #[must_use]
    pub fn extends(&self, earlier: &Head) -> bool {
        self.check_extends(earlier).is_ok()
    }

    /// Refuses a log whose newest entry is dated after `now` (and five minutes): entry times only
    /// grow, so one entry from the future would end memberships early. For whoever publishes.
    ///
    /// # Errors
    /// If it is from the future.
    pub fn check_time(&self, now: i64) -> Result<(), RosterError> {
        if self.last_at > now.saturating_add(CLOCK_SKEW) {
            return Err(RosterError::Future {
                seq: self.head().seq,
            });
        }
        Ok(())
    }

    /// Like [`Roster::extends`], and says what is wrong.
    ///
    /// # Errors
    /// If this log is shorter, or differs.
    pub fn check_extends(&self, earlier: &Head) -> Result<(), RosterError> {
        let ours = self.head();
        if earlier.seq > ours.seq {
            return Err(RosterError::GoesBack {
                found: ours.seq,
                known: earlier.seq,
            });
        }
        if self.hash_at(earlier.seq) == Some(earlier.hash.as_str()) {
            Ok(())
        } else {
            Err(RosterError::Fork { seq: earlier.seq })
        }
    }

    /// The number of the entry with this hash, if it is in the log.
    #[must_use]
    pub fn seq_of(&self, hash: &str) -> Option<u64> {
        let index = self.hashes.iter().position(|known| known == hash)?;
        u64::try_from(index).ok()?.checked_add(1)
    }

    fn hash_at(&self, seq: u64) -> Option<&str> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.hashes.get(index).map(String::as_str)
    }

    fn found(
        network: Option<&str>,
        genesis: &[KeyId],
        signed: &Signed,
    ) -> Result<Self, RosterError> {
        let entry = Entry::parse(&signed.payload)?;
        let Change::Genesis { custodians } = &entry.change else {
            return Err(RosterError::Genesis { seq: 1 });
        };
        if entry.seq != 1 || !entry.previous.is_empty() {
            return Err(RosterError::Gap { seq: 1 });
        }
        if let Some(expected) = network.filter(|expected| entry.network != **expected) {
            return Err(RosterError::Network {
                expected: expected.to_owned(),
                found: entry.network.to_string(),
            });
        }
        let mut founders: Vec<_> = custodians
            .iter()
            .map(|founder| founder.key.clone())
            .collect();
        let mut pinned = genesis.to_vec();
        founders.sort();
        pinned.sort();
        pinned.dedup();
        if founders != pinned || founders.is_empty() {
            return Err(RosterError::ForeignGenesis);
        }
        let mut roster = Self {
            network: entry.network.clone(),
            founders,
            log: Vec::new(),
            hashes: Vec::new(),
            last_at: entry.at,
            members: BTreeMap::new(),
            quorum: 1,
        };
        for Founder { name, key, until } in custodians {
            let (role, name, key) = (Role::Custodian, name.clone(), key.clone());
            roster.add(
                Member {
                    role,
                    name,
                    key,
                    until: *until,
                    since: 1,
                    revoked: None,
                },
                entry.at,
            )?;
        }
        roster.check_signers(&entry, signed)?;
        roster.finish(signed, entry.at);
        Ok(roster)
    }

    fn check_signers(&self, entry: &Entry, signed: &Signed) -> Result<(), RosterError> {
        let seq = entry.seq;
        let signers = signed
            .verify_all(kind::ROSTER)
            .map_err(|source| RosterError::Signature { seq, source })?;
        for key in &signers {
            let custodian = self
                .by_key(key, entry.at)
                .is_ok_and(|member| member.role == Role::Custodian);
            if !custodian {
                return Err(RosterError::NotACustodian {
                    seq,
                    key: (*key).clone(),
                });
            }
        }
        let need = match &entry.change {
            Change::Add {
                role: Role::Researcher,
                ..
            }
            | Change::Revoke {
                role: Role::Researcher,
                ..
            } => 1,
            Change::Genesis { .. } | Change::Add { .. } | Change::Revoke { .. } => self.quorum,
        };
        let have = signers.len();
        if have < need {
            Err(RosterError::Quorum { seq, have, need })
        } else {
            Ok(())
        }
    }

    fn add(&mut self, member: Member, at: i64) -> Result<(), RosterError> {
        let seq = member.since;
        if member.until <= at {
            return Err(RosterError::Until { seq });
        }
        let taken = self
            .member(member.role, member.name.as_str(), at)
            .is_ok_and(|holder| holder.key != member.key);
        if let Some(known) = self.members.get_mut(&member.key) {
            let same =
                known.role == member.role && known.name == member.name && known.revoked.is_none();
            if !same || seq == 1 {
                return Err(RosterError::KeyTaken {
                    seq,
                    key: member.key,
                });
            }
            if !taken {
                known.until = member.until;
                return Ok(());
            }
        }
        if taken {
            return Err(RosterError::NameTaken {
                seq,
                role: member.role,
                name: member.name,
            });
        }
        self.members.insert(member.key.clone(), member);
        if self.custodians() >= 3 {
            self.quorum = 2;
        }
        Ok(())
    }

    fn revoke(
        &mut self,
        role: Role,
        name: &Name,
        key: &KeyId,
        seq: u64,
    ) -> Result<(), RosterError> {
        if role == Role::Custodian && self.custodians() <= self.quorum {
            return Err(RosterError::TooFewCustodians { seq });
        }
        let nothing = || RosterError::NothingToRevoke {
            seq,
            role,
            name: name.clone(),
        };
        let member = self.members.get_mut(key).ok_or_else(nothing)?;
        if member.role != role || &member.name != name || member.revoked.is_some() {
            return Err(nothing());
        }
        member.revoked = Some(seq);
        Ok(())
    }

    /// Custodians that were not revoked. Expiry does not count: it must not lower any bar.
    fn custodians(&self) -> usize {
        self.members
            .values()
            .filter(|m| m.role == Role::Custodian && m.revoked.is_none())
            .count()
    }

    fn finish(&mut self, signed: &Signed, at: i64) {
        self.hashes.push(crate::digest_text(&signed.digest()));
        self.log.push(signed.clone());
        self.last_at = at;
    }
}
