//! Public parameters of release and the arithmetic that every party needs of them.

/// Parameters that are constant for a population and an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseParams {
    /// Least number of persons behind a cell.
    pub k: u32,
    /// Counts are rounded to multiples of this.
    pub round_base: u32,
    /// R4: the p of the p%-rule.
    pub p_pct: u32,
    /// R5: contributors, and their share in hundredths.
    pub nk: (u32, u32),
    /// R8: least degrees of freedom.
    pub dof: u32,
    /// R11: listed cells in open domains, all cells in closed ones.
    pub max_cells: u32,
    /// Quorum for a whole question.
    pub min_nodes: u32,
    /// Zeros are shown only where the codebook declares them public.
    pub zeros_public: bool,
}
