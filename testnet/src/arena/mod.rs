//! The arena: an in-process node over invented persons, where attacks, ordinary questions and the
//! comparison of neighbouring databases are played through the real story of an answer.
//!
//! [`clinic`] makes the persons and writes them as files, [`house`] opens the node and asks it,
//! [`ask`] is one question, [`corpus`] reads attacks from files, [`moves`] what their new extracts change, [`infer`] computes what an attacker computes, [`duel`]
//! plays an attack against two databases that differ in one person, [`noninterference`] compares
//! what was said with numbers that [`persons`] works out by itself, [`ordinary`] asks what epidemiologists ask. Nothing here decides what may leave.

pub mod ask;
pub mod clinic;
pub mod corpus;
pub mod district;
pub mod duel;
pub mod house;
pub mod infer;
pub mod moves;
pub mod noninterference;
pub mod ordinary;
pub mod persons;
pub mod sequences;
