//! Tests that need more than one party, and the rules of the house.

mod house;
mod threats;
