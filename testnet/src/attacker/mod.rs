//! An attacker nobody designed: random sequences of questions, and a solver that knows everything
//! that was released.
//!
//! The world is seen as a table of counts over the values of a few columns ([`model`]); every
//! released number is a linear statement about it, exact or within its rounding ([`learned`]).
//! Elimination ([`exact`]) tells which groups follow from the released ones, linear
//! programming ([`simplex`]) the least and the greatest value that any group can have. The solver
//! takes nothing from the node but answers; the truth ([`world`]) is used only to choose the groups it
//! is tried on. Persons, their incomes, rows of visits, who has such and what they cost are tables of
//! their own, and so is each state of the data.
//!
//! Where nothing is rounded, every number is exact and only what is withheld protects: there nothing
//! may follow about few persons within the limits that are published ([`limits`]).
//!
//! The linear programs are solved here, not by a crate: those that solve them bring other features
//! of crates that the engine uses, and with these a second build of the engine.

pub mod exact;
pub mod learned;
pub mod limits;
pub mod model;
pub mod play;
pub mod simplex;
pub mod world;
