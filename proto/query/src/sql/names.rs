//! Names in messages: the closest known one, and short lists.

/// The closest of the known names, if it is close enough to be a slip.
pub(super) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Names as a list for a sentence, at most eight of them.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
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

/// Edits (insert, delete, replace) between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(80).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((y, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(0);
            let replace = diagonal + usize::from(x != *y);
            next.push(replace.min(above + 1).min(left + 1));
        }
        row = next;
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
