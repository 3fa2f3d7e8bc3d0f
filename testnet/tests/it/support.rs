//! What the tests share: finding data, starting networks, asking and reading answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quorate_testnet::network::{Network, Options};
use quorate_testnet::process::Done;
use serde_json::Value;

use crate::oracle::rules::Released;

/// This very build of the test network.
pub(crate) fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_quorate-testnet"))
}

/// `testnet/specs`.
pub(crate) fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")
}

/// A folder of the data that lie beside the workspace; prints why where there is none.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let named = std::env::var_os("QUORATE_SHARED_DATA").map(PathBuf::from);
    let beside = root.ancestors().map(|folder| folder.join("shared/data"));
    let found = named
        .into_iter()
        .chain(beside)
        .map(|data| data.join(name))
        .find(|f| f.is_dir());
    if found.is_none() {
        println!(
            "skipped: no folder `{name}` in QUORATE_SHARED_DATA or shared/data beside the workspace"
        );
    }
    found
}

/// A new folder that outlives its test: shared networks end with the process, not before.
pub(crate) fn scratch() -> PathBuf {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap()
        .keep()
}

/// Starts a network of a shipped spec with `DATA` set.
pub(crate) fn start(spec: &str, data: &Path) -> Network {
    let options = Options::new(exe())
        .set("DATA", &data.display().to_string())
        .folder(&scratch());
    Network::start(&specs().join(spec), &options).unwrap_or_else(|error| panic!("{spec}: {error}"))
}

/// A question's result as JSON, which must have been answered.
pub(crate) fn answer(network: &Network, who: &str, sql: &str) -> Answer {
    let done = ask(network, who, sql, &[]);
    assert_eq!(
        done.code,
        Some(0),
        "{sql}\n{}\n{}",
        done.stdout,
        done.stderr
    );
    let value: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["schema"], "quorate.result/1");
    assert_eq!(value["status"], "answered", "{sql}\n{value:#}");
    Answer(value)
}

/// Asks and returns whatever the command line said.
pub(crate) fn ask(network: &Network, who: &str, sql: &str, more: &[&str]) -> Done {
    let args = ["query", sql, "--format", "json", "--by-site"];
    network.quorate(who, args.iter().chain(more)).unwrap()
}

/// A result.
pub(crate) struct Answer(pub(crate) Value);

/// Key values as printed; `None` is NULL.
pub(crate) type Key = Vec<Option<String>>;

impl Answer {
    /// Rows by the values of the named keys.
    pub(crate) fn rows(&self, keys: &[String]) -> BTreeMap<Key, &Value> {
        let rows = self.0["rows"].as_array().unwrap();
        let found: BTreeMap<Key, &Value> = rows
            .iter()
            .map(|row| {
                (
                    keys.iter()
                        .map(|key| text(&row["key"][key.as_str()]))
                        .collect(),
                    row,
                )
            })
            .collect();
        assert_eq!(found.len(), rows.len(), "a key came twice");
        found
    }

    /// The cell of a row and column.
    pub(crate) fn cell(&self, keys: &[String], key: &Key, column: &str) -> &Value {
        let row = self
            .rows(keys)
            .get(key)
            .copied()
            .unwrap_or_else(|| panic!("no row {key:?}"));
        &row["cells"][column]
    }
}

/// A key value as text, whether it came as number or string.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A setting of whoever runs the tests: which seed, which attack.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the tests: what to replay is read here"
)]
pub(crate) fn wish(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What sites show of what the rules of one cell allow: history withholds more, and only that. Also
/// how many cells that are.
pub(crate) fn beside_others(
    sites: &[impl AsRef<str>],
    allowed: &[Released],
    found: &serde_json::Value,
) -> (Vec<Released>, usize) {
    let mut by_history = 0;
    let of = |(site, allowed): (_, &Released)| {
        let site: &str = AsRef::<str>::as_ref(site);
        if found["sites"].get(site).is_none() && *allowed != Released::Withheld {
            by_history += 1;
            return Released::Withheld;
        }
        allowed.clone()
    };
    let left = sites.iter().zip(allowed).map(of).collect();
    (left, by_history)
}
