//! A facet of a cell that is not released yet, with what only a new cell has: every contribution.

use std::borrow::Cow;

use super::entry::{Facet, Form, Shape};
use crate::evidence::{Contributions, Persons};

/// A facet under judgement.
pub struct FacetCandidate<'a> {
    /// What would be released.
    pub facet: Facet,
    /// Its shape as it was asked for.
    pub asked: Shape,
    /// Another `vec` under which earlier records may have kept what adds up with it.
    pub first_vec: Option<[u8; 32]>,
    /// What each person adds; `None` if each adds one.
    pub contributions: Option<Addends<'a>>,
    /// The largest size that one person's contribution can have, from public bounds.
    pub clamp: i128,
    /// Whether a person adds the same in whatever box: true of persons and of unit tables.
    pub same_in_every_box: bool,
    /// Whether the shape says exactly whose rows these are. Else they lie within it.
    pub exact: bool,
    /// How a sum is compared with sums of other columns.
    pub across: Across,
}

/// What a sum is compared with beside sums of its own column.
#[derive(Clone, Default)]
pub struct Across {
    /// Whether it is compared with these: a sum of values is.
    pub compared: bool,
    /// Decimals that its unit has less than that of sums of derived columns.
    pub short: u32,
    /// Sums of columns that a derived one comes from, by their `vec`, and what their units have less.
    pub related: Vec<([u8; 32], u32)>,
    /// What is the same number whatever the data, so that it is known where one of these is: a sum of
    /// numbers of rows is the number of rows.
    pub also: Vec<Statement>,
}

/// What a facet says, without of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What may be added up.
    pub vec: [u8; 32],
    /// What each person adds.
    pub form: Form,
    /// Tables and boxes, as they were asked for.
    pub shape: Shape,
}

/// What each of some persons adds.
pub enum Addends<'a> {
    /// In one list.
    Of(Cow<'a, Contributions>),
    /// In several lists, nobody in two of them.
    Apart(Vec<&'a Contributions>),
}

impl<'a> Addends<'a> {
    /// The list, if it is one of the evidence's own.
    #[must_use]
    pub fn listed(&self) -> Option<&'a Contributions> {
        match self {
            Self::Of(Cow::Borrowed(list)) => Some(list),
            Self::Of(Cow::Owned(_)) | Self::Apart(_) => None,
        }
    }

    fn lists(&self) -> impl Iterator<Item = &Contributions> {
        let (one, several) = match self {
            Self::Of(list) => (Some(list.as_ref()), [].as_slice()),
            Self::Apart(lists) => (None, lists.as_slice()),
        };
        one.into_iter().chain(several.iter().copied())
    }

    /// Persons and what they add; within each list in ascending order of person.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i128)> {
        self.lists().flat_map(Contributions::iter)
    }

    /// Everybody, list by list.
    pub fn people(&self) -> impl Iterator<Item = &Persons> {
        self.lists().map(Contributions::people)
    }

    /// What one person adds; `None` if the person is not among them.
    #[must_use]
    pub fn of_person(&self, person: u32) -> Option<i128> {
        self.lists().find_map(|list| list.of_person(person))
    }

    /// Whether limits took something off somebody.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.lists().any(Contributions::is_limited)
    }
}

/// What persons add, by their number: of nearly all numbers there is a person.
pub(super) struct Dense {
    first: u32,
    each: Vec<i64>,
}

impl Dense {
    /// Numbers to a person at most.
    const SPARSE: usize = 8;

    /// `None` where it would take much more room than there are persons, or a number does not fit.
    pub(super) fn of(contributions: &Addends<'_>) -> Option<Self> {
        let people = || contributions.people();
        let first = people().filter_map(|some| some.min()).min()?;
        let last = people().filter_map(|some| some.max()).max()?;
        let persons = people().map(|some| some.len()).sum::<u64>();
        let places = usize::try_from(last.checked_sub(first)?)
            .ok()?
            .checked_add(1)?;
        if places / Self::SPARSE > usize::try_from(persons).ok()? {
            return None;
        }
        let mut each = vec![0; places];
        let mut fits = true;
        let mut put = |person: u32, addend: i64| {
            let place = person.checked_sub(first).map(usize::try_from);
            let place = place.and_then(Result::ok).and_then(|at| each.get_mut(at));
            fits &= place.map(|place| *place = addend).is_some();
        };
        for list in contributions.lists() {
            if !list.each(&mut put) {
                return None;
            }
        }
        if !fits {
            return None;
        }
        Some(Self { first, each })
    }

    /// What a person adds; zero if it is not among them.
    pub(super) fn get(&self, person: u32) -> i64 {
        let place = person.checked_sub(self.first).map(usize::try_from);
        let found = place.and_then(|place| self.each.get(place.ok()?));
        found.copied().unwrap_or(0)
    }
}
