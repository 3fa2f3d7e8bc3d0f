//! `coordinator.toml`: where the coordinator listens and what it allows. All mistakes are reported
//! together and nothing is bound before the file is right.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use quorate_identity::Name;
use quorate_query::toml_reader::{File, Mistakes, Section};

/// Name of the file inside the state directory.
pub(crate) const FILE: &str = "coordinator.toml";

/// The configuration of a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The network it serves.
    pub(crate) network: Name,
    /// Where nodes and researchers reach it.
    pub(crate) url: Url,
    /// Where it listens; port 0 means any free port at the first start, and that one ever after.
    pub(crate) listen: SocketAddr,
    /// What a question may cost.
    pub(crate) questions: Questions,
    /// How long certificates last.
    pub(crate) certificates: Certificates,
    /// What connections may cost.
    pub(crate) connections: Connections,
}

/// What a question may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Questions {
    /// How long nodes have to answer.
    pub(crate) deadline: Duration,
    /// How long a node that is not connected is waited for.
    pub(crate) absent_after: Duration,
    /// Open questions of one researcher.
    pub(crate) concurrent: u32,
}

/// How long certificates last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certificates {
    /// Of nodes.
    pub(crate) node: Duration,
    /// Of researchers.
    pub(crate) researcher: Duration,
}

/// What connections may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections {
    /// Handshakes at the same time.
    pub(crate) handshakes: u32,
    /// How long a handshake may take.
    pub(crate) handshake_time: Duration,
}

/// `https://host:port`, nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// Name or address of the host, without brackets.
    pub(crate) host: String,
    /// Port; 0 means the one that is bound.
    pub(crate) port: u16,
}

impl Url {
    /// Reads an address; None if it is not `https://host:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (rest, 443),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if host.is_empty() || !host.chars().all(plain) {
            return None;
        }
        Some(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// The address with the port that was bound, if ours is open.
    pub(crate) fn with_port(&self, bound: Option<u16>) -> String {
        let port = if self.port == 0 {
            bound.unwrap_or(0)
        } else {
            self.port
        };
        if self.host.contains(':') {
            format!("https://[{}]:{port}", self.host)
        } else {
            format!("https://{}:{port}", self.host)
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Config {
    /// Reads the file of a state directory.
    pub(crate) fn load(dir: &Path) -> Result<Self, Mistakes> {
        let path = dir.join(FILE);
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Mistakes::whole_file(
                &name,
                format!("cannot be read ({error}): run `quorate-coordinator init` first"),
            )
        })?;
        Self::read(&text, &name)
    }

    /// Reads the text of a configuration.
    pub(crate) fn read(text: &str, name: &str) -> Result<Self, Mistakes> {
        let file = File::parse(text, name)?;
        let root = file.root();
        let main = root.need_section("coordinator");
        if main.need::<u32>("format").is_some_and(|format| format != 1) {
            main.mistake("format", "this release reads format 1, write `format = 1`");
        }
        let network = parsed(&main, "network", "a name such as `heart`", |t| {
            Name::parse(t).ok()
        });
        let url = parsed(&main, "url", "`https://host:8443`", Url::parse);
        let listen = parsed(&main, "listen", "`0.0.0.0:8443`", |t| t.parse().ok());
        let questions = root.section_or_empty("questions");
        let questions = Questions {
            deadline: between(&questions, "deadline", MINUTE, SECOND..=DAY),
            absent_after: between(
                &questions,
                "absent_after",
                Duration::from_secs(20),
                Duration::ZERO..=DAY,
            ),
            concurrent: questions.within("concurrent", 1..=1000).unwrap_or(8),
        };
        let certificates = root.section_or_empty("certificates");
        let certificates = Certificates {
            node: between(&certificates, "node", 7 * DAY, SECOND..=90 * DAY),
            researcher: between(&certificates, "researcher", 30 * DAY, SECOND..=30 * DAY),
        };
        let connections = root.section_or_empty("connections");
        let connections = Connections {
            handshakes: connections.within("handshakes", 1..=65_536).unwrap_or(256),
            handshake_time: between(
                &connections,
                "handshake_time",
                Duration::from_secs(10),
                Duration::from_millis(100)..=MINUTE,
            ),
        };
        let config = match (network, url, listen) {
            (Some(network), Some(url), Some(listen)) => Some(Self {
                network,
                url,
                listen,
                questions,
                certificates,
                connections,
            }),
            _ => None,
        };
        file.finish(config)
    }

    /// The text that `init` writes.
    pub(crate) fn text(network: &Name, url: &str, listen: SocketAddr) -> String {
        format!(
            "# The coordinator of the network `{network}`. Restart it after a change.\n\
             [coordinator]\n\
             format = 1\n\
             network = \"{network}\"\n\
             url = \"{url}\"            # where nodes and researchers reach it\n\
             listen = \"{listen}\"      # port 0: any free port at the first start, and that one ever after\n\
             \n\
             [questions]\n\
             deadline = \"60 s\"        # how long nodes have to answer\n\
             absent_after = \"20 s\"    # how long a node that is not connected is waited for\n\
             concurrent = 8           # open questions of one researcher\n\
             \n\
             [certificates]\n\
             node = \"7 d\"\n\
             researcher = \"30 d\"\n\
             \n\
             [connections]\n\
             handshakes = 256         # at the same time\n\
             handshake_time = \"10 s\"\n"
        )
    }
}

fn parsed<T>(
    section: &Section<'_>,
    key: &str,
    example: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text: String = section.need(key)?;
    let value = read(&text);
    if value.is_none() {
        section.mistake(key, format!("`{text}` cannot be used, write {example}"));
    }
    value
}

fn between(
    section: &Section<'_>,
    key: &str,
    default: Duration,
    range: std::ops::RangeInclusive<Duration>,
) -> Duration {
    let value = section.or(key, default);
    if !range.contains(&value) {
        let (least, most) = (range.start().as_secs(), range.end().as_secs());
        section.mistake(
            key,
            format!("is out of range, write a time from {least} s to {most} s"),
        );
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{Config, Url};
    use quorate_identity::Name;

    #[test]
    fn what_init_writes_is_read_back() {
        let network = Name::parse("heart").unwrap();
        let listen = "0.0.0.0:8443".parse().unwrap();
        let text = Config::text(&network, "https://hub.example.org:8443", listen);
        let config = Config::read(&text, "coordinator.toml").unwrap();
        assert_eq!(config.network, network);
        assert_eq!(config.listen, listen);
        assert_eq!(config.url.with_port(None), "https://hub.example.org:8443");
        assert_eq!(config.questions.deadline.as_secs(), 60);
        assert_eq!(config.certificates.node.as_secs(), 7 * 24 * 3600);
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let text = "[coordinator]\nformat = 1\nnetwork = 'Heart!'\nurl = 'http://x'\nlistn = '0.0.0.0:1'\n[questions]\ndeadline = '0 s'\n";
        let mistakes = Config::read(text, "c.toml").unwrap_err();
        let lines: Vec<String> = mistakes.0.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines.iter().any(|l| l.contains("network")));
        assert!(lines.iter().any(|l| l.contains("write `listen`")));
        assert!(lines.iter().any(|l| l.contains("questions.deadline")));
    }

    #[test]
    fn addresses_are_host_and_port() {
        assert_eq!(
            Url::parse("https://hub").unwrap().with_port(None),
            "https://hub:443"
        );
        assert_eq!(
            Url::parse("https://127.0.0.1:0")
                .unwrap()
                .with_port(Some(7)),
            "https://127.0.0.1:7"
        );
        assert_eq!(
            Url::parse("https://[::1]:8443").unwrap().with_port(None),
            "https://[::1]:8443"
        );
        for bad in [
            "http://hub",
            "https://",
            "https://hub:x",
            "https://hub:1/path",
            "hub:1",
        ] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }
}
