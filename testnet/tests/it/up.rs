//! `up`: the ready line, and that nothing stays behind, however the test network ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorate_testnet::clock;
use quorate_testnet::generate::model::{HOSPITALS, concept};
use quorate_testnet::generate::{self, tables, write};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support;

/// Starts a spec with one small hospital and returns its ready line.
fn up(dir: &Path) -> (Child, Value) {
    let people = generate::patients(1, 3, &HOSPITALS[3], 10);
    write::write(
        &tables::tables(&people),
        &dir.join("data"),
        write::Format::Csv,
    )
    .unwrap();
    let omop = support::specs().join("omop");
    let spec = format!(
        "[network]\nformat = 1\nname = \"one\"\ncodebook = \"{}\"\n\n[[node]]\nname = \"westlake\"\n\
         policy = \"{}\"\ndata = {{ DATA = \"${{DATA}}\" }}\n\n[[researcher]]\nname = \"alice\"\nprojects = [\"study-1\"]\n",
        omop.join("codebook.toml").display(),
        omop.join("node.toml").display()
    );
    std::fs::write(dir.join("spec.toml"), spec).unwrap();
    let mut child = Command::new(support::exe())
        .args([
            "up",
            "--spec",
            "spec.toml",
            "--set",
            "DATA=data",
            "--dir",
            "network",
        ])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (
        child,
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no ready line: {line}")),
    )
}

/// The process ids of all parties: of nodes from the ready line, of the coordinator from its folder.
fn pids(ready: &Value, dir: &Path) -> Vec<i32> {
    let nodes = ready["nodes"].as_object().unwrap().values();
    let mut pids: Vec<i32> = nodes
        .map(|n| i32::try_from(n["pid"].as_i64().unwrap()).unwrap())
        .collect();
    let folder = dir.join("network/coordinator").canonicalize().unwrap();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        let inside = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        pids.extend(pid.filter(|_| inside));
    }
    pids
}

fn alive(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status
        .rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

fn all_gone(pids: &[i32]) -> bool {
    let gone = || pids.iter().all(|pid| !alive(*pid)).then_some(());
    clock::wait_for(Duration::from_secs(15), gone).is_some()
}

fn stop_by(end: impl FnOnce(&mut Child)) -> std::process::ExitStatus {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, ready) = up(dir.path());
    let pids = pids(&ready, dir.path());
    assert_eq!(pids.len(), 2, "one node and the coordinator: {ready}");
    assert!(pids.iter().all(|pid| alive(*pid)));
    let home = ready["researchers"]["alice"]["home"].as_str().unwrap();
    let asked = Command::new(support::exe())
        .args(["role", "cli", "query", "SELECT count(*) AS n FROM person"])
        .env("QUORATE_HOME", home)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    end(&mut child);
    let status = child.wait().unwrap();
    assert!(all_gone(&pids), "somebody stayed behind");
    status
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn the_first_command_of_the_readme_ends_with_three_correct_tables() {
    let done = Command::new(support::exe())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let everyone = "Answered  eastgate, northfield, southport, westlake";
    assert_eq!(said.matches(everyone).count(), 3, "{said}");
    for gender in [concept::MALE, concept::FEMALE] {
        let patients: usize = (0..)
            .zip(&HOSPITALS)
            .map(|(place, hospital)| generate::patients(1, place, hospital, 100))
            .map(|people| people.iter().filter(|p| p.gender == gender).count())
            .map(|n| (n + 2) / 5 * 5)
            .sum();
        let line = said
            .lines()
            .find(|line| line.trim_start().starts_with(&gender.to_string()));
        assert!(
            line.is_some_and(|line| line.contains(&format!(" {patients} "))),
            "{said}"
        );
    }
}

#[test]
fn the_end_of_input_stops_everyone() {
    let status = stop_by(|child| drop(child.stdin.take()));
    assert!(status.success());
}

#[test]
fn sigterm_stops_everyone() {
    let status = stop_by(|child| signal(child, Signal::TERM));
    assert!(status.success());
}

#[test]
fn even_kill_leaves_nobody_behind() {
    let status = stop_by(|child| signal(child, Signal::KILL));
    assert!(!status.success());
}

#[test]
fn a_spec_with_mistakes_tells_them_and_starts_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spec.toml");
    std::fs::write(
        &path,
        "[network]\nformat = 1\nname = \"X\"\n\n[[node]]\nname = \"a\"\n",
    )
    .unwrap();
    let done = Command::new(support::exe())
        .arg("up")
        .arg("--spec")
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr);
    for part in ["spec.toml:", "codebook", "policy", "lower-case"] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    let done = Command::new(support::exe()).arg("upp").output().unwrap();
    assert_eq!(done.status.code(), Some(64));
}

#[test]
fn the_demonstration_stays_up_without_an_input_until_it_is_told_to_end() {
    let mut child = Command::new(support::exe())
        .arg("--keep")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let home = lines.find_map(|line| {
        let line = line.unwrap();
        line.trim()
            .strip_prefix("export QUORATE_HOME=")
            .map(str::to_owned)
    });
    let asked = Command::new(support::exe())
        .args(["role", "cli", "query", "SELECT count(*) AS n FROM person"])
        .env("QUORATE_HOME", home.unwrap())
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(lines.all(|line| line.is_ok()));
}
