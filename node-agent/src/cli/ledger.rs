//! `ledger prove` and `ledger open`: what a custodian hands to an auditor about single entries.
//! Both read the ledger as it is on the disk; a running node goes on.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_evidence::line::{self, Line};
use quorate_evidence::record::{Event, Record};
use quorate_evidence::{Sound, walk};
use quorate_identity::{Signed, SigningKey, digest_text};
use quorate_wire::{Checkpoint, Payload, QuestionPayload, ResultPayload};
use serde_json::{Value, json};

use super::args::{LedgerOpen, LedgerProve, LedgerRetain, Place};
use super::{Done, ui};
use crate::committed;
use crate::govern;
use crate::home::Home;
use crate::ledger;
use crate::link::Clock;

/// A ledger that was verified, and its lines.
struct Whole {
    sound: Sound,
    lines: Vec<String>,
    key: SigningKey,
}

impl Whole {
    fn read(place: &Place) -> anyhow::Result<Self> {
        let state = place.state();
        let key = place.home()?.node_key()?;
        // The head file is looked at first: whatever is appended meanwhile comes after it.
        ledger::verify(&state, Some(key.key_id()), None)?;
        let bytes = ledger::read(&state)?;
        let sound = walk(&bytes, Some(key.key_id()), &[])?;
        let text = String::from_utf8(bytes).context("the ledger is not text")?;
        let count = usize::try_from(sound.head.seq)?;
        let lines = text.lines().take(count).map(str::to_owned).collect();
        Ok(Self { sound, lines, key })
    }

    /// A record's JSON and what it says.
    fn record(&self, seq: u64) -> anyhow::Result<(&str, Box<Record>, String)> {
        let index = usize::try_from(seq.checked_sub(1).context("records count from 1")?)?;
        let text = self
            .lines
            .get(index)
            .with_context(|| format!("the ledger ends at record {}", self.sound.head.seq))?;
        match (line::words(text), line::read(text, None)?) {
            (Some(words), Line::Whole(record, hash)) => Ok((words, record, hash)),
            _ => bail!("retention removed the words of record {seq}; its hash is all there is"),
        }
    }

    /// Every record of a question, oldest first.
    fn records_of(&self, question: &str) -> anyhow::Result<Vec<u64>> {
        let mut found = Vec::new();
        for seq in 1..=self.sound.head.seq {
            let Ok((_, record, _)) = self.record(seq) else {
                continue;
            };
            let of = match &record.event {
                Event::Open(open) => &open.question,
                Event::Decided(decided) => &decided.statement.question,
                Event::Close(close) => &close.question,
                Event::Interrupted(event) => &event.question,
                _ => continue,
            };
            if of == question {
                found.push(seq);
            }
        }
        if found.is_empty() {
            bail!("no record of the ledger is about the question {question}");
        }
        Ok(found)
    }

    /// A record with the proof that it is in the ledger as it stands.
    fn proven(&self, seq: u64) -> anyhow::Result<Value> {
        let (words, _, hash) = self.record(seq)?;
        let size = self.sound.head.seq;
        let inclusion = self.sound.tree.inclusion(seq.saturating_sub(1), size);
        Ok(json!({ "record": words, "hash": hash, "inclusion": inclusion }))
    }

    /// The signed acts that the decisions among these records rest on.
    fn acts(&self, place: &Place, seqs: &[u64]) -> anyhow::Result<Vec<Signed>> {
        let mut named = BTreeSet::new();
        for seq in seqs {
            let (_, record, _) = self.record(*seq)?;
            if let Event::Decided(decided) = record.event {
                named.extend(decided.statement.approval.documents);
                named.insert(decided.statement.project_record);
            }
        }
        Ok(govern::behind(&place.state(), &named)?)
    }

    /// The records that tell who signed these acts, and in what part.
    fn notes(&self, acts: &[Signed]) -> Vec<u64> {
        let digests: BTreeSet<String> = acts.iter().map(|a| digest_text(&a.digest())).collect();
        let tells = |seq: &u64| match self.record(*seq) {
            Ok((_, record, _)) => match record.event {
                Event::Noted(noted) => !noted.documents.is_disjoint(&digests),
                _ => false,
            },
            Err(_) => false,
        };
        (1..=self.sound.head.seq).filter(tells).collect()
    }

    /// The last decision among these records: what the receipt in the answer leads to.
    fn decided(&self, seqs: &[u64]) -> Option<u64> {
        let decision = |seq: &&u64| {
            let record = self.record(**seq);
            record.is_ok_and(|(_, record, _)| matches!(record.event, Event::Decided(_)))
        };
        seqs.iter().rev().find(decision).copied()
    }

    /// The ledger as it stands, signed; with a size, the proof that it continues the ledger of that
    /// size.
    fn checkpoint(&self, place: &Place, from: Option<u64>, now: i64) -> anyhow::Result<Value> {
        let policy = place.policy()?;
        let home = Home::open(&policy.node.state)?;
        let head = &self.sound.head;
        let proof = match from {
            Some(from) => Some(
                self.sound
                    .tree
                    .consistency(from, head.seq)
                    .with_context(|| format!("the ledger never had {from} records"))?,
            ),
            None => None,
        };
        let checkpoint = Checkpoint {
            network: home.roster(&policy)?.network().to_string(),
            node: policy.node.name.to_string(),
            seq: head.seq,
            head: head.hash.clone(),
            time: now,
            root: self.sound.tree.root(head.seq),
            proof,
        };
        Ok(serde_json::to_value(quorate_wire::sign(
            &checkpoint,
            &self.key,
        ))?)
    }
}

/// `ledger prove`: a record with its proof, and the ledger's signed checkpoint.
pub(super) fn prove(place: &Place, args: &LedgerProve, clock: &Clock) -> anyhow::Result<Done> {
    let whole = Whole::read(place)?;
    let mut seqs: Vec<u64> = match (&args.question, args.record) {
        (Some(question), _) => whole.records_of(question)?,
        (None, seq) => seq.into_iter().collect(),
    };
    // That the ledger continues the one of the receipt is shown with the records of a question.
    let from = args.continues.or_else(|| whole.decided(&seqs));
    let acts = match args.acts {
        true => whole.acts(place, &seqs)?,
        false => Vec::new(),
    };
    seqs.extend(whole.notes(&acts));
    let entries: Vec<Value> = seqs
        .iter()
        .map(|seq| whole.proven(*seq))
        .collect::<anyhow::Result<_>>()?;
    let mut proof = json!({
        "schema": "quorate.proof/1",
        "checkpoint": whole.checkpoint(place, from, clock())?,
        "entries": entries,
    });
    if args.acts
        && let Some(fields) = proof.as_object_mut()
    {
        fields.insert("acts".to_owned(), serde_json::to_value(acts)?);
    }
    ui::say(&serde_json::to_string_pretty(&proof)?);
    Ok(Done::Well)
}

/// `ledger open`: opens one salted commitment of one record, and no other.
pub(super) fn open(place: &Place, args: &LedgerOpen, clock: &Clock) -> anyhow::Result<Done> {
    let whole = Whole::read(place)?;
    let (_, record, _) = whole.record(args.record)?;
    let opened = match &record.event {
        Event::Open(_) => record.seq,
        Event::Close(close) => close.opened,
        _ => bail!("record {} commits to nothing", args.record),
    };
    let value = match (&args.value, &args.result) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(file)) => value(place, file, &args.field)?,
        (None, None) => bail!("give the value with --value or a saved result with --result"),
    };
    let opening = ledger::salt(&place.state())?.open(opened, &args.field, &value);
    if let Err(why) = opening.check(&record) {
        ui::note(&format!("not opened: {why}"));
        return Ok(Done::Unverified);
    }
    let proof = json!({
        "schema": "quorate.proof/1",
        "checkpoint": whole.checkpoint(place, None, clock())?,
        "entries": [whole.proven(args.record)?],
        "opening": opening,
    });
    ui::say(&serde_json::to_string_pretty(&proof)?);
    Ok(Done::Well)
}

/// Shortest time that access to health data is logged: a year.
const LEAST_KEPT: i64 = 365 * 86_400;

/// `ledger retain`: removes the words of old records.
pub(super) fn retain(place: &Place, args: &LedgerRetain, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let before = args.before.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp();
    let (before, now) = (before.as_second(), clock());
    if before > now.saturating_sub(LEAST_KEPT) {
        bail!(
            "{} is less than a year ago: records of access are kept at least that long",
            args.before
        );
    }
    let key = Home::open(&policy.node.state)?.node_key()?;
    let rule = (before, args.reason.as_str());
    match ledger::retain(&policy.node.state, &policy.node.name, &key, rule, now)? {
        0 => ui::note("no record is older"),
        through => ui::note(&format!(
            "the words of records 1 to {through} are gone; their hashes and signatures stay"
        )),
    }
    Ok(Done::Well)
}

/// What a question committed to, from the signed question in a saved result.
fn value(place: &Place, file: &Path, field: &str) -> anyhow::Result<Vec<u8>> {
    let question = question(file)?;
    match field {
        "purpose" => Ok(question.purpose.into_bytes()),
        "params" => Ok(committed::params(&question.params)),
        "filter" => {
            let policy = place.policy()?;
            let books = Home::open(&policy.node.state)?.codebooks(&policy)?;
            let book = books.iter().find(|book| book.digest == question.codebook);
            let book = book.context("the question's codebook is not here")?;
            let read = question.request.read(&question.params, book);
            let read = read.map_err(|problem| anyhow::anyhow!("{problem}"))?;
            let tables: Vec<_> = read.tables().into_iter().map(|(_, table)| table).collect();
            Ok(committed::filters(&tables))
        }
        other => bail!("`{other}` is no committed field: write purpose, params or filter"),
    }
}

fn question(file: &Path) -> anyhow::Result<QuestionPayload> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let document: Value = serde_json::from_str(&text).context("not a result in JSON")?;
    let signed = document.get("signed").and_then(Value::as_str);
    let bytes = BASE64.decode(signed.context("the file holds no signed result")?)?;
    let signed = quorate_wire::signed_from_bytes(&bytes)?;
    let result = ResultPayload::decode(&signed.payload)?;
    Ok(QuestionPayload::decode(&result.question.payload)?)
}
