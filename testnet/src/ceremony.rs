//! How a network comes to be: the real commands, in the order in which people run them.
//!
//! Every step is a command of one party in that party's folder; `logs/ceremony.log` holds all of
//! them. Every hospital has a custodian, whose signing key is not the node's. The first custodian
//! founds the roster; from the third custodian on an entry needs two of their signatures.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::clock::wait_for;
use crate::network::{NetworkError, tail};
use crate::process::{Line, Party, Role, secretless};
use crate::spec::{NodeSpec, ResearcherSpec, Spec};
use crate::template::Values;

/// The ground that the parties of one network stand on: folders, custodians, codebook.
#[derive(Debug)]
pub struct Ground {
    /// The binary that plays every role.
    pub exe: PathBuf,
    /// Folder with everything.
    pub dir: PathBuf,
    /// Digest of the published codebook.
    pub codebook: String,
    /// Fingerprint of the founder's key.
    pub genesis: String,
    custodians: Vec<Custodian>,
    coordinator_key: String,
}

#[derive(Debug)]
struct Custodian {
    name: String,
    key_file: PathBuf,
    key: String,
    node_key: String,
}

/// Someone to be entered into the roster.
#[derive(Clone, Debug)]
pub struct Member {
    /// Role word.
    pub role: &'static str,
    /// Name.
    pub name: String,
    /// Identity key.
    pub key: String,
}

/// How long the coordinator may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

impl Ground {
    /// Coordinator, codebook and custodians' keys.
    ///
    /// # Errors
    /// When a command fails.
    pub fn lay(exe: &Path, dir: &Path, spec: &Spec) -> Result<Self, NetworkError> {
        let mut ground = Self {
            exe: exe.into(),
            dir: dir.into(),
            codebook: String::new(),
            genesis: String::new(),
            custodians: Vec::new(),
            coordinator_key: String::new(),
        };
        let url = format!("https://127.0.0.1:{}", spec.port);
        let listen = format!("127.0.0.1:{}", spec.port);
        let init = [
            "init",
            "--network",
            &spec.name,
            "--url",
            &url,
            "--listen",
            &listen,
        ];
        let made = ground.step(&ground.operator(&init))?;
        ground.coordinator_key = word(&made, "key ", "init")?;
        let codebook = spec.codebook.display().to_string();
        let published = ground.step(&ground.operator(&["codebook", "publish", &codebook]))?;
        ground.codebook = word(&published, "sha256:", "codebook publish")?;
        for node in &spec.nodes {
            let state = ground.state(node, spec)?;
            ground
                .custodians
                .push(ground.custodian(&node.name, &state)?);
        }
        let founder = ground.custodians.first();
        ground.genesis = founder
            .map(|founder| founder.key.clone())
            .unwrap_or_default();
        Ok(ground)
    }

    /// The command that serves.
    #[must_use]
    pub fn coordinator_run(&self) -> Line {
        self.operator(&["run"])
    }

    /// The command that a node runs for good.
    #[must_use]
    pub fn node_run(&self, name: &str) -> Line {
        self.node(name, &["run"])
    }

    fn operator(&self, args: &[&str]) -> Line {
        Line::new(&self.exe, Role::Coordinator, &self.dir.join("coordinator")).args(args)
    }

    fn node(&self, name: &str, args: &[&str]) -> Line {
        Line::new(&self.exe, Role::Node, &self.dir.join("nodes").join(name)).args(args)
    }

    /// Runs one command of the ceremony and writes it down.
    fn step(&self, line: &Line) -> Result<String, NetworkError> {
        let path = self.dir.join("logs/ceremony.log");
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let mut log = log.map_err(|e| NetworkError::file(&path, e))?;
        let told = line.succeed();
        let shown = match &told {
            Ok(output) => secretless(output),
            Err(error) => error.to_string(),
        };
        writeln!(log, "$ {}\n{}", line.words(), shown.trim_end())
            .map_err(|e| NetworkError::file(&path, e))?;
        Ok(told?)
    }

    /// A custodian makes two keys: its own, which signs the roster, and the node's.
    fn custodian(&self, name: &str, state: &Path) -> Result<Custodian, NetworkError> {
        let folder = self.dir.join("custodians").join(name);
        for folder in [&folder, &self.node_dir(name)] {
            std::fs::create_dir_all(folder).map_err(|e| NetworkError::file(folder, e))?;
        }
        let key_file = folder.join("custodian.key");
        let path = key_file.display().to_string();
        let init = ["init", "--json", "--name", name, "--custodian-key", &path];
        let made = self.step(
            &self
                .node(name, &init)
                .args([OsStr::new("--state"), state.as_os_str()]),
        )?;
        let keys: Value = serde_json::from_str(made.trim()).unwrap_or_default();
        let key = |role: &str| keys.get(role).and_then(Value::as_str).map(str::to_owned);
        match (key("custodian"), key("node")) {
            (Some(key), Some(node_key)) => Ok(Custodian {
                name: name.to_owned(),
                key_file,
                key,
                node_key,
            }),
            _ => Err(NetworkError::Output {
                command: "init --json".into(),
                what: "two keys",
                output: made,
            }),
        }
    }

    /// Where the coordinator listens, once it does.
    ///
    /// # Errors
    /// When it ends or does not listen in time.
    pub fn coordinator_address(
        &self,
        coordinator: &mut Party,
    ) -> Result<(String, SocketAddr), NetworkError> {
        let ready = wait_for(PATIENCE, || {
            let log = coordinator.log();
            let line = log
                .lines()
                .find(|line| line.starts_with('{') && line.contains("\"ready\""));
            let found = line.and_then(|line| serde_json::from_str::<Value>(line).ok());
            (found.is_some() || !coordinator.alive()).then_some(found)
        });
        let told = ready.flatten().and_then(|ready| {
            let text = |name: &str| ready.get(name).and_then(Value::as_str).map(str::to_owned);
            Some((text("url")?, text("listen")?.parse().ok()?))
        });
        told.ok_or_else(|| NetworkError::NotReady {
            who: "the coordinator".into(),
            log: tail(&coordinator.log()),
        })
    }

    /// A researcher makes a key; returns the home and the key.
    ///
    /// # Errors
    /// When the command fails.
    pub fn researcher_key(&self, name: &str) -> Result<(PathBuf, String), NetworkError> {
        let home = self.dir.join("researchers").join(name);
        std::fs::create_dir_all(&home).map_err(|e| NetworkError::file(&home, e))?;
        let line = Line::new(&self.exe, Role::Cli, &home)
            .home(&home)
            .args(["login"]);
        let key = word(&self.step(&line)?, "ed25519:", "login")?;
        Ok((home, key))
    }

    /// A custodian writes the node's policy; returns the folder.
    ///
    /// # Errors
    /// When the template has a mistake or the file cannot be written.
    pub fn write_policy(
        &self,
        node: &NodeSpec,
        url: &str,
        researchers: &BTreeMap<String, String>,
    ) -> Result<PathBuf, NetworkError> {
        let dir = self.node_dir(&node.name);
        std::fs::create_dir_all(&dir).map_err(|e| NetworkError::file(&dir, e))?;
        let policy = self.policy(node, url, researchers)?;
        let path = dir.join("policy.toml");
        std::fs::write(&path, policy).map_err(|e| NetworkError::file(&path, e))?;
        Ok(dir)
    }

    /// The filled-in template of a node's policy.
    fn policy(
        &self,
        node: &NodeSpec,
        url: &str,
        researchers: &BTreeMap<String, String>,
    ) -> Result<String, NetworkError> {
        let mut values = Values::default();
        for (name, value) in &node.data {
            values.set(name, value);
        }
        for (name, key) in researchers {
            values.set(format!("key:{name}"), key);
        }
        values.set("node", &node.name);
        values.set("coordinator", url);
        values.set("genesis", &self.genesis);
        values.set("codebook", &self.codebook);
        values.set("dir", self.node_dir(&node.name).display().to_string());
        let template = std::fs::read_to_string(&node.policy)
            .map_err(|e| NetworkError::file(&node.policy, e))?;
        values
            .fill(&template)
            .map_err(|source| NetworkError::Template {
                path: node.policy.display().to_string(),
                source,
            })
    }

    fn node_dir(&self, name: &str) -> PathBuf {
        self.dir.join("nodes").join(name)
    }

    /// Where the policy will want the node's state: keys are made before there is a policy, since
    /// the policy names keys.
    fn state(&self, node: &NodeSpec, spec: &Spec) -> Result<PathBuf, NetworkError> {
        let nobody = spec
            .researchers
            .iter()
            .map(|r| (r.name.clone(), String::new()))
            .collect();
        let policy = self.policy(node, "", &nobody)?;
        let document = policy.parse::<toml_edit::DocumentMut>().unwrap_or_default();
        let state = document.get("node").and_then(|node| node.get("state"));
        let state = state.and_then(toml_edit::Item::as_str).unwrap_or("state");
        Ok(self.node_dir(&node.name).join(state))
    }

    /// The key that a node's custodian made for it.
    #[must_use]
    pub fn node_key(&self, name: &str) -> Option<&str> {
        let custodian = self
            .custodians
            .iter()
            .find(|custodian| custodian.name == name);
        custodian.map(|custodian| custodian.node_key.as_str())
    }

    /// The custodians found the roster and enter everyone into it.
    ///
    /// # Errors
    /// When a command fails.
    pub fn found(&self, members: &[Member]) -> Result<(), NetworkError> {
        let (Some(founder), others) = (self.custodians.first(), self.custodians.get(1..)) else {
            return Ok(());
        };
        let custodian = |c: &Custodian| Member {
            role: "custodian",
            name: c.name.clone(),
            key: c.key.clone(),
        };
        let others: Vec<Member> = others.unwrap_or_default().iter().map(custodian).collect();
        let genesis = self.paper("1-genesis.jsonl");
        let pair = format!("{}={}", founder.name, founder.key);
        let propose = [
            "roster",
            "propose",
            "genesis",
            "--custodian",
            &pair,
            "--out",
            &genesis,
        ];
        self.step(&self.operator(&propose))?;
        let (second, later) = others.split_at(others.len().min(1));
        self.propose(second, &genesis)?;
        self.sign_and_publish(&genesis, 1)?;
        let everyone = self.paper("2-members.jsonl");
        let coordinator = Member {
            role: "coordinator",
            name: "coordinator".into(),
            key: self.coordinator_key.clone(),
        };
        let later = [later, &[coordinator], members].concat();
        self.propose(&later, &everyone)?;
        self.sign_and_publish(&everyone, 2)
    }

    /// Enters members into the roster that there is already.
    ///
    /// # Errors
    /// When a command fails.
    pub fn enter(&self, members: &[Member], paper: &str) -> Result<(), NetworkError> {
        let paper = self.paper(paper);
        self.propose(members, &paper)?;
        self.sign_and_publish(&paper, 2)
    }

    fn paper(&self, name: &str) -> String {
        self.dir.join("custodians").join(name).display().to_string()
    }

    fn propose(&self, members: &[Member], paper: &str) -> Result<(), NetworkError> {
        for member in members {
            let Member { role, name, key } = member;
            let propose = [
                "roster", "propose", "add", "--role", role, "--name", name, "--key", key,
            ];
            self.step(&self.operator(&propose).args(["--out", paper]))?;
        }
        Ok(())
    }

    fn sign_and_publish(&self, paper: &str, signatures: usize) -> Result<(), NetworkError> {
        for custodian in self.custodians.iter().take(signatures) {
            let folder = self.dir.join("custodians").join(&custodian.name);
            let key = custodian.key_file.display().to_string();
            let sign = ["roster", "sign", paper, "--key", &key];
            self.step(&Line::new(&self.exe, Role::Node, &folder).args(sign))?;
        }
        self.step(&self.operator(&["roster", "publish", paper]))?;
        Ok(())
    }

    /// A one-time token for somebody in the roster.
    ///
    /// # Errors
    /// When the command fails.
    pub fn token(&self, role: &str, name: &str) -> Result<String, NetworkError> {
        let output = self.step(&self.operator(&["enrol-token", "--role", role, "--name", name]))?;
        word(&output, "qt1.", "enrol-token")
    }

    /// A node gets its certificate.
    ///
    /// # Errors
    /// When a command fails.
    pub fn enrol_node(&self, name: &str) -> Result<(), NetworkError> {
        let token = self.token("node", name)?;
        self.step(&self.node(name, &["enrol", &token]))?;
        Ok(())
    }

    /// A researcher joins.
    ///
    /// # Errors
    /// When a command fails.
    pub fn login(&self, researcher: &ResearcherSpec, home: &Path) -> Result<(), NetworkError> {
        let token = self.token("researcher", &researcher.name)?;
        let login = [
            "login",
            &token,
            "--name",
            &researcher.name,
            "--genesis",
            &self.genesis,
        ];
        let mut line = Line::new(&self.exe, Role::Cli, home).home(home).args(login);
        if let Some(project) = researcher.projects.first() {
            line = line.args(["--project", project]);
        }
        self.step(&line)?;
        Ok(())
    }
}

/// Names of the nodes that a running coordinator sees.
#[must_use]
pub fn connected(exe: &Path, dir: &Path) -> Vec<String> {
    let line =
        Line::new(exe, Role::Coordinator, &dir.join("coordinator")).args(["nodes", "--json"]);
    let told = line.run().map(|done| done.stdout).unwrap_or_default();
    let rows = told
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    rows.filter(|row| row.get("state").and_then(Value::as_str) == Some("connected"))
        .filter_map(|row| row.get("node").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

/// The first word of an output that begins like this, or that follows it if it ends in a space.
fn word(output: &str, start: &str, command: &str) -> Result<String, NetworkError> {
    let found = output
        .lines()
        .find_map(|line| match start.strip_suffix(' ') {
            Some(label) => line.strip_prefix(label).map(|rest| rest.trim().to_owned()),
            None => line
                .split_whitespace()
                .find(|word| word.starts_with(start))
                .map(str::to_owned),
        });
    found.ok_or_else(|| NetworkError::Output {
        command: command.to_owned(),
        what: "what was expected",
        output: secretless(output),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_tokens_hidden() {
        let output = "key ed25519:abc\nca sha256:def\n";
        assert_eq!(word(output, "key ", "init").unwrap(), "ed25519:abc");
        assert_eq!(word(output, "sha256:", "init").unwrap(), "sha256:def");
        assert!(word(output, "qt1.", "x").is_err());
        assert_eq!(secretless("enrol qt1.secret now"), "enrol qt1.(hidden) now");
    }
}
