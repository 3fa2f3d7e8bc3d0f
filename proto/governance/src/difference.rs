//! What differs between what was approved and what is asked now: line by line, in words and in the
//! canonical form, so that an approver sees a changed literal at once.

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Only the approved one has this line.
    Gone(String),
    /// Only the new one has this line.
    New(String),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone(line) => write!(f, "- {line}"),
            Self::New(line) => write!(f, "+ {line}"),
        }
    }
}

/// The shortest list of lines to take away and to add that leads from one text to the other, in
/// the order of the texts (longest common subsequence).
#[must_use]
pub fn lines(approved: &str, asked: &str) -> Vec<Difference> {
    let old: Vec<&str> = approved.lines().collect();
    let new: Vec<&str> = asked.lines().collect();
    let common = common(&old, &new);
    let (mut found, mut from, mut to) = (Vec::new(), 0, 0);
    for (in_old, in_new) in common.into_iter().chain([(old.len(), new.len())]) {
        let gone = old.iter().take(in_old).skip(from);
        found.extend(gone.map(|line| Difference::Gone((*line).to_owned())));
        let added = new.iter().take(in_new).skip(to);
        found.extend(added.map(|line| Difference::New((*line).to_owned())));
        (from, to) = (in_old + 1, in_new + 1);
    }
    found
}

/// Positions of a longest common subsequence.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    // Row by row: the length of the best subsequence of the rests, from the end.
    let mut lengths = vec![vec![0_usize; new.len() + 1]];
    for line in old.iter().rev() {
        let below = lengths.last().cloned().unwrap_or_default();
        let mut row = vec![0; new.len() + 1];
        let mut right = 0;
        for (at, other) in new.iter().enumerate().rev() {
            let diagonal = below.get(at + 1).copied().unwrap_or(0);
            let best = match line == other {
                true => diagonal + 1,
                false => right.max(below.get(at).copied().unwrap_or(0)),
            };
            if let Some(slot) = row.get_mut(at) {
                *slot = best;
            }
            right = best;
        }
        lengths.push(row);
    }
    lengths.reverse();
    let length = |i: usize, j: usize| lengths.get(i).and_then(|row| row.get(j)).copied();
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while let (Some(one), Some(other)) = (old.get(i), new.get(j)) {
        if one == other {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length(i + 1, j) >= length(i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Difference, lines};
    use proptest::prelude::*;

    #[test]
    fn a_changed_literal_is_one_line_gone_and_one_new() {
        let approved = "rows person\nfilter person.age 18..\nkey person.sex\n";
        let asked = "rows person\nfilter person.age 17..\nkey person.sex\n";
        let expected = [
            Difference::Gone("filter person.age 18..".to_owned()),
            Difference::New("filter person.age 17..".to_owned()),
        ];
        assert_eq!(lines(approved, asked), expected);
        assert!(lines(asked, asked).is_empty());
    }

    /// Applies differences to the old lines; they come in the order of both texts.
    fn apply(old: &[String], differences: &[Difference], new: &[String]) -> Vec<String> {
        let gone = differences.iter().filter_map(|d| match d {
            Difference::Gone(line) => Some(line.clone()),
            Difference::New(_) => None,
        });
        let mut kept = old.to_vec();
        let mut at = 0;
        for line in gone {
            let found = kept.iter().skip(at).position(|l| *l == line).unwrap() + at;
            kept.remove(found);
            at = 0;
        }
        let added = differences
            .iter()
            .filter(|d| matches!(d, Difference::New(_)));
        assert_eq!(kept.len() + added.count(), new.len());
        kept
    }

    proptest! {
        #[test]
        fn differences_account_for_every_line(
            old in prop::collection::vec("[a-c]", 0..8),
            new in prop::collection::vec("[a-c]", 0..8),
        ) {
            let found = lines(&old.join("\n"), &new.join("\n"));
            let mut all = apply(&old, &found, &new);
            for difference in &found {
                if let Difference::New(line) = difference {
                    all.push(line.clone());
                }
            }
            let mut expected = new.clone();
            all.sort();
            expected.sort();
            prop_assert_eq!(all, expected);
            prop_assert_eq!(found.is_empty(), old == new);
        }
    }
}
