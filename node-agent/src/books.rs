//! What questions have derived so far: history judges releases of derived columns by what it knows of
//! these columns, also for a question that names none of them.
//!
//! It is not durable. Of a column that nobody asked about since the node started, history knows who was
//! behind its releases and not what values it can have. What it must not know: releases, persons.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use quorate_query::codebook::Codebook;
use quorate_query::question::Question;

use crate::node::lock;

/// When more columns than this are known, those of the present question are left.
const MOST: usize = 2_000;

/// Codebooks with the columns that questions derived, by the digest of the published one.
#[derive(Default)]
pub(crate) struct Books(Mutex<BTreeMap<String, Arc<Codebook>>>);

impl Books {
    /// The codebook with every derived column that is known, those of this question included.
    pub(crate) fn with(&self, codebook: &Arc<Codebook>, question: &Question) -> Arc<Codebook> {
        let mut books = lock(&self.0);
        let known = books.get(&codebook.digest).unwrap_or(codebook);
        let mut names = question.derived.keys();
        if names.all(|name| known.derived.contains_key(name)) {
            return Arc::clone(known);
        }
        let many = known.derived.len() + question.derived.len() > MOST;
        let from = if many { codebook } else { known };
        let book = Arc::new(from.with(&question.derived));
        books.insert(codebook.digest.clone(), Arc::clone(&book));
        book
    }
}

#[cfg(test)]
mod tests {
    use quorate_query::question::Params;
    use quorate_query::sql;

    use super::*;
    use crate::testing::{BOOK, people};

    #[test]
    fn what_was_derived_stays_known() {
        let book = people(BOOK, "").codebook;
        let books = Books::default();
        let read = |text: &str| sql::read(text, &Params::new(), &book).unwrap();
        let plain = read("SELECT count(*) FROM person");
        assert_eq!(books.with(&book, &plain).digest, book.digest);
        let case = |at: i64| {
            read(&format!(
                "WITH s AS (SELECT id, CASE WHEN sex = {at} THEN 1 ELSE 0 END AS x FROM person) SELECT x, count(*) FROM s GROUP BY x"
            ))
        };
        let one = books.with(&book, &case(0));
        assert_eq!(one.derived, case(0).derived);
        let two = books.with(&book, &case(1));
        assert_eq!(two.derived.len(), 2);
        assert_ne!(one.digest, two.digest);
        assert_eq!(books.with(&book, &plain).digest, two.digest);
        assert_eq!(books.with(&book, &case(0)).digest, two.digest);
    }
}
