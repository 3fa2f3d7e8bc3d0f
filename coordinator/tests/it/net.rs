//! A real coordinator process on loopback, with a custodian who signs what it proposes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use quorate_identity::roster::{cosign, parse_log, write_log};
use quorate_identity::token::EnrolToken;
use quorate_identity::{Signed, SigningKey};
use tempfile::TempDir;

use crate::party::Party;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_quorate-coordinator");

pub(crate) const CODEBOOK: &str = "[codebook]\nformat = 1\nname = 'cvd'\nversion = 1\nunit = 'person.id'\n\
    [table.person]\nrows = 'one-per-unit'\n[table.person.column]\n\
    id = { type = 'int', role = ['unit'] }\n\
    sex = { type = 'int', role = ['filter', 'group'], domain = { 0 = 'female', 1 = 'male' } }\n";

/// A network of one custodian.
pub(crate) struct Net {
    pub(crate) dir: TempDir,
    pub(crate) url: String,
    pub(crate) codebook: String,
    pub(crate) custodian: SigningKey,
    process: Option<Child>,
}

impl Net {
    /// A running coordinator with a founded roster and a published codebook.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = command(
            &dir,
            &[
                "init",
                "--network",
                "heart",
                "--url",
                "https://127.0.0.1:0",
                "--listen",
                "127.0.0.1:0",
            ],
        );
        let key = lines(&made)[0].strip_prefix("key ").unwrap().to_owned();
        let file = dir.path().join("coordinator.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text
            .replace("\"60 s\"", "\"3 s\"")
            .replace("\"20 s\"", "\"1 s\"");
        std::fs::write(&file, text.replace("concurrent = 8", "concurrent = 3")).unwrap();
        let custodian = SigningKey::generate().unwrap();
        let mut net = Self {
            dir,
            url: String::new(),
            codebook: String::new(),
            custodian,
            process: None,
        };
        net.up();
        let founder = format!("c1={}", net.custodian.key_id());
        net.propose(&["genesis", "--custodian", &founder]);
        net.propose(&[
            "add",
            "--role",
            "coordinator",
            "--name",
            "hub",
            "--key",
            &key,
        ]);
        net.publish_signed();
        std::fs::write(net.path("codebook.toml"), CODEBOOK).unwrap();
        let published = net.operate(&["codebook", "publish", &net.text("codebook.toml")]);
        net.codebook = lines(&published)[0].clone();
        net
    }

    /// Starts the process and waits for its ready line.
    pub(crate) fn up(&mut self) {
        let mut run = Command::new(BINARY);
        run.args(["run", "--dir"]).arg(self.dir.path());
        self.up_with(run);
    }

    pub(crate) fn up_with(&mut self, mut run: Command) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let mut child = run.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.process = Some(child);
        let ready: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no ready line: {}", self.log()));
        self.url = ready["url"].as_str().unwrap().to_owned();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.process.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM; how it ended.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let mut child = self.process.take().unwrap();
        let pid = child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        child.wait().unwrap().code()
    }

    /// Runs an operator command that must succeed.
    pub(crate) fn operate(&self, args: &[&str]) -> Output {
        command(&self.dir, args)
    }

    /// Runs an operator command that must fail; what it says.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = raw(&self.dir, args);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn propose(&self, args: &[&str]) {
        let out = self.text("proposal.jsonl");
        let args = [&["roster", "propose"], args, &["--out", &out]].concat();
        self.operate(&args);
    }

    /// What was proposed, signed by the custodian.
    pub(crate) fn sign(&self) -> Vec<Signed> {
        let text = std::fs::read_to_string(self.path("proposal.jsonl")).unwrap();
        let mut entries = parse_log(&text).unwrap();
        entries
            .iter_mut()
            .for_each(|entry| cosign(&self.custodian, entry));
        std::fs::remove_file(self.path("proposal.jsonl")).unwrap();
        entries
    }

    pub(crate) fn publish_signed(&self) {
        std::fs::write(self.path("signed.jsonl"), write_log(&self.sign())).unwrap();
        self.operate(&["roster", "publish", &self.text("signed.jsonl")]);
    }

    pub(crate) fn token(&self, role: &str, name: &str) -> EnrolToken {
        let output = self.operate(&["enrol-token", "--role", role, "--name", name]);
        EnrolToken::parse(&lines(&output)[0]).unwrap()
    }

    /// A party in the roster with a certificate.
    pub(crate) async fn party(&self, role: &str, name: &str) -> Party {
        let key = SigningKey::generate().unwrap();
        self.propose(&[
            "add",
            "--role",
            role,
            "--name",
            name,
            "--key",
            key.key_id().as_str(),
        ]);
        self.publish_signed();
        Party::enrol(&self.token(role, name), key).await.unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Waits until the log says this: the other side of a connection learns of it first.
    pub(crate) async fn logged(&self, words: &str) -> bool {
        for _ in 0..100 {
            if self.log().contains(words) {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        false
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            println!("{}", self.log());
        }
    }
}

fn raw(dir: &TempDir, args: &[&str]) -> Output {
    Command::new(BINARY)
        .arg("--dir")
        .arg(dir.path())
        .args(args)
        .output()
        .unwrap()
}

fn command(dir: &TempDir, args: &[&str]) -> Output {
    let output = raw(dir, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    output
}

pub(crate) fn lines(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}
