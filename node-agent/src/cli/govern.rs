//! `govern`: acts of governance made, signed, taken in and looked at. Acts travel as files; keys stay
//! where they are.

use std::path::Path;

use anyhow::{Context, bail};
use quorate_governance::acceptance::{Acceptance, Word};
use quorate_governance::airlock::Mode;
use quorate_governance::artefact::{self, Artefact, Opened};
use quorate_governance::change::Change;
use quorate_governance::people::{Evidence, EvidenceKind};
use quorate_governance::suspension::{Lift, Suspension, Target};
use quorate_governance::vote::Vote;
use quorate_governance::{Person, Project, draft};
use quorate_identity::{KeyId, Name, Signed, SigningKey};

use super::args::{
    GovernAccept, GovernChange, GovernCommand, GovernEvidence, GovernFiles, GovernLift,
    GovernRecord, GovernRefuse, GovernSign, GovernSuspend, GovernVote, Place,
};
use super::{Done, approval, glass, roster, ui};
use crate::govern::{self, Acts, Standing};
use crate::home::Home;
use crate::link::Clock;
use crate::node::{Node, Opening};
use crate::policy::Policy;

/// One of the commands.
pub(super) fn govern(place: &Place, command: GovernCommand, clock: &Clock) -> anyhow::Result<Done> {
    match command {
        GovernCommand::Add(args) => add(place, &args, clock),
        GovernCommand::List => list(place),
        GovernCommand::Projects => projects(place, clock),
        GovernCommand::Record(args) => record(&args),
        GovernCommand::Vote(args) => vote(&args, clock),
        GovernCommand::Accept(args) => accept(place, &args, clock),
        GovernCommand::Refuse(args) => refuse(place, &args, clock),
        GovernCommand::Evidence(args) => evidence(&args, clock),
        GovernCommand::Approval(args) => approval::draft(place, args, clock),
        GovernCommand::Sign(args) => sign(&args),
        GovernCommand::Suspend(args) => suspend(place, &args, clock),
        GovernCommand::Lift(args) => lift(place, &args, clock),
        GovernCommand::Change(args) => change(place, &args, clock),
        GovernCommand::Glass(args) => glass::glass(place, &args, clock),
        GovernCommand::Read(args) => glass::read(place, &args, clock),
    }
}

fn add(place: &Place, args: &GovernFiles, clock: &Clock) -> anyhow::Result<Done> {
    let state = place.state();
    for file in &args.files {
        let signed = govern::read_file(file)?;
        let digest = govern::keep(&state, &signed).with_context(|| file.display().to_string())?;
        if govern::change::is_change(&signed.kind) {
            govern::change::note_seen(&state, &digest, clock())?;
        }
        ui::say(&format!("{} {digest}", signed.kind));
    }
    Ok(Done::Well)
}

fn list(place: &Place) -> anyhow::Result<Done> {
    let acts = Acts::load(&place.state())?;
    let mut shown = 0;
    shown += line(&acts.projects, |one| {
        format!("{} version {}: {}", one.id, one.version, one.title)
    });
    shown += line(&acts.votes, |one| {
        let word = if one.agrees { "for" } else { "against" };
        format!("{} {word} {}", one.voter.name, one.record)
    });
    shown += line(&acts.words, |one| match &one.word {
        Word::Accept { release, .. } => format!("accepted ({}) {}", release.as_str(), one.record),
        Word::Refuse => format!("refused {}", one.record),
    });
    shown += line(&acts.evidence, |one| {
        format!(
            "{} has `{}` version {}",
            one.subject.name, one.name, one.version
        )
    });
    shown += line(&acts.approvals, |one| {
        format!(
            "project {} serial {}, {} runs",
            one.project, one.serial, one.runs
        )
    });
    shown += line(&acts.suspensions, |one| {
        let target = match &one.target {
            Target::Person { key } => format!("person {key}"),
            Target::Project { id } => format!("project {id}"),
            Target::Node => "the whole node".to_owned(),
        };
        format!("{target}: {}", one.reason)
    });
    shown += line(&acts.lifts, |one| format!("lifts {}", one.suspension));
    shown += line(&acts.changes, |one| {
        format!("policy {} to {}: {}", one.from, one.to, one.reason)
    });
    shown += line(&acts.glasses, |one| {
        format!("{} reads question {}", one.who.name, one.question)
    });
    shown += line(&govern::reviews(&place.state(), None)?, |one| {
        format!("{} on {}", one.checker.name, one.question)
    });
    if shown == 0 {
        ui::note("no act is held here");
    }
    Ok(Done::Well)
}

/// One line an act; how many there were.
fn line<A: Artefact>(acts: &[Opened<A>], about: impl Fn(&A) -> String) -> usize {
    for act in acts {
        let (digest, signers) = (act.digest(), act.signers().len());
        ui::say(&format!(
            "{} {digest} signed by {signers}: {}",
            A::KIND,
            about(act.content())
        ));
    }
    acts.len()
}

fn projects(place: &Place, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let opening = Opening {
        roster: home.roster(&policy)?,
        codebooks: home.codebooks(&policy)?,
        key: home.node_key()?,
        stopwatch: super::serve::stopwatch(),
        timings: None,
        now: clock(),
        policy,
    };
    let node = Node::open_for_trial(opening)?;
    let standing = Standing::read(&node, clock())?;
    for record in &standing.acts.projects {
        let content = record.content();
        let word = match govern::admitted(&node, &standing.acts, record.digest(), clock()) {
            Ok(admitted) => format!(
                "runs until {}, release {}",
                roster::time(admitted.until()),
                admitted.release().as_str()
            ),
            Err(why) => format!("does not run: {why}"),
        };
        let stopped = standing.stopped(content.id.as_str(), None);
        let stopped = stopped.map_or(String::new(), |why| format!(" (suspended: {why})"));
        ui::say(&format!(
            "{} {} version {}: {word}{stopped}",
            record.digest(),
            content.id,
            content.version
        ));
    }
    Ok(Done::Well)
}

fn record(args: &GovernRecord) -> anyhow::Result<Done> {
    let name = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).with_context(|| name.clone())?;
    let project = draft::read(&text, &name)?;
    let key = SigningKey::load(&args.key)?;
    if *key.key_id() != project.applicant.key {
        bail!("this key is not the applicant's in {name}");
    }
    put(&args.out, &project.sign(&key))
}

fn vote(args: &GovernVote, clock: &Clock) -> anyhow::Result<Done> {
    let record: Opened<Project> = Opened::open(&govern::read_file(&args.record)?)?;
    let key = SigningKey::load(&args.key)?;
    let vote = Vote {
        network: record.content().network.clone(),
        record: record.digest().to_owned(),
        voter: own(&args.name, &key)?,
        agrees: !args.against,
        reason: args.reason.clone(),
        at: clock(),
    };
    if vote.voter.among(record.content().people()) {
        bail!("rule 2: nobody votes on their own project");
    }
    put(&args.out, &signed(&vote, &key)?)
}

fn accept(place: &Place, args: &GovernAccept, clock: &Clock) -> anyhow::Result<Done> {
    let mut modes = Mode::WORDS.into_iter();
    let mode = modes.find(|(word, _)| *word == args.release);
    let (_, release) =
        mode.with_context(|| format!("`{}`: write auto, review, dual or none", args.release))?;
    let until = match args.until {
        Some(day) => end_of(day)?,
        None => i64::MAX,
    };
    let word = Word::Accept {
        release,
        without: args.without.iter().cloned().collect(),
        until,
    };
    let about = (args.key.as_path(), args.reason.as_str());
    decide(place, &args.record, word, about, clock)
}

fn refuse(place: &Place, args: &GovernRefuse, clock: &Clock) -> anyhow::Result<Done> {
    let about = (args.key.as_path(), args.reason.as_str());
    decide(place, &args.record, Word::Refuse, about, clock)
}

fn decide(
    place: &Place,
    record: &str,
    word: Word,
    (key, reason): (&Path, &str),
    clock: &Clock,
) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let acts = Acts::load(&here.policy.node.state)?;
    if !acts.projects.iter().any(|one| one.digest() == record) {
        bail!("no record {record} is held here: `govern add` it first");
    }
    let key = SigningKey::load(key)?;
    here.custodian(&key)?;
    let acceptance = Acceptance {
        network: here.network,
        node: here.node,
        record: record.to_owned(),
        word,
        reason: reason.to_owned(),
        at: clock(),
    };
    let digest = govern::keep(&here.policy.node.state, &signed(&acceptance, &key)?)?;
    ui::say(&digest);
    Ok(Done::Well)
}

fn evidence(args: &GovernEvidence, clock: &Clock) -> anyhow::Result<Done> {
    let kind = match args.kind.as_str() {
        "training" => EvidenceKind::Training,
        "agreement" => EvidenceKind::Agreement,
        "accreditation" => EvidenceKind::Accreditation,
        other => bail!("`{other}`: write training, agreement or accreditation"),
    };
    let (name, of) = args.subject.split_once('=').context("write NAME=KEY")?;
    let key = SigningKey::load(&args.key)?;
    let evidence = Evidence {
        network: Name::parse(&args.network)?,
        subject: Person {
            name: Name::parse(name)?,
            key: KeyId::parse(of)?,
        },
        kind,
        name: args.name.clone(),
        version: args.of_version.clone(),
        issuer: own(&args.issuer, &key)?,
        issued: clock(),
        expires: end_of(args.until)?,
    };
    put(&args.out, &signed(&evidence, &key)?)
}

/// Shows an act and adds a signature to it.
fn sign(args: &GovernSign) -> anyhow::Result<Done> {
    let mut act = govern::read_file(&args.file)?;
    let text = String::from_utf8(act.payload.clone()).context("not an act of governance")?;
    let content: serde_json::Value = serde_json::from_str(&text)?;
    ui::say(&format!("{} {content:#}", act.kind));
    artefact::cosign(&SigningKey::load(&args.key)?, &mut act);
    put(&args.file, &act)
}

fn suspend(place: &Place, args: &GovernSuspend, clock: &Clock) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let key = SigningKey::load(&args.key)?;
    if !here.policy.governance.may_pause().contains(key.key_id()) {
        bail!("this key is neither the custodian's nor an operator's in the policy");
    }
    let target = match (&args.target.person, &args.target.project) {
        (Some(key), _) => Target::Person {
            key: KeyId::parse(key)?,
        },
        (None, Some(id)) => Target::Project {
            id: Name::parse(id)?,
        },
        (None, None) => Target::Node,
    };
    let suspension = Suspension {
        network: here.network,
        node: here.node,
        target,
        reason: args.reason.clone(),
        appeal: String::new(),
        at: clock(),
    };
    let digest = govern::keep(&here.policy.node.state, &signed(&suspension, &key)?)?;
    ui::say(&digest);
    ui::note("it counts at once; two persons can lift it");
    Ok(Done::Well)
}

fn lift(place: &Place, args: &GovernLift, clock: &Clock) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let lift = Lift {
        network: here.network,
        node: here.node,
        suspension: args.suspension.clone(),
        reason: args.reason.clone(),
        at: clock(),
    };
    if let Some(mistake) = lift.mistakes().first() {
        bail!("{mistake}");
    }
    put(&args.out, &artefact::unsigned(&lift))
}

/// Shows in what the policy file is looser than the policy in force, and writes the change down.
fn change(place: &Place, args: &GovernChange, clock: &Clock) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let codebooks = Home::open(&here.policy.node.state)?.codebooks(&here.policy)?;
    let known: Vec<_> = codebooks.iter().map(std::sync::Arc::as_ref).collect();
    let Some((from, looser)) = govern::change::compared(&here.policy, &known)? else {
        bail!("the policy file is the policy in force, or none is kept here yet");
    };
    match looser.is_empty() {
        true => ui::note("nothing is looser: it counts from the next start, without this"),
        false => looser
            .iter()
            .for_each(|what| ui::note(&format!("looser: {what}"))),
    }
    let change = Change {
        network: here.network,
        node: here.node,
        from,
        to: here.policy.digest.clone(),
        reason: args.reason.clone(),
        at: clock(),
    };
    if let Some(mistake) = change.mistakes().first() {
        bail!("{mistake}");
    }
    put(&args.out, &artefact::unsigned(&change))
}

/// The node that a command is about.
pub(super) struct Here {
    pub(super) policy: Policy,
    pub(super) network: Name,
    pub(super) node: Name,
}

impl Here {
    pub(super) fn of(place: &Place) -> anyhow::Result<Self> {
        let policy = place.policy()?;
        let home = Home::open(&policy.node.state)?;
        Ok(Self {
            network: home.roster(&policy)?.network().clone(),
            node: Name::parse(&policy.node.name)?,
            policy,
        })
    }

    fn custodian(&self, key: &SigningKey) -> anyhow::Result<()> {
        let mut custodians = self.policy.governance.custodian.iter();
        match custodians.any(|person| person.key == *key.key_id()) {
            true => Ok(()),
            false => bail!("this key is not one of the policy's `governance.custodian`"),
        }
    }
}

fn own(name: &str, key: &SigningKey) -> anyhow::Result<Person> {
    Ok(Person {
        name: Name::parse(name)?,
        key: key.key_id().clone(),
    })
}

/// Signs what is in order.
fn signed<A: Artefact>(content: &A, key: &SigningKey) -> anyhow::Result<Signed> {
    if let Some(mistake) = content.mistakes().first() {
        bail!("{mistake}");
    }
    Ok(content.sign(key))
}

/// Writes an act to a file and says its digest.
pub(super) fn put(path: &Path, signed: &Signed) -> anyhow::Result<Done> {
    std::fs::write(path, govern::to_text(signed)).with_context(|| path.display().to_string())?;
    ui::say(&quorate_identity::digest_text(&signed.digest()));
    Ok(Done::Well)
}

/// The last second of a day (UTC).
pub(super) fn end_of(day: jiff::civil::Date) -> anyhow::Result<i64> {
    let next = draft::start_of(day.tomorrow()?).context("not a day")?;
    Ok(next - 1)
}
