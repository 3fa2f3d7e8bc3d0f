//! A researcher who forges: an enrolled one, with a real home, who signs whatever is wanted.

use std::path::Path;

use quorate_identity::{Roster, Signed, SigningKey};
use quorate_query::codebook::Codebook;
use quorate_sdk::ask::{self, Draft};
use quorate_sdk::profile::Profile;
use quorate_wire::{Payload, QuestionId, QuestionPayload, sign_question};

/// What a researcher's home gives to a forger.
#[derive(Debug)]
pub struct Forger {
    name: String,
    key: SigningKey,
    /// The roster as the researcher knows it.
    pub roster: Roster,
    /// The codebook that the network published.
    pub codebook: Codebook,
}

impl Forger {
    /// Reads a home that `quorate login` filled and that has asked before.
    ///
    /// # Errors
    /// When a file is missing.
    pub fn of(home: &Path) -> anyhow::Result<Self> {
        let profile = Profile::open(home)?;
        let codebook = profile.codebooks()?.into_iter().next();
        Ok(Self {
            name: profile.settings.name.to_string(),
            key: profile.identity()?,
            roster: profile.roster()?,
            codebook: codebook
                .ok_or_else(|| anyhow::anyhow!("no codebook in {}", home.display()))?,
        })
    }

    /// An honest question: what the SDK would sign. `now` is unix seconds.
    ///
    /// # Errors
    /// When the language refuses it.
    pub fn honest(&self, sql: &str, project: &str, now: i64) -> anyhow::Result<QuestionPayload> {
        let draft = Draft {
            request: sql.into(),
            params: quorate_query::question::Params::new(),
            project: project.to_owned(),
            purpose: String::new(),
            nodes: std::collections::BTreeSet::new(),
            min_nodes: 1,
        };
        let millis = u64::try_from(now)?.saturating_mul(1000);
        let asked = ask::sign(
            &draft,
            &self.name,
            &self.codebook,
            &self.roster,
            &self.key,
            millis,
        )?;
        Ok(QuestionPayload::decode(&asked.signed.payload)?)
    }

    /// A fresh id, so that a payload is a question of its own.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn renew(&self, mut payload: QuestionPayload, now: i64) -> anyhow::Result<QuestionPayload> {
        payload.question_id = QuestionId::generate(u64::try_from(now)?.saturating_mul(1000))?;
        Ok(payload)
    }

    /// Signs any payload with the researcher's key.
    #[must_use]
    pub fn sign(&self, payload: &QuestionPayload) -> Signed {
        sign_question(payload, &self.key)
    }
}
