//! The coordinator as a real process, spoken to by scripted parties over real mTLS on loopback.

mod doors;
mod net;
mod party;
mod rounds;
mod survival;
