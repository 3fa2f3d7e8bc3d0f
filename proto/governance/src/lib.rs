//! Five Safes as code: who may ask, who decides, who lets out, and which pairs of duties nobody
//! may hold together.
//!
//! Every act of governance is an [`artefact`]: a payload that one or several persons sign with
//! their own keys. This crate says what such a payload must hold and what follows from a set of
//! them. A node decides with it alone; whoever carries artefacts can withhold them, never make
//! one. It is pure: `now` is passed in as unix seconds. What it must not know: files, clocks,
//! the engine, the wire, and any value of any answer.

pub mod acceptance;
pub mod airlock;
pub mod approval;
pub mod artefact;
pub mod change;
pub mod difference;
pub mod draft;
pub mod duties;
pub mod glass;
pub mod parameter;
pub mod people;
pub mod project;
pub mod purpose;
pub mod suspension;
pub mod vote;

pub use artefact::{Artefact, ArtefactError, Opened};
pub use people::Person;
pub use project::Project;
pub use purpose::Purpose;
