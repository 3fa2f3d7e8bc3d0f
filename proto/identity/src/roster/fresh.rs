//! Freshness: nodes sign which roster head they know and when; a stamp is believed for 24 hours.
//!
//! A coordinator that withholds a revocation from us must withhold the stamps of everybody who
//! knows of it too, and then has at most [`STAMP_LIFE`] before we notice.

use crate::keys::KeyId;
use crate::roster::{Head, Role, Roster, RosterError};

/// How long a stamp is believed: 24 hours, in seconds.
pub const STAMP_LIFE: i64 = 24 * 3600;

/// How far ahead of ours a stamp's clock may be: 5 minutes, in seconds.
pub const STAMP_AHEAD: i64 = super::state::CLOCK_SKEW;

/// What a verified stamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampClaim {
    /// Which network.
    pub network: String,
    /// Which node says it.
    pub node: String,
    /// The newest entry that the node knew.
    pub head: Head,
    /// When, unix seconds.
    pub time: i64,
}

impl Roster {
    /// Checks one stamp, signed by `signer`, against this roster and returns until when it holds.
    ///
    /// # Errors
    /// If the signer is not that node, the stamp is stale, names a head of another history, or
    /// shows that the node knows newer entries than we do.
    pub fn check_stamp(
        &self,
        stamp: &StampClaim,
        signer: &KeyId,
        now: i64,
    ) -> Result<i64, RosterError> {
        if *self.network() != *stamp.network {
            let (expected, found) = (self.network().to_string(), stamp.network.clone());
            return Err(RosterError::Network { expected, found });
        }
        let member = self.member(Role::Node, &stamp.node, now)?;
        let node = member.name.clone();
        if &member.key != signer {
            return Err(RosterError::WrongKey {
                role: Role::Node,
                name: node,
                found: signer.clone(),
            });
        }
        let age = now.saturating_sub(stamp.time);
        if !(-STAMP_AHEAD..=STAMP_LIFE).contains(&age) {
            return Err(RosterError::StaleStamp { node, age });
        }
        let ours = self.head().seq;
        if stamp.head.seq > ours {
            return Err(RosterError::Behind {
                node,
                theirs: stamp.head.seq,
                ours,
            });
        }
        self.check_extends(&stamp.head)?;
        Ok(stamp.time.saturating_add(STAMP_LIFE))
    }

    /// Until when this roster counts as fresh: the longest-lived valid stamp of a node other than
    /// `own` (its own word proves nothing to a node that is being kept in the dark).
    ///
    /// # Errors
    /// If a stamp shows a fork or newer entries, or no stamp holds.
    pub fn fresh_until(
        &self,
        stamps: &[(StampClaim, KeyId)],
        own: Option<&str>,
        now: i64,
    ) -> Result<i64, RosterError> {
        let mut until = None;
        for (stamp, signer) in stamps
            .iter()
            .filter(|(stamp, _)| Some(stamp.node.as_str()) != own)
        {
            match self.check_stamp(stamp, signer, now) {
                Ok(end) => until = until.max(Some(end)),
                Err(alarm @ (RosterError::Fork { .. } | RosterError::Behind { .. })) => {
                    return Err(alarm);
                }
                Err(_) => {}
            }
        }
        until.ok_or(RosterError::NotFresh)
    }

    /// Refuses to act on a roster of whose currency nobody has spoken for 24 hours: neither
    /// custodians, by a newer entry, nor another node, by a stamp that holds until `stamped`.
    /// Where `own` is the only node there is nobody to ask.
    ///
    /// # Errors
    /// If it is not fresh at `now`.
    pub fn check_fresh(&self, stamped: i64, own: &str, now: i64) -> Result<(), RosterError> {
        let spoken = self.last_at().saturating_add(STAMP_LIFE).max(stamped);
        let alone = !self
            .members(now)
            .any(|m| m.role == Role::Node && m.name != *own);
        if alone || now <= spoken {
            Ok(())
        } else {
            Err(RosterError::NotFresh)
        }
    }
}
