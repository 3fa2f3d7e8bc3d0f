//! `govern glass` and `govern read`: an operator reads what one question asks, by the word of two
//! persons, for some hours. Every reading is in the ledger before anything is shown.

use anyhow::{Context, bail};
use quorate_governance::Person;
use quorate_governance::artefact::Artefact;
use quorate_governance::glass::{Glass, Place as At, lets};
use quorate_identity::{Name, SigningKey};

use super::args::{GovernGlass, GovernRead, Place};
use super::govern::{Here, put};
use super::{Done, ui};
use crate::govern::Acts;
use crate::home::Home;
use crate::ledger::{Actor, Noted};
use crate::link::Clock;
use crate::notes;
use crate::releases::Record;
use crate::store::Store;

/// `govern glass`: writes it down and signs it as its reader.
pub(super) fn glass(place: &Place, args: &GovernGlass, clock: &Clock) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let key = SigningKey::load(&args.key)?;
    let glass = Glass {
        network: here.network,
        node: here.node,
        who: Person {
            name: Name::parse(&args.name)?,
            key: key.key_id().clone(),
        },
        question: args.question.clone(),
        reason: args.reason.clone(),
        at: clock(),
        until: clock().saturating_add(i64::from(args.hours) * 3600),
    };
    if let Some(mistake) = glass.mistakes().first() {
        bail!("{mistake}");
    }
    put(&args.out, &glass.sign(&key))
}

/// `govern read`: notes the reading, then shows what the question asks; never a number of its answer.
pub(super) fn read(place: &Place, args: &GovernRead, clock: &Clock) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let key = SigningKey::load(&args.key)?;
    let governance = &here.policy.governance;
    let at = At {
        network: here.network.as_str(),
        node: here.node.as_str(),
        operators: &governance.operators,
        custodian: &governance.custodian,
        auditors: &governance.auditors,
    };
    let acts = Acts::load(&here.policy.node.state)?;
    let mut why = None;
    let mut found = None;
    for glass in &acts.glasses {
        match lets(glass, &at, &args.question, key.key_id(), clock()) {
            Ok(_) => found = Some(glass),
            Err(error) => why = Some(error),
        }
    }
    let Some(glass) = found else {
        let why = why.map_or("no glass is held here".to_owned(), |why| why.to_string());
        bail!("{why}: `quorate-node govern glass`, sign it by two, `govern add`");
    };
    let asked = asked(&here, &args.question)?;
    let who = &glass.content().who;
    let noted = Noted {
        what: "glass_read".to_owned(),
        actor: Actor {
            subject: who.name.to_string(),
            key: who.key.to_string(),
            role: "operator".to_owned(),
            organisation: String::new(),
        },
        concerns: format!("question {}", args.question),
        documents: [glass.digest().to_owned()].into(),
    };
    let node_key = Home::open(&here.policy.node.state)?.node_key()?;
    notes::note(&here.policy, &node_key, noted, clock())?;
    ui::say(asked.trim_end());
    ui::note("this reading is in the ledger, for custodian and auditors to see");
    Ok(Done::Well)
}

/// The canonical form of a question that waits here or was decided here.
fn asked(here: &Here, question: &str) -> anyhow::Result<String> {
    let store = Store::look(&here.policy.node.state)?;
    if let Some(held) = store.held_of(question)? {
        return Ok(held.canonical);
    }
    let mut found = None;
    store.past(&here.policy.population.name, |record| {
        if let Record::Told(told) = record
            && told.occasion.question == question
        {
            found = Some(told.asked.clone());
        }
    })?;
    found.with_context(|| format!("no question `{question}` waits here or was decided here"))
}
