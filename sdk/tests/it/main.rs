//! Tests of the researcher's side against a whole network in one process: keys, roster, nodes that
//! sign, and a coordinator on loopback that can be told to lie or to fall over.

#[cfg(test)]
mod anybody;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod coordinator;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod places;
#[cfg(test)]
mod plots;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod several;
#[cfg(test)]
mod world;
