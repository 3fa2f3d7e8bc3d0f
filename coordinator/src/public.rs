//! What the coordinator holds in common for all sessions: roster, codebooks, stamps and the
//! certificates that open the door. It is read anew from the journal whenever an operator changes
//! something; sessions watch it and end when their standing does.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_identity::tls::PeerIdentity;
use quorate_identity::{Member, Name, Roster, Signed, parse_digest};
use quorate_query::problem::{Code, Problem};
use quorate_wire::v1;

use crate::codebooks::{self, Published};
use crate::journal::{CertificateRow, Store, unpack};
use crate::roster_store::{self, PublishError};

/// Room that codebooks may take in one message, beside the roster.
const CODEBOOK_ROOM: usize = 3 * 1024 * 1024;

/// One reading of the journal; never changed afterwards.
pub(crate) struct Public {
    /// Which operator change it includes.
    pub(crate) generation: i64,
    /// The verified roster; none before its genesis entry was published.
    pub(crate) roster: Option<Roster>,
    /// Codebooks by digest.
    pub(crate) codebooks: BTreeMap<String, Arc<Published>>,
    /// The newest stamp of every node, by node.
    pub(crate) stamps: Vec<Signed>,
    /// Certificates that open the door, by the digest of their bytes.
    doors: BTreeMap<[u8; 32], CertificateRow>,
}

impl Public {
    /// Reads everything from the journal.
    pub(crate) fn load(store: &Store, network: &Name, now: i64) -> Result<Self, PublishError> {
        // The number first: a change made while we read is then seen as one more change.
        let generation = store.generation()?;
        let doors = store.good_certificates(now)?.into_iter();
        let codebooks = codebooks::load(store)?.into_iter();
        let stamps = store.stamps()?;
        Ok(Self {
            generation,
            roster: roster_store::load(store, network)?,
            codebooks: codebooks
                .map(|book| (book.codebook.digest.clone(), Arc::new(book)))
                .collect(),
            stamps: stamps
                .iter()
                .map(|bytes| unpack(bytes))
                .collect::<Result<_, _>>()?,
            doors: doors
                .filter_map(|row| Some((parse_digest(&row.sha256)?, row)))
                .collect(),
        })
    }

    /// The roster, or the problem that there is none yet.
    pub(crate) fn roster(&self) -> Result<&Roster, Problem> {
        self.roster.as_ref().ok_or_else(|| {
            Problem::new(
                Code("A404"),
                "the network has no roster yet: its custodians must publish one",
            )
        })
    }

    /// Whether a certificate that TLS has verified opens a door: issued here, in the register,
    /// not revoked, not ended.
    pub(crate) fn door(&self, peer: &PeerIdentity, now: i64) -> Result<(), Problem> {
        let known = self.doors.get(&peer.sha256).is_some_and(|row| {
            row.role == peer.role.as_str() && peer.name == *row.name && now <= row.not_after
        });
        if known && now <= peer.not_after {
            Ok(())
        } else {
            Err(Problem::of(Code("A411")))
        }
    }

    /// The live member behind a peer. A certificate without a place in the roster opens nothing.
    pub(crate) fn member(&self, peer: &PeerIdentity, now: i64) -> Result<&Member, Problem> {
        let member = self.roster()?.member(peer.role, peer.name.as_str(), now);
        member.map_err(|error| quorate_wire::OpenError::Roster(error).problem())
    }

    /// Published codebooks, the wanted ones first, as far as they fit into one message.
    pub(crate) fn codebooks_for_wire(&self, wanted: impl Fn(&str) -> bool) -> Vec<v1::Codebook> {
        let (first, rest): (Vec<_>, Vec<_>) = self
            .codebooks
            .iter()
            .partition(|(digest, _)| wanted(digest));
        let mut room = CODEBOOK_ROOM;
        let mut chosen = Vec::new();
        for (digest, book) in first.into_iter().chain(rest) {
            if let Some(left) = room.checked_sub(book.text.len()) {
                room = left;
                chosen.push(v1::Codebook {
                    digest: digest.clone(),
                    text: book.text.clone(),
                });
            }
        }
        chosen
    }
}
