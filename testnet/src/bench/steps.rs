//! Time per step of a node's story, as the nodes recorded it in their ledgers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Times, millis};
use crate::evidence;
use crate::network::Network;

/// A table of the steps of all answers of all nodes.
#[must_use]
pub fn table(network: &Network) -> String {
    let mut steps: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for node in network
        .node_names()
        .iter()
        .filter_map(|name| network.node(name).ok())
    {
        for (step, time) in evidence::events(&node.dir).iter().flat_map(read) {
            steps.entry(step).or_default().push(time);
        }
    }
    let mut table = comfy_table::Table::new();
    table.set_header(["step of a node's answer", "times", "p50", "p95"]);
    for (step, times) in steps {
        let times = Times::of(times);
        let row = [
            step,
            times.runs().to_string(),
            millis(times.percentile(50)),
            millis(times.percentile(95)),
        ];
        table.add_row(row);
    }
    table.to_string()
}

/// Steps of one ledger event.
fn read(event: &Value) -> Vec<(String, Duration)> {
    let micros = event.pointer("/cost/micros").and_then(Value::as_object);
    let micros = micros.into_iter().flatten();
    micros
        .filter_map(|(step, time)| Some((step.clone(), Duration::from_micros(time.as_u64()?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_from_closed_questions() {
        let event = serde_json::json!({ "kind": "close", "cost": { "micros": { "plan": 1500 } } });
        assert_eq!(
            read(&event),
            vec![("plan".to_owned(), Duration::from_micros(1500))]
        );
        assert!(read(&serde_json::json!({ "kind": "open" })).is_empty());
    }
}
