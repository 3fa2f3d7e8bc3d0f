//! H6, caps: how many cells may be asked for at all. What was asked counts, never what was
//! withheld, so that a cap says nothing about the data.
//!
//! The same question about the same state of the data counts once: its second answer shows nothing
//! new. What this file must not know: what any cell said. Page: `docs/disclosure/H6.md`.

use std::collections::{BTreeMap, BTreeSet};

/// For how long a principal's cells are counted, in seconds.
pub const PRINCIPAL_WINDOW: i64 = 30 * 24 * 60 * 60;

/// How many cells may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Of one state of the data, by everybody together.
    pub per_epoch: u64,
    /// By one principal in thirty days, of whatever state.
    pub per_principal: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            per_epoch: 2_000,
            per_principal: 1_000,
        }
    }
}

/// A question for some cells of a state of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which state.
    pub epoch: String,
    /// Who asked.
    pub principal: String,
    /// The question's hash.
    pub question: String,
    /// How many cells it is for.
    pub cells: u64,
    /// Unix seconds.
    pub time: i64,
}

/// A question that goes beyond a cap. For the custodian: outside both look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverCap {
    /// Of this state of the data.
    #[error(
        "{asked} cells of the present data were asked for, {cells} more would be over the cap of {most}: raise `cells_per_epoch`, or wait for new data"
    )]
    Epoch {
        /// Asked for before.
        asked: u64,
        /// Asked for now.
        cells: u64,
        /// The cap.
        most: u64,
    },
    /// By this principal.
    #[error(
        "this researcher asked for {asked} cells in thirty days, {cells} more would be over the cap of {most}: raise `cells_per_principal`, or let it wait"
    )]
    Principal {
        /// Asked for before.
        asked: u64,
        /// Asked for now.
        cells: u64,
        /// The cap.
        most: u64,
    },
}

/// Epoch, principal, question: counted once.
type Once = (String, String, String);

/// Everything that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks(BTreeMap<Once, (u64, i64)>);

impl Asks {
    /// Counts what was asked; the same again changes nothing.
    pub fn take(&mut self, asked: Asked) {
        let once = (asked.epoch, asked.principal, asked.question);
        self.0.entry(once).or_insert((asked.cells, asked.time));
    }

    /// Cells asked for of a state of the data.
    #[must_use]
    pub fn of_epoch(&self, epoch: &str) -> u64 {
        let questions: BTreeMap<&str, u64> = self
            .in_epoch(epoch)
            .map(|((_, _, question), (cells, _))| (question.as_str(), *cells))
            .collect();
        questions.into_values().fold(0, u64::saturating_add)
    }

    /// Cells that a principal has asked for in the thirty days before.
    #[must_use]
    pub fn of_principal(&self, principal: &str, now: i64) -> u64 {
        let since = now.saturating_sub(PRINCIPAL_WINDOW);
        let own = self.0.iter().filter(|((_, who, _), (_, time))| {
            let (who, time) = (who.as_str(), *time);
            who == principal && time > since
        });
        own.fold(0, |sum, (_, (cells, _))| sum.saturating_add(*cells))
    }

    /// Everybody who has asked, by name.
    #[must_use]
    pub fn principals(&self) -> BTreeSet<&str> {
        self.0.keys().map(|(_, who, _)| who.as_str()).collect()
    }

    /// Whether a question is within the caps, which depends on what was asked only.
    ///
    /// # Errors
    /// Says which cap it goes beyond.
    pub fn allow(&self, new: &Asked, caps: &Caps) -> Result<(), OverCap> {
        let same = |((_, _, question), _): &(&Once, &(u64, i64))| *question == new.question;
        let cells = new.cells;
        if !self.in_epoch(&new.epoch).any(|known| same(&known)) {
            let (asked, most) = (self.of_epoch(&new.epoch), caps.per_epoch);
            if asked.saturating_add(cells) > most {
                return Err(OverCap::Epoch { asked, cells, most });
            }
        }
        let own = |(_, who, _): &Once| *who == new.principal;
        let mut known = self.in_epoch(&new.epoch).filter(|(once, _)| own(once));
        if !known.any(|known| same(&known)) {
            let asked = self.of_principal(&new.principal, new.time);
            let most = caps.per_principal;
            if asked.saturating_add(cells) > most {
                return Err(OverCap::Principal { asked, cells, most });
            }
        }
        Ok(())
    }

    fn in_epoch<'a>(&'a self, epoch: &'a str) -> impl Iterator<Item = (&'a Once, &'a (u64, i64))> {
        let from = (epoch.to_owned(), String::new(), String::new());
        let rest = self.0.range(from..);
        rest.take_while(move |((of, _, _), _)| of == epoch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPS: Caps = Caps {
        per_epoch: 20,
        per_principal: 10,
    };

    fn asked(epoch: &str, principal: &str, question: &str, cells: u64, time: i64) -> Asked {
        Asked {
            epoch: epoch.to_owned(),
            principal: principal.to_owned(),
            question: question.to_owned(),
            cells,
            time,
        }
    }

    #[test]
    fn the_last_cell_is_allowed_and_none_after_it() {
        let mut asks = Asks::default();
        asks.take(asked("e", "alice", "q1", 4, 0));
        assert_eq!(asks.allow(&asked("e", "alice", "q2", 6, 0), &CAPS), Ok(()));
        let over = OverCap::Principal {
            asked: 4,
            cells: 7,
            most: 10,
        };
        assert_eq!(
            asks.allow(&asked("e", "alice", "q2", 7, 0), &CAPS),
            Err(over)
        );
        assert!(
            asks.allow(&asked("e", "alice", "q2", u64::MAX, 0), &CAPS)
                .is_err()
        );
    }

    #[test]
    fn everybody_together_is_held_to_the_cap_of_the_data() {
        let mut asks = Asks::default();
        asks.take(asked("e", "alice", "q1", 10, 0));
        asks.take(asked("e", "bob", "q2", 9, 0));
        let carol = |cells| asks.allow(&asked("e", "carol", "q3", cells, 0), &CAPS);
        assert_eq!(carol(1), Ok(()));
        let over = OverCap::Epoch {
            asked: 19,
            cells: 2,
            most: 20,
        };
        assert_eq!(carol(2), Err(over));
        let elsewhere = asked("f", "carol", "q3", 2, 0);
        assert_eq!(asks.allow(&elsewhere, &CAPS), Ok(()), "other data");
    }

    #[test]
    fn thirty_days_later_a_principal_may_ask_again() {
        let mut asks = Asks::default();
        asks.take(asked("e", "alice", "q1", 10, 100));
        let later = |time| asks.allow(&asked("e", "alice", "q2", 1, time), &CAPS);
        assert!(later(100 + PRINCIPAL_WINDOW - 1).is_err());
        assert_eq!(later(100 + PRINCIPAL_WINDOW), Ok(()));
    }

    #[test]
    fn the_same_question_counts_once_for_whoever_asked_it() {
        let mut asks = Asks::default();
        for _ in 0..3 {
            asks.take(asked("e", "alice", "q1", 10, 0));
        }
        let (again, bob) = (
            asked("e", "alice", "q1", 10, 5),
            asked("e", "bob", "q1", 10, 5),
        );
        assert_eq!(asks.allow(&again, &CAPS), Ok(()), "not news to Alice");
        asks.take(bob.clone());
        assert_eq!((asks.of_epoch("e"), asks.of_principal("bob", 5)), (10, 10));
        assert_eq!(asks.allow(&bob, &CAPS), Ok(()));
        assert!(asks.allow(&asked("e", "bob", "q2", 1, 5), &CAPS).is_err());
    }

    proptest! {
        /// Whoever keeps to what is allowed never gets beyond a cap, in whatever order, and the
        /// count is the same whatever the order it is rebuilt in.
        #[test]
        fn what_is_allowed_stays_within_the_caps(
            all in prop::collection::vec((0..2_u8, 0..3_u8, 0..9_u8), 0..40),
        ) {
            let mut asks = Asks::default();
            let mut taken = Vec::new();
            for (time, (epoch, who, question)) in (0..).zip(all) {
                // a question is for as many cells whoever asks it
                let cells = u64::from(question) + 1;
                let new = asked(
                    &epoch.to_string(),
                    &who.to_string(),
                    &question.to_string(),
                    cells,
                    time,
                );
                if asks.allow(&new, &CAPS).is_ok() {
                    asks.take(new.clone());
                    taken.push(new);
                }
            }
            for epoch in ["0", "1"] {
                prop_assert!(asks.of_epoch(epoch) <= CAPS.per_epoch);
            }
            for who in asks.principals() {
                prop_assert!(asks.of_principal(who, 40) <= CAPS.per_principal);
            }
            let mut rebuilt = Asks::default();
            taken.sort_by_key(|asked| (asked.question.clone(), asked.time));
            taken.into_iter().for_each(|asked| rebuilt.take(asked));
            prop_assert_eq!(rebuilt.principals(), asks.principals());
            prop_assert_eq!(rebuilt.of_epoch("0"), asks.of_epoch("0"));
        }
    }
}
