//! H6, caps: how many cells may be asked for at all. What was asked counts, never what was
//! answered, so that a cap says nothing about the data.
//!
//! Page: `docs/disclosure/H6.md`.

/// Cells that may be asked for of one state of the data, unless the custodian says otherwise.
pub const CELLS_PER_EPOCH: u64 = 2_000;
/// Cells that one principal may ask for in thirty days, unless the custodian says otherwise.
pub const CELLS_PER_PRINCIPAL: u64 = 1_000;
/// For how long a principal's cells are counted, in seconds.
pub const PRINCIPAL_WINDOW: i64 = 30 * 24 * 60 * 60;

/// How much was asked for before, and how much may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Cells asked for before this question.
    pub asked: u64,
    /// Cells that may be asked for.
    pub most: u64,
}

impl Cap {
    /// Whether a question for so many more cells is still within the cap.
    #[must_use]
    pub fn allows(&self, cells: u64) -> bool {
        self.asked
            .checked_add(cells)
            .is_some_and(|all| all <= self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cell_is_allowed_and_none_after_it() {
        let cap = |asked| Cap { asked, most: 10 };
        assert!(cap(4).allows(6) && !cap(4).allows(7));
        assert!(cap(10).allows(0) && !cap(10).allows(1));
        assert!(!cap(u64::MAX).allows(1));
    }
}
