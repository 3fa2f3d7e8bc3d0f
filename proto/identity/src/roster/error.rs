//! What can be wrong with a roster, an entry, a member or a stamp.

use crate::envelope::SignatureError;
use crate::keys::KeyId;
use crate::name::Name;
use crate::roster::Role;

/// Why a roster, or somebody's place in it, is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// The log has no entry.
    #[error("the roster is empty")]
    Empty,
    /// A payload is not exactly an entry.
    #[error("not a roster entry")]
    NotAnEntry,
    /// A signature on an entry is wrong.
    #[error("roster entry {seq}: {source}")]
    Signature {
        /// Which entry.
        seq: u64,
        /// What is wrong.
        source: SignatureError,
    },
    /// The log starts with something else, or has a second genesis.
    #[error("roster entry {seq}: a genesis entry stands first and nowhere else")]
    Genesis {
        /// Which entry.
        seq: u64,
    },
    /// The founders are not those pinned.
    #[error(
        "the founders of this roster are not the ones pinned as `genesis`: compare the keys with those you received from the custodians, and name every founder"
    )]
    ForeignGenesis,
    /// Another network.
    #[error("this belongs to the network `{found}`, not to `{expected}`")]
    Network {
        /// Ours.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Numbers or hashes do not follow each other.
    #[error(
        "roster entry {seq} does not follow the one before it: an entry is missing or was replaced"
    )]
    Gap {
        /// The first entry that does not fit.
        seq: u64,
    },
    /// Entry times go back.
    #[error("roster entry {seq} is dated before the one it follows")]
    Time {
        /// Which entry.
        seq: u64,
    },
    /// The newest entry is dated in the future.
    #[error(
        "roster entry {seq} is dated in the future: it would expire memberships early; is a clock wrong?"
    )]
    Future {
        /// Which entry.
        seq: u64,
    },
    /// Too few custodians signed.
    #[error("roster entry {seq} needs the signatures of {need} custodians and has {have}")]
    Quorum {
        /// Which entry.
        seq: u64,
        /// Custodians that signed.
        have: usize,
        /// Custodians that must sign.
        need: usize,
    },
    /// Somebody signed who is no custodian (any more).
    #[error("roster entry {seq} is signed by {key}, which is not a custodian's valid key")]
    NotACustodian {
        /// Which entry.
        seq: u64,
        /// Whose signature.
        key: KeyId,
    },
    /// A name is taken by another key.
    #[error("roster entry {seq}: {role} `{name}` has another key already; revoke it first")]
    NameTaken {
        /// Which entry.
        seq: u64,
        /// The role.
        role: Role,
        /// The name.
        name: Name,
    },
    /// A key is or was somebody else's.
    #[error(
        "roster entry {seq}: the key {key} was used before in another role or name, or was revoked; make a new key"
    )]
    KeyTaken {
        /// Which entry.
        seq: u64,
        /// The key.
        key: KeyId,
    },
    /// There is nothing to revoke.
    #[error("roster entry {seq} revokes {role} `{name}`, which has no such valid key")]
    NothingToRevoke {
        /// Which entry.
        seq: u64,
        /// The role.
        role: Role,
        /// The name.
        name: Name,
    },
    /// The network would be left with too few custodians to write its roster.
    #[error("roster entry {seq} would leave fewer custodians than must sign the next entry")]
    TooFewCustodians {
        /// Which entry.
        seq: u64,
    },
    /// A membership that ends before it begins.
    #[error("roster entry {seq}: the membership ends before it begins")]
    Until {
        /// Which entry.
        seq: u64,
    },
    /// The log is shorter than one seen before.
    #[error("this roster ends at entry {found}, we have seen entry {known}: rosters never go back")]
    GoesBack {
        /// Last entry of the log offered.
        found: u64,
        /// Last entry seen.
        known: u64,
    },
    /// Two logs differ in their past.
    #[error(
        "two rosters differ at or before entry {seq}: the roster was forked; tell the other custodians"
    )]
    Fork {
        /// Where they are known to differ.
        seq: u64,
    },
    /// Nobody has this key.
    #[error("the key {0} is not in the roster")]
    UnknownKey(KeyId),
    /// Nobody has this role and name.
    #[error("the roster has no {role} `{name}`")]
    NotAMember {
        /// The role.
        role: Role,
        /// The name.
        name: String,
    },
    /// The membership was ended.
    #[error("the membership of {role} `{name}` was revoked")]
    Revoked {
        /// The role.
        role: Role,
        /// The name.
        name: Name,
    },
    /// The membership ran out.
    #[error("the membership of {role} `{name}` has expired")]
    Expired {
        /// The role.
        role: Role,
        /// The name.
        name: Name,
    },
    /// Somebody else's key.
    #[error("signed by {found}, which is not the key of {role} `{name}`")]
    WrongKey {
        /// The role.
        role: Role,
        /// The name.
        name: Name,
        /// Who signed.
        found: KeyId,
    },
    /// A stamp shows that entries are kept from us.
    #[error(
        "`{node}` knows roster entry {theirs}, we only have entry {ours}: news is being withheld from us, or is still on its way"
    )]
    Behind {
        /// Who stamped.
        node: Name,
        /// Its last entry.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// A stamp is too old or from the future.
    #[error("the stamp of `{node}` is {} hours old or from the future; is a clock wrong?", .age / 3600)]
    StaleStamp {
        /// Who stamped.
        node: Name,
        /// Its age in seconds.
        age: i64,
    },
    /// No stamp says that our roster is current.
    #[error("no other node has confirmed within 24 hours that our roster is the newest")]
    NotFresh,
}
