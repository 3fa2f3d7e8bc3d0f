//! The roster: a signed, append-only log of who may act, as what, until when.
//!
//! Every entry names the one before it by hash and carries the custodian signatures that the
//! log so far demands. The founders' keys are pinned by whoever verifies; everything else
//! follows from the log. The coordinator carries the log and can neither write nor shorten it
//! unnoticed: heads never go back, and [`Roster::check_stamp`] bounds how long it can withhold news.

mod entry;
mod error;
mod fresh;
mod state;

pub use entry::{
    Change, Entry, Founder, NotARole, Role, cosign, genesis, parse_log, unsigned, write_log,
};
pub use error::RosterError;
pub use fresh::{STAMP_AHEAD, STAMP_LIFE, StampClaim};
pub use state::{Head, Member, Roster};
