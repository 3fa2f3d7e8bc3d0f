//! The wire contract: the only crate with generated types, and strict conversions from and to
//! the types that the parties think in.
//!
//! Bytes become a value only through `decode`, which rejects what is missing, too large or not
//! in its one canonical spelling; a value becomes *believed* only through [`open`], which checks
//! kind, key and payload together and returns an [`Opened`] that nobody else can build.
//!
//! What it must not know: policies, data, engines, and what a party does with a message.

#![expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "the generated services carry bare allow attributes"
)]

#[expect(
    missing_docs,
    clippy::too_many_lines,
    reason = "generated; the .proto files are the documentation"
)]
pub mod v1 {
    //! Generated from `proto/quorate/v1/*.proto`.
    tonic::include_proto!("quorate.v1");
}

mod answer;
mod check;
mod convert;
mod error;
mod fuzz;
mod id;
mod open;
mod padding;
mod question;
mod result;
mod session;
mod status;

pub use answer::{AnswerPayload, LedgerRef, Note, RefusalPayload};
pub use convert::{signed_from_bytes, signed_to_bytes, tables_digest};
pub use error::{OpenError, WireError};
pub use fuzz::fuzz_wire;
pub use id::{NotAnId, QuestionId};
pub use open::{
    Opened, Payload, Spoken, fresh_until, open, open_member, open_possession, open_question, sign,
    sign_question,
};
pub use question::{QUESTION_LIFE, QuestionPayload};
pub use result::{NodeOutcome, NodeStatus, QuestionStatus, ResultPayload};
pub use session::{Checkpoint, EnrolPayload, Hello, LogCheckpoint, Stamp};
pub use status::{RemoteProblem, from_status, to_status};

/// Largest message on any stream, in bytes; both ends of every service set it.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Protocol versions that this release speaks: lowest and highest.
pub const PROTOCOL: (u32, u32) = (1, 1);
