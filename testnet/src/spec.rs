//! The description of a test network: which nodes on which data, which researchers, which links.
//!
//! Read with the same reader as codebooks and policies, every mistake at once. The reference is
//! in `docs/testnet.md`. Paths in a spec are relative to the folder of the spec.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quorate_query::toml_reader::{File, Mistakes, Section};

use crate::relay::Link;
use crate::template::Values;

/// A network that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Name of the network.
    pub name: String,
    /// Codebook file.
    pub codebook: PathBuf,
    /// Folder for everything that is made; `None`: a new one.
    pub dir: Option<PathBuf>,
    /// Port of the coordinator; 0: any free one.
    pub port: u16,
    /// Seed for whatever a network draws by itself; nothing does yet.
    pub seed: u64,
    /// Nodes, in the order of the file.
    pub nodes: Vec<NodeSpec>,
    /// Researchers.
    pub researchers: Vec<ResearcherSpec>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Name.
    pub name: String,
    /// Template of its policy.
    pub policy: PathBuf,
    /// What `${...}` of the template means at this node.
    pub data: BTreeMap<String, String>,
    /// Its link to the coordinator.
    pub link: Link,
}

/// One researcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResearcherSpec {
    /// Name.
    pub name: String,
    /// Projects that the researcher works on; the first is the default of the command line.
    pub projects: Vec<String>,
}

/// The format this reader knows.
const FORMAT: i64 = 1;
/// Names that templates have anyway.
const RESERVED: [&str; 5] = ["genesis", "codebook", "coordinator", "node", "dir"];

/// Reads a spec; `set` holds the values of `--set`.
///
/// # Errors
/// With every mistake of the file.
pub fn read(text: &str, path: &Path, set: &Values) -> Result<Spec, Mistakes> {
    let file = File::parse(text, &path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let root = file.root();
    let network = root.need_section("network");
    if let Some(format) = network.need::<i64>("format")
        && format != FORMAT
    {
        network.mistake(
            "format",
            format!("format {format} is not known here, write `format = 1`"),
        );
    }
    let spec = (|| {
        let name = name(&network);
        let codebook = network.need::<String>("codebook");
        let dir = network.get::<String>("dir").filter(|dir| dir != "auto");
        let port = network.or("port", 0_i64);
        let seed = network.or("seed", 1_i64);
        let nodes = nodes(&root, folder, set);
        let researchers = researchers(&root);
        let port = u16::try_from(port)
            .map_err(|_| network.mistake("port", "no such port, write one from 0 to 65535"));
        let seed = u64::try_from(seed)
            .map_err(|_| network.mistake("seed", "a seed cannot be negative, write `seed = 1`"));
        Some(Spec {
            name: name?,
            codebook: folder.join(codebook?),
            dir: dir.map(|dir| folder.join(dir)),
            port: port.ok()?,
            seed: seed.ok()?,
            nodes: nodes?,
            researchers: researchers?,
        })
    })();
    file.finish(spec)
}

/// A name that is safe in file names, certificates and tables.
fn name(section: &Section<'_>) -> Option<String> {
    let name = section.need::<String>("name")?;
    let fine = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !fine {
        section.mistake(
            "name",
            "write lower-case letters, digits and `-`, a letter first",
        );
    }
    fine.then_some(name)
}

fn nodes(root: &Section<'_>, folder: &Path, set: &Values) -> Option<Vec<NodeSpec>> {
    let sections = root.sections("node");
    if sections.is_empty() {
        root.mistake("node", "a network needs a node, write `[[node]]`");
    }
    let mut seen = BTreeSet::new();
    let read = sections
        .iter()
        .map(|section| node(section, folder, set, &mut seen));
    read.collect::<Vec<_>>().into_iter().collect()
}

fn node(
    section: &Section<'_>,
    folder: &Path,
    set: &Values,
    seen: &mut BTreeSet<String>,
) -> Option<NodeSpec> {
    let name = unique(section, seen);
    let policy = section.need::<String>("policy");
    let mut data = BTreeMap::new();
    if let Some(values) = section.section("data") {
        for (key, _) in values.entries() {
            let text = values.need::<String>(&key).unwrap_or_default();
            if RESERVED.contains(&key.as_str()) {
                values.mistake(&key, "every template has this name anyway, choose another");
            }
            match set.fill(&text) {
                Ok(text) => drop(data.insert(key, text)),
                Err(error) => values.mistake(&key, format!("{error}, write `--set NAME=VALUE`")),
            }
        }
    }
    let link = section.section_or_empty("link");
    let link = Link {
        latency_ms: link.within("latency_ms", 0..=60_000_u64).unwrap_or(0),
        rate_kbps: link.within("rate_kbps", 0..=10_000_000_u64).unwrap_or(0),
    };
    Some(NodeSpec {
        name: name?,
        policy: folder.join(policy?),
        data,
        link,
    })
}

fn unique(section: &Section<'_>, seen: &mut BTreeSet<String>) -> Option<String> {
    let name = name(section)?;
    if !seen.insert(name.clone()) {
        section.mistake(
            "name",
            format!("there is a `{name}` already, choose another name"),
        );
    }
    Some(name)
}

fn researchers(root: &Section<'_>) -> Option<Vec<ResearcherSpec>> {
    let mut seen = BTreeSet::new();
    let read = root.sections("researcher").into_iter().map(|section| {
        let name = unique(&section, &mut seen);
        let projects = section.or("projects", Vec::<String>::new());
        Some(ResearcherSpec {
            name: name?,
            projects,
        })
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")
    }

    #[test]
    fn every_shipped_spec_and_template_can_be_read() {
        let mut read_specs = 0;
        for folder in ["heart-disease", "omop", "omop-synthetic", "tpch"] {
            for entry in std::fs::read_dir(specs().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                if !text.contains("[network]") {
                    continue;
                }
                let mut set = Values::default();
                set.set("DATA", "/data");
                set.set("SLOT", "250 ms");
                let spec = read(&text, &path, &set).unwrap();
                read_specs += 1;
                assert!(spec.codebook.exists(), "{}", spec.codebook.display());
                for node in &spec.nodes {
                    let template = std::fs::read_to_string(&node.policy).unwrap();
                    let mut values = Values::default();
                    for name in RESERVED.into_iter().chain(["key:alice"]) {
                        values.set(name, "x");
                    }
                    for (name, value) in &node.data {
                        values.set(name, value);
                    }
                    values.fill(&template).unwrap();
                }
            }
        }
        assert_eq!(read_specs, 7);
    }

    #[test]
    fn a_spec_tells_all_its_mistakes() {
        let text = "[network]\nformat = 2\nname = \"Heart\"\nport = 70000\n\n[[node]]\nname = \"a\"\n\
                    policy = \"p\"\ndata = { DATA = \"${NONE}\" }\n\n[[node]]\nname = \"a\"\npolicy = \"p\"\nlatency = 3\n";
        let mistakes = read(text, Path::new("s.toml"), &Values::default()).unwrap_err();
        let told = mistakes.to_string();
        for part in [
            "format 2",
            "lower-case",
            "no such port",
            "${NONE}",
            "already",
            "latency",
            "codebook",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
    }
}
