//! `govern approval`: writes down exactly what approvers are asked to sign, with this node's rules
//! for the tables that are touched, and shows what differs from the nearest of what was approved before.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use anyhow::{Context, bail};
use quorate_governance::approval::{Approval, Subject};
use quorate_governance::artefact::{self, Artefact, Opened};
use quorate_governance::difference;
use quorate_governance::parameter::{self, Domain};
use quorate_identity::{Name, digest_text, sha256};
use quorate_query::analyses::Request;
use quorate_query::canonical::show_digest;
use quorate_query::codebook::Codebook;
use quorate_query::number::Number;
use quorate_query::question::Question;

use super::args::{GovernApproval, Place};
use super::custodian::{kinds, params, request};
use super::data::pick_codebook;
use super::govern::{Here, end_of, put};
use super::{Done, ui};
use crate::approve::tables_of;
use crate::govern::{Acts, rules_digest, rules_of_all};
use crate::home::Home;
use crate::link::Clock;

/// `govern approval`.
pub(super) fn draft(place: &Place, args: GovernApproval, clock: &Clock) -> anyhow::Result<Done> {
    let here = Here::of(place)?;
    let home = Home::open(&here.policy.node.state)?;
    let codebook = pick_codebook(&home, &here.policy, args.question.codebook.as_deref())?;
    let project = args.question.project.clone();
    let project = Name::parse(&project.context("say for which --project")?)?;
    let (request, example) = (request(&args.question)?, params(&args.question.params)?);
    let typed = request.read(&example, &codebook)?;
    let (subject, shown) = subject(&args, &request, &typed, &codebook)?;
    let rules = match &subject {
        Subject::Cohort { .. } => rules_of_all(&here.policy, &codebook),
        _ => rules_digest(&here.policy, &codebook, &tables_of(&typed)),
    };
    let acts = Acts::load(&here.policy.node.state)?;
    let ours = |one: &&Opened<Approval>| one.content().project == project;
    let earlier: Vec<_> = acts.approvals.iter().filter(ours).collect();
    let serial = earlier.iter().map(|one| one.content().serial).max();
    let records = acts
        .projects
        .iter()
        .filter(|one| one.content().id == project);
    let record = records.max_by_key(|one| one.content().version);
    let of_file = here.policy.projects.contains_key(project.as_str());
    let approval = Approval {
        network: here.network,
        project,
        record: record
            .filter(|_| !of_file)
            .map(|one| one.digest().to_owned())
            .unwrap_or_default(),
        subject,
        shown,
        codebook: codebook.digest.clone(),
        rules: BTreeMap::from([(here.node, rules)]),
        serial: serial.unwrap_or(0) + 1,
        issued: clock(),
        expires: end_of(args.until)?,
        runs: args.runs,
    };
    if let Some(mistake) = approval.mistakes().first() {
        bail!("{mistake}");
    }
    compare(&earlier, &approval);
    put(&args.out, &artefact::unsigned(&approval))
}

/// What is approved: a cohort's questions, a text with its parameters, or exactly this question; and
/// what approvers are shown, in words and in the canonical form.
fn subject(
    args: &GovernApproval,
    request: &Request,
    typed: &Question,
    codebook: &Codebook,
) -> anyhow::Result<(Subject, String)> {
    let canonical = typed.canonical_text();
    if let (Some(cohort), false) = (request.cohort(), args.kinds.is_empty()) {
        let kinds = kinds(&args.kinds)?;
        let of: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let shown = format!(
            "every question of these kinds of the cohort: {}\n{}\ncomplete: {}\n{canonical}",
            of.join(", "),
            cohort.sql,
            cohort.complete.join(", "),
        );
        let hash = cohort.digest();
        return Ok((Subject::Cohort { hash, kinds }, shown));
    }
    let parameters = domains(&args.domains)?;
    if parameters.is_empty() {
        let hash = show_digest(&typed.digest());
        let cohort = request.cohort().map(|cohort| {
            format!(
                "cohort: {}\ncomplete: {}\n",
                cohort.sql,
                cohort.complete.join(", ")
            )
        });
        let shown = format!(
            "{}{}\n{canonical}",
            cohort.unwrap_or_default(),
            request.text(codebook)
        );
        return Ok((Subject::Question { hash }, shown));
    }
    let Request::Sql(sql) = request else {
        bail!("only SQL of no cohort has parameters: leave out --domain");
    };
    parameter::check(&parameters, &params(&args.question.params)?)?;
    let text = digest_text(&sha256(sql.as_bytes()));
    let shown = format!("{sql}\n{}\n{canonical}", args.domains.join("\n"));
    Ok((Subject::Template { text, parameters }, shown))
}

/// Says in what an approval differs from the one of its project that it is most like: line by line
/// what is asked, then the rest.
fn compare(earlier: &[&Opened<Approval>], approval: &Approval) {
    let differences = |one: &Approval| difference::lines(&one.shown, &approval.shown);
    let most_like = earlier.iter().map(|one| one.content());
    let most_like = most_like.min_by_key(|one| (differences(one).len(), Reverse(one.serial)));
    let Some(one) = most_like else {
        ui::note("nothing of this project was written down for approval before");
        return;
    };
    let found = differences(one);
    ui::note(&format!(
        "{} lines differ from the approval with serial {}",
        found.len(),
        one.serial
    ));
    found.iter().for_each(|one| ui::note(&one.to_string()));
    for (what, same) in [
        ("codebook", one.codebook == approval.codebook),
        ("rules or views of its tables", one.rules == approval.rules),
        ("project record", one.record == approval.record),
    ] {
        if !same {
            ui::note(&format!("another {what} than then"));
        }
    }
}

fn domains(texts: &[String]) -> anyhow::Result<BTreeMap<String, Domain>> {
    let domain = |text: &String| {
        let (name, domain) = text
            .split_once('=')
            .with_context(|| format!("`{text}`: write NAME=DOMAIN"))?;
        let domain = self::domain(domain).with_context(|| {
            format!("`{text}`: write 18..65, 1|2, 'a'|'b', 2020-01-01..2020-12-31 or flag")
        })?;
        Ok((name.to_owned(), domain))
    };
    texts.iter().map(domain).collect()
}

fn domain(text: &str) -> Option<Domain> {
    if text == "flag" {
        return Some(Domain::Flag);
    }
    if let Some((from, to)) = text.split_once("..") {
        let day = |text: &str| {
            let day = text.parse::<jiff::civil::Date>().ok()?;
            Some(quorate_query::value::from_civil(day))
        };
        if let (Some(from), Some(to)) = (day(from), day(to)) {
            return Some(Domain::Days { from, to });
        }
        let digits = |text: &str| text.split_once('.').map_or(0, |(_, digits)| digits.len());
        from.parse::<Number>().ok()?;
        to.parse::<Number>().ok()?;
        return Some(Domain::Range {
            from: from.to_owned(),
            to: to.to_owned(),
            scale: u32::try_from(digits(from).max(digits(to))).ok()?,
        });
    }
    let words: Vec<&str> = text.split('|').collect();
    let quoted = |word: &&str| Some(word.strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
    if let Some(of) = words.iter().map(quoted).collect() {
        return Some(Domain::Texts { of });
    }
    let number = |word: &&str| word.parse::<Number>().ok().map(|_| (*word).to_owned());
    let of = words.iter().map(number).collect::<Option<_>>()?;
    Some(Domain::Numbers { of })
}
