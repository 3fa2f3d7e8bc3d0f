//! `quorate check`: what a question means, or why it is refused, without asking anybody.

use std::path::Path;

use quorate_query::explain;
use serde_json::json;

use super::args::{CheckArgs, CheckFormat};
use super::exit::{Exit, Failure};
use super::{text, ui};
use crate::document::SCHEMA;
use crate::{ask, problems};

/// Runs the command.
pub(crate) fn run(home: &Path, args: &CheckArgs) -> Result<Exit, Failure> {
    let (sql, given) = text::question(&args.text)?;
    let codebook = text::choose_codebook(home, args.codebook.codebook.as_deref())?;
    let read = ask::read(&sql.as_str().into(), &given, &codebook);
    let as_json = args.format == CheckFormat::Json;
    match read {
        Ok(question) => {
            let explanation = explain::explain(&question, &codebook);
            let disclosure = args
                .disclosure
                .then(|| explain::disclosure(&question, &codebook));
            if as_json {
                let json = json_of(&explanation, disclosure.as_ref());
                ui::data(format!("{json}\n").as_bytes());
            } else {
                ui::data(explanation.to_string().as_bytes());
                let more = disclosure.map(|disclosure| disclosure.to_string());
                ui::data(more.unwrap_or_default().as_bytes());
            }
            Ok(Exit::Answered)
        }
        Err(problem) => {
            if as_json {
                let info = problems::info(&problem);
                let refused = json!({"schema": SCHEMA, "status": "refused", "problem": info});
                ui::data(format!("{refused}\n").as_bytes());
            }
            ui::say(problems::explain(&problem, &sql).trim_end());
            Ok(Exit::Refused)
        }
    }
}

fn json_of(
    explanation: &explain::Explanation,
    disclosure: Option<&explain::Disclosure>,
) -> serde_json::Value {
    let mut all = json!({
        "schema": "quorate.check/1",
        "status": "accepted",
        "hash": explanation.hash,
        "canonical": explanation.canonical,
        "columns": explanation.columns,
        "computes": explanation.computes,
        "sends": explanation.sends,
        "combines": explanation.combines,
        "rules": explanation.rules,
    });
    if let (Some(found), Some(fields)) = (disclosure, all.as_object_mut()) {
        let found = json!({
            "needs": found.needs,
            "withheld_by": found.bites,
            "history": found.history,
            "instead": found.instead,
        });
        fields.insert("disclosure".to_owned(), found);
    }
    all
}
