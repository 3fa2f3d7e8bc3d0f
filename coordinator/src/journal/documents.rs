//! What others signed and the coordinator carries: roster entries, codebooks, stamps, checkpoints.
//! Whoever calls has verified them; this file only keeps bytes in order.

use rusqlite::{OptionalExtension, params};

use super::{JournalError, Store, bump, from_sql, to_sql};

/// A published codebook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodebookRow {
    /// `sha256:` and hex of the text.
    pub(crate) digest: String,
    /// The codebook's own name.
    pub(crate) name: String,
    /// The codebook's own version.
    pub(crate) version: u64,
    /// The exact bytes that the digest covers.
    pub(crate) text: Vec<u8>,
    /// When it was published.
    pub(crate) published: i64,
}

/// The newest roster head that a node says it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StampRow {
    /// Node.
    pub(crate) node: String,
    /// Number of the newest roster entry it knows.
    pub(crate) seq: u64,
    /// When it said so.
    pub(crate) time: i64,
    /// The stamp as the node signed it.
    pub(crate) signed: Vec<u8>,
}

impl Store {
    /// The roster log, oldest entry first.
    pub(crate) fn roster(&self) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut rows = self
            .connection
            .prepare("SELECT signed FROM roster ORDER BY seq")?;
        let entries = rows.query_map([], |row| row.get(0))?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Appends one entry to a log of `known` entries; false if it has grown in the meantime.
    pub(crate) fn append_roster(
        &mut self,
        known: u64,
        signed: &[u8],
        now: i64,
    ) -> Result<bool, JournalError> {
        let transaction = self.begin()?;
        let count: i64 =
            transaction.query_row("SELECT count(*) FROM roster", [], |row| row.get(0))?;
        if from_sql(count) != known {
            return Ok(false);
        }
        transaction.execute(
            "INSERT INTO roster (seq, signed, published) VALUES (?1, ?2, ?3)",
            params![count.saturating_add(1), signed, now],
        )?;
        bump(&transaction)?;
        transaction.commit()?;
        Ok(true)
    }

    /// Publishes a codebook; false if it was published before.
    pub(crate) fn put_codebook(&mut self, row: &CodebookRow) -> Result<bool, JournalError> {
        let transaction = self.begin()?;
        let added = transaction.execute(
            "INSERT INTO codebook (digest, name, version, text, published) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (digest) DO NOTHING",
            params![row.digest, row.name, to_sql(row.version), row.text, row.published],
        )?;
        bump(&transaction)?;
        transaction.commit()?;
        Ok(added == 1)
    }

    /// Every published codebook, oldest first.
    pub(crate) fn codebooks(&self) -> Result<Vec<CodebookRow>, JournalError> {
        let mut rows = self.connection.prepare(
            "SELECT digest, name, version, text, published FROM codebook ORDER BY published, digest",
        )?;
        let books = rows.query_map([], |row| {
            Ok(CodebookRow {
                digest: row.get(0)?,
                name: row.get(1)?,
                version: from_sql(row.get(2)?),
                text: row.get(3)?,
                published: row.get(4)?,
            })
        })?;
        Ok(books.collect::<Result<_, _>>()?)
    }

    /// Keeps a node's stamp unless a newer one is known; true if it was kept.
    pub(crate) fn put_stamp(&mut self, stamp: &StampRow) -> Result<bool, JournalError> {
        let transaction = self.begin()?;
        let kept = transaction.execute(
            "INSERT INTO stamp (node, seq, time, signed) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (node) DO UPDATE SET seq = excluded.seq, time = excluded.time, signed = excluded.signed
             WHERE excluded.time > stamp.time",
            params![stamp.node, to_sql(stamp.seq), stamp.time, stamp.signed],
        )?;
        transaction.commit()?;
        Ok(kept == 1)
    }

    /// The newest stamp of every node, by node.
    pub(crate) fn stamps(&self) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut rows = self
            .connection
            .prepare("SELECT signed FROM stamp ORDER BY node")?;
        let stamps = rows.query_map([], |row| row.get(0))?;
        Ok(stamps.collect::<Result<_, _>>()?)
    }

    /// Keeps where a node's ledger stands. The first one of a size is kept; false if there is one.
    pub(crate) fn put_checkpoint(
        &mut self,
        node: &str,
        seq: u64,
        signed: &[u8],
        now: i64,
    ) -> Result<bool, JournalError> {
        let kept = self.connection.execute(
            "INSERT INTO checkpoint (node, seq, signed, received) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (node, seq) DO NOTHING",
            params![node, to_sql(seq), signed, now],
        )?;
        Ok(kept == 1)
    }

    /// The checkpoint of a node's ledger at one size.
    pub(crate) fn checkpoint_at(
        &self,
        node: &str,
        seq: u64,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let sql = "SELECT signed FROM checkpoint WHERE node = ?1 AND seq = ?2";
        let found = self
            .connection
            .query_row(sql, params![node, to_sql(seq)], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// The newest checkpoints of every node but one, by node and size: what that node must see.
    pub(crate) fn checkpoints_of_others(
        &self,
        node: &str,
        each: u32,
    ) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut rows = self.connection.prepare(
            "SELECT signed FROM (SELECT node, seq, signed,
               row_number() OVER (PARTITION BY node ORDER BY seq DESC) AS place
               FROM checkpoint WHERE node <> ?1)
             WHERE place <= ?2 ORDER BY node, seq",
        )?;
        let found = rows.query_map(params![node, each], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The leaves of the log of results and roster entries after the first `size`, in their order,
    /// made of the bytes as they are stored now.
    pub(crate) fn log_after(&self, size: u64) -> Result<Vec<[u8; 32]>, JournalError> {
        let mut rows = self.connection.prepare(
            "SELECT what, subject, coalesce(
               CASE what WHEN 'roster' THEN (SELECT signed FROM roster WHERE seq = CAST(subject AS INTEGER))
                         ELSE (SELECT result FROM question WHERE id = subject) END, x'')
             FROM log WHERE seq > ?1 ORDER BY seq",
        )?;
        let leaf = |row: &rusqlite::Row<'_>| {
            let (what, subject): (String, String) = (row.get(0)?, row.get(1)?);
            let bytes: Vec<u8> = row.get(2)?;
            let text = format!("quorate/log/1\0{what}\0{subject}\0");
            Ok(quorate_identity::sha256(
                &[text.as_bytes(), &bytes].concat(),
            ))
        };
        let found = rows.query_map([to_sql(size)], leaf)?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Keeps two checkpoints of one node that cannot both be true.
    pub(crate) fn put_contradiction(
        &mut self,
        node: &str,
        why: &str,
        (kept, shown): (&[u8], &[u8]),
        now: i64,
    ) -> Result<(), JournalError> {
        self.connection.execute(
            "INSERT INTO contradiction (node, why, kept, shown, received) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (node, shown) DO NOTHING",
            params![node, why, kept, shown, now],
        )?;
        Ok(())
    }

    /// Which nodes contradicted themselves, and how, oldest first.
    pub(crate) fn contradictions(&self) -> Result<Vec<(String, String, i64)>, JournalError> {
        let mut rows = self
            .connection
            .prepare("SELECT node, why, received FROM contradiction ORDER BY received, node")?;
        let found = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The newest checkpoint of a node, to witness to the node itself and to others.
    pub(crate) fn checkpoint(&self, node: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let sql = "SELECT signed FROM checkpoint WHERE node = ?1 ORDER BY seq DESC LIMIT 1";
        Ok(self
            .connection
            .query_row(sql, [node], |row| row.get(0))
            .optional()?)
    }

    /// The port that was bound when the configuration left it open.
    pub(crate) fn port(&self) -> Result<Option<u16>, JournalError> {
        let sql = "SELECT port FROM listener WHERE id = 1";
        Ok(self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .optional()?)
    }

    /// Remembers the bound port, so that a restart comes back where nodes look for it.
    pub(crate) fn set_port(&mut self, port: u16) -> Result<(), JournalError> {
        self.connection.execute(
            "INSERT INTO listener (id, port) VALUES (1, ?1)
             ON CONFLICT (id) DO UPDATE SET port = excluded.port WHERE port <> excluded.port",
            [port],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CodebookRow, StampRow, Store};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn a_roster_entry_is_appended_only_to_the_log_it_was_verified_against() {
        let (_dir, mut store) = store();
        assert!(store.append_roster(0, b"genesis", 1).unwrap());
        assert!(!store.append_roster(0, b"other genesis", 1).unwrap());
        assert!(store.append_roster(1, b"add", 2).unwrap());
        assert_eq!(
            store.roster().unwrap(),
            [b"genesis".to_vec(), b"add".to_vec()]
        );
        assert_eq!(store.generation().unwrap(), 2);
    }

    #[test]
    fn a_codebook_is_published_once() {
        let (_dir, mut store) = store();
        let row = CodebookRow {
            digest: "sha256:aa".to_owned(),
            name: "cvd".to_owned(),
            version: 3,
            text: b"text".to_vec(),
            published: 7,
        };
        assert!(store.put_codebook(&row).unwrap());
        assert!(!store.put_codebook(&row).unwrap());
        assert_eq!(store.codebooks().unwrap(), [row]);
    }

    #[test]
    fn an_older_stamp_does_not_replace_a_newer_one() {
        let (_dir, mut store) = store();
        let stamp = |time, signed: &[u8]| StampRow {
            node: "north".to_owned(),
            seq: 1,
            time,
            signed: signed.to_vec(),
        };
        assert!(store.put_stamp(&stamp(10, b"new")).unwrap());
        assert!(!store.put_stamp(&stamp(9, b"old")).unwrap());
        assert_eq!(store.stamps().unwrap(), [b"new".to_vec()]);
    }

    #[test]
    fn a_second_head_under_one_number_is_not_taken() {
        let (_dir, mut store) = store();
        assert!(store.put_checkpoint("north", 5, b"head", 1).unwrap());
        assert!(!store.put_checkpoint("north", 5, b"fork", 3).unwrap());
        assert_eq!(store.checkpoint("north").unwrap(), Some(b"head".to_vec()));
        assert_eq!(
            store.checkpoint_at("north", 5).unwrap(),
            Some(b"head".to_vec())
        );
        assert_eq!(store.checkpoint_at("north", 6).unwrap(), None);
    }

    #[test]
    fn a_node_sees_the_newest_checkpoints_of_the_others_in_their_order() {
        let (_dir, mut store) = store();
        for (node, seq, signed) in [
            ("a", 1, b"a1"),
            ("a", 2, b"a2"),
            ("a", 9, b"a9"),
            ("b", 4, b"b4"),
        ] {
            assert!(store.put_checkpoint(node, seq, signed, 1).unwrap());
        }
        let seen = store.checkpoints_of_others("c", 2).unwrap();
        assert_eq!(seen, [b"a2".to_vec(), b"a9".to_vec(), b"b4".to_vec()]);
        let seen = store.checkpoints_of_others("a", 2).unwrap();
        assert_eq!(seen, [b"b4".to_vec()]);
    }

    #[test]
    fn the_log_grows_with_the_roster_and_an_altered_entry_alters_it() {
        let (_dir, mut store) = store();
        assert!(store.append_roster(0, b"genesis", 1).unwrap());
        assert!(store.append_roster(1, b"add", 2).unwrap());
        let leaves = store.log_after(0).unwrap();
        assert_eq!(leaves.len(), 2);
        assert_ne!(leaves[0], leaves[1]);
        assert_eq!(store.log_after(1).unwrap(), leaves[1..]);
        let sql = "UPDATE roster SET signed = x'00' WHERE seq = 1";
        store.connection.execute(sql, []).unwrap();
        assert_ne!(store.log_after(0).unwrap()[0], leaves[0]);
    }

    #[test]
    fn a_contradiction_is_kept_once() {
        let (_dir, mut store) = store();
        for now in [5, 6] {
            store
                .put_contradiction("a", "two roots", (b"one", b"two"), now)
                .unwrap();
        }
        let kept = store.contradictions().unwrap();
        assert_eq!(kept, [("a".to_owned(), "two roots".to_owned(), 5)]);
    }
}
