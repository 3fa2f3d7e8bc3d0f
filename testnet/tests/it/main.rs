//! Tests that need more than one party, and the rules of the house.

#[cfg(test)]
mod analyses;
#[cfg(test)]
mod attacker;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod badinput;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod explained;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod follow_up;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod heart;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house;
#[cfg(test)]
mod liar;
#[cfg(test)]
mod models;
#[cfg(test)]
mod noninterference;
#[cfg(test)]
mod omop;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod ordinary;
#[cfg(test)]
mod story;
#[cfg(test)]
mod study;
#[cfg(test)]
mod support;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod up;
#[cfg(test)]
mod worked;
