//! The benchmark: what a question costs, step by step, and what the same work costs in one process.
//!
//! Everything runs on one machine with full TLS, signatures, ledger and rules of release. The
//! command line's own start is measured apart, because a program that stays up does not pay it.

pub mod disclosure;
pub mod steps;
pub mod tpch;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use crate::clock;
use crate::network::{Network, Options};
use crate::print;
use tpch::Pooled;

/// The shipped spec, codebook and template of a policy.
const FILES: [(&str, &str); 3] = [
    ("spec.toml", include_str!("../../specs/tpch/spec.toml")),
    (
        "codebook.toml",
        include_str!("../../specs/tpch/codebook.toml"),
    ),
    ("node.toml", include_str!("../../specs/tpch/node.toml")),
];

/// A question, as a researcher asks it and as the plain engine runs it.
const QUESTIONS: [(&str, &str, &str); 3] = [
    ("small count", tpch::SMALL, tpch::POOLED_SMALL),
    ("TPC-H Q1", tpch::Q1, tpch::POOLED_Q1),
    ("TPC-H Q6", tpch::Q6, tpch::POOLED_Q6),
];

/// How this program was built.
const PROFILE: &str = if cfg!(debug_assertions) {
    "unoptimised (dev)"
} else {
    "release"
};

/// Times of one thing, ascending.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Measures something several times.
    ///
    /// # Errors
    /// When it fails once.
    pub fn measure(
        runs: u32,
        mut what: impl FnMut() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<Self> {
        let times: anyhow::Result<Vec<Duration>> = (0..runs).map(|_| what()).collect();
        Ok(Self::of(times?))
    }

    /// Times that were measured elsewhere.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many in a hundred do not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let rank = (self.0.len() * percent)
            .div_ceil(100)
            .saturating_sub(1)
            .min(last);
        self.0.get(rank).copied().unwrap_or_default()
    }

    /// Number of measurements.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.0.len()
    }
}

/// Runs the benchmark and prints its tables.
///
/// # Errors
/// When a party cannot be started, or an answer differs from the plain engine's.
pub fn run(exe: &Path, scale: f64, runs: u32) -> anyhow::Result<ExitCode> {
    let dir = tempfile::Builder::new()
        .prefix("quorate-bench-")
        .tempdir()?;
    print::note(&format!(
        "TPC-H at scale {scale}, a quarter for each of four nodes ..."
    ));
    let data = dir.path().join("data");
    tpch::write(&data, scale)?;
    let spec = dir.path().join("spec");
    std::fs::create_dir_all(&spec)?;
    for (name, text) in FILES {
        std::fs::write(spec.join(name), text)?;
    }
    print::out(&format!(
        "Build: {PROFILE}. Four nodes, one coordinator, one machine, loopback.\n"
    ));
    let pooled = Pooled::open(&data)?;
    for slot in ["0 ms", "250 ms"] {
        let options = Options::new(exe)
            .set("DATA", &data.display().to_string())
            .set("SLOT", slot)
            .folder(&dir.path().join(slot.replace(' ', "-")));
        let mut network = Network::start(&spec.join("spec.toml"), &options)?;
        if slot == "0 ms" {
            print::out(&format!(
                "Resident memory of idle nodes: {}\n",
                memory(&network)
            ));
        }
        print::out(&format!("Latency slot {slot}:"));
        questions(&network, &pooled, runs)?;
        network.stop();
    }
    Ok(ExitCode::SUCCESS)
}

fn questions(network: &Network, pooled: &Pooled, runs: u32) -> anyhow::Result<()> {
    let start = Times::measure(runs.min(5), || {
        timed(network, &["--version"]).map(|(time, _)| time)
    })?;
    let start = start.percentile(50);
    let mut table = comfy_table::Table::new();
    table.set_header([
        "question",
        "runs",
        "p50",
        "p95",
        "p50 without program start",
        "one process, pooled p50",
        "ratio",
    ]);
    for (name, sql, plain) in QUESTIONS {
        let (_, first) = timed(network, &["query", sql, "--format", "json"])?;
        let (_, wanted) = pooled.ask(plain)?;
        same(name, &first, &wanted)?;
        let here = Times::measure(runs, || {
            timed(network, &["query", sql, "--format", "json"]).map(|(time, _)| time)
        })?;
        let there = Times::measure(runs, || pooled.ask(plain).map(|(time, _)| time))?;
        let net = here.percentile(50).saturating_sub(start);
        let ratio = net.as_secs_f64() / there.percentile(50).as_secs_f64().max(1e-9);
        table.add_row([
            name.to_owned(),
            here.runs().to_string(),
            millis(here.percentile(50)),
            millis(here.percentile(95)),
            millis(net),
            millis(there.percentile(50)),
            format!("{ratio:.1}"),
        ]);
    }
    print::out(&table.to_string());
    print::out(&format!(
        "Start of the command line itself: {} p50.\n",
        millis(start)
    ));
    print::out(&steps::table(network));
    Ok(())
}

/// Runs a `quorate` command and returns its time and what it printed.
fn timed(network: &Network, args: &[&str]) -> anyhow::Result<(Duration, String)> {
    let start = clock::now();
    let done = network.quorate("alice", args)?;
    let time = start.elapsed();
    anyhow::ensure!(
        done.code == Some(0),
        "{args:?}: {}{}",
        done.stdout,
        done.stderr
    );
    Ok((time, done.stdout))
}

/// Every number of the network's table is the plain engine's, to its last digits.
fn same(name: &str, ours: &str, plain: &[Value]) -> anyhow::Result<()> {
    let ours: Value = serde_json::from_str(ours)?;
    let rows = ours
        .get("rows")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    anyhow::ensure!(
        rows.len() == plain.len(),
        "{name}: {} rows, pooled {}",
        rows.len(),
        plain.len()
    );
    for (row, wanted) in rows.iter().zip(plain) {
        let cells = row
            .get("cells")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        for (column, cell) in cells {
            let shown = cell
                .get("value")
                .and_then(Value::as_str)
                .and_then(|v| v.parse::<f64>().ok());
            let wanted = wanted.get(&column).and_then(number);
            let (Some(shown), Some(wanted)) = (shown, wanted) else {
                anyhow::bail!("{name}, {column}: {shown:?}, pooled {wanted:?}")
            };
            // the plain engine's averages of decimals carry six digits after the point
            let near = (shown - wanted).abs() <= 1e-6 + wanted.abs() * 1e-12;
            anyhow::ensure!(near, "{name}, {column}: {shown}, pooled {wanted}");
        }
    }
    Ok(())
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// Resident memory of every node, from the kernel.
fn memory(network: &Network) -> String {
    let resident = |name: &String| {
        let pid = network.node_pid(name)?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(format!("{name} {} MiB", kilobytes / 1024))
    };
    network
        .node_names()
        .iter()
        .filter_map(resident)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A duration in milliseconds with one digit.
#[must_use]
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let times = Times::of((1..=20).rev().map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50), Duration::from_millis(10));
        assert_eq!(times.percentile(95), Duration::from_millis(19));
        assert_eq!(times.percentile(100), Duration::from_millis(20));
        assert_eq!(Times::default().percentile(50), Duration::ZERO);
    }

    #[test]
    fn a_wrong_number_is_seen() {
        let ours = r#"{"rows":[{"cells":{"n":{"value":"5"}}}]}"#;
        let plain = |n: i64| vec![serde_json::json!({ "n": n })];
        assert!(same("x", ours, &plain(5)).is_ok());
        assert!(same("x", ours, &plain(6)).is_err());
        assert!(same("x", ours, &[]).is_err());
    }
}
