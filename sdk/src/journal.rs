//! What this machine asked: the signed question and the nodes it went to, one file per question.
//!
//! With it a result is held against the very bytes that were signed here, a coordinator that lost
//! a question is told again, and ids can be shortened.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_identity::Signed;
use quorate_wire::{QuestionId, signed_from_bytes, signed_to_bytes};
use serde::{Deserialize, Serialize};

use crate::profile::{Profile, ProfileError, make_folder, read, replace};

/// A question that was asked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Its id.
    pub id: QuestionId,
    /// The signed bytes.
    pub signed: Signed,
    /// The nodes the coordinator said it went to; empty until it did.
    pub nodes: Vec<String>,
    /// When, unix seconds.
    pub at: i64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    at: i64,
    nodes: Vec<String>,
    signed: String,
}

impl Remembered {
    /// A question that is about to be sent.
    #[must_use]
    pub fn new(id: QuestionId, signed: Signed, at: i64) -> Self {
        Self {
            id,
            signed,
            nodes: Vec::new(),
            at,
        }
    }
}

/// Keeps a question.
///
/// # Errors
/// If it cannot be written.
pub fn keep(profile: &Profile, question: &Remembered) -> Result<(), ProfileError> {
    make_folder(&profile.questions())?;
    let stored = Stored {
        id: question.id.to_string(),
        at: question.at,
        nodes: question.nodes.clone(),
        signed: BASE64.encode(signed_to_bytes(&question.signed)),
    };
    let text = serde_json::to_vec(&stored).unwrap_or_default();
    replace(&path(profile, question.id), &text)
}

/// The question of this id, if it was asked here. A damaged note counts as none.
///
/// # Errors
/// If it exists and cannot be read.
pub fn recall(profile: &Profile, id: QuestionId) -> Result<Option<Remembered>, ProfileError> {
    let path = path(profile, id);
    if !path.exists() {
        return Ok(None);
    }
    let text = read(&path)?;
    let question = serde_json::from_str::<Stored>(&text)
        .ok()
        .and_then(|stored| {
            let bytes = BASE64.decode(stored.signed).ok()?;
            let signed = signed_from_bytes(&bytes).ok()?;
            Some(Remembered {
                id,
                signed,
                nodes: stored.nodes,
                at: stored.at,
            })
        });
    Ok(question)
}

/// Ids of questions asked here that begin with `start`.
#[must_use]
pub fn beginning_with(profile: &Profile, start: &str) -> Vec<QuestionId> {
    let entries = fs::read_dir(profile.questions())
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<QuestionId> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let id = name.strip_suffix(".json")?;
            QuestionId::parse(id).ok().filter(|_| id.starts_with(start))
        })
        .collect();
    found.sort();
    found
}

fn path(profile: &Profile, id: QuestionId) -> std::path::PathBuf {
    profile.questions().join(format!("{id}.json"))
}
