//! The coordinator as a real process, spoken to by scripted parties over real mTLS on loopback.

#[cfg(test)]
mod doors;
#[cfg(test)]
mod net;
#[cfg(test)]
mod party;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod survival;
