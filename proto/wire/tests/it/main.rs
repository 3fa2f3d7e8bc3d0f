//! The wire under attack: round trips, strictness, believing, problems, and a replayed corpus.

mod believing;
mod corpus;
mod problems;
mod round_trip;
mod samples;
mod strict;
