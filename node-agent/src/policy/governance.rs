//! The `[governance]` part of a policy: who decides at this node besides its custodian, each with a
//! key. Whoever is not listed decides nothing. Pairs of duties that one person must not hold are
//! mistakes of the file.

use std::collections::{BTreeMap, BTreeSet};

use quorate_governance::draft::person;
use quorate_governance::duties::at_one_node;
use quorate_governance::people::{EvidenceKind, Person, Required};
use quorate_governance::vote::{Committee, CommitteeMember};
use quorate_identity::KeyId;
use quorate_query::toml_reader::Section;

/// Who decides at this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governance {
    /// Who speaks for the custodian: accepts projects, pauses, resumes.
    pub custodian: Vec<Person>,
    /// Who votes on projects; nobody means that no vote is needed.
    pub committee: Committee,
    /// Who approves questions.
    pub approvers: Vec<Person>,
    /// How many of them must sign.
    pub approvals: usize,
    /// Whether approvals count that do not name this node.
    pub recognise: bool,
    /// Who reviews outputs.
    pub checkers: Vec<Person>,
    /// Who runs the node.
    pub operators: Vec<Person>,
    /// Who reads its record.
    pub auditors: Vec<Person>,
    /// Whose word on training, agreements and accreditation counts.
    pub issuers: Vec<Person>,
    /// What everybody who asks must show.
    pub required: BTreeSet<Required>,
    /// Who may sign a looser policy beside the custodian; nobody means that the custodian alone
    /// changes it.
    pub seconds: Vec<Person>,
}

/// Members of a committee.
pub(super) type Members = Vec<CommitteeMember>;

impl Governance {
    /// Keys of some persons.
    #[must_use]
    pub fn keys(persons: &[Person]) -> BTreeSet<KeyId> {
        persons.iter().map(|person| person.key.clone()).collect()
    }

    /// Keys that may stop something: custodian and operators, each alone.
    #[must_use]
    pub fn may_pause(&self) -> BTreeSet<KeyId> {
        let persons = self.custodian.iter().chain(&self.operators);
        persons.map(|person| person.key.clone()).collect()
    }
}

impl Governance {
    /// Who holds a key here, and what they are; nobody who is not listed.
    #[must_use]
    pub fn duty(&self, key: &KeyId) -> Option<(String, &'static str)> {
        let committee = self.committee.members.iter().map(|member| &member.person);
        let lists: [(&str, Vec<&Person>); 8] = [
            ("custodian", self.custodian.iter().collect()),
            ("committee", committee.collect()),
            ("approver", self.approvers.iter().collect()),
            ("checker", self.checkers.iter().collect()),
            ("operator", self.operators.iter().collect()),
            ("auditor", self.auditors.iter().collect()),
            ("issuer", self.issuers.iter().collect()),
            ("second", self.seconds.iter().collect()),
        ];
        lists.into_iter().find_map(|(duty, persons)| {
            let person = persons.into_iter().find(|person| person.key == *key)?;
            Some((person.name.to_string(), duty))
        })
    }
}

/// Reads the section.
pub(super) fn governance(section: &Section<'_>) -> Governance {
    let persons = |key: &str| -> Vec<Person> {
        let entries = section.sections(key);
        entries.iter().filter_map(person).collect()
    };
    let governance = Governance {
        custodian: persons("custodian"),
        committee: committee(section),
        approvers: persons("approvers"),
        approvals: section.within("approvals", 1..=20_usize).unwrap_or(1),
        recognise: section.or("recognise", false),
        checkers: persons("checkers"),
        operators: persons("operators"),
        auditors: persons("auditors"),
        issuers: persons("issuers"),
        required: section
            .sections("required")
            .iter()
            .filter_map(required)
            .collect(),
        seconds: persons("seconds"),
    };
    check(section, &governance);
    governance
}

fn committee(section: &Section<'_>) -> Committee {
    let member = |entry: &Section<'_>| {
        let lay = entry.or("lay", false);
        Some(CommitteeMember {
            person: person(entry)?,
            lay,
        })
    };
    let entries = section.sections("committee");
    Committee {
        members: entries.iter().filter_map(member).collect(),
        quorum: section.within("quorum", 1..=100_usize).unwrap_or(1),
        lay: section.or("lay", false),
    }
}

fn required(section: &Section<'_>) -> Option<Required> {
    let kinds = [
        ("training", EvidenceKind::Training),
        ("agreement", EvidenceKind::Agreement),
        ("accreditation", EvidenceKind::Accreditation),
    ];
    let kind = section.need_one_of("kind", &kinds);
    let (name, version) = (section.need("name"), section.need("version"));
    Some(Required {
        kind: kind?,
        name: name?,
        version: version?,
    })
}

fn check(section: &Section<'_>, governance: &Governance) {
    let Governance {
        custodian,
        committee,
        approvers,
        approvals,
        checkers,
        operators,
        auditors,
        issuers,
        required,
        ..
    } = governance;
    let voters = committee.members.iter().map(|member| member.person.clone());
    let duties = BTreeMap::from([
        ("custodian", custodian.clone()),
        ("committee member", voters.collect()),
        ("query approver", approvers.clone()),
        ("output checker", checkers.clone()),
        ("operator", operators.clone()),
        ("auditor", auditors.clone()),
    ]);
    if let Err(conflict) = at_one_node(&duties) {
        section.mistake_here(format!(
            "{conflict}: give one of the duties to somebody else"
        ));
    }
    let both = approvers.iter().find(|person| person.among(checkers));
    if let Some(person) = both {
        section.mistake(
            "checkers",
            format!("rule 1: `{}` is also a query approver", person.name),
        );
    }
    if !approvers.is_empty() && approvers.len() < *approvals {
        section.mistake("approvals", "more than there are approvers");
    }
    if committee.members.len() < committee.quorum && !committee.members.is_empty() {
        section.mistake("quorum", "more than the committee has members");
    }
    if !required.is_empty() && issuers.is_empty() {
        section.mistake(
            "issuers",
            "nobody could show what is required: name an issuer",
        );
    }
}
