//! The tables of the state file, as migrations that only go forward. No table has a column for a
//! cell value or for the text of a question: those stay inside the signed bytes.

use rusqlite_migration::{M, Migrations};

/// Every migration, oldest first. A released one is never edited.
const ALL: &[M<'static>] = &[M::up(FIRST), M::up(CONTRADICTIONS), M::up(LOG)];

/// The migrations to run on a state file.
pub(super) const MIGRATIONS: Migrations<'static> = Migrations::from_slice(ALL);

const CONTRADICTIONS: &str = "
-- signed checkpoints of one node that cannot both be true, for auditors
CREATE TABLE contradiction (node TEXT NOT NULL, why TEXT NOT NULL, kept BLOB NOT NULL, shown BLOB NOT NULL,
  received INTEGER NOT NULL, PRIMARY KEY (node, shown)) STRICT;
";

const LOG: &str = "
-- what was signed here or published here, in its order; what a leaf of the log's tree is made of stays where it is
CREATE TABLE log (seq INTEGER PRIMARY KEY, what TEXT NOT NULL, subject TEXT NOT NULL) STRICT;
INSERT INTO log (what, subject) SELECT 'roster', seq FROM roster ORDER BY seq;
INSERT INTO log (what, subject) SELECT 'result', id FROM question WHERE result IS NOT NULL ORDER BY finished, id;
CREATE TRIGGER log_roster AFTER INSERT ON roster BEGIN
  INSERT INTO log (what, subject) VALUES ('roster', NEW.seq); END;
CREATE TRIGGER log_result AFTER UPDATE OF result ON question WHEN OLD.result IS NULL AND NEW.result IS NOT NULL BEGIN
  INSERT INTO log (what, subject) VALUES ('result', NEW.id); END;
";

const FIRST: &str = "
-- counted up by every change an operator makes, so that a running coordinator notices
CREATE TABLE generation (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL) STRICT;
INSERT INTO generation (id, n) VALUES (1, 0);

-- the address that was bound when the configuration left the port open
CREATE TABLE listener (id INTEGER PRIMARY KEY CHECK (id = 1), port INTEGER NOT NULL) STRICT;

CREATE TABLE roster (seq INTEGER PRIMARY KEY, signed BLOB NOT NULL, published INTEGER NOT NULL) STRICT;
CREATE TABLE codebook (digest TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL,
  text BLOB NOT NULL, published INTEGER NOT NULL) STRICT;
CREATE TABLE stamp (node TEXT PRIMARY KEY, seq INTEGER NOT NULL, time INTEGER NOT NULL, signed BLOB NOT NULL) STRICT;
CREATE TABLE checkpoint (node TEXT NOT NULL, seq INTEGER NOT NULL, signed BLOB NOT NULL,
  received INTEGER NOT NULL, PRIMARY KEY (node, seq)) STRICT;

CREATE TABLE token (secret_sha256 TEXT PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL,
  until INTEGER NOT NULL, made INTEGER NOT NULL, used INTEGER) STRICT;
CREATE TABLE certificate (sha256 TEXT PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL,
  identity TEXT NOT NULL, issued INTEGER NOT NULL, not_after INTEGER NOT NULL, revoked INTEGER) STRICT;
CREATE INDEX certificate_holder ON certificate (role, name);

-- what an operator sees of a node
CREATE TABLE node (name TEXT PRIMARY KEY, connected INTEGER NOT NULL, since INTEGER NOT NULL,
  build TEXT NOT NULL, roster_head TEXT NOT NULL, codebooks TEXT NOT NULL, turned_away INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE question (id TEXT PRIMARY KEY, researcher TEXT NOT NULL, project TEXT NOT NULL,
  codebook TEXT NOT NULL, signed BLOB NOT NULL, submitted INTEGER NOT NULL, deadline INTEGER NOT NULL,
  status TEXT NOT NULL, problem TEXT, closed INTEGER, finished INTEGER, result BLOB) STRICT;
CREATE INDEX question_asker ON question (researcher, submitted);
CREATE INDEX question_open ON question (status) WHERE finished IS NULL;

-- one row for every node that a question was put to; status is NULL until the node is settled
CREATE TABLE outcome (question TEXT NOT NULL REFERENCES question (id), node TEXT NOT NULL,
  status TEXT, code TEXT, settled INTEGER, PRIMARY KEY (question, node)) STRICT;
-- the node's own signed bytes, once; late = 1 came after the question was closed
CREATE TABLE answer (question TEXT NOT NULL, node TEXT NOT NULL, signed BLOB NOT NULL,
  received INTEGER NOT NULL, late INTEGER NOT NULL, PRIMARY KEY (question, node)) STRICT;
";

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;

    #[test]
    fn the_migrations_run_on_an_empty_file() {
        MIGRATIONS.validate().unwrap();
    }
}
