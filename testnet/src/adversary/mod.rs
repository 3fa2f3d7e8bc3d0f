//! Parties that break their promises, to show that the others hold theirs.
//!
//! They have what such a party really would have: the coordinator's own files for a coordinator
//! that lies, an enrolled researcher's home for a researcher who forges. `docs/threat-model.md`
//! pairs every threat with the test that runs it.

pub mod client;
pub mod coordinator;
pub mod desk;
