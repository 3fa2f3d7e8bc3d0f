//! The signed acts that a decision names: project record, acceptance, approval, reviews; and the
//! votes on the record.

use std::collections::{BTreeMap, BTreeSet};

use quorate_governance::acceptance::{Acceptance, Word};
use quorate_governance::airlock::{Mode, Review, Verdict};
use quorate_governance::approval::{self, Approval, Asked, OfCohort, Subject};
use quorate_governance::project::{self, Part};
use quorate_governance::vote::Vote;
use quorate_governance::{Artefact, Opened, Project};
use quorate_identity::{Signed, digest_text, sha256};
use quorate_query::analyses::Request;

use super::{Chain, Link, Said, Standing, hold, named};

impl Chain<'_> {
    /// The acts that the decision names, the votes on its project's record, and what is missing.
    pub(super) fn documents(&self, acts: &BTreeMap<String, &Signed>) -> Vec<Link> {
        let mut links = Vec::new();
        let record = &self.told.project_record;
        if !record.is_empty() {
            links.push(match acts.get(record) {
                Some(act) => Link::new("project record", record, self.project(act)),
                None => named("project record", record, &self.told.project),
            });
            let votes = acts.iter().filter(|(_, act)| votes_on(act, record));
            links.extend(votes.map(|(digest, act)| Link::new("vote", digest, self.vote(act))));
        }
        let others = self.told.approval.documents.iter();
        for digest in others.filter(|digest| *digest != record) {
            links.push(match acts.get(digest) {
                Some(act) => self.document(digest, act),
                None => named("document", digest, "its custodian has it"),
            });
        }
        let missing = self.missing(&links);
        links.extend(missing.map(|why| Link::new("receipt", "", Err(why.to_owned()))));
        links
    }

    /// Whether the decision rests on an act, or the act is a vote on its project's record.
    pub(super) fn names(&self, digest: &String, act: &Signed) -> bool {
        let record = &self.told.project_record;
        let named = digest == record || self.told.approval.documents.contains(digest);
        named || votes_on(act, record)
    }

    fn document(&self, digest: &str, act: &Signed) -> Link {
        let (what, said) = match act.kind.as_str() {
            Acceptance::KIND => ("acceptance", self.acceptance(act)),
            Approval::KIND => ("approval", self.approval(act)),
            Review::KIND => ("review", self.review(act)),
            other => (
                "document",
                Err(format!("a {other}: no decision rests on it")),
            ),
        };
        Link::new(what, digest, said)
    }

    /// What a decision of its kind must name and this one does not.
    fn missing(&self, links: &[Link]) -> Option<&'static str> {
        let count = |what: &str| links.iter().filter(|link| link.what == what).count();
        let unseen = count("document");
        let told = &self.told.approval;
        let mode = Mode::WORDS
            .into_iter()
            .find(|(word, _)| *word == told.release);
        let Some(checkers) = mode.and_then(|(_, mode)| mode.checkers()) else {
            return Some("by its release mode nothing leaves");
        };
        let reviewers: BTreeSet<&String> = told.reviewers.iter().collect();
        if reviewers.len() < checkers || count("review") + unseen < checkers {
            return Some("it names fewer reviews than its release mode asks for");
        }
        if !self.told.project_record.is_empty() && count("acceptance") + unseen == 0 {
            return Some("it names no acceptance of the project by the custodian");
        }
        (told.by == "signed" && count("approval") + unseen == 0)
            .then_some("it names no approval, and says that one was signed")
    }

    /// When it was decided, by the node's clock.
    fn at(&self) -> i64 {
        self.receipt.record.time
    }

    /// Nothing leaves by a looser mode than this.
    fn at_least(&self, mode: Mode) -> Result<(), String> {
        let told = &self.told.approval.release;
        let told = Mode::WORDS.into_iter().find(|(word, _)| word == told);
        hold(
            told.is_some_and(|(_, told)| told >= mode),
            "it was released by a looser mode",
        )
    }

    /// Whether the question is the same one if only these columns can be used.
    fn reads_with(&self, granted: impl Fn(&str, &str) -> bool) -> bool {
        let mut book = self.verified.codebook().granting(&granted);
        let unit = book.unit.table.clone();
        book.tables.retain(|name, table| {
            *name == unit || table.columns.keys().any(|column| granted(name, column))
        });
        let asked = self.verified.question().payload();
        let again = asked.request.read(&asked.params, &book);
        again.is_ok_and(|again| again == *self.verified.meaning())
    }

    fn project(&self, act: &Signed) -> Said {
        let record: Opened<Project> = open(act)?;
        project::check(&record, &self.told.network).map_err(|why| why.to_string())?;
        let content = record.content();
        hold(content.id == *self.told.project, "of another project")?;
        let here = content.nodes.iter().any(|node| *node == *self.node);
        hold(here, "it does not name this node")?;
        hold(
            content.is_current(self.at()),
            "it had not begun, or was over",
        )?;
        let asker = self.verified.question().signer();
        let asks = content.members.iter().any(|member| {
            let person = &member.person;
            let them = person.name == *self.told.researcher && person.key == *asker;
            member.part == Part::Analyst && them
        });
        hold(asks, "who asked is no analyst of it")?;
        self.at_least(content.release)?;
        let granted = |table: &str, column: &str| {
            let columns = content.data.get(table);
            columns.is_some_and(|columns| columns.contains(column))
        };
        let within = self.reads_with(granted);
        hold(within, "the question uses columns that it does not name")?;
        let words = format!(
            "{} version {}, \"{}\": signed by {}, who applies",
            content.id, content.version, content.title, content.applicant.name
        );
        Ok((Standing::Shown, words))
    }

    fn vote(&self, act: &Signed) -> Said {
        let vote: Opened<Vote> = open(act)?;
        let content = vote.content();
        hold(content.network == *self.told.network, "of another network")?;
        let theirs = vote.said_by(&content.voter.key, !content.agrees);
        hold(theirs, "not signed by who votes")?;
        let word = if content.agrees { "for" } else { "against" };
        self.signed(&vote, "committee", format!("votes {word} it"))
    }

    fn acceptance(&self, act: &Signed) -> Said {
        let word: Opened<Acceptance> = open(act)?;
        let content = word.content();
        self.of_this(content.network.as_str(), content.node.as_str())?;
        let same = content.record == self.told.project_record;
        hold(same, "of another project record")?;
        let Word::Accept {
            release,
            without,
            until,
        } = &content.word
        else {
            return Err("a refusal: nothing rests on it".to_owned());
        };
        hold(self.at() <= *until, "it was over")?;
        hold(word.sole_signer().is_some(), "signed by more than one")?;
        self.at_least(*release)?;
        let within = self.reads_with(|table, _| !without.contains(table));
        hold(within, "the question uses a table that it leaves out")?;
        let words = format!("accepted for {}, release {}", self.node, release.as_str());
        self.signed(&word, "custodian", words)
    }

    fn approval(&self, act: &Signed) -> Said {
        let approval: Opened<Approval> = open(act)?;
        let content = approval.content();
        let asked = self.verified.question().payload();
        let request = &asked.request;
        let meaning = self.verified.meaning();
        let cohort = request.cohort().filter(|_| !request.is_reviewed());
        let cohort = cohort.filter(|cohort| cohort.holds(meaning, self.verified.codebook()));
        let cohort = cohort.map(|cohort| cohort.digest());
        let text = match request {
            Request::Sql(sql) => Some(digest_text(&sha256(sql.as_bytes()))),
            _ => None,
        };
        let about = Asked {
            network: &self.told.network,
            node: self.node,
            project: &self.told.project,
            record: &self.told.project_record,
            hash: &self.told.hash,
            cohort: cohort.as_deref().map(|hash| OfCohort {
                hash,
                kind: request.kind(),
                rules: "",
            }),
            text: text.as_deref(),
            params: &asked.params,
            codebook: &self.told.codebook,
            rules: "",
            asker: None,
        };
        approval::is_about(content, &about).map_err(|why| why.to_string())?;
        let current = (content.issued..=content.expires).contains(&self.at());
        hold(current, "it had not begun, or was over")?;
        let of = match &content.subject {
            Subject::Question { .. } => "of this question",
            Subject::Cohort { .. } => "of questions of its cohort",
            Subject::Template { .. } => "of its text, its parameters within their domains",
        };
        let words = format!("serial {} {of}", content.serial);
        self.signed(&approval, "approver", words)
    }

    fn review(&self, act: &Signed) -> Said {
        let review: Opened<Review> = open(act)?;
        let content = review.content();
        self.of_this(content.network.as_str(), content.node.as_str())?;
        let same = content.question == self.told.question;
        hold(same, "of another question")?;
        hold(
            content.outcome == self.told.tables,
            "of other numbers than those that left",
        )?;
        hold(content.verdict == Verdict::Approve, "it lets nothing out")?;
        let checker = &content.checker;
        hold(
            review.said_by(&checker.key, false),
            "not signed by its checker alone",
        )?;
        let told = &self.told.approval.reviewers;
        let counted = told.contains(&checker.key.to_string());
        hold(counted, "the receipt does not count its checker")?;
        self.signed(&review, "checker", "these numbers may leave".to_owned())
    }

    fn of_this(&self, network: &str, node: &str) -> Result<(), String> {
        hold(network == self.told.network, "of another network")?;
        hold(node == self.node, "of another node")
    }

    /// Who signed an act, and in what part. The ledger notes every signer of every act; where it was
    /// not shown to tell of this one, who signed is their own claim.
    fn signed<A: Artefact>(&self, act: &Opened<A>, role: &str, words: String) -> Said {
        let keys: BTreeSet<String> = act.signers().iter().map(ToString::to_string).collect();
        let parts = self.parts(A::KIND, act.digest());
        if parts.is_empty() {
            let keys: Vec<String> = keys.into_iter().collect();
            return Ok((
                Standing::Named,
                format!(
                    "{words}: signed by {}, of whom no record that was shown tells",
                    keys.join(", ")
                ),
            ));
        }
        let noted: BTreeSet<String> = parts.iter().map(|part| part.key.clone()).collect();
        hold(
            noted == keys,
            "its signatures are not those that the ledger tells of",
        )?;
        let right = parts.iter().filter(|part| part.role == role);
        let names: BTreeSet<&str> = right.map(|part| part.subject.as_str()).collect();
        if names.is_empty() {
            return Err(format!("nobody who signed it is {role}"));
        }
        let names: Vec<&str> = names.into_iter().collect();
        let words = format!("{words}: signed by {} ({role})", names.join(", "));
        Ok((Standing::Shown, words))
    }
}

fn open<A: Artefact>(act: &Signed) -> Result<Opened<A>, String> {
    Opened::open(act).map_err(|why| why.to_string())
}

fn votes_on(act: &Signed, record: &str) -> bool {
    if act.kind != Vote::KIND || record.is_empty() {
        return false;
    }
    let vote: Result<Vote, _> = quorate_governance::artefact::read(&act.payload);
    vote.is_ok_and(|vote| vote.record == record)
}
