//! Which places of a family a release covers: by the atoms of both dimensions, or place by place. What it
//! must not know: what a place stands for.

use std::cell::OnceCell;

/// The atoms of either dimension that a release covers.
pub(super) type Sides = [Vec<bool>; 2];

/// The places that a release covers.
#[derive(Clone)]
pub(super) enum Extent<'a> {
    /// Those in both, line by line of the first dimension, once somebody asks for them.
    Product(&'a Sides, OnceCell<Vec<bool>>),
    /// These.
    Places(Vec<bool>),
}

impl<'a> Extent<'a> {
    pub(super) fn of(sides: &'a Sides) -> Self {
        Self::Product(sides, OnceCell::new())
    }

    /// For each place whether it is covered.
    pub(super) fn places(&self) -> &[bool] {
        match self {
            Self::Product(sides, places) => places.get_or_init(|| product(sides)),
            Self::Places(places) => places,
        }
    }

    /// Whether it lies within another one of the same family.
    pub(super) fn is_within(&self, outer: &Self) -> bool {
        match (self, outer) {
            (Self::Product([a, b], _), Self::Product([x, y], _)) => {
                is_empty(a) || is_empty(b) || (covers(x, a) && covers(y, b))
            }
            _ => covers(outer.places(), self.places()),
        }
    }

    /// The same of two releases that cover the same places, unless they cover none.
    pub(super) fn key(&self) -> [&[bool]; 2] {
        match self {
            Self::Product([a, b], _) => [a, b],
            Self::Places(places) => [places, &[]],
        }
    }
}

/// The places in both.
pub(super) fn product([first, second]: &Sides) -> Vec<bool> {
    let mut places = Vec::with_capacity(first.len() * second.len());
    for inside in first {
        match inside {
            true => places.extend_from_slice(second),
            false => places.resize(places.len() + second.len(), false),
        }
    }
    places
}

/// Whether the second region lies within the first.
pub(super) fn covers(outer: &[bool], inner: &[bool]) -> bool {
    let mut both = outer.iter().zip(inner);
    both.all(|(outer, inner)| *outer || !*inner)
}

fn is_empty(side: &[bool]) -> bool {
    !side.contains(&true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Sides say of products what their places say.
        #[test]
        fn sides_say_what_places_say(
            first in any::<[[bool; 3]; 2]>(),
            second in any::<[[bool; 2]; 2]>(),
        ) {
            let [a, b] = [0, 1].map(|at| [first[at].to_vec(), second[at].to_vec()]);
            let one_by_one = |[x, y]: &Sides| -> Vec<bool> {
                x.iter().flat_map(|x| y.iter().map(move |y| *x && *y)).collect()
            };
            prop_assert_eq!(product(&a), one_by_one(&a));
            let (x, y) = (Extent::of(&a), Extent::of(&b));
            let (p, q) = (Extent::Places(product(&a)), Extent::Places(product(&b)));
            prop_assert_eq!(x.is_within(&y), covers(q.places(), p.places()));
            prop_assert_eq!(x.is_within(&q), p.is_within(&y));
            if x.places().contains(&true) {
                prop_assert_eq!(x.key() == y.key(), x.places() == y.places());
            }
        }
    }
}
