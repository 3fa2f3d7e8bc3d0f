//! Who was let in: enrolment tokens, issued and revoked certificates, and which node is here.
//! A certificate opens nothing by itself; the roster says who may act.

use rusqlite::{OptionalExtension, params};

use super::{JournalError, Store, bump, from_sql};

/// A certificate as it was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRow {
    /// `sha256:` and hex of the DER bytes.
    pub(crate) sha256: String,
    /// `node` or `researcher`.
    pub(crate) role: String,
    /// Roster name.
    pub(crate) name: String,
    /// The identity key whose holder asked for it.
    pub(crate) identity: String,
    /// When it was issued.
    pub(crate) issued: i64,
    /// When it ends.
    pub(crate) not_after: i64,
}

/// What became of a token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redeemed {
    /// It was good and is now spent; the certificate is in the register.
    Yes,
    /// Unknown, spent, expired or made for someone else. The caller is told no more than that.
    No,
}

/// What an operator sees of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRow {
    /// Roster name.
    pub(crate) name: String,
    /// Whether its stream is open.
    pub(crate) connected: bool,
    /// Since when it is connected, or not.
    pub(crate) since: i64,
    /// What it says it runs.
    pub(crate) build: String,
    /// The roster head it knew when it connected.
    pub(crate) roster_head: String,
    /// Digests of the codebooks it accepts.
    pub(crate) codebooks: Vec<String>,
    /// Frames of this node that were turned away.
    pub(crate) turned_away: u64,
}

impl Store {
    /// Keeps a new token, by the hash of its secret only.
    pub(crate) fn add_token(
        &mut self,
        secret_sha256: &str,
        holder: (&str, &str),
        made: i64,
        until: i64,
    ) -> Result<(), JournalError> {
        self.connection.execute(
            "INSERT INTO token (secret_sha256, role, name, until, made) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![secret_sha256, holder.0, holder.1, until, made],
        )?;
        Ok(())
    }

    /// Spends a token and registers the certificate it pays for, both or neither.
    pub(crate) fn redeem(
        &mut self,
        secret_sha256: &str,
        certificate: &CertificateRow,
        now: i64,
    ) -> Result<Redeemed, JournalError> {
        let transaction = self.begin()?;
        let spent = transaction.execute(
            "UPDATE token SET used = ?1
             WHERE secret_sha256 = ?2 AND role = ?3 AND name = ?4 AND used IS NULL AND until > ?1",
            params![now, secret_sha256, certificate.role, certificate.name],
        )?;
        if spent != 1 {
            return Ok(Redeemed::No);
        }
        insert_certificate(&transaction, certificate)?;
        transaction.commit()?;
        Ok(Redeemed::Yes)
    }

    /// Registers a certificate that replaces one still good.
    pub(crate) fn renew(&mut self, certificate: &CertificateRow) -> Result<(), JournalError> {
        let transaction = self.begin()?;
        insert_certificate(&transaction, certificate)?;
        transaction.commit()?;
        Ok(())
    }

    /// Every certificate that still opens the door: issued here, not revoked, not ended.
    pub(crate) fn good_certificates(&self, now: i64) -> Result<Vec<CertificateRow>, JournalError> {
        let mut rows = self.connection.prepare(
            "SELECT sha256, role, name, identity, issued, not_after FROM certificate
             WHERE revoked IS NULL AND not_after > ?1 ORDER BY sha256",
        )?;
        let good = rows.query_map([now], |row| {
            Ok(CertificateRow {
                sha256: row.get(0)?,
                role: row.get(1)?,
                name: row.get(2)?,
                identity: row.get(3)?,
                issued: row.get(4)?,
                not_after: row.get(5)?,
            })
        })?;
        Ok(good.collect::<Result<_, _>>()?)
    }

    /// Revokes every certificate of a holder and every unspent token; how many certificates.
    pub(crate) fn revoke(
        &mut self,
        role: &str,
        name: &str,
        now: i64,
    ) -> Result<usize, JournalError> {
        let transaction = self.begin()?;
        let revoked = transaction.execute(
            "UPDATE certificate SET revoked = ?1 WHERE role = ?2 AND name = ?3 AND revoked IS NULL",
            params![now, role, name],
        )?;
        transaction.execute(
            "UPDATE token SET until = ?1 WHERE role = ?2 AND name = ?3 AND used IS NULL AND until > ?1",
            params![now, role, name],
        )?;
        bump(&transaction)?;
        transaction.commit()?;
        Ok(revoked)
    }

    /// Notes that a node has come or gone.
    pub(crate) fn note_node(&mut self, node: &NodeRow) -> Result<(), JournalError> {
        let codebooks = node.codebooks.join(" ");
        self.connection.execute(
            "INSERT INTO node (name, connected, since, build, roster_head, codebooks) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (name) DO UPDATE SET connected = excluded.connected, since = excluded.since,
               build = excluded.build, roster_head = excluded.roster_head, codebooks = excluded.codebooks",
            params![node.name, node.connected, node.since, node.build, node.roster_head, codebooks],
        )?;
        Ok(())
    }

    /// Notes that a node has gone.
    pub(crate) fn node_gone(&mut self, name: &str, now: i64) -> Result<(), JournalError> {
        self.connection.execute(
            "UPDATE node SET connected = 0, since = ?2 WHERE name = ?1 AND connected = 1",
            params![name, now],
        )?;
        Ok(())
    }

    /// Counts a frame of a node that was turned away.
    pub(crate) fn count_turned_away(&mut self, name: &str) -> Result<(), JournalError> {
        self.connection.execute(
            "UPDATE node SET turned_away = turned_away + 1 WHERE name = ?1",
            [name],
        )?;
        Ok(())
    }

    /// After a start nobody is connected yet, whatever the file says.
    pub(crate) fn all_nodes_gone(&mut self, now: i64) -> Result<(), JournalError> {
        self.connection.execute(
            "UPDATE node SET connected = 0, since = ?1 WHERE connected = 1",
            [now],
        )?;
        Ok(())
    }

    /// Every node that was ever here, by name.
    pub(crate) fn nodes(&self) -> Result<Vec<NodeRow>, JournalError> {
        let mut rows = self.connection.prepare(
            "SELECT name, connected, since, build, roster_head, codebooks, turned_away
             FROM node ORDER BY name",
        )?;
        let nodes = rows.query_map([], |row| {
            let codebooks: String = row.get(5)?;
            Ok(NodeRow {
                name: row.get(0)?,
                connected: row.get(1)?,
                since: row.get(2)?,
                build: row.get(3)?,
                roster_head: row.get(4)?,
                codebooks: codebooks.split_whitespace().map(str::to_owned).collect(),
                turned_away: from_sql(row.get(6)?),
            })
        })?;
        Ok(nodes.collect::<Result<_, _>>()?)
    }

    /// The identity key that a holder's newest certificate was issued to.
    pub(crate) fn newest_identity(
        &self,
        role: &str,
        name: &str,
    ) -> Result<Option<String>, JournalError> {
        let sql = "SELECT identity FROM certificate WHERE role = ?1 AND name = ?2
                   ORDER BY issued DESC, not_after DESC LIMIT 1";
        Ok(self
            .connection
            .query_row(sql, [role, name], |row| row.get(0))
            .optional()?)
    }
}

fn insert_certificate(
    transaction: &rusqlite::Transaction<'_>,
    certificate: &CertificateRow,
) -> Result<(), JournalError> {
    transaction.execute(
        "INSERT INTO certificate (sha256, role, name, identity, issued, not_after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            certificate.sha256,
            certificate.role,
            certificate.name,
            certificate.identity,
            certificate.issued,
            certificate.not_after
        ],
    )?;
    bump(transaction)
}

#[cfg(test)]
mod tests {
    use super::{CertificateRow, Redeemed, Store};

    fn certificate(sha256: &str) -> CertificateRow {
        CertificateRow {
            sha256: sha256.to_owned(),
            role: "node".to_owned(),
            name: "north".to_owned(),
            identity: "ed25519:x".to_owned(),
            issued: 0,
            not_after: 1000,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.add_token("hash", ("node", "north"), 0, 100).unwrap();
        (dir, store)
    }

    #[test]
    fn a_token_is_spent_once() {
        let (_dir, mut store) = store();
        assert_eq!(
            store.redeem("hash", &certificate("a"), 10).unwrap(),
            Redeemed::Yes
        );
        assert_eq!(
            store.redeem("hash", &certificate("b"), 11).unwrap(),
            Redeemed::No
        );
        assert_eq!(store.good_certificates(12).unwrap(), [certificate("a")]);
    }

    #[test]
    fn a_token_is_for_its_holder_and_its_time() {
        let (_dir, mut store) = store();
        let other = CertificateRow {
            name: "south".to_owned(),
            ..certificate("a")
        };
        assert_eq!(store.redeem("hash", &other, 10).unwrap(), Redeemed::No);
        let role = CertificateRow {
            role: "researcher".to_owned(),
            ..certificate("a")
        };
        assert_eq!(store.redeem("hash", &role, 10).unwrap(), Redeemed::No);
        assert_eq!(
            store.redeem("hash", &certificate("a"), 100).unwrap(),
            Redeemed::No
        );
        assert_eq!(
            store.redeem("other", &certificate("a"), 10).unwrap(),
            Redeemed::No
        );
        assert_eq!(
            store.redeem("hash", &certificate("a"), 99).unwrap(),
            Redeemed::Yes
        );
    }

    #[test]
    fn revoking_ends_certificates_and_open_tokens() {
        let (_dir, mut store) = store();
        store.renew(&certificate("a")).unwrap();
        let before = store.generation().unwrap();
        assert_eq!(store.revoke("node", "north", 50).unwrap(), 1);
        assert!(store.generation().unwrap() > before);
        assert!(store.good_certificates(51).unwrap().is_empty());
        assert_eq!(
            store.redeem("hash", &certificate("b"), 51).unwrap(),
            Redeemed::No
        );
    }
}
