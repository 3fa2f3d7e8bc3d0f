//! What a node's ledger says, read from its file as an auditor would.

use std::path::Path;

use serde_json::Value;

/// Events of a ledger, in order; the first field of every line is the record.
#[must_use]
pub fn events(node_dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(node_dir.join("state/ledger.log")).unwrap_or_default();
    let records = text.lines().filter_map(|line| line.split('\t').next());
    let records = records.filter_map(|json| serde_json::from_str::<Value>(json).ok());
    records
        .filter_map(|record| record.get("event").cloned())
        .collect()
}

/// How often a question was closed with an outcome.
#[must_use]
pub fn closed(node_dir: &Path, question: &str, outcomes: &[&str]) -> usize {
    let field = |event: &Value, name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    events(node_dir)
        .iter()
        .filter(|event| field(event, "kind") == "close" && field(event, "question") == question)
        .filter(|event| outcomes.contains(&field(event, "outcome").as_str()))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_closed_records_of_the_question_count() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("state")).unwrap();
        let line = |kind: &str, id: &str, outcome: &str| {
            format!(
                "{{\"seq\":1,\"event\":{{\"kind\":\"{kind}\",\"question\":\"{id}\",\"outcome\":\"{outcome}\"}}}}\thash\tsignature\n"
            )
        };
        let text = [
            line("open", "a", ""),
            line("close", "a", "answered"),
            line("close", "b", "refused"),
        ];
        std::fs::write(dir.path().join("state/ledger.log"), text.concat()).unwrap();
        assert_eq!(closed(dir.path(), "a", &["answered"]), 1);
        assert_eq!(closed(dir.path(), "b", &["answered"]), 0);
        assert_eq!(events(dir.path()).len(), 3);
    }
}
