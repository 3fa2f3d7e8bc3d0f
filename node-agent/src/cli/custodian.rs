//! What a custodian does with its own node: try, pause, approve, look back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use quorate_identity::{SigningKey, parse_digest};
use quorate_query::analyses::{ALL, Analysis, QUERY, Request};
use quorate_query::cohort::Cohort;
use quorate_query::number::Number;
use quorate_query::question::{ParamValue, Params};
use quorate_query::value::{Scalar, from_civil};

use super::args::{Approve, LedgerVerify, Pause, Place, Resume, Try};
use super::data::pick_codebook;
use super::{Done, runtime, serve, ui};
use crate::home::Home;
use crate::ledger::{self, Actor, Head, Noted};
use crate::link::Clock;
use crate::node::{Node, Opening};
use crate::notes;
use crate::policy::Approval;
use crate::refusal::Refusal;
use crate::trial::{Shown, Trial, try_alone};

/// `try`: the whole story alone.
pub(super) fn try_question(place: &Place, args: Try, clock: &Clock) -> anyhow::Result<Done> {
    match run_alone(place, args, clock)? {
        Ok(shown) => {
            ui::say(shown.render().trim_end());
            ui::note("nothing was sent and nothing was recorded");
            Ok(Done::Well)
        }
        Err(refusal) => Ok(would_be_refused(&refusal)),
    }
}

/// Says that a question would be refused.
pub(super) fn would_be_refused(refusal: &Refusal) -> Done {
    let (code, detail) = (refusal.code().0, refusal.detail());
    let detail = detail.strip_prefix(&format!("{code}: ")).unwrap_or(detail);
    ui::note(&format!("would be refused with {code}: {detail}"));
    Done::Refused
}

/// Runs the whole story of a question of the custodian's own.
pub(super) fn run_alone(
    place: &Place,
    args: Try,
    clock: &Clock,
) -> anyhow::Result<Result<Shown, Refusal>> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let codebook = pick_codebook(&home, &policy, args.codebook.as_deref())?;
    let trial = Trial {
        request: request(&args)?,
        params: params(&args.params)?,
        codebook: codebook.digest.clone(),
        project: args.project,
    };
    let mut codebooks = home.codebooks(&policy)?;
    codebooks.push(codebook);
    let opening = Opening {
        roster: home.roster(&policy)?,
        codebooks,
        key: home.node_key()?,
        stopwatch: serve::stopwatch(),
        timings: None,
        now: clock(),
        policy,
    };
    let node = Node::open_for_trial(opening)?;
    let report = runtime()?.block_on(try_alone(&node, trial, clock()));
    Ok(report.outcome)
}

/// What is to be tried: a text, or an analysis with its arguments, perhaps of a cohort, perhaps for
/// review.
pub(super) fn request(args: &Try) -> anyhow::Result<Request> {
    let mut request = bare(args)?;
    if let Some(path) = &args.cohort {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("{} cannot be read", path.display()))?;
        let cohort = Cohort {
            sql: text.trim_end().to_owned(),
            complete: args.complete.clone(),
        };
        request = Request::Of(cohort, Box::new(request));
    }
    match args.reviewed {
        true => Ok(Request::Reviewed(Box::new(request))),
        false => Ok(request),
    }
}

fn bare(args: &Try) -> anyhow::Result<Request> {
    match (&args.analysis, &args.sql, &args.file) {
        (Some(name), _, _) => {
            let mut arguments = BTreeMap::new();
            for text in &args.arguments {
                let pair = text.split_once('=');
                let (name, value) = pair.with_context(|| format!("`{text}` is not NAME=VALUE"))?;
                arguments.insert(name.to_owned(), value.to_owned());
            }
            let analysis = Analysis::named(name, arguments);
            let known = || {
                ALL.iter()
                    .map(|one| one.name)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let analysis = analysis
                .with_context(|| format!("there is no analysis `{name}`; there are {}", known()))?;
            Ok(Request::Analysis(analysis))
        }
        (None, Some(sql), _) => Ok(sql.as_str().into()),
        (None, None, Some(file)) => {
            let text = std::fs::read_to_string(file);
            Ok(text
                .with_context(|| format!("{} cannot be read", file.display()))?
                .into())
        }
        (None, None, None) if args.cohort.is_some() => {
            Ok("SELECT count(*) AS n FROM cohort".into())
        }
        (None, None, None) => bail!("no question"),
    }
}

/// Typed parameters: a number, a day, true or false, else text.
pub(super) fn params(texts: &[String]) -> anyhow::Result<Params> {
    let mut params = Params::new();
    for text in texts {
        let (name, value) = text
            .split_once('=')
            .with_context(|| format!("`{text}`: write NAME=VALUE"))?;
        let scalar = match value {
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            other => match (other.parse::<Number>(), other.parse::<jiff::civil::Date>()) {
                (Ok(number), _) => Scalar::Number(number),
                (_, Ok(day)) => Scalar::Date(from_civil(day)),
                _ => Scalar::Text(other.trim_matches('\'').to_owned()),
            },
        };
        let twice = params.insert(
            name.trim_start_matches('$').to_owned(),
            ParamValue::One(scalar),
        );
        if twice.is_some() {
            bail!("the parameter `{name}` is given twice");
        }
    }
    Ok(params)
}

/// `pause`: a running node refuses from now on, what runs included.
pub(super) fn pause(place: &Place, args: &Pause, clock: &Clock) -> anyhow::Result<Done> {
    place.home()?.set_paused(Some(&args.reason))?;
    ui::note("paused: every question is refused until `quorate-node resume`");
    if place.policy_path().exists() {
        note(place, "paused", "node", BTreeSet::new(), clock)?;
    }
    Ok(Done::Well)
}

/// Tells the ledger of something that the custodian did by a command.
fn note(
    place: &Place,
    what: &str,
    concerns: &str,
    documents: BTreeSet<String>,
    clock: &Clock,
) -> anyhow::Result<()> {
    let policy = place.policy()?;
    let key = Home::open(&policy.node.state)?.node_key()?;
    let noted = Noted {
        what: what.to_owned(),
        actor: Actor {
            role: "custodian".to_owned(),
            ..Actor::default()
        },
        concerns: concerns.to_owned(),
        documents,
    };
    Ok(notes::note(&policy, &key, noted, clock())?)
}

/// `resume`: one may always pause; where two speak for the custodian, two resume.
pub(super) fn resume(place: &Place, args: &Resume, clock: &Clock) -> anyhow::Result<Done> {
    let home = place.home()?;
    let speakers = match place.policy_path().exists() {
        true => place.policy()?.governance.custodian,
        false => Vec::new(),
    };
    if speakers.len() >= 2 {
        let mut names = BTreeSet::new();
        for path in &args.keys {
            let key = SigningKey::load(path)?;
            let mut known = speakers.iter();
            match known.find(|person| person.key == *key.key_id()) {
                Some(person) => drop(names.insert(person.name.clone())),
                None => bail!("{}: not a key of `governance.custodian`", path.display()),
            }
        }
        if names.len() < 2 {
            bail!(
                "rule 7: two persons resume: give --key twice, for two of `governance.custodian`"
            );
        }
    }
    match home.paused() {
        Some(reason) => ui::note(&format!("it was paused: {reason}")),
        None => ui::note("it was not paused"),
    }
    home.set_paused(None)?;
    if place.policy_path().exists() {
        note(place, "resumed", "node", BTreeSet::new(), clock)?;
    }
    ui::note("answering again");
    Ok(Done::Well)
}

/// `approve`: adds a question hash to the project's list, or lets kinds of question be asked of a cohort.
pub(super) fn approve(place: &Place, args: &Approve, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let Some(project) = policy.projects.get(&args.project) else {
        bail!("the policy has no project `{}`", args.project);
    };
    let digest = args.hash.as_ref().or(args.cohort.as_ref());
    let digest = digest.context("no question")?;
    if parse_digest(digest).is_none() {
        bail!(
            "`{digest}` is not a question hash or the digest of a cohort: write sha256: and 64 hexadecimal digits"
        );
    }
    if project.approval == Approval::Auto {
        ui::note(
            "the project has `approval = \"auto\"`: its questions run without this, but for those that were asked for review",
        );
    }
    let home = Home::open(&policy.node.state)?;
    if args.cohort.is_none() {
        home.approve(&args.project, digest)?;
        let listed = [digest.clone()].into();
        note(place, "question_listed", &args.project, listed, clock)?;
        ui::note(&format!("{digest} may run for project `{}`", args.project));
        return Ok(Done::Well);
    }
    let kinds = kinds(&args.kinds)?;
    home.approve_cohort(&args.project, digest, kinds)?;
    let concerns = format!("{}: {}", args.project, args.kinds.join(", "));
    let listed = [digest.clone()].into();
    note(place, "cohort_listed", &concerns, listed, clock)?;
    ui::note(&format!(
        "{} of the cohort {digest} may run for project `{}`",
        args.kinds.join(", "),
        args.project
    ));
    Ok(Done::Well)
}

/// Kinds of question that can be asked of a cohort.
pub(super) fn kinds(names: &[String]) -> anyhow::Result<BTreeSet<String>> {
    let known = |kind: &&String| *kind == QUERY || ALL.iter().any(|known| known.name == **kind);
    if let Some(wrong) = names.iter().find(|kind| !known(kind)) {
        let names: Vec<&str> = ALL.iter().map(|known| known.name).collect();
        bail!(
            "`{wrong}` is no kind of question: write {QUERY}, {}",
            names.join(", ")
        );
    }
    Ok(names.iter().cloned().collect())
}

/// `ledger verify`.
pub(super) fn verify(place: &Place, args: &LedgerVerify) -> anyhow::Result<Done> {
    let home = place.home()?;
    let checkpoint = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    let key = home.node_key()?;
    match ledger::verify(&place.state(), Some(key.key_id()), checkpoint.as_ref()) {
        Ok(sound) => {
            ui::say(&format!(
                "sound: {} records, head {}",
                sound.head.seq, sound.head.hash
            ));
            if let Some(root) = sound.tree.root(sound.head.seq) {
                ui::say(&format!("root: {root}"));
            }
            if sound.stubs > 0 {
                ui::say(&format!(
                    "retention left the hash of {} records",
                    sound.stubs
                ));
            }
            if sound.torn {
                ui::note(
                    "the last line is torn: a record that was never acknowledged; the next start removes it",
                );
            }
            Ok(Done::Well)
        }
        Err(tampered) => {
            ui::note(&format!("NOT SOUND: {tampered}"));
            Ok(Done::Unverified)
        }
    }
}

fn checkpoint(text: &str) -> anyhow::Result<Head> {
    let (seq, hash) = text.split_once(':').context("write SEQ:HASH")?;
    Ok(Head {
        seq: seq.parse().context("write SEQ:HASH")?,
        hash: hash.to_owned(),
    })
}
