//! How often something that was granted for so many runs has run here. A question id counts once,
//! however often it is delivered; a crash spends a run, never gives one back.

use rusqlite::{TransactionBehavior, params};

use crate::store::{Store, StoreError};

/// The form of the table.
pub(crate) const RUNS: &str = "CREATE TABLE run (
    granted TEXT NOT NULL,
    question TEXT NOT NULL,
    PRIMARY KEY (granted, question)
) WITHOUT ROWID;";

impl Store {
    /// How many questions have run on a grant, without this one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn runs(&self, granted: &str, but: &str) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM run WHERE granted = ?1 AND question <> ?2";
        let count: i64 = self
            .connection
            .query_row(sql, params![granted, but], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Spends a run of each grant for a question, all or none: false if one of them has no run
    /// left. On the disk when it returns.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn spend(&mut self, grants: &[(String, u64)], question: &str) -> Result<bool, StoreError> {
        if grants.is_empty() {
            return Ok(true);
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (granted, most) in grants {
            let sql = "SELECT count(*) FROM run WHERE granted = ?1 AND question <> ?2";
            let count: i64 =
                transaction.query_row(sql, params![granted, question], |row| row.get(0))?;
            if u64::try_from(count).unwrap_or(u64::MAX) >= *most {
                return Ok(false);
            }
            let sql = "INSERT OR IGNORE INTO run (granted, question) VALUES (?1, ?2)";
            transaction.execute(sql, params![granted, question])?;
        }
        transaction.commit()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::Store;

    #[test]
    fn a_run_is_spent_once_for_a_question_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        let grants = [("project".to_owned(), 3), ("approval".to_owned(), 2)];
        let mut store = Store::open(folder.path()).unwrap();
        assert!(store.spend(&grants, "q1").unwrap());
        assert!(store.spend(&grants, "q1").unwrap(), "delivered again");
        assert!(store.spend(&grants, "q2").unwrap());
        drop(store);
        let mut store = Store::open(folder.path()).unwrap();
        assert!(
            !store.spend(&grants, "q3").unwrap(),
            "the approval is used up"
        );
        assert_eq!(store.runs("project", "").unwrap(), 2, "all or none");
        assert!(store.spend(&grants, "q2").unwrap(), "its run was spent");
        assert_eq!(store.runs("approval", "q2").unwrap(), 1);
    }
}
