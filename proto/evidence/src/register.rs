//! The public register of data use, made from nodes' extracts and project records and from nothing
//! else: the same files give the same page, table and JSON to the byte, so that an output that was
//! removed, or a project that was forgotten, is noticed by whoever makes the register again.
//!
//! Fields have the keys of the HDR UK data use register, then ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::extract::{Extract, Output, Use};

/// Keys of the HDR UK data use register, in its order.
pub const HDR_KEYS: [&str; 30] = [
    "project_title",
    "project_id_text",
    "organisation_name",
    "organisation_id",
    "organisation_sector",
    "non_gateway_applicants",
    "funders_and_sponsors",
    "accredited_researcher_status",
    "sublicence_arrangements",
    "lay_summary",
    "public_benefit_statement",
    "request_category_type",
    "technical_summary",
    "other_approval_committees",
    "project_start_date",
    "project_end_date",
    "latest_approval_date",
    "non_gateway_datasets",
    "data_sensitivity_level",
    "legal_basis_for_data_article6",
    "legal_basis_for_data_article9",
    "duty_of_confidentiality",
    "national_data_optout",
    "request_frequency",
    "dataset_linkage_description",
    "confidential_data_description",
    "access_date",
    "access_type",
    "privacy_enhancements",
    "non_gateway_outputs",
];

/// Counts of questions below this are shown as less than it.
const FEW: u64 = 10;

/// The register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Which network.
    pub network: String,
    /// Where each node's ledger stood: its size, root and time, by node.
    pub checkpoints: BTreeMap<String, Checkpoint>,
    /// How often an operator was let read a question that is closed to operators, by node.
    #[serde(default)]
    pub break_glass: BTreeMap<String, u64>,
    /// One line a project.
    pub projects: Vec<Line>,
}

/// Where a node's ledger stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Records.
    pub size: u64,
    /// Root over them.
    pub root: String,
    /// Day of the last of them.
    pub day: String,
}

/// A project's line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The fields of the HDR UK register; empty where the project's record does not say.
    pub hdr: BTreeMap<String, String>,
    /// Nodes taking part.
    pub nodes: BTreeSet<String>,
    /// Questions that ran, over all nodes.
    pub questions_run: String,
    /// Questions that were refused, over all nodes.
    pub questions_refused: String,
    /// Answers that left, over all nodes.
    pub outputs_released: u64,
    /// Cells withheld, of tables that list all of their cells.
    pub cells_withheld: String,
    /// How answers were let out.
    pub release_modes: BTreeSet<String>,
    /// Policies in force.
    pub policies: BTreeSet<String>,
    /// Codebooks that questions were read against.
    pub codebooks: BTreeSet<String>,
    /// Day of the last question.
    pub last_activity: String,
    /// Digests of the project's records.
    pub records: BTreeSet<String>,
    /// Every answer that left, by node and record.
    pub outputs: Vec<Released>,
}

/// An answer that left a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The node.
    pub node: String,
    /// What its ledger says.
    #[serde(flatten)]
    pub output: Output,
}

/// Why no register can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Extracts of several networks.
    #[error("the extracts are of several networks: {0} and {1}")]
    Networks(String, String),
    /// Two extracts of one node.
    #[error("two extracts of the node `{0}`: keep the longer one")]
    Twice(String),
    /// A project record that a ledger names is not among the files.
    #[error("the record {digest} of project `{project}` is not among the files")]
    NoRecord {
        /// The project.
        project: String,
        /// Its record.
        digest: String,
    },
}

/// Makes the register. `records` are the payloads of project records, by their digests; only those
/// that ledgers name are used.
///
/// # Errors
/// If the extracts do not fit together, or a record is missing.
pub fn build(
    extracts: &[Extract],
    records: &BTreeMap<String, Value>,
) -> Result<Register, RegisterError> {
    let mut register = Register::default();
    let mut uses: BTreeMap<&str, BTreeMap<&str, &Use>> = BTreeMap::new();
    let mut accepted: BTreeMap<&str, i64> = BTreeMap::new();
    for extract in extracts {
        for (record, time) in &extract.accepted {
            let last = accepted.entry(record).or_default();
            *last = (*last).max(*time);
        }
        if register.network.is_empty() {
            register.network.clone_from(&extract.network);
        } else if register.network != extract.network {
            let other = extract.network.clone();
            return Err(RegisterError::Networks(register.network, other));
        }
        let glasses = u64::try_from(extract.glasses.len()).unwrap_or(u64::MAX);
        register.break_glass.insert(extract.node.clone(), glasses);
        let checkpoint = Checkpoint {
            size: extract.size,
            root: extract.root.to_string(),
            day: day(extract.time),
        };
        let known = register
            .checkpoints
            .insert(extract.node.clone(), checkpoint);
        if known.is_some() {
            return Err(RegisterError::Twice(extract.node.clone()));
        }
        for (project, used) in &extract.projects {
            uses.entry(project).or_default().insert(&extract.node, used);
        }
    }
    for (project, nodes) in uses {
        let mut line = line(project, &nodes, records)?;
        let last = line
            .records
            .iter()
            .filter_map(|record| accepted.get(record.as_str()));
        if let (Some(time), Some(field)) = (last.max(), line.hdr.get_mut("latest_approval_date")) {
            *field = day(*time);
        }
        register.projects.push(line);
    }
    Ok(register)
}

fn line(
    project: &str,
    nodes: &BTreeMap<&str, &Use>,
    records: &BTreeMap<String, Value>,
) -> Result<Line, RegisterError> {
    let sum = |part: fn(&Use) -> u64| nodes.values().map(|used| part(used)).sum::<u64>();
    let all = |part: fn(&Use) -> &BTreeSet<String>| -> BTreeSet<String> {
        nodes.values().flat_map(|used| part(used).clone()).collect()
    };
    let digests = all(|used| &used.records);
    let mut newest: Option<&Value> = None;
    for digest in &digests {
        let record = records.get(digest).ok_or_else(|| RegisterError::NoRecord {
            project: project.to_owned(),
            digest: digest.clone(),
        })?;
        let version = |value: &Value| value.get("version").and_then(Value::as_u64);
        newest = newest
            .filter(|known| version(known) >= version(record))
            .or(Some(record));
    }
    let mut outputs = Vec::new();
    for (node, used) in nodes {
        outputs.extend(used.outputs.iter().map(|output| Released {
            node: (*node).to_owned(),
            output: output.clone(),
        }));
    }
    Ok(Line {
        hdr: hdr(project, nodes, newest),
        nodes: nodes.keys().map(|node| (*node).to_owned()).collect(),
        questions_run: few(sum(|used| used.questions_run)),
        questions_refused: few(sum(|used| used.questions_refused)),
        outputs_released: u64::try_from(outputs.len()).unwrap_or(u64::MAX),
        cells_withheld: few(sum(|used| used.cells_withheld)),
        release_modes: all(|used| &used.release_modes),
        policies: all(|used| &used.policies),
        codebooks: all(|used| &used.codebooks),
        last_activity: day(nodes.values().map(|used| used.last).max().unwrap_or(0)),
        records: digests,
        outputs,
    })
}

/// The fields that the project's record and the ledgers fill.
fn hdr(
    project: &str,
    nodes: &BTreeMap<&str, &Use>,
    record: Option<&Value>,
) -> BTreeMap<String, String> {
    let all = |part: fn(&Use) -> &BTreeSet<String>| {
        let found: BTreeSet<&str> = nodes
            .values()
            .flat_map(|used| part(used).iter().map(String::as_str))
            .collect();
        found.into_iter().collect::<Vec<_>>().join("; ")
    };
    let tables = || {
        let columns = nodes.values().flat_map(|used| &used.columns);
        let tables: BTreeSet<&str> = columns
            .filter_map(|column| column.split('.').next())
            .collect();
        tables.into_iter().collect::<Vec<_>>().join("; ")
    };
    let first = nodes.values().map(|used| used.first).min().unwrap_or(0);
    let mut fields: BTreeMap<String, String> = HDR_KEYS
        .iter()
        .map(|key| ((*key).to_owned(), String::new()))
        .collect();
    let mut set = |key: &str, text: String| {
        if let Some(field) = fields.get_mut(key).filter(|_| !text.is_empty()) {
            *field = text;
        }
    };
    set("project_id_text", project.to_owned());
    set("organisation_name", all(|used| &used.organisations));
    set(
        "legal_basis_for_data_article6",
        all(|used| &used.legal_bases),
    );
    set("non_gateway_datasets", tables());
    set("access_date", day(first));
    set("access_type", "TRE".to_owned());
    set(
        "privacy_enhancements",
        "federated: no row leaves a node; thresholds, rounding and comparison with every earlier release".to_owned(),
    );
    if let Some(record) = record {
        from_record(record, &mut set);
    }
    fields
}

fn from_record(record: &Value, set: &mut impl FnMut(&str, String)) {
    let text = |path: &str| {
        let found = record.pointer(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let date = |path: &str| {
        let found = record.pointer(path).and_then(Value::as_i64);
        found.map(day).unwrap_or_default()
    };
    for (key, path) in [
        ("project_title", "/title"),
        ("organisation_name", "/organisation"),
        ("lay_summary", "/lay_summary"),
        ("public_benefit_statement", "/public_benefit"),
        ("request_category_type", "/purpose"),
        ("legal_basis_for_data_article6", "/legal/article6"),
        ("legal_basis_for_data_article9", "/legal/article9"),
        ("duty_of_confidentiality", "/legal/confidentiality"),
        ("national_data_optout", "/legal/opt_out"),
        ("other_approval_committees", "/ethics"),
    ] {
        set(key, text(path));
    }
    set("project_start_date", date("/starts"));
    set("project_end_date", date("/expires"));
}

fn few(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        few if few < FEW => format!("<{FEW}"),
        many => many.to_string(),
    }
}

/// The day of a moment (UTC), as 2026-11-22; empty for 0.
fn day(time: i64) -> String {
    if time <= 0 {
        return String::new();
    }
    // Days to a civil date, after the well-known rule of 400-year eras beginning in March.
    let days = time.div_euclid(86_400) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

impl Register {
    /// As JSON, the same bytes every time.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// As a table: the HDR UK keys, then ours; one line a project.
    #[must_use]
    pub fn csv(&self) -> String {
        let ours = [
            "nodes",
            "questions_run",
            "questions_refused",
            "outputs_released",
            "cells_withheld",
            "release_modes",
            "policies",
            "codebooks",
            "last_activity",
            "checkpoints",
        ];
        let header: Vec<&str> = HDR_KEYS.into_iter().chain(ours).collect();
        let mut text = header.join(",") + "\r\n";
        for line in &self.projects {
            let hdr = HDR_KEYS
                .iter()
                .map(|key| line.hdr.get(*key).cloned().unwrap_or_default());
            let fields: Vec<String> = hdr.chain(self.ours(line)).map(|f| quoted(&f)).collect();
            text += &(fields.join(",") + "\r\n");
        }
        text
    }

    fn ours(&self, line: &Line) -> [String; 10] {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join("; ");
        let place = |node: &String| {
            let at = self.checkpoints.get(node)?;
            Some(format!("{node} {} {}", at.size, at.root))
        };
        let places: Vec<String> = line.nodes.iter().filter_map(place).collect();
        [
            list(&line.nodes),
            line.questions_run.clone(),
            line.questions_refused.clone(),
            line.outputs_released.to_string(),
            line.cells_withheld.clone(),
            list(&line.release_modes),
            list(&line.policies),
            list(&line.codebooks),
            line.last_activity.clone(),
            places.join("; "),
        ]
    }

    /// As a page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = String::from(HEAD);
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "<h1>Data use register: {}</h1>",
            escaped(&self.network)
        );
        for line in &self.projects {
            self.section(&mut page, line);
        }
        page.push_str("<h2>Ledgers</h2>\n<table>\n<tr><th>node</th><th>records</th><th>root</th><th>until</th><th>break-glass</th></tr>\n");
        for (node, at) in &self.checkpoints {
            let (name, root) = (escaped(node), escaped(&at.root));
            let glasses = self.break_glass.get(node).copied().unwrap_or(0);
            let _ = writeln!(
                page,
                "<tr><td>{name}</td><td>{}</td><td><code>{root}</code></td><td>{}</td><td>{glasses}</td></tr>",
                at.size, at.day
            );
        }
        page.push_str("</table>\n</body>\n</html>\n");
        page
    }

    fn section(&self, page: &mut String, line: &Line) {
        let field = |key: &str| line.hdr.get(key).cloned().unwrap_or_default();
        let id = field("project_id_text");
        let title = Some(field("project_title")).filter(|title| !title.is_empty());
        let title = title.unwrap_or_else(|| id.clone());
        let _ = writeln!(
            page,
            "<h2 id=\"{0}\">{1}</h2>\n<table>",
            escaped(&id),
            escaped(&title)
        );
        let names = [
            "nodes",
            "questions run",
            "questions refused",
            "outputs released",
            "cells withheld",
            "release modes",
            "policies",
            "codebooks",
            "last activity",
            "ledgers",
        ];
        let hdr = HDR_KEYS
            .iter()
            .map(|key| (key.replace('_', " "), field(key)));
        let ours = names.into_iter().map(str::to_owned).zip(self.ours(line));
        for (name, value) in hdr.chain(ours).filter(|(_, value)| !value.is_empty()) {
            let value = escaped(&value);
            let _ = writeln!(page, "<tr><th>{name}</th><td>{value}</td></tr>");
        }
        page.push_str("</table>\n<details><summary>outputs</summary>\n<table>\n<tr><th>node</th><th>record</th><th>day</th><th>question</th><th>table</th></tr>\n");
        for Released { node, output } in &line.outputs {
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
                escaped(node),
                output.record,
                day(output.time),
                escaped(&output.question_hash),
                escaped(&output.tables)
            );
        }
        page.push_str("</table>\n</details>\n");
    }
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<title>Data use register</title>
<style>body{font-family:sans-serif;max-width:60em;margin:auto;padding:1em}table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}code{font-size:80%}</style>
</head>
<body>
";

/// A field of a table after RFC 4180; one that a spreadsheet would run as a formula is quoted.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let field = if formula {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

/// Text that is no markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
