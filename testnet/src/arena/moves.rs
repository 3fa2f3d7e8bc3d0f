//! New extracts as an attack writes them out: who of the others has which values then.
//!
//! Chance alone leaves few such states of the data as an attacker hopes for; here they are written. It must
//! not know the victim, which no move changes, nor what is asked.

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::toml_reader::Section;

use super::clinic::{COLUMNS, Clinic, Person, VICTIM};
use super::corpus::written;

/// Some persons, and what they are in the next extract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Move {
    /// Values that they have now, as they are written; an empty text is missing.
    pub of: BTreeMap<String, BTreeSet<String>>,
    /// Values that they get.
    pub to: BTreeMap<String, String>,
    /// No more than so many of them, in the order of the file.
    pub most: usize,
}

/// `{ of = { gp = [1018, 1019] }, to = { town = "e" }, most = 20 }`, at least one of them.
pub(super) fn read(section: &Section<'_>) -> Option<Vec<Move>> {
    let list = section.value("moves")?.need_list()?;
    if list.is_empty() {
        section.mistake("moves", "write who moves");
    }
    list.into_iter()
        .map(|value| one(&value.section()?))
        .collect()
}

fn one(section: &Section<'_>) -> Option<Move> {
    let mut found = Move {
        most: section.within("most", 1..=usize::MAX).unwrap_or(usize::MAX),
        ..Move::default()
    };
    for (name, value) in section.need_section("of").entries() {
        let all = value.as_list().unwrap_or_else(|| vec![value.clone()]);
        let texts: Option<BTreeSet<String>> = all.iter().map(written).collect();
        found.of.insert(known(section, name)?, texts?);
    }
    for (name, value) in section.need_section("to").entries() {
        found.to.insert(known(section, name)?, written(&value)?);
    }
    Some(found)
}

fn known(section: &Section<'_>, name: String) -> Option<String> {
    let is_known = COLUMNS.contains(&name.as_str());
    if !is_known {
        section.mistake_here(format!("`{name}`: persons have no such column"));
    }
    is_known.then_some(name)
}

impl Clinic {
    /// A later extract in which the first move that fits somebody has changed them.
    #[must_use]
    pub fn with_moves(mut self, moves: &[Move]) -> Self {
        let mut left: Vec<usize> = moves.iter().map(|one| one.most).collect();
        for person in self.people.iter_mut().filter(|one| one.id != VICTIM) {
            let mut both = moves.iter().zip(&mut left);
            let fits = both.find(|(one, left)| **left > 0 && one.fits(person));
            if let Some((one, left)) = fits {
                *left = left.saturating_sub(1);
                person.columns.extend(one.to.clone());
                person.columns.retain(|_, value| !value.is_empty());
            }
        }
        self
    }
}

impl Move {
    fn fits(&self, person: &Person) -> bool {
        self.of.iter().all(|(name, values)| {
            let value = person.columns.get(name).map_or("", String::as_str);
            values.contains(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_move_that_fits_changes_no_more_than_it_may_and_never_the_victim() {
        let world = Clinic::generate(1).with(&Some(BTreeMap::new()));
        let set = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        let of = |pairs: &[(&str, &str)]| {
            let pairs = set(pairs).into_iter();
            pairs
                .map(|(name, value)| (name, BTreeSet::from([value])))
                .collect()
        };
        let moves = [
            Move {
                of: of(&[("town", "c"), ("sex", "1")]),
                to: set(&[("town", "f"), ("chol", "")]),
                most: 5,
            },
            Move {
                of: of(&[("town", "c")]),
                to: set(&[("town", "a")]),
                most: usize::MAX,
            },
        ];
        let later = world.clone().with_moves(&moves);
        let count = |world: &Clinic, town: &str| {
            let has = |one: &&Person| one.columns.get("town").is_some_and(|x| x == town);
            world.people.iter().filter(has).count()
        };
        assert_eq!(count(&later, "f"), count(&world, "f") + 5);
        assert_eq!(count(&later, "c"), 1, "the victim stays");
        let both = world.people.iter().zip(&later.people);
        let moved = |(a, b): &(&Person, &Person)| a.columns.get("town") != b.columns.get("town");
        let to_f = both.filter(moved).filter(|(_, b)| b.columns["town"] == "f");
        let to_f: Vec<_> = to_f.collect();
        assert!(
            to_f.iter()
                .all(|(a, b)| a.columns["sex"] == "1" && !b.columns.contains_key("chol"))
        );
        assert_eq!(later.extract, world.extract);
    }
}
