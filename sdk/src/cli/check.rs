//! `quorate check`: what a question means, or why it is refused, without asking anybody.

use std::path::Path;

use quorate_query::analyses::Request;
use quorate_query::explain;
use quorate_query::question::Params;
use serde_json::{Value, json};

use super::args::{CheckArgs, CheckFormat};
use super::exit::{Exit, Failure};
use super::{text, ui};
use crate::document::SCHEMA;
use crate::{ask, problems};

/// Runs the command.
pub(crate) fn run(home: &Path, args: &CheckArgs) -> Result<Exit, Failure> {
    let (sql, given) = text::question(&args.text)?;
    let how = How {
        codebook: args.codebook.codebook.as_deref(),
        disclosure: args.disclosure,
        as_json: args.format == CheckFormat::Json,
    };
    let request = text::of_cohort(sql.into(), &args.cohort)?;
    explained(home, &request, &given, &how)
}

/// How a question is explained.
pub(crate) struct How<'a> {
    /// Against which codebook.
    pub(crate) codebook: Option<&'a str>,
    /// What could withhold its cells, too.
    pub(crate) disclosure: bool,
    /// For programs.
    pub(crate) as_json: bool,
}

/// Explains whatever it is, or says why it is refused.
pub(crate) fn explained(
    home: &Path,
    request: &Request,
    given: &Params,
    how: &How<'_>,
) -> Result<Exit, Failure> {
    let codebook = text::choose_codebook(home, how.codebook)?;
    match ask::read(request, given, &codebook) {
        Ok(question) => {
            let explanation = explain::explain(&question, &codebook);
            let disclosure = how
                .disclosure
                .then(|| explain::disclosure(&question, &codebook));
            if how.as_json {
                let mut json = json_of(&explanation, disclosure.as_ref());
                if let (Some(cohort), Some(fields)) = (request.cohort(), json.as_object_mut()) {
                    fields.insert("cohort".to_owned(), cohort.digest().into());
                }
                ui::data(format!("{json}\n").as_bytes());
            } else {
                ui::data(explanation.to_string().as_bytes());
                if let Some(cohort) = request.cohort() {
                    ui::data(format!("\nCohort\n  {}\n", cohort.digest()).as_bytes());
                }
                let more = disclosure.map(|disclosure| disclosure.to_string());
                ui::data(more.unwrap_or_default().as_bytes());
            }
            Ok(Exit::Answered)
        }
        Err(problem) => {
            if how.as_json {
                let info = problems::info(&problem);
                let refused = json!({"schema": SCHEMA, "status": "refused", "problem": info});
                ui::data(format!("{refused}\n").as_bytes());
            }
            let text = request.text(&codebook);
            ui::say(problems::explain(&problem, &text).trim_end());
            Ok(Exit::Refused)
        }
    }
}

/// A single table lies flat in the object, several stand in a list.
fn json_of(explanation: &explain::Explanation, disclosure: Option<&explain::Disclosure>) -> Value {
    let mut all = json!({
        "schema": "quorate.check/1",
        "status": "accepted",
        "hash": explanation.hash,
        "canonical": explanation.canonical,
    });
    let asked = disclosure.map(|found| found.tables.as_slice());
    let asked = asked.unwrap_or_default().iter().map(Some);
    let asked = asked.chain(std::iter::repeat(None));
    let mut tables: Vec<Value> = explanation.tables.iter().zip(asked).map(table_of).collect();
    let Some(fields) = all.as_object_mut() else {
        return all;
    };
    if tables.len() > 1 {
        fields.insert("tables".to_owned(), tables.into());
    } else if let Some(Value::Object(only)) = tables.pop() {
        fields.extend(only);
    }
    all
}

fn table_of(
    (table, asked): (
        &explain::TableExplanation,
        Option<&explain::TableDisclosure>,
    ),
) -> Value {
    let mut all = json!({
        "columns": table.columns,
        "computes": table.computes,
        "sends": table.sends,
        "combines": table.combines,
        "rules": table.rules,
    });
    let Some(fields) = all.as_object_mut() else {
        return all;
    };
    if !table.name.is_empty() {
        fields.insert("name".to_owned(), table.name.clone().into());
    }
    if let Some(asked) = asked {
        let asked = json!({
            "needs": asked.needs,
            "withheld_by": asked.bites,
            "history": asked.history,
            "instead": asked.instead,
        });
        fields.insert("disclosure".to_owned(), asked);
    }
    all
}
