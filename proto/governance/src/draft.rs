//! Reads the file in which an applicant writes a project down: every mistake at once, as
//! `file:line:col path: what is wrong, what to write`. Dates are days (UTC), ends included.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use quorate_identity::{KeyId, Name};
use quorate_query::toml_reader::{File, Mistakes, Section};

use crate::airlock::Mode;
use crate::artefact::Artefact;
use crate::people::Person;
use crate::project::{Budget, LegalBases, Member, Part, Project};
use crate::purpose::Purpose;

/// Reads a project file.
///
/// # Errors
/// Every mistake of the text.
pub fn read(text: &str, name: &str) -> Result<Project, Mistakes> {
    let file = File::parse(text, name)?;
    let root = file.root();
    let section = root.need_section("project");
    let project = project(&root, &section);
    if let Some(project) = &project
        && !file.has_mistakes()
    {
        for mistake in project.mistakes() {
            section.mistake_here(mistake);
        }
    }
    file.finish(project)
}

fn project(root: &Section<'_>, section: &Section<'_>) -> Option<Project> {
    if section.within("format", 1..=1_u32).is_none() && !section.has("format") {
        section.mistake_here("`format` is missing, write `format = 1`");
    }
    let text = |key: &str| section.need::<String>(key);
    let (network, id) = (parsed(section, "network"), parsed(section, "id"));
    let (title, lay_summary) = (text("title"), text("lay_summary"));
    let (public_benefit, organisation) = (text("public_benefit"), text("organisation"));
    let (ethics, dpia) = (text("ethics"), text("dpia"));
    let purpose = purpose(section);
    let legal = legal(&root.need_section("legal"));
    let applicant = person(&root.need_section("applicant"));
    let members: Vec<_> = root.sections("member").iter().map(member).collect();
    let nodes = section.need::<Vec<String>>("nodes");
    let nodes = nodes.and_then(|nodes| {
        let nodes = nodes.iter().map(|node| named(section, "nodes", node));
        nodes.collect::<Option<BTreeSet<Name>>>()
    });
    let data = data(&root.need_section("data"));
    let questions = section.need::<u64>("questions");
    let release = section.one_of("release", &Mode::WORDS);
    let starts = section.need::<Date>("starts").and_then(start_of);
    let expires = section
        .need::<Date>("expires")
        .and_then(|day| Some(start_of(day.tomorrow().ok()?)? - 1));
    Some(Project {
        network: network?,
        id: id?,
        version: section.or("version", 1),
        previous: section.or("previous", String::new()),
        title: title?,
        lay_summary: lay_summary?,
        purpose: purpose?,
        public_benefit: public_benefit?,
        organisation: organisation?,
        legal: legal?,
        ethics: ethics?,
        dpia: dpia?,
        applicant: applicant?,
        members: members.into_iter().collect::<Option<_>>()?,
        nodes: nodes?,
        data,
        budget: Budget {
            questions: questions?,
        },
        release: release.unwrap_or(Mode::Review),
        starts: starts?,
        expires: expires?,
    })
}

fn purpose(section: &Section<'_>) -> Option<Purpose> {
    let text = section.need::<String>("purpose")?;
    match Purpose::parse(&text) {
        Ok(purpose) => Some(purpose),
        Err(error) => {
            section.mistake("purpose", error.to_string());
            None
        }
    }
}

fn legal(section: &Section<'_>) -> Option<LegalBases> {
    let text = |key: &str| section.need::<String>(key);
    let (article6, article9) = (text("article6"), text("article9"));
    let (confidentiality, opt_out) = (text("confidentiality"), text("opt_out"));
    Some(LegalBases {
        article6: article6?,
        article9: article9?,
        confidentiality: confidentiality?,
        opt_out: opt_out?,
    })
}

fn member(section: &Section<'_>) -> Option<Member> {
    let parts = [("analyst", Part::Analyst), ("manager", Part::Manager)];
    let (person, part) = (person(section), section.need_one_of("part", &parts));
    Some(Member {
        person: person?,
        part: part?,
    })
}

/// A person, as `name` and `key`.
pub fn person(section: &Section<'_>) -> Option<Person> {
    let name = parsed(section, "name");
    let key = section.need::<String>("key").and_then(|text| {
        let key = KeyId::parse(&text);
        if let Err(error) = &key {
            section.mistake("key", error.to_string());
        }
        key.ok()
    });
    Some(Person {
        name: name?,
        key: key?,
    })
}

/// Columns by table: `person = ["age", "sex"]`.
fn data(section: &Section<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let tables = section.keys();
    let columns = |table: String| {
        let columns = section.need::<Vec<String>>(&table)?;
        Some((table, columns.into_iter().collect()))
    };
    tables.into_iter().filter_map(columns).collect()
}

fn parsed(section: &Section<'_>, key: &str) -> Option<Name> {
    let text = section.need::<String>(key)?;
    named(section, key, &text)
}

fn named(section: &Section<'_>, key: &str, text: &str) -> Option<Name> {
    let name = Name::parse(text);
    if let Err(error) = &name {
        section.mistake(key, error.to_string());
    }
    name.ok()
}

/// The first second of a day (UTC).
pub fn start_of(day: Date) -> Option<i64> {
    let start = day.to_zoned(TimeZone::UTC).ok()?;
    Some(start.timestamp().as_second())
}
