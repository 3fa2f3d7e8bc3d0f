//! Second and last step: nothing runs before the ledger has an open entry, and nothing leaves
//! before it is closed and the store holds the very bytes.

use std::sync::OnceLock;

use quorate_identity::digest_text;
use quorate_wire::LedgerRef;

use crate::govern::{self, Standing};
use crate::ledger::{self, Actor, Event, Head, LedgerError, Open};
use crate::node::Node;
use crate::notes;
use crate::outbox::Message;
use crate::releases::Occasion;
use crate::sign::Signed;
use crate::store::StoreError;
use crate::verify::{Asked, Asker, Verified};

/// A verified question with its ledger entry. Only this module can make one.
///
/// ```compile_fail,E0451
/// fn unrecorded(verified: quorate_node::verify::Verified) -> quorate_node::record::Recorded {
///     quorate_node::record::Recorded { verified, entry: None }
/// }
/// ```
///
/// ```no_run
/// use quorate_node::{ledger::LedgerError, node::Node, record, verify::Verified};
/// fn enter(node: &Node, verified: Verified) -> Result<record::Recorded, LedgerError> {
///     record::open(node, verified, 0)
/// }
/// ```
pub struct Recorded {
    verified: Verified,
    /// `None` in a trial: then nothing can be signed.
    entry: Option<Head>,
    /// The question hash, once the text was read: a refusal names it too.
    hash: OnceLock<String>,
}

impl Recorded {
    /// The question.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Where it stands in the ledger; a trial stands nowhere.
    #[must_use]
    pub fn entry(&self) -> Option<LedgerRef> {
        self.entry.as_ref().map(|entry| LedgerRef {
            seq: entry.seq,
            head: entry.hash.clone(),
        })
    }

    /// The question hash, if the text could be read.
    #[must_use]
    pub fn hash(&self) -> Option<&str> {
        self.hash.get().map(String::as_str)
    }

    /// Notes the question hash when the text was read.
    pub(crate) fn note_hash(&self, hash: String) {
        let _ = self.hash.set(hash);
    }
}

/// Something could not be recorded, so nothing may leave.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no entry to close.
    #[error(transparent)]
    NotRecorded(#[from] crate::sign::NotRecorded),
    /// The entry could not be put into words.
    #[error("a ledger entry could not be written down: {0}")]
    Json(#[from] serde_json::Error),
}

impl crate::refusal::Coded for LedgerError {
    fn code(&self) -> quorate_query::problem::Code {
        quorate_query::problem::Code("E901")
    }
}

/// Opens the ledger entry of a verified question.
///
/// # Errors
/// If it is not on the disk: then the question must not run.
pub fn open(node: &Node, verified: Verified, now: i64) -> Result<Recorded, LedgerError> {
    let asked = verified.asked();
    // What was written down about the project, whether or not it lets the question run.
    let project = asked.project.as_ref();
    let standing = Standing::read(node, now).ok();
    let project = project.and_then(|id| standing.as_ref()?.project(id).ok());
    let legal_basis = project
        .as_ref()
        .and_then(|project| project.legal_basis.clone());
    let organisation = project.and_then(|project| match &asked.asker {
        Asker::Researcher { name, key } => project.organisation(name, key).map(str::to_owned),
        Asker::Custodian | Asker::Core { .. } => None,
    });
    let entry = node.with_ledger(|ledger| {
        notes::take_in(&node.policy.node.state, ledger, &node.key, now)?;
        govern::tell(node, ledger, now)?;
        let purpose = ledger.commitment(None, "purpose", asked.purpose.as_bytes());
        let open = Open {
            question: asked.id.to_string(),
            payload: digest_text(&asked.digest),
            round: asked.round,
            actor: Actor {
                organisation: organisation.unwrap_or_default(),
                ..actor(asked)
            },
            project: asked.project.clone().unwrap_or_default(),
            purpose,
            legal_basis: legal_basis.unwrap_or_default(),
            codebook: asked.codebook.clone(),
            roster: node.roster().head().hash,
            policy: node.policy.digest.clone(),
            peer: asked.peer.clone(),
        };
        ledger.append(Event::Open(Box::new(open)), &node.key, now)
    })?;
    Ok(Recorded {
        verified,
        entry: Some(entry),
        hash: OnceLock::new(),
    })
}

/// Goes on with the entry under which a question was recorded when it came.
pub(crate) fn reopened(verified: Verified, entry: Head) -> Recorded {
    Recorded {
        verified,
        entry: Some(entry),
        hash: OnceLock::new(),
    }
}

/// Goes on without a ledger, for a trial that sends nothing: [`crate::sign`] refuses it.
#[must_use]
pub fn rehearse(verified: Verified) -> Recorded {
    Recorded {
        verified,
        entry: None,
        hash: OnceLock::new(),
    }
}

/// Closes the entry: first the store holds the message, then the ledger says so, then the message
/// may leave. The releases in it have been durable since they were decided.
///
/// # Errors
/// If any of it is not on the disk: then nothing leaves now, and the next delivery tries again.
pub fn close(
    node: &Node,
    recorded: &Recorded,
    signed: Signed,
    now: i64,
) -> Result<quorate_identity::Signed, RecordError> {
    let asked = recorded.verified.asked();
    let (message, close) = signed.into_parts();
    let message = Message {
        question: asked.id.to_string(),
        payload: asked.digest,
        signed: message,
        opened: close.opened,
        close: serde_json::to_string(&close)?,
        time: now,
    };
    node.with_store(|store| store.prepare(&message))?;
    seal(node, &message, now)?;
    node.with_store(|store| store.let_go(&message.question))?;
    Ok(message.signed)
}

/// Closes the entry of a core table: nobody is told.
///
/// # Errors
/// If it is not on the disk.
pub(crate) fn close_unsent(node: &Node, close: ledger::Close, now: i64) -> Result<(), LedgerError> {
    node.with_ledger(|ledger| ledger.append(Event::Close(Box::new(close)), &node.key, now))?;
    Ok(())
}

/// Closes a prepared message in the ledger, unless that has happened, and seals it.
///
/// # Errors
/// If either is not on the disk.
pub(crate) fn seal(node: &Node, message: &Message, now: i64) -> Result<(), RecordError> {
    let close: ledger::Close = serde_json::from_str(&message.close)?;
    node.with_ledger(|ledger| {
        if ledger.unfinished().contains_key(&message.opened) {
            ledger.append(Event::Close(Box::new(close)), &node.key, now)?;
        }
        Ok::<_, LedgerError>(())
    })?;
    Ok(node.with_store(|store| store.seal(&message.question))?)
}

/// With which question something leaves.
pub(crate) fn occasion(node: &Node, asked: &Asked, now: i64) -> Occasion {
    Occasion {
        time: now,
        question: asked.id.to_string(),
        project: asked.project.clone().unwrap_or_default(),
        principal: actor(asked).subject,
        codebook: asked.codebook.clone(),
        policy: node.policy.digest.clone(),
    }
}

fn actor(asked: &Asked) -> Actor {
    let (subject, key, role) = match &asked.asker {
        Asker::Researcher { name, key } => (name.clone(), key.to_string(), "researcher"),
        Asker::Custodian => (String::new(), String::new(), "custodian"),
        Asker::Core { .. } => ("core".to_owned(), String::new(), "core"),
    };
    Actor {
        subject,
        key,
        role: role.to_owned(),
        organisation: String::new(),
    }
}
