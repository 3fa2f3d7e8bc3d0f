//! The rules of a single cell, one pure rule per file, applied as an ordered table. To add a rule,
//! add a file and a line here.

pub(crate) mod case;
pub(crate) mod protect;
pub(crate) mod r11_size;
mod r1_persons;
mod r1b_contributors;
mod r2_zeros;
mod small_domain;

use case::Rule;

/// The rules of a cell, in order; the first that does not pass decides.
pub(crate) const RULES: [Rule; 4] = [
    Rule {
        name: "R2",
        judge: r2_zeros::judge,
    },
    Rule {
        name: "R1",
        judge: r1_persons::judge,
    },
    Rule {
        name: "small domain",
        judge: small_domain::judge,
    },
    Rule {
        name: "R1b",
        judge: r1b_contributors::judge,
    },
];
