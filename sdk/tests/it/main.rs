//! Tests of the researcher's side against a whole network in one process: keys, roster, nodes that
//! sign, and a coordinator on loopback that can be told to lie or to fall over.

mod cli;
mod coordinator;
mod formats;
mod lies;
mod world;
