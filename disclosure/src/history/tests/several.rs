//! Several tables of one question are decided as if they were asked one after the other, within one
//! bit budget, and leave the history as it was.

use proptest::prelude::*;

use super::law::{asked, people};
use super::*;
use crate::history::Entry;
use crate::{Finding, decide_all};

impl Node {
    /// Decides all of them as tables of one question, without keeping anything.
    fn look_at_all(&mut self, all: &[String]) -> Vec<Outcome> {
        let questions: Vec<TableQuestion> = all.iter().map(|sql| question(sql)).collect();
        let of = |question| (evidence(question, &self.people), cell(question, &[]));
        let found: Vec<_> = questions.iter().map(of).collect();
        let book = book();
        let sheet = |(question, (evidence, nobody))| Sheet {
            question,
            codebook: &book,
            nobody,
            evidence,
            params: &self.params,
            epoch: &self.epoch,
            project: &self.project,
            core: false,
            noise: None,
        };
        let sheets: Vec<Sheet<'_>> = questions
            .iter()
            .zip(found.iter().map(|(evidence, nobody)| (evidence, nobody)))
            .map(sheet)
            .collect();
        decide_all(&sheets, &mut self.history)
    }
}

type Told = (
    quorate_query::answer::NodeTable,
    u64,
    u64,
    Vec<Finding>,
    Vec<Entry>,
);

/// What was decided. Which of several equal combinations of earlier releases a finding of H2f names is not
/// part of it.
fn told(outcome: Outcome) -> Told {
    let Outcome {
        table,
        fresh,
        repeated,
        near_earlier,
        mut findings,
    } = outcome;
    for finding in &mut findings {
        let family = finding.why.find("; its family:");
        finding.why.truncate(family.unwrap_or(finding.why.len()));
    }
    (table, repeated, near_earlier, findings, fresh)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn tables_of_one_question_are_questions_one_after_the_other(
        people in people(),
        before in prop::collection::vec(asked(), 0..4),
        together in prop::collection::vec(asked(), 2..5),
        after in asked(),
    ) {
        let (mut one, mut other) = (Node::of(people.clone()), Node::of(people));
        for sql in &before {
            one.ask(sql);
            other.ask(sql);
        }
        let entries: Vec<Entry> = one.history.entries().cloned().collect();
        let foretold = told(one.look(&after));
        let all = one.look_at_all(&together);
        prop_assert!(one.history.entries().eq(&entries), "the history is as it was");
        prop_assert!(told(one.look(&after)) == foretold, "and decides as it did");
        let tables: Vec<TableQuestion> = together.iter().map(|sql| question(sql)).collect();
        for (at, (sql, outcome)) in together.iter().zip(all).enumerate() {
            let others = tables.iter().enumerate().filter(|(other, _)| *other != at);
            let beside: Vec<&TableQuestion> = others.map(|(_, table)| table).collect();
            let alone = other.look_beside(&tables[at], &beside);
            alone.fresh.iter().cloned().for_each(|entry| other.history.add(entry));
            prop_assert!(told(outcome) == told(alone), "{}", sql);
        }
    }
}
