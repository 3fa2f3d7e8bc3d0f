//! Attacks as they are written in `testnet/attacks/*.toml`, read with every mistake at once.
//!
//! An attack says in which person two databases differ, what is asked and what happens in between,
//! what the attacker computes from the answers, and which rules stop it. `docs/attacks.md` is made
//! from the same files. It must not know how an attack is played.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use quorate_query::analyses::Analysis;
use quorate_query::cohort::Cohort;
use quorate_query::question::{ParamValue, Params};
use quorate_query::toml_reader::{File, Section, Value};
use quorate_query::value::Scalar;

use super::clinic::{COLUMNS, EVENT_COLUMNS, Victim};
use super::house::Ask;
use super::infer::Infer;
use super::moves::{self, Move};

/// One attack.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Unique name.
    pub id: String,
    /// One line.
    pub title: String,
    /// What kind of attack it is; files hold one class each.
    pub class: String,
    /// The victim in the two databases.
    pub victim: [Victim; 2],
    /// Rules, codes, `near_earlier`, `one number` (asked in other words, the same number is told and
    /// rounded once), `rounding`, or `same` (where nothing is rounded, the same is told with any
    /// victim): at least one of them stops it.
    pub stops: BTreeSet<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What the attacker computes; none where a refusal is all there is.
    pub infer: Option<Infer>,
    /// Seed of the other persons.
    pub seed: u64,
    /// Whether it is played where nothing is rounded, so that history alone protects.
    pub exact: bool,
}

/// One step of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A question, and the code that must refuse it.
    Ask(Ask, Option<String>),
    /// A new extract; the victim becomes what it is in the second database.
    RefreshVictim,
    /// A new extract in which so many others have changed.
    RefreshOthers(usize),
    /// A new extract in which some others are what is written.
    RefreshMoved(Vec<Move>),
    /// The node stops and starts.
    Restart,
    /// The state folder as it was after that step comes back from a backup.
    Restore(usize),
    /// Another `[release]` in the policy.
    Policy(String),
    /// Later questions are read against another codebook.
    Codebook(String),
}

/// The file of a folder that introduces the classes.
const CLASSES: &str = "classes.toml";

/// What a class of attacks is: a sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// What the attacker does.
    pub does: String,
    /// What stops it.
    pub stops: String,
}

/// The introductions of a folder's classes, by name.
///
/// # Errors
/// Every mistake of the file, or that there is none.
pub fn read_classes(folder: &Path) -> Result<BTreeMap<String, Class>> {
    let path = folder.join(CLASSES);
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let file = File::parse(&text, &path.display().to_string())?;
    let class = |section: &Section<'_>| {
        let name = section.need::<String>("name");
        let does = section.need::<String>("does");
        let stops = section.need::<String>("stops");
        let (does, stops) = (does?, stops?);
        Some((name?, Class { does, stops }))
    };
    let classes: Vec<_> = file.root().sections("class").iter().map(class).collect();
    Ok(file.finish(classes.into_iter().collect())?)
}

/// Every attack of a folder, in order of file names.
///
/// # Errors
/// Every mistake of the first file that has one; a missing folder; an id that comes twice.
pub fn read_folder(folder: &Path) -> Result<Vec<Attack>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("{}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .filter(|path| path.file_name().is_none_or(|name| name != CLASSES))
        .collect();
    files.sort();
    let mut attacks = Vec::new();
    let mut seen = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(&path)?;
        for attack in read(&text, &path.display().to_string())? {
            anyhow::ensure!(
                seen.insert(attack.id.clone()),
                "{}: `{}` is there already",
                path.display(),
                attack.id
            );
            attacks.push(attack);
        }
    }
    Ok(attacks)
}

/// The attacks of one text.
///
/// # Errors
/// All mistakes of the text.
pub fn read(text: &str, name: &str) -> Result<Vec<Attack>> {
    let file = File::parse(text, name)?;
    let sections = file.root().sections("attack");
    let attacks: Vec<Option<Attack>> = sections.iter().map(attack).collect();
    let attacks: Option<Vec<Attack>> = attacks.into_iter().collect();
    Ok(file.finish(attacks)?)
}

fn attack(section: &Section<'_>) -> Option<Attack> {
    let id = section.need::<String>("id");
    let title = section.need::<String>("title");
    let class = section.need::<String>("class");
    let exact = section.one_of("world", &[("clinic", false), ("exact", true)]);
    let victim = victim(&section.section_or_empty("victim"));
    let stops = section.need::<Vec<String>>("stops").unwrap_or_default();
    let list = section.value("steps").and_then(|value| value.need_list());
    let steps: Vec<Option<Step>> = list
        .unwrap_or_default()
        .into_iter()
        .map(|value| step(&value.section()?))
        .collect();
    let refused = section.or("refused", false);
    let infer = section
        .get::<String>("infer")
        .map(|text| Infer::parse(&text));
    let infer = match infer.transpose() {
        Ok(infer) => infer,
        Err(error) => {
            section.mistake("infer", error.to_string());
            None
        }
    };
    if infer.is_none() != refused {
        section.mistake_here("write either `infer = \"...\"` or `refused = true`");
    }
    if stops.is_empty() {
        section.mistake(
            "stops",
            "nothing stops it, write the rules or codes that do",
        );
    }
    let steps: Option<Vec<Step>> = steps.into_iter().collect();
    if steps.as_ref().is_some_and(Vec::is_empty) {
        section.mistake("steps", "no step");
    }
    let seed = section.within("seed", 0..=u32::MAX).unwrap_or(1);
    Some(Attack {
        id: id?,
        title: title?,
        class: class?,
        victim: victim?,
        stops: stops.into_iter().collect(),
        steps: steps?,
        infer,
        seed: u64::from(seed),
        exact: exact.unwrap_or(false),
    })
}

/// `{ differs = { disease = [0, 1] }, present = [false, true], with = { age = 93 } }`.
fn victim(section: &Section<'_>) -> Option<[Victim; 2]> {
    let mut both = [BTreeMap::new(), BTreeMap::new()];
    let known = |name: &str| COLUMNS.contains(&name) || EVENT_COLUMNS.contains(&name);
    for (name, value) in section.section_or_empty("with").entries() {
        if !known(&name) {
            value.mistake("no such column of the victim");
        }
        let text = written(&value)?;
        for side in &mut both {
            side.insert(name.clone(), text.clone());
        }
    }
    for (name, value) in section.section_or_empty("differs").entries() {
        if !known(&name) {
            value.mistake("no such column of the victim");
        }
        let list = value.need_list()?;
        let [zero, one] = list.as_slice() else {
            value.mistake("write two values, such as `[0, 1]`");
            return None;
        };
        let [first, second] = &mut both;
        first.insert(name.clone(), written(zero)?);
        second.insert(name, written(one)?);
    }
    let present = section
        .get::<Vec<bool>>("present")
        .unwrap_or(vec![true, true]);
    let [zero, one] = present.as_slice() else {
        section.mistake("present", "write `[false, true]`");
        return None;
    };
    let [first, second] = both;
    Some([zero.then_some(first), one.then_some(second)])
}

/// A value as it is written in a file of data; an empty text is missing.
pub(super) fn written(value: &Value<'_>) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    if let Some(number) = value.as_number() {
        return Some(number.to_string());
    }
    if let Some(date) = value.as_date() {
        return Some(date.to_string());
    }
    value.expected("a value", "`1` or `\"f\"`");
    None
}

fn step(section: &Section<'_>) -> Option<Step> {
    if section.has("ask") || section.has("analyse") {
        return question(section);
    }
    if let Some(what) = section.get::<String>("refresh") {
        return match what.split_once(':') {
            None if what == "victim" => Some(Step::RefreshVictim),
            Some(("others", number)) if number.parse::<usize>().is_ok() => {
                Some(Step::RefreshOthers(number.parse().unwrap_or(0)))
            }
            _ => {
                section.mistake("refresh", "write \"victim\" or \"others:20\"");
                None
            }
        };
    }
    if section.has("moves") {
        return moves::read(section).map(Step::RefreshMoved);
    }
    if section.has("restart") {
        return section.need::<bool>("restart").map(|_| Step::Restart);
    }
    if section.has("restore") {
        let text = section.value("restore")?;
        let number = match text.as_str() {
            Some(text) => text.parse().ok(),
            None => text
                .as_int()
                .and_then(|number| usize::try_from(number).ok()),
        };
        if number.is_none() {
            section.mistake("restore", "write the number of an earlier step");
        }
        return number.map(Step::Restore);
    }
    if let Some(text) = section.get::<String>("policy") {
        return Some(Step::Policy(text));
    }
    if let Some(name) = section.get::<String>("codebook") {
        return Some(Step::Codebook(name));
    }
    section.mistake_here(
        "write one of ask, analyse, refresh, moves, restart, restore, policy, codebook",
    );
    None
}

fn question(section: &Section<'_>) -> Option<Step> {
    let analysis = match section.get::<String>("analyse") {
        Some(name) => Some(analysis(section, &name)?),
        None => None,
    };
    let sql = match &analysis {
        Some(_) => String::new(),
        None => section.need::<String>("ask")?,
    };
    let cohort = section.get::<String>("cohort").map(|sql| Cohort {
        sql,
        complete: section.or("complete", Vec::new()),
    });
    let mut params = Params::new();
    for (name, value) in section.section_or_empty("params").entries() {
        params.insert(name, param(&value)?);
    }
    let ask = Ask {
        sql,
        analysis,
        cohort,
        who: section.or("as", String::new()),
        project: section.or("project", String::new()),
        params,
        reviewed: section.or("reviewed", false),
    };
    Some(Step::Ask(ask, section.get("expect_refused")))
}

/// An analysis with its arguments, all of them texts.
fn analysis(section: &Section<'_>, name: &str) -> Option<Analysis> {
    let mut arguments = BTreeMap::new();
    for (argument, value) in section.section_or_empty("arguments").entries() {
        arguments.insert(argument, value.as_str()?.to_owned());
    }
    let found = Analysis::named(name, arguments);
    if found.is_none() {
        section.mistake("analyse", "no such analysis");
    }
    found
}

/// A typed parameter: number, text, date, truth value, or a list of them.
fn param(value: &Value<'_>) -> Option<ParamValue> {
    if let Some(list) = value.as_list() {
        let all: Option<Vec<Scalar>> = list.iter().map(scalar).collect();
        return all.map(ParamValue::List);
    }
    scalar(value).map(ParamValue::One)
}

fn scalar(value: &Value<'_>) -> Option<Scalar> {
    if let Some(text) = value.as_str() {
        return Some(Scalar::Text(text.to_owned()));
    }
    if let Some(truth) = value.as_bool() {
        return Some(Scalar::Bool(truth));
    }
    if let Some(number) = value.as_number() {
        return Some(Scalar::Number(number));
    }
    let date = value.as_date()?;
    let days = date.since(jiff::civil::Date::constant(1970, 1, 1)).ok()?;
    Some(Scalar::Date(days.get_days()))
}

/// The page about all attacks.
#[must_use]
pub fn page(
    attacks: &[Attack],
    open: &[Attack],
    known: &BTreeMap<String, Class>,
    test: &str,
) -> String {
    let mut classes: BTreeMap<&str, Vec<&Attack>> = BTreeMap::new();
    for attack in attacks {
        classes.entry(&attack.class).or_default().push(attack);
    }
    let mut text = format!(
        "# Attacks\n\nEvery attack here is a test: `cargo test -p quorate-testnet --test it attacks` \
         plays all of them against a\nreal node in this process, over the invented persons of \
         `testnet/src/arena/clinic.rs`. For each, two databases\ndiffer in one person. The test \
         checks that the attack tells them apart where nothing is protected, that it does\nnot on a \
         protected node, that a rule named here is what stops it, and that everything the node says \
         is the same\nfor both databases up to a difference that one statistic of the custodian \
         explains.\n`one number`, `rounding` and `same` mean that nothing was withheld. `one number`: all that \
         the attacker takes together is the same\nnumber again, also where nothing is rounded, so it has \
         one rounding. `rounding`: what the attacker computes is equal for\nboth after rounding. `same`: it \
         is equal where nothing is rounded.\n\nThis page is made from `testnet/attacks/*.toml`; `UPDATE_GOLDEN=1` writes it \
         anew. {} attacks in {} classes; the\ntest of each is `{test}`, which names it when it \
         fails.\n",
        attacks.len(),
        classes.len(),
    );
    for (class, attacks) in classes {
        let _ = write!(text, "\n## {class}\n\n");
        if let Some(Class { does, stops }) = known.get(class) {
            let _ = write!(text, "{does} {stops}\n\n");
        }
        let _ = write!(
            text,
            "| Attack | What it does | What stops it |\n|---|---|---|\n"
        );
        for attack in attacks {
            let stops: Vec<&str> = attack.stops.iter().map(String::as_str).collect();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} |",
                attack.id,
                attack.title.replace('|', "\\|"),
                stops.join(", ")
            );
        }
    }
    if !open.is_empty() {
        let _ = write!(
            text,
            "\n## Attacks that still succeed\n\nKept in `testnet/attacks/open/` with the reason. \
             `what_still_succeeds_is_known` plays them and fails when one is stopped.\n\n\
             | Attack | What it does |\n|---|---|\n"
        );
    }
    for attack in open {
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            attack.id,
            attack.title.replace('|', "\\|")
        );
    }
    text
}
