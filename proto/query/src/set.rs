//! Set algebra of one column: intersection, complement, closed domains, bounds and grids.
