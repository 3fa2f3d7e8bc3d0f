//! Questions and what became of them. A question is accepted, then closed (no answer counts any
//! more), then finished (it has its result): three transactions, so that a crash between two of
//! them is resumed where it happened and never asks a node for a second release.

use quorate_wire::{NodeStatus, QuestionStatus};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{JournalError, Store};

/// How a node is settled for one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It released a table.
    Answered,
    /// It refused, with a code.
    Refused,
    /// It was connected and silent until its deadline.
    Late,
    /// It was not connected at its deadline.
    Absent,
}

impl Settled {
    /// The status on the wire.
    pub(crate) fn status(self) -> NodeStatus {
        match self {
            Self::Answered => NodeStatus::Answered,
            Self::Refused => NodeStatus::Refused,
            Self::Late => NodeStatus::Late,
            Self::Absent => NodeStatus::Absent,
        }
    }

    fn word(self) -> &'static str {
        self.status().as_str()
    }

    fn parse(word: &str) -> Result<Self, JournalError> {
        let all = [Self::Answered, Self::Refused, Self::Late, Self::Absent];
        all.into_iter()
            .find(|s| s.word() == word)
            .ok_or(JournalError::Damaged("an outcome"))
    }
}

/// A question to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct NewQuestion {
    /// Its id.
    pub(crate) id: String,
    /// Roster name of the asker.
    pub(crate) researcher: String,
    /// Project.
    pub(crate) project: String,
    /// Digest of its codebook.
    pub(crate) codebook: String,
    /// The signed original.
    pub(crate) signed: Vec<u8>,
    /// Nodes that it is put to.
    pub(crate) nodes: Vec<String>,
    /// When it came.
    pub(crate) submitted: i64,
    /// When it is closed at the latest.
    pub(crate) deadline: i64,
}

/// What accepting a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    /// It is on disk.
    New,
    /// The same bytes were accepted before, for these nodes.
    Again(Vec<String>),
    /// The id was used for other bytes.
    Taken,
    /// The researcher has as many questions open as allowed.
    TooMany,
}

/// A question as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuestionRow {
    /// Its id.
    pub(crate) id: String,
    /// Roster name of the asker.
    pub(crate) researcher: String,
    /// Project.
    pub(crate) project: String,
    /// Where it stands.
    pub(crate) status: QuestionStatus,
    /// Why it failed, as a code.
    pub(crate) problem: Option<String>,
    /// When it came.
    pub(crate) submitted: i64,
    /// When it was finished.
    pub(crate) finished: Option<i64>,
}

/// An accepted question that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Its id.
    pub(crate) id: String,
    /// The signed original.
    pub(crate) signed: Vec<u8>,
    /// When it came.
    pub(crate) submitted: i64,
    /// When it is closed at the latest.
    pub(crate) deadline: i64,
    /// Whether it was closed already: no node is asked any more.
    pub(crate) closed: bool,
}

/// What one node did about one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Node.
    pub(crate) node: String,
    /// None until it is settled.
    pub(crate) settled: Option<Settled>,
    /// Code of a refusal.
    pub(crate) code: Option<String>,
    /// The node's signed bytes, if they came in time.
    pub(crate) signed: Option<Vec<u8>>,
}

/// What became of an admitted answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It counts.
    Counted,
    /// The question was closed before: kept, and changes nothing.
    Late,
    /// The same bytes are here already.
    Again,
    /// Other bytes of this node are here already; those stay.
    Other,
    /// The node was not asked this question.
    NotAsked,
}

impl Store {
    /// Accepts a question and the list of its nodes, or says why not. On disk when it returns.
    pub(crate) fn accept(
        &mut self,
        question: &NewQuestion,
        most_open: u32,
    ) -> Result<Accept, JournalError> {
        let transaction = self.begin()?;
        let known: Option<Vec<u8>> = transaction
            .query_row(
                "SELECT signed FROM question WHERE id = ?1",
                [&question.id],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(known) = known {
            return Ok(if known == question.signed {
                Accept::Again(names(&transaction, &question.id)?)
            } else {
                Accept::Taken
            });
        }
        let open: u32 = transaction.query_row(
            "SELECT count(*) FROM question WHERE researcher = ?1 AND finished IS NULL",
            [&question.researcher],
            |row| row.get(0),
        )?;
        if open >= most_open {
            return Ok(Accept::TooMany);
        }
        transaction.execute(
            "INSERT INTO question (id, researcher, project, codebook, signed, submitted, deadline, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                question.id,
                question.researcher,
                question.project,
                question.codebook,
                question.signed,
                question.submitted,
                question.deadline,
                QuestionStatus::Running.as_str()
            ],
        )?;
        for node in &question.nodes {
            transaction.execute(
                "INSERT INTO outcome (question, node) VALUES (?1, ?2)",
                params![question.id, node],
            )?;
        }
        transaction.commit()?;
        Ok(Accept::New)
    }

    /// Every question that must still be finished, oldest first.
    pub(crate) fn unfinished(&self) -> Result<Vec<Unfinished>, JournalError> {
        let mut rows = self.connection.prepare(
            "SELECT id, signed, submitted, deadline, closed IS NOT NULL
             FROM question WHERE finished IS NULL ORDER BY submitted, id",
        )?;
        let open = rows.query_map([], |row| {
            Ok(Unfinished {
                id: row.get(0)?,
                signed: row.get(1)?,
                submitted: row.get(2)?,
                deadline: row.get(3)?,
                closed: row.get(4)?,
            })
        })?;
        Ok(open.collect::<Result<_, _>>()?)
    }

    /// Gives a question that was interrupted by a restart another deadline.
    pub(crate) fn extend(&mut self, id: &str, deadline: i64) -> Result<(), JournalError> {
        self.connection.execute(
            "UPDATE question SET deadline = ?2 WHERE id = ?1 AND closed IS NULL",
            params![id, deadline],
        )?;
        Ok(())
    }

    /// Keeps an admitted answer or refusal, once. On disk when it returns.
    pub(crate) fn keep_answer(
        &mut self,
        (id, node): (&str, &str),
        code: Option<&str>,
        signed: &[u8],
        now: i64,
    ) -> Result<Kept, JournalError> {
        let transaction = self.begin()?;
        let closed: Option<bool> = transaction
            .query_row(
                "SELECT q.closed IS NOT NULL OR q.finished IS NOT NULL FROM outcome AS o
                 JOIN question AS q ON q.id = o.question WHERE o.question = ?1 AND o.node = ?2",
                [id, node],
                |row| row.get(0),
            )
            .optional()?;
        let Some(late) = closed else {
            return Ok(Kept::NotAsked);
        };
        let known: Option<Vec<u8>> = transaction
            .query_row(
                "SELECT signed FROM answer WHERE question = ?1 AND node = ?2",
                [id, node],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(known) = known {
            return Ok(if known == signed {
                Kept::Again
            } else {
                Kept::Other
            });
        }
        transaction.execute(
            "INSERT INTO answer (question, node, signed, received, late) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id, node, signed, now, late],
        )?;
        if !late {
            let settled = if code.is_some() {
                Settled::Refused
            } else {
                Settled::Answered
            };
            transaction.execute(
                "UPDATE outcome SET status = ?3, code = ?4, settled = ?5 WHERE question = ?1 AND node = ?2",
                params![id, node, settled.word(), code, now],
            )?;
        }
        transaction.commit()?;
        Ok(if late { Kept::Late } else { Kept::Counted })
    }

    /// Closes a question: nodes that are not settled are settled as given (`Absent` for a node that
    /// is not named), and no later answer counts. A second call changes nothing.
    pub(crate) fn close(
        &mut self,
        id: &str,
        unsettled: &[(String, Settled)],
        now: i64,
    ) -> Result<Vec<Outcome>, JournalError> {
        let transaction = self.begin()?;
        let closed = transaction.execute(
            "UPDATE question SET closed = ?2 WHERE id = ?1 AND closed IS NULL AND finished IS NULL",
            params![id, now],
        )?;
        if closed == 1 {
            for (node, settled) in unsettled {
                transaction.execute(
                    "UPDATE outcome SET status = ?3, settled = ?4
                     WHERE question = ?1 AND node = ?2 AND status IS NULL",
                    params![id, node, settled.word(), now],
                )?;
            }
            transaction.execute(
                "UPDATE outcome SET status = ?2, settled = ?3 WHERE question = ?1 AND status IS NULL",
                params![id, Settled::Absent.word(), now],
            )?;
        }
        let outcomes = outcomes(&transaction, id)?;
        transaction.commit()?;
        Ok(outcomes)
    }

    /// Gives a closed question its result, and its nodes the outcomes that the result states;
    /// false if it has one or was cancelled.
    pub(crate) fn finish(
        &mut self,
        id: &str,
        (status, problem): (QuestionStatus, Option<&str>),
        outcomes: &[Outcome],
        result: &[u8],
        now: i64,
    ) -> Result<bool, JournalError> {
        let transaction = self.begin()?;
        let done = transaction.execute(
            "UPDATE question SET status = ?2, problem = ?3, result = ?4, finished = ?5
             WHERE id = ?1 AND finished IS NULL AND closed IS NOT NULL",
            params![id, status.as_str(), problem, result, now],
        )?;
        if done != 1 {
            return Ok(false);
        }
        for outcome in outcomes {
            transaction.execute(
                "UPDATE outcome SET status = ?3, code = ?4 WHERE question = ?1 AND node = ?2",
                params![
                    id,
                    outcome.node,
                    outcome.settled.map(Settled::word),
                    outcome.code
                ],
            )?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Takes a question back; false if it is finished.
    pub(crate) fn cancel(&mut self, id: &str, now: i64) -> Result<bool, JournalError> {
        let done = self.connection.execute(
            "UPDATE question SET status = ?2, closed = coalesce(closed, ?3), finished = ?3
             WHERE id = ?1 AND finished IS NULL",
            params![id, QuestionStatus::Cancelled.as_str(), now],
        )?;
        Ok(done == 1)
    }

    /// One question, or none of that id.
    pub(crate) fn question(&self, id: &str) -> Result<Option<QuestionRow>, JournalError> {
        let sql = format!("{QUESTION} WHERE id = ?1");
        let row = self
            .connection
            .query_row(&sql, [id], question_row)
            .optional()?;
        row.transpose()
    }

    /// The newest questions, of one researcher or of all.
    pub(crate) fn questions(
        &self,
        researcher: Option<&str>,
        most: u32,
    ) -> Result<Vec<QuestionRow>, JournalError> {
        let sql = format!(
            "{QUESTION} WHERE ?1 IS NULL OR researcher = ?1 ORDER BY submitted DESC, id DESC LIMIT ?2"
        );
        let mut rows = self.connection.prepare(&sql)?;
        let questions = rows.query_map(params![researcher, most], question_row)?;
        questions.map(|row| row?).collect()
    }

    /// What every asked node did about a question, by name.
    pub(crate) fn outcomes(&self, id: &str) -> Result<Vec<Outcome>, JournalError> {
        outcomes(&self.connection, id)
    }

    /// The signed original of a question.
    pub(crate) fn signed_question(&self, id: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let sql = "SELECT signed FROM question WHERE id = ?1";
        Ok(self
            .connection
            .query_row(sql, [id], |row| row.get(0))
            .optional()?)
    }

    /// The signed result of a finished question.
    pub(crate) fn result(&self, id: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let sql = "SELECT result FROM question WHERE id = ?1";
        Ok(self
            .connection
            .query_row(sql, [id], |row| row.get(0))
            .optional()?
            .flatten())
    }
}

const QUESTION: &str =
    "SELECT id, researcher, project, status, problem, submitted, finished FROM question";

fn question_row(row: &Row<'_>) -> rusqlite::Result<Result<QuestionRow, JournalError>> {
    let status: String = row.get(3)?;
    let (id, researcher, project) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (problem, submitted, finished) = (row.get(4)?, row.get(5)?, row.get(6)?);
    let status = QuestionStatus::parse(&status).ok_or(JournalError::Damaged("a status"));
    Ok(status.map(|status| QuestionRow {
        id,
        researcher,
        project,
        status,
        problem,
        submitted,
        finished,
    }))
}

fn names(connection: &Connection, id: &str) -> Result<Vec<String>, JournalError> {
    let mut rows =
        connection.prepare("SELECT node FROM outcome WHERE question = ?1 ORDER BY node")?;
    let names = rows.query_map([id], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn outcomes(connection: &Connection, id: &str) -> Result<Vec<Outcome>, JournalError> {
    let mut rows = connection.prepare(
        "SELECT o.node, o.status, o.code, a.signed FROM outcome AS o
         LEFT JOIN answer AS a ON a.question = o.question AND a.node = o.node AND a.late = 0
         WHERE o.question = ?1 ORDER BY o.node",
    )?;
    let outcomes = rows.query_map([id], |row| {
        let status: Option<String> = row.get(1)?;
        Ok((row.get(0)?, status, row.get(2)?, row.get(3)?))
    })?;
    outcomes
        .map(|row| {
            let (node, status, code, signed) = row?;
            let settled = status.map(|word| Settled::parse(&word)).transpose()?;
            Ok(Outcome {
                node,
                settled,
                code,
                signed,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Accept, Kept, NewQuestion, QuestionStatus, Settled, Store};

    fn question(id: &str, signed: &[u8]) -> NewQuestion {
        NewQuestion {
            id: id.to_owned(),
            researcher: "alice".to_owned(),
            project: "heart-1".to_owned(),
            codebook: "sha256:aa".to_owned(),
            signed: signed.to_vec(),
            nodes: vec!["north".to_owned(), "south".to_owned()],
            submitted: 100,
            deadline: 160,
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn an_id_belongs_to_its_first_bytes() {
        let (_dir, mut store) = store();
        assert_eq!(
            store.accept(&question("q", b"one"), 8).unwrap(),
            Accept::New
        );
        let nodes = vec!["north".to_owned(), "south".to_owned()];
        assert_eq!(
            store.accept(&question("q", b"one"), 8).unwrap(),
            Accept::Again(nodes)
        );
        assert_eq!(
            store.accept(&question("q", b"two"), 8).unwrap(),
            Accept::Taken
        );
    }

    #[test]
    fn open_questions_are_counted_per_researcher() {
        let (_dir, mut store) = store();
        assert_eq!(store.accept(&question("a", b"a"), 1).unwrap(), Accept::New);
        assert_eq!(
            store.accept(&question("b", b"b"), 1).unwrap(),
            Accept::TooMany
        );
        assert!(store.cancel("a", 1).unwrap());
        assert_eq!(store.accept(&question("b", b"b"), 1).unwrap(), Accept::New);
    }

    #[test]
    fn the_first_answer_of_a_node_stays() {
        let (_dir, mut store) = store();
        store.accept(&question("q", b"one"), 8).unwrap();
        let keep = |store: &mut Store, bytes: &[u8]| {
            store.keep_answer(("q", "north"), None, bytes, 101).unwrap()
        };
        assert_eq!(keep(&mut store, b"answer"), Kept::Counted);
        assert_eq!(keep(&mut store, b"answer"), Kept::Again);
        assert_eq!(keep(&mut store, b"another"), Kept::Other);
        let stranger = store
            .keep_answer(("q", "west"), None, b"answer", 101)
            .unwrap();
        assert_eq!(stranger, Kept::NotAsked);
        let outcomes = store.outcomes("q").unwrap();
        assert_eq!(outcomes[0].signed, Some(b"answer".to_vec()));
        assert_eq!(outcomes[0].settled, Some(Settled::Answered));
    }

    #[test]
    fn an_answer_after_closing_is_kept_and_changes_nothing() {
        let (_dir, mut store) = store();
        store.accept(&question("q", b"one"), 8).unwrap();
        store
            .keep_answer(("q", "north"), Some("G201"), b"refusal", 101)
            .unwrap();
        let unsettled = [("south".to_owned(), Settled::Late)];
        let closed = store.close("q", &unsettled, 160).unwrap();
        assert_eq!(closed[0].settled, Some(Settled::Refused));
        assert_eq!(closed[0].code.as_deref(), Some("G201"));
        assert_eq!(closed[1].settled, Some(Settled::Late));
        assert_eq!(
            store
                .keep_answer(("q", "south"), None, b"late", 161)
                .unwrap(),
            Kept::Late
        );
        assert_eq!(store.close("q", &[], 170).unwrap(), closed);
        assert!(
            store
                .finish(
                    "q",
                    (QuestionStatus::TooFewNodes, Some("X801")),
                    &[],
                    b"r",
                    171
                )
                .unwrap()
        );
        assert!(
            !store
                .finish("q", (QuestionStatus::Answered, None), &[], b"s", 172)
                .unwrap()
        );
        assert_eq!(store.result("q").unwrap(), Some(b"r".to_vec()));
    }

    #[test]
    fn an_accepted_question_is_found_again() {
        let (dir, mut store) = store();
        store.accept(&question("q", b"one"), 8).unwrap();
        drop(store);
        let mut store = Store::open_existing(dir.path()).unwrap();
        let open = store.unfinished().unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].signed, b"one");
        assert!(!open[0].closed);
        store.close("q", &[], 160).unwrap();
        assert!(store.unfinished().unwrap()[0].closed);
        assert!(
            !store
                .finish("other", (QuestionStatus::Answered, None), &[], b"", 1)
                .unwrap()
        );
        assert!(
            store
                .finish("q", (QuestionStatus::Answered, None), &[], b"", 161)
                .unwrap()
        );
        assert!(store.unfinished().unwrap().is_empty());
    }

    #[test]
    fn a_full_disk_acknowledges_nothing() {
        let (_dir, mut store) = store();
        let pages: u32 = store
            .connection
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        store
            .connection
            .pragma_update(None, "max_page_count", pages)
            .unwrap();
        let large = question("q", &vec![7; 1 << 20]);
        assert!(store.accept(&large, 8).is_err());
        assert_eq!(store.question("q").unwrap(), None);
        assert!(store.unfinished().unwrap().is_empty());
    }
}
