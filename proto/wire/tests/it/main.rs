//! The wire under attack: round trips, strictness, believing, problems, and a replayed corpus.

#[cfg(test)]
mod believing;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod strict;
