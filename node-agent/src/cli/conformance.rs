//! `conformance`: which requirement of the field's standards is met by what, and which test shows
//! it. The list is committed; a test of the workspace checks that every test it names exists.

use serde_json::{Value, json};

use super::args::{Conformance, Place};
use super::{Done, ui};

/// Requirement, verdict (`met`, `partly`, `not met`, `outside`: for others to do), evidence and
/// tests, one a line.
const LIST: &str = include_str!("conformance.json");

/// Prints the list, with the software and the policy that it is about.
pub(super) fn conformance(place: &Place, args: &Conformance) -> anyhow::Result<Done> {
    let rows: Vec<Value> = serde_json::from_str(LIST)?;
    if args.json {
        let policy = place.policy().ok().map(|policy| policy.digest);
        let all = json!({
            "schema": "quorate.conformance/1",
            "software": concat!("quorate-node ", env!("CARGO_PKG_VERSION")),
            "policy": policy,
            "requirements": rows,
        });
        ui::say(&all.to_string());
        return Ok(Done::Well);
    }
    for row in &rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        ui::say(&format!(
            "{}: {}: {} ({})",
            text("id"),
            text("verdict"),
            text("requirement"),
            text("evidence")
        ));
    }
    Ok(Done::Well)
}
