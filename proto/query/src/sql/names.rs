//! Names in messages: the closest known one, and short lists.

/// The closest of the known names, if it is close enough to be a slip.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Names as a list for a sentence, at most eight of them.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = names.len() > 8;
    names.truncate(8);
    let text = names
        .iter()
        .map(|n| format!("`{n}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match (more, text.is_empty()) {
        (_, true) => "none".to_owned(),
        (true, false) => format!("{text}, ..."),
        (false, false) => text,
    }
}

/// Edits (insert, delete, replace, swap of neighbours) between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let (mut earlier, mut before) = (row.clone(), None);
    for (i, x) in a.chars().take(80).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        let mut left = None;
        for (j, ((y, diagonal), above)) in b.iter().zip(&row).zip(row.iter().skip(1)).enumerate() {
            let beside = next.last().copied().unwrap_or(0);
            let replace = diagonal + usize::from(x != *y);
            let swapped = before == Some(*y) && left == Some(x);
            let swap = j.checked_sub(1).filter(|_| swapped);
            let swap = swap.and_then(|j| earlier.get(j)).map(|edits| edits + 1);
            let least = replace.min(above + 1).min(beside + 1);
            next.push(swap.map_or(least, |swap| swap.min(least)));
            left = Some(*y);
        }
        earlier = std::mem::replace(&mut row, next);
        before = Some(x);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{closest, distance, listed};

    #[test]
    fn distances_are_edits() {
        assert_eq!(distance("age", "age"), 0);
        assert_eq!(distance("agee", "age"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("deid", "died"), 1);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("abc", "ca"), 3);
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        assert_eq!(
            closest("persn", ["person", "death"].into_iter()),
            Some("person")
        );
        assert_eq!(closest("lab", ["person", "death"].into_iter()), None);
        assert_eq!(listed(["a", "b"].into_iter()), "`a`, `b`");
    }
}
