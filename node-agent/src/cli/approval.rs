//! `govern approval`: writes down exactly what approvers are asked to sign, with this node's rules
//! for the tables that are touched, and shows what differs from what was approved before.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use quorate_governance::approval::{Approval, Subject};
use quorate_governance::artefact::{self, Artefact};
use quorate_governance::difference;
use quorate_governance::parameter::{self, Domain};
use quorate_identity::{Name, digest_text, sha256};
use quorate_query::analyses::Request;
use quorate_query::canonical::show_digest;
use quorate_query::number::Number;

use super::args::{GovernApproval, Place};
use super::custodian::{params, request};
use super::data::pick_codebook;
use super::govern::{Here, end_of, put};
use super::{Done, ui};
use crate::approve::tables_of;
use crate::govern::{Acts, rules_digest};
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
    let domains = domains(&args.domains)?;
    let (subject, words) = match (&request, domains.is_empty()) {
        (Request::Sql(sql), false) => {
            parameter::check(&domains, &example)?;
            let text = digest_text(&sha256(sql.as_bytes()));
            let words = format!("{sql}\n{}", args.domains.join("\n"));
            let parameters = domains;
            (Subject::Template { text, parameters }, words)
        }
        (_, false) => bail!("only SQL has parameters: leave out --domain"),
        (_, true) => {
            let hash = show_digest(&typed.digest());
            let words = format!("{}\n{}", request.text(&codebook), typed.canonical_text());
            (Subject::Question { hash }, words)
        }
    };
    let rules = rules_digest(&here.policy, &codebook, &tables_of(&typed));
    let acts = Acts::load(&here.policy.node.state)?;
    let ours = |one: &&artefact::Opened<Approval>| one.content().project == project;
    let last = acts.approvals.iter().filter(ours);
    let last = last.max_by_key(|one| one.content().serial);
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
        shown: words,
        codebook: codebook.digest.clone(),
        rules: BTreeMap::from([(here.node, rules)]),
        serial: last.map_or(0, |one| one.content().serial) + 1,
        issued: clock(),
        expires: end_of(args.until)?,
        runs: args.runs,
    };
    if let Some(mistake) = approval.mistakes().first() {
        bail!("{mistake}");
    }
    if let Some(last) = last {
        let differences = difference::lines(&last.content().shown, &approval.shown);
        ui::note(&format!(
            "{} lines differ from the approval with serial {}",
            differences.len(),
            last.content().serial
        ));
        differences
            .iter()
            .for_each(|one| ui::note(&one.to_string()));
    }
    put(&args.out, &artefact::unsigned(&approval))
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
