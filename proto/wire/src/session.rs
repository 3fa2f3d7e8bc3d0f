//! What parties say about themselves: hello, roster stamp, ledger checkpoint, enrolment.

use std::collections::BTreeSet;

use prost::Message;
use quorate_evidence::{Consistency, Hash, Seen};
use quorate_identity::envelope::kind;
use quorate_identity::roster::StampClaim;
use quorate_identity::{Head, Role};

use crate::check::{self, at_most, word};
use crate::error::WireError;
use crate::open::{Opened, Payload, Spoken};
use crate::question::set;
use crate::v1;

/// A node's first words on its stream: binds the TLS certificate in use to its identity key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Which network.
    pub network: String,
    /// Which node.
    pub node: String,
    /// Lowest protocol version it speaks.
    pub protocol_min: u32,
    /// Highest protocol version it speaks.
    pub protocol_max: u32,
    /// Name and version of the program.
    pub build: String,
    /// What it understands beyond the protocol version.
    pub features: BTreeSet<String>,
    /// SHA-256 of the TLS certificate of this stream.
    pub certificate_sha256: [u8; 32],
    /// Hash of the newest roster entry it knows; empty before it has any.
    pub roster_head: String,
    /// Digests of the codebooks its policy pins.
    pub codebooks: BTreeSet<String>,
    /// When, unix seconds.
    pub time: i64,
}

/// Which roster head a node knew, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which network.
    pub network: String,
    /// Which node.
    pub node: String,
    /// Number of the newest roster entry it knew.
    pub roster_seq: u64,
    /// Its hash.
    pub roster_head: String,
    /// When, unix seconds.
    pub time: i64,
}

/// Where a node's ledger stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which network.
    pub network: String,
    /// Which node.
    pub node: String,
    /// Number of the newest ledger entry.
    pub seq: u64,
    /// Its hash.
    pub head: String,
    /// When, unix seconds.
    pub time: i64,
    /// Merkle root over the ledger; none from nodes before there was a tree.
    pub root: Option<Hash>,
    /// That this ledger continues an earlier one of the same node.
    pub proof: Option<Consistency>,
}

/// Proof that the holder of an identity key asks for this certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolPayload {
    /// As what.
    pub role: Role,
    /// Under which name.
    pub name: String,
    /// SHA-256 of the request (the PEM text as sent).
    pub csr_sha256: [u8; 32],
}

impl Opened<Stamp> {
    /// What the stamp says, for [`quorate_identity::Roster::check_stamp`].
    #[must_use]
    pub fn claim(&self) -> StampClaim {
        let stamp = self.payload();
        StampClaim {
            network: stamp.network.clone(),
            node: stamp.node.clone(),
            head: Head {
                seq: stamp.roster_seq,
                hash: stamp.roster_head.clone(),
            },
            time: stamp.time,
        }
    }
}

impl Payload for Hello {
    const KIND: &'static str = kind::HELLO;

    fn encode(&self) -> Vec<u8> {
        v1::Hello {
            network: self.network.clone(),
            node: self.node.clone(),
            protocol_min: self.protocol_min,
            protocol_max: self.protocol_max,
            build: self.build.clone(),
            features: self.features.iter().cloned().collect(),
            certificate_sha256: self.certificate_sha256.to_vec(),
            roster_head: self.roster_head.clone(),
            codebooks: self.codebooks.iter().cloned().collect(),
            time: self.time,
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::Hello::decode(bytes).map_err(|_| WireError::Malformed)?;
        if wire.protocol_min == 0 || wire.protocol_max < wire.protocol_min {
            return Err(WireError::Invalid("protocol"));
        }
        at_most(&wire.features, "features", 64)?;
        at_most(&wire.codebooks, "codebooks", 64)?;
        let head = wire.roster_head;
        Ok(Self {
            network: check::name(wire.network, "network")?,
            node: check::name(wire.node, "node")?,
            protocol_min: wire.protocol_min,
            protocol_max: wire.protocol_max,
            build: word(wire.build, "build")?,
            features: set(wire.features, "features", word)?,
            certificate_sha256: check::hash(&wire.certificate_sha256, "certificate_sha256")?,
            roster_head: if head.is_empty() {
                head
            } else {
                check::digest(head, "roster_head")?
            },
            codebooks: set(wire.codebooks, "codebooks", check::digest)?,
            time: check::time(wire.time, "time")?,
        })
    }
}

impl Spoken for Hello {
    const SPEAKER: Role = Role::Node;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.node)
    }
}

impl Payload for Stamp {
    const KIND: &'static str = kind::STAMP;

    fn encode(&self) -> Vec<u8> {
        v1::Stamp {
            network: self.network.clone(),
            node: self.node.clone(),
            roster_seq: self.roster_seq,
            roster_head: self.roster_head.clone(),
            time: self.time,
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::Stamp::decode(bytes).map_err(|_| WireError::Malformed)?;
        if wire.roster_seq == 0 {
            return Err(WireError::Missing("roster_seq"));
        }
        Ok(Self {
            network: check::name(wire.network, "network")?,
            node: check::name(wire.node, "node")?,
            roster_seq: wire.roster_seq,
            roster_head: check::digest(wire.roster_head, "roster_head")?,
            time: check::time(wire.time, "time")?,
        })
    }
}

impl Spoken for Stamp {
    const SPEAKER: Role = Role::Node;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.node)
    }
}

impl Payload for Checkpoint {
    const KIND: &'static str = kind::CHECKPOINT;

    fn encode(&self) -> Vec<u8> {
        v1::Checkpoint {
            network: self.network.clone(),
            node: self.node.clone(),
            seq: self.seq,
            head: self.head.clone(),
            time: self.time,
            root: self.root.map(|root| root.0.to_vec()).unwrap_or_default(),
            from: self.proof.as_ref().map_or(0, |proof| proof.from),
            path: hashes(self.proof.as_ref()),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::Checkpoint::decode(bytes).map_err(|_| WireError::Malformed)?;
        let root = match wire.root.as_slice() {
            [] => None,
            root => Some(Hash(check::hash(root, "root")?)),
        };
        let path = crate::answer::path(&wire.path)?;
        if wire.from == 0 && !path.is_empty() || wire.from > 0 && root.is_none() {
            return Err(WireError::Invalid("proof"));
        }
        Ok(Self {
            root,
            proof: (wire.from > 0).then_some(Consistency {
                from: wire.from,
                to: wire.seq,
                path,
            }),
            network: check::name(wire.network, "network")?,
            node: check::name(wire.node, "node")?,
            seq: wire.seq,
            head: check::digest(wire.head, "head")?,
            time: check::time(wire.time, "time")?,
        })
    }
}

/// Where a coordinator's log of results and roster entries stands: a checkpoint that a coordinator
/// signs, `node` being its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogCheckpoint(pub Checkpoint);

impl Payload for LogCheckpoint {
    const KIND: &'static str = kind::LOG;

    fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let said = Checkpoint::decode(bytes)?;
        if said.root.is_none() {
            return Err(WireError::Missing("root"));
        }
        Ok(Self(said))
    }
}

impl Spoken for LogCheckpoint {
    const SPEAKER: Role = Role::Coordinator;

    fn network(&self) -> &str {
        &self.0.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.0.node)
    }
}

fn hashes(proof: Option<&Consistency>) -> Vec<Vec<u8>> {
    let path = proof.iter().flat_map(|proof| &proof.path);
    path.map(|hash| hash.0.to_vec()).collect()
}

impl Checkpoint {
    /// What a witness keeps of it; nothing of a node that has no tree.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        Some(Seen {
            size: self.seq,
            root: self.root?,
            time: self.time,
        })
    }
}

impl Spoken for Checkpoint {
    const SPEAKER: Role = Role::Node;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.node)
    }
}

impl Payload for EnrolPayload {
    const KIND: &'static str = kind::ENROL;

    fn encode(&self) -> Vec<u8> {
        v1::EnrolPayload {
            role: self.role.as_str().to_owned(),
            name: self.name.clone(),
            csr_sha256: self.csr_sha256.to_vec(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::EnrolPayload::decode(bytes).map_err(|_| WireError::Malformed)?;
        Ok(Self {
            role: wire.role.parse().map_err(|_| WireError::Invalid("role"))?,
            name: check::name(wire.name, "name")?,
            csr_sha256: check::hash(&wire.csr_sha256, "csr_sha256")?,
        })
    }
}
