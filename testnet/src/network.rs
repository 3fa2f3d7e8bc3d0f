//! A network of real processes on one machine, made by the real commands.
//!
//! Every party has its own folder, keys and log; nothing is shared but sockets on loopback. The
//! test network knows no more of a party than a person at its terminal does.
//!
//! ```text
//! dir/coordinator/         the coordinator's folder
//! dir/custodians/NAME/     a custodian's signing key, kept apart from the node
//! dir/nodes/NAME/          policy.toml and state/ of a node
//! dir/researchers/NAME/    QUORATE_HOME of a researcher
//! dir/logs/                what every party wrote, and the ceremony
//! dir/ready.json           the ready line
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_query::toml_reader::Mistakes;
use serde_json::{Value, json};

use crate::ceremony::{self, Ground, Member};
use crate::clock::wait_for;
use crate::process::{Done, Line, Party, ProcessError, Role};
use crate::relay::{Link, Relay};
use crate::spec::{self, Spec};
use crate::template::{TemplateError, Values};

/// Why a network could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The spec has mistakes.
    #[error("{0}")]
    Spec(#[from] Mistakes),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Path.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// A template of a policy has a mistake.
    #[error("{path}: {source}")]
    Template {
        /// Path.
        path: String,
        /// Cause.
        source: TemplateError,
    },
    /// A party could not be started or a command failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No port on loopback.
    #[error("cannot open a relay: {0}")]
    Relay(std::io::Error),
    /// A command did not print what it should.
    #[error("`{command}` did not print {what}:\n{output}")]
    Output {
        /// Command line.
        command: String,
        /// What was looked for.
        what: &'static str,
        /// What it printed.
        output: String,
    },
    /// A party did not become ready in time.
    #[error("{who} did not become ready; its log ends with:\n{log}")]
    NotReady {
        /// Who.
        who: String,
        /// End of its log.
        log: String,
    },
    /// There is no such party.
    #[error("there is no `{0}` in this network")]
    Unknown(String),
}

impl NetworkError {
    /// A file that could not be used.
    #[must_use]
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.display().to_string(),
            source,
        }
    }
}

/// How to start a network.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) exe: PathBuf,
    set: Values,
    folder: Option<PathBuf>,
}

/// How long a party may take to become ready.
const PATIENCE: Duration = Duration::from_secs(120);

impl Options {
    /// Parties are started from the binary `exe`.
    #[must_use]
    pub fn new(exe: &Path) -> Self {
        Self {
            exe: exe.into(),
            set: Values::default(),
            folder: None,
        }
    }

    /// `--set NAME=VALUE`; a value that names something existing, or begins like a relative path,
    /// becomes an absolute path, because parties run in folders of their own.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        let path = Path::new(value);
        let relative = value.starts_with("./") || value.starts_with("../");
        let found = path.canonicalize().or_else(|missing| {
            if relative {
                std::path::absolute(path)
            } else {
                Err(missing)
            }
        });
        let value = found.map_or_else(|_| value.to_owned(), |path| path.display().to_string());
        self.set.set(name, value);
        self
    }

    /// Makes everything in this folder instead of the one that the spec names.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// One node of a running network.
#[derive(Debug)]
pub struct Node {
    /// Its folder: `policy.toml` and `state/`.
    pub dir: PathBuf,
    /// Its link to the coordinator.
    pub relay: Relay,
    party: Party,
}

/// A running network; dropping it stops every party.
#[derive(Debug)]
pub struct Network {
    /// Name of the network.
    pub name: String,
    /// Folder with everything.
    pub dir: PathBuf,
    /// Keys and papers of the custodians, and the codebook's digest.
    pub ground: Ground,
    url: String,
    address: SocketAddr,
    coordinator: Party,
    nodes: BTreeMap<String, Node>,
    homes: BTreeMap<String, PathBuf>,
}

impl Network {
    /// Reads a spec, makes keys, roster and folders with the real commands, and starts everyone.
    ///
    /// # Errors
    /// With the first thing that went wrong; whoever was started is stopped.
    pub fn start(spec: &Path, options: &Options) -> Result<Self, NetworkError> {
        // parties run in folders of their own: everything the spec names has to be absolute
        let path = spec
            .canonicalize()
            .map_err(|e| NetworkError::file(spec, e))?;
        let text = std::fs::read_to_string(&path).map_err(|e| NetworkError::file(&path, e))?;
        let spec = spec::read(&text, &path, &options.set)?;
        let dir = folder(&spec, options)?;
        let ground = Ground::lay(&options.exe, &dir, &spec)?;
        let mut network = Self::with_coordinator(ground, &spec)?;
        let mut members = network.make_researchers(&spec)?;
        members.extend(network.make_nodes(&spec, &members)?);
        network.ground.found(&members)?;
        network.admit(&spec)?;
        network.wait_until_ready()?;
        network.write_ready()?;
        Ok(network)
    }

    /// Starts the coordinator, who carries the ceremony of the others.
    fn with_coordinator(ground: Ground, spec: &Spec) -> Result<Self, NetworkError> {
        let log = ground.dir.join("logs/coordinator.log");
        let mut coordinator = Party::new(ground.coordinator_run(), &log);
        coordinator.start()?;
        let (url, address) = ground.coordinator_address(&mut coordinator)?;
        Ok(Self {
            name: spec.name.clone(),
            dir: ground.dir.clone(),
            ground,
            url,
            address,
            coordinator,
            nodes: BTreeMap::new(),
            homes: BTreeMap::new(),
        })
    }

    fn make_researchers(&mut self, spec: &Spec) -> Result<Vec<Member>, NetworkError> {
        let mut members = Vec::new();
        for researcher in &spec.researchers {
            let (home, key) = self.ground.researcher_key(&researcher.name)?;
            let name = researcher.name.clone();
            self.homes.insert(name.clone(), home);
            members.push(Member {
                role: "researcher",
                name,
                key,
            });
        }
        Ok(members)
    }

    fn make_nodes(
        &mut self,
        spec: &Spec,
        researchers: &[Member],
    ) -> Result<Vec<Member>, NetworkError> {
        let keys = researchers
            .iter()
            .map(|m| (m.name.clone(), m.key.clone()))
            .collect();
        let mut members = Vec::new();
        for node in &spec.nodes {
            let relay = Relay::open(self.address, node.link).map_err(NetworkError::Relay)?;
            let url = format!("https://{}", relay.address());
            let dir = self.ground.write_policy(node, &url, &keys)?;
            let name = node.name.clone();
            let key = self.ground.node_key(&name).unwrap_or_default().to_owned();
            let log = self.dir.join(format!("logs/{name}.log"));
            let party = Party::new(self.ground.node_run(&name), &log);
            self.nodes.insert(name.clone(), Node { dir, relay, party });
            members.push(Member {
                role: "node",
                name,
                key,
            });
        }
        Ok(members)
    }

    /// Everyone in the roster gets a certificate, and the nodes start.
    fn admit(&mut self, spec: &Spec) -> Result<(), NetworkError> {
        for (name, node) in &mut self.nodes {
            self.ground.enrol_node(name)?;
            node.party.start()?;
        }
        for researcher in &spec.researchers {
            self.ground
                .login(researcher, self.home(&researcher.name)?)?;
        }
        Ok(())
    }

    /// Waits until the coordinator sees every node.
    ///
    /// # Errors
    /// When a node does not come.
    pub fn wait_until_ready(&mut self) -> Result<(), NetworkError> {
        let names: Vec<String> = self.nodes.keys().cloned().collect();
        for name in names {
            self.wait_for_node(&name)?;
        }
        Ok(())
    }

    /// Waits until the coordinator sees a node.
    ///
    /// # Errors
    /// When it does not come, or ends.
    pub fn wait_for_node(&mut self, name: &str) -> Result<(), NetworkError> {
        let seen = wait_for(PATIENCE, || {
            let alive = self
                .nodes
                .get_mut(name)
                .is_some_and(|node| node.party.alive());
            let connected = self.connected().contains(&name.to_owned());
            (connected || !alive).then_some(connected)
        });
        if seen == Some(true) {
            return Ok(());
        }
        let node = self.node(name)?;
        Err(NetworkError::NotReady {
            who: name.to_owned(),
            log: tail(&node.party.log()),
        })
    }

    /// Names of the nodes that the coordinator sees.
    #[must_use]
    pub fn connected(&self) -> Vec<String> {
        ceremony::connected(&self.ground.exe, &self.dir)
    }

    /// What a program that starts a network waits for.
    #[must_use]
    pub fn ready(&self) -> Value {
        let nodes: serde_json::Map<String, Value> = self
            .nodes
            .iter()
            .map(|(name, node)| {
                (
                    name.clone(),
                    json!({ "pid": node.party.pid(), "dir": node.dir.display().to_string() }),
                )
            })
            .collect();
        let researchers: serde_json::Map<String, Value> = self
            .homes
            .iter()
            .map(|(name, home)| (name.clone(), json!({ "home": home.display().to_string() })))
            .collect();
        json!({
            "ready": 1,
            "dir": self.dir.display().to_string(),
            "coordinator": self.url,
            "nodes": nodes,
            "researchers": researchers,
        })
    }

    fn write_ready(&self) -> Result<(), NetworkError> {
        let path = self.dir.join("ready.json");
        std::fs::write(&path, format!("{}\n", self.ready()))
            .map_err(|e| NetworkError::file(&path, e))
    }

    /// A node.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn node(&self, name: &str) -> Result<&Node, NetworkError> {
        self.nodes
            .get(name)
            .ok_or_else(|| NetworkError::Unknown(name.to_owned()))
    }

    /// Names of all nodes.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        self.nodes.keys().cloned().collect()
    }

    /// A researcher's home.
    ///
    /// # Errors
    /// When there is no such researcher.
    pub fn home(&self, who: &str) -> Result<&Path, NetworkError> {
        let home = self.homes.get(who).map(PathBuf::as_path);
        home.ok_or_else(|| NetworkError::Unknown(who.to_owned()))
    }

    /// Where the coordinator listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A `quorate` command of a researcher, not yet run.
    ///
    /// # Errors
    /// When there is no such researcher.
    pub fn quorate_line<S: AsRef<std::ffi::OsStr>>(
        &self,
        who: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Line, NetworkError> {
        let home = self.home(who)?;
        Ok(Line::new(&self.ground.exe, Role::Cli, &self.dir)
            .home(home)
            .args(args))
    }

    /// Runs a `quorate` command as a researcher.
    ///
    /// # Errors
    /// When there is no such researcher or the command cannot be started.
    pub fn quorate<S: AsRef<std::ffi::OsStr>>(
        &self,
        who: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Done, NetworkError> {
        Ok(self.quorate_line(who, args)?.run()?)
    }

    /// A command of a node's custodian, run in the node's folder.
    ///
    /// # Errors
    /// When there is no such node or the command cannot be started.
    pub fn custodian<S: AsRef<std::ffi::OsStr>>(
        &self,
        node: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Done, NetworkError> {
        let dir = &self.node(node)?.dir;
        Ok(Line::new(&self.ground.exe, Role::Node, dir)
            .args(args)
            .run()?)
    }

    /// A command of the coordinator's operator.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub fn operator<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Done, NetworkError> {
        Ok(Line::new(
            &self.ground.exe,
            Role::Coordinator,
            &self.dir.join("coordinator"),
        )
        .args(args)
        .run()?)
    }

    /// `kill -9` of a node.
    pub fn kill_node(&mut self, name: &str) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.party.kill();
        }
    }

    /// Starts a node that was killed, and waits until the coordinator sees it.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_node(&mut self, name: &str) -> Result<(), NetworkError> {
        let node = self
            .nodes
            .get_mut(name)
            .ok_or_else(|| NetworkError::Unknown(name.to_owned()))?;
        node.party.start()?;
        self.wait_for_node(name)
    }

    /// Whether a node's process runs.
    pub fn node_alive(&mut self, name: &str) -> bool {
        self.nodes
            .get_mut(name)
            .is_some_and(|node| node.party.alive())
    }

    /// A node's process id.
    #[must_use]
    pub fn node_pid(&self, name: &str) -> Option<u32> {
        self.nodes.get(name).and_then(|node| node.party.pid())
    }

    /// What a node wrote.
    #[must_use]
    pub fn node_log(&self, name: &str) -> String {
        self.nodes
            .get(name)
            .map(|node| node.party.log())
            .unwrap_or_default()
    }

    /// What the coordinator wrote.
    #[must_use]
    pub fn coordinator_log(&self) -> String {
        self.coordinator.log()
    }

    /// `kill -9` of the coordinator.
    pub fn kill_coordinator(&mut self) {
        self.coordinator.kill();
    }

    /// Starts the coordinator that was killed and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub fn start_coordinator(&mut self) -> Result<(), NetworkError> {
        self.coordinator.start()?;
        let listens = || std::net::TcpStream::connect(self.address).ok();
        let found = wait_for(PATIENCE, listens).map(drop);
        found.ok_or_else(|| NetworkError::NotReady {
            who: "the coordinator".into(),
            log: tail(&self.coordinator.log()),
        })
    }

    /// Starts whoever does not run, then waits until the coordinator sees every node.
    ///
    /// # Errors
    /// When somebody does not come back.
    pub fn start_all(&mut self) -> Result<(), NetworkError> {
        self.coordinator.start()?;
        for node in self.nodes.values_mut() {
            node.party.start()?;
        }
        self.wait_until_ready()
    }

    /// Cuts a node's link: what is on its way is lost.
    pub fn cut(&self, node: &str) {
        if let Some(node) = self.nodes.get(node) {
            node.relay.cut();
        }
    }

    /// Leads a node to another coordinator, or back to the real one.
    pub fn lead(&self, node: &str, target: SocketAddr) {
        if let Some(node) = self.nodes.get(node) {
            node.relay.lead_to(target);
            node.relay.cut();
            node.relay.mend();
        }
    }

    /// Mends a link that was cut.
    pub fn mend(&self, node: &str) {
        if let Some(node) = self.nodes.get(node) {
            node.relay.mend();
        }
    }

    /// Changes the quality of a node's link.
    pub fn set_link(&self, node: &str, link: Link) {
        if let Some(node) = self.nodes.get(node) {
            node.relay.set(link);
        }
    }

    /// Asks every party to stop; names of those that had to be killed.
    pub fn stop(&mut self) -> Vec<String> {
        let mut stubborn = Vec::new();
        for (name, node) in &mut self.nodes {
            if !node.party.stop() {
                stubborn.push(name.clone());
            }
        }
        if !self.coordinator.stop() {
            stubborn.push("coordinator".to_owned());
        }
        stubborn
    }
}

/// The last lines of a log.
#[must_use]
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(20);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// The folder for everything, empty and private.
fn folder(spec: &Spec, options: &Options) -> Result<PathBuf, NetworkError> {
    let wanted = options.folder.clone().or_else(|| spec.dir.clone());
    let dir = match wanted {
        Some(dir) => dir,
        None => tempfile::Builder::new()
            .prefix(&format!("quorate-{}-", spec.name))
            .tempdir()
            .map(tempfile::TempDir::keep)
            .map_err(|e| NetworkError::file(&std::env::temp_dir(), e))?,
    };
    for part in ["logs", "custodians", "nodes", "researchers", "coordinator"] {
        let part = dir.join(part);
        std::fs::create_dir_all(&part).map_err(|e| NetworkError::file(&part, e))?;
    }
    dir.canonicalize().map_err(|e| NetworkError::file(&dir, e))
}
