//! Reads a policy file: every mistake at once, as `file:line:col path: what is wrong, what to write`.
//!
//! A file, folder or glob that a source names must be there: a path with a slip of the pen is a
//! mistake like any other. What the files hold is for [`crate::source`] to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use quorate_disclosure::history::caps::Caps;
use quorate_governance::airlock::Mode;
use quorate_identity::{KeyId, Name};
use quorate_query::codebook::Codebook;
use quorate_query::number::Number;
use quorate_query::toml_reader::{ByteSize, File, Mistakes, Section};

use super::governance::governance;
use super::{
    Approval, CsvOptions, Encoding, Limits, NodeSection, Policy, Population, Project, Proxy,
    Refresh, ReleaseFloor, SourceKind, SourceSpec, digest,
};
use crate::source::files;

/// Reads the policy at `path`. See [`read`].
///
/// # Errors
/// If the file cannot be read or holds any mistake.
pub fn read_file(path: &Path, codebooks: &[&Codebook]) -> Result<Policy, Mistakes> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            other => other.to_string(),
        };
        Mistakes::whole_file(&name, format!("cannot be read: {why}"))
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    let base = std::path::absolute(base).unwrap_or_else(|_| base.to_path_buf());
    read(&text, &name, &base, codebooks)
}

/// Reads the text of a policy whose relative paths start at `base`. Where the codebooks in use
/// are known, a release looser than theirs is a mistake too.
///
/// # Errors
/// All mistakes of the text, in its order.
pub fn read(
    text: &str,
    name: &str,
    base: &Path,
    codebooks: &[&Codebook],
) -> Result<Policy, Mistakes> {
    let file = File::parse(text, name)?;
    let policy = policy(&file.root(), text, base);
    if let Some(policy) = &policy {
        let release = file.root().section_or_empty("release");
        for codebook in codebooks {
            for (key, advice) in policy.looser_than(codebook) {
                release.mistake(key, advice);
            }
        }
    }
    file.finish(policy)
}

/// Reads every section before it gives up on one, so that no mistake hides another.
fn policy(root: &Section<'_>, text: &str, base: &Path) -> Option<Policy> {
    let node = node(&root.need_section("node"), base);
    let population = population(&root.need_section("population"));
    let sources = sources(root, base);
    let section = root.section_or_empty("release");
    let (release, caps) = (release(&section), caps(&section));
    let projects = projects(root);
    let governance = governance(&root.section_or_empty("governance"));
    let limits = limits(&root.section_or_empty("limits"));
    Some(Policy {
        digest: digest(text),
        base: base.to_path_buf(),
        node: node?,
        population: population?,
        sources,
        projects,
        governance,
        limits,
        release,
        caps,
    })
}

fn node(section: &Section<'_>, base: &Path) -> Option<NodeSection> {
    if section.within("format", 1..=1_u32).is_none()
        && !section.is_missing()
        && !section.has("format")
    {
        section.mistake_here("`format` is missing, write `format = 1`");
    }
    let name = name(section, "name");
    let coordinator = section.need::<String>("coordinator");
    if let Some(url) = &coordinator
        && (!url.starts_with("https://") || url.parse::<http::Uri>().is_err())
    {
        section.mistake(
            "coordinator",
            "not an https address, write `https://host:8443`",
        );
    }
    let state = section.or("state", "state".to_owned());
    let genesis = keys(section);
    let codebooks = section.need::<Vec<String>>("codebooks");
    for wrong in codebooks.iter().flatten().filter(|text| !is_digest(text)) {
        section.mistake("codebooks", not_a_digest(wrong));
    }
    let proxy = proxy(section);
    let extra_ca: Vec<_> = section.or("extra_ca", Vec::<String>::new());
    let extra_ca: Vec<_> = extra_ca.into_iter().map(|path| base.join(path)).collect();
    for missing in extra_ca.iter().filter(|path| !path.is_file()) {
        section.mistake("extra_ca", format!("{}: no such file", missing.display()));
    }
    Some(NodeSection {
        name: name?,
        coordinator: coordinator?,
        state: base.join(state),
        genesis: genesis?,
        codebooks: codebooks?.into_iter().collect(),
        proxy,
        extra_ca,
    })
}

fn name(section: &Section<'_>, key: &str) -> Option<String> {
    let text = section.need::<String>(key)?;
    match Name::parse(&text) {
        Ok(name) => Some(name.to_string()),
        Err(error) => {
            section.mistake(key, error.to_string());
            None
        }
    }
}

fn keys(section: &Section<'_>) -> Option<Vec<KeyId>> {
    let texts = section.need::<Vec<String>>("genesis")?;
    if texts.is_empty() {
        section.mistake(
            "genesis",
            "no key, write the fingerprints that the founders gave you in person",
        );
    }
    let keys: Vec<Option<KeyId>> = texts
        .iter()
        .map(|text| key(section, "genesis", text))
        .collect();
    keys.into_iter().collect()
}

fn key(section: &Section<'_>, at: &str, text: &str) -> Option<KeyId> {
    let parsed = KeyId::parse(text);
    if let Err(error) = &parsed {
        section.mistake(at, error.to_string());
    }
    parsed.ok()
}

fn proxy(section: &Section<'_>) -> Proxy {
    match section.get::<String>("proxy").as_deref() {
        None | Some("env") => Proxy::Env,
        Some("none") => Proxy::None,
        Some(url) => {
            let sound = url
                .parse::<http::Uri>()
                .is_ok_and(|uri| uri.host().is_some() && uri.scheme_str() == Some("http"));
            if !sound {
                section.mistake(
                    "proxy",
                    "not a proxy, write \"env\", \"none\" or \"http://user:password@host:3128\"",
                );
            }
            Proxy::Url(url.to_owned())
        }
    }
}

fn population(section: &Section<'_>) -> Option<Population> {
    let name = name(section, "name");
    let synthetic = section.or("synthetic", false);
    let registered = section.or("registered", false);
    Some(Population {
        name: name?,
        synthetic,
        registered,
    })
}

fn sources(root: &Section<'_>, base: &Path) -> BTreeMap<String, SourceSpec> {
    let named = root.named("source");
    named
        .into_iter()
        .filter_map(|(table, section)| Some((table, source(&section, base)?)))
        .collect()
}

fn source(section: &Section<'_>, base: &Path) -> Option<SourceSpec> {
    let csv = section.need_one_of("kind", &[("csv", true), ("parquet", false)]);
    let kind = match csv {
        Some(true) => Some(SourceKind::Csv(csv_options(section))),
        Some(false) => {
            for key in ["delimiter", "decimal", "encoding", "nulls", "date_format"] {
                if section.has(key) {
                    section.mistake(key, "only csv sources have this, remove it");
                }
            }
            Some(SourceKind::Parquet)
        }
        None => {
            csv_options(section);
            None
        }
    };
    let path = section
        .need::<String>("path")
        .map(|path| base.join(path).display().to_string());
    if let (Some(kind), Some(path)) = (&kind, &path)
        && let Err(error) = files::list(path, kind.extension())
    {
        section.mistake("path", error.to_string());
    }
    let map = section.get::<String>("map");
    let refresh = section.one_of(
        "refresh",
        &[("auto", Refresh::Auto), ("hold", Refresh::Hold)],
    );
    Some(SourceSpec {
        kind: kind?,
        path: path?,
        map,
        refresh: refresh.unwrap_or(Refresh::Auto),
    })
}

fn csv_options(section: &Section<'_>) -> CsvOptions {
    let delimiter = character(section, "delimiter", b',');
    let decimal = character(section, "decimal", b'.');
    if !matches!(decimal, b'.' | b',') {
        section.mistake("decimal", "not a decimal character, write \".\" or \",\"");
    }
    let words = [("utf-8", Encoding::Utf8), ("latin1", Encoding::Latin1)];
    let encoding = section.one_of("encoding", &words).unwrap_or(Encoding::Utf8);
    let nulls = section
        .or("nulls", vec![String::new()])
        .into_iter()
        .collect();
    let date_format = section.or("date_format", crate::source::ISO_DAY.to_owned());
    let sample = jiff::civil::date(2027, 6, 30);
    let back = jiff::fmt::strtime::format(&date_format, sample)
        .and_then(|text| Date::strptime(&date_format, text));
    if back.ok() != Some(sample) {
        section.mistake(
            "date_format",
            "does not name year, month and day, write for instance \"%d.%m.%Y\"",
        );
    }
    CsvOptions {
        delimiter,
        decimal,
        encoding,
        nulls,
        date_format,
    }
}

fn character(section: &Section<'_>, key: &str, default: u8) -> u8 {
    let Some(text) = section.get::<String>(key) else {
        return default;
    };
    match text.as_bytes() {
        [one] if one.is_ascii() && *one != b'"' && *one != b'\n' && *one != b'\r' => *one,
        _ => {
            section.mistake(
                key,
                "not one plain character, write for instance \";\" or \"\\t\"",
            );
            default
        }
    }
}

fn release(section: &Section<'_>) -> ReleaseFloor {
    ReleaseFloor {
        k: section.within("k", 1..=100_000),
        round_base: section.within("round_base", 1..=1_000),
        p_pct: section.within("p_pct", 0..=100),
        nk: dominance(section),
        dof: section.within("dof", 1..=100_000),
        max_cells: section.within("max_cells", 1..=100_000),
    }
}

fn caps(section: &Section<'_>) -> Caps {
    let usual = Caps::default();
    let cap = |key, usual| section.within(key, 1..=1_000_000_000).unwrap_or(usual);
    Caps {
        per_epoch: cap("cells_per_epoch", usual.per_epoch),
        per_principal: cap("cells_per_principal", usual.per_principal),
    }
}

/// `[2, 0.90]`: contributors and the share they may have together, in hundredths.
fn dominance(section: &Section<'_>) -> Option<(u32, u32)> {
    let parts = section.get::<Vec<Number>>("nk")?;
    let whole = |number: Option<&Number>, scale| {
        number
            .and_then(|n| n.at_scale(scale))
            .and_then(|n| u32::try_from(n).ok())
    };
    match (parts.len(), whole(parts.first(), 0), whole(parts.get(1), 2)) {
        (2, Some(n @ 1..=100), Some(share @ 1..=100)) => Some((n, share)),
        _ => {
            section.mistake(
                "nk",
                "not contributors and a share, write for instance `[2, 0.90]`",
            );
            None
        }
    }
}

fn projects(root: &Section<'_>) -> BTreeMap<String, Project> {
    let mut projects = BTreeMap::new();
    for section in root.sections("project") {
        if let Some(project) = project(&section)
            && let Some(earlier) = projects.insert(project.id.clone(), project)
        {
            section.mistake(
                "id",
                format!(
                    "`{}` is there already, give every project one section",
                    earlier.id
                ),
            );
        }
    }
    projects
}

fn project(section: &Section<'_>) -> Option<Project> {
    let id = name(section, "id");
    let until = section.need::<Date>("until").and_then(end_of);
    let tables = section.need::<Vec<String>>("tables");
    let (members, organisations) = members(section);
    let legal_basis = line(section, "legal_basis");
    let approval = approval(section);
    let release = section.one_of("release", &Mode::WORDS);
    let questions = section.within("questions", 1..=u64::MAX);
    Some(Project {
        id: id?,
        until: until?,
        tables: tables?.into_iter().collect(),
        members,
        organisations,
        legal_basis,
        approval: approval?,
        release: release.unwrap_or(Mode::Auto),
        columns: None,
        record: String::new(),
        questions,
        acceptance: String::new(),
        others: Vec::new(),
    })
}

/// The first second after a day (UTC).
fn end_of(day: Date) -> Option<i64> {
    let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(next.timestamp().as_second())
}

/// One line of the custodian's own words, for the ledger.
fn line(section: &Section<'_>, key: &str) -> Option<String> {
    let text = section.get::<String>(key)?;
    let words = text.trim();
    if words.is_empty() || words.len() > 200 || words.contains(char::is_control) {
        section.mistake(key, "not one line of at most 200 bytes");
        return None;
    }
    Some(words.to_owned())
}

type Members = (BTreeMap<String, KeyId>, BTreeMap<String, String>);

/// Members with their keys, and where some of them work.
fn members(section: &Section<'_>) -> Members {
    if !section.is_missing() && !section.has("members") {
        section.mistake_here(
            "`members` is missing, write `members = [{ name = \"alice\", key = \"ed25519:...\" }]`",
        );
    }
    let (mut members, mut organisations) = (BTreeMap::new(), BTreeMap::new());
    for member in section.sections("members") {
        let name = name(&member, "name");
        let key = member
            .need::<String>("key")
            .and_then(|text| key(&member, "key", &text));
        let organisation = line(&member, "organisation");
        organisations.extend(name.clone().zip(organisation));
        if let (Some(name), Some(key)) = (name, key)
            && members.insert(name.clone(), key).is_some()
        {
            member.mistake(
                "name",
                format!("`{name}` is there already, give every member one entry"),
            );
        }
    }
    (members, organisations)
}

fn approval(section: &Section<'_>) -> Option<Approval> {
    let words = [
        ("auto", Approval::Auto),
        ("listed", Approval::Listed(BTreeSet::new())),
        ("signed", Approval::Signed),
    ];
    let written = section.need_one_of("approval", &words)?;
    let listed = matches!(written, Approval::Listed(_));
    let approved: Option<Vec<String>> = section.get("approved");
    for wrong in approved.iter().flatten().filter(|text| !is_digest(text)) {
        section.mistake("approved", not_a_digest(wrong));
    }
    if !listed && approved.is_some() {
        section.mistake(
            "approved",
            "only `approval = \"listed\"` reads this, remove it",
        );
    }
    let approved: BTreeSet<String> = approved.unwrap_or_default().into_iter().collect();
    Some(if listed {
        Approval::Listed(approved)
    } else {
        written
    })
}

fn limits(section: &Section<'_>) -> Limits {
    let usual = Limits::default();
    let memory_bytes = section.or("memory", ByteSize(usual.memory_bytes)).0;
    if memory_bytes < 16 << 20 {
        section.mistake(
            "memory",
            "too little for any question, write \"64 MiB\" or more",
        );
    }
    let time = section.or("time", usual.time);
    if time.is_zero() {
        section.mistake("time", "no time at all, write \"30 s\"");
    }
    let concurrent = section
        .within("concurrent", 1..=64)
        .unwrap_or(usual.concurrent);
    let latency_slot = section.or("latency_slot", usual.latency_slot);
    Limits {
        memory_bytes,
        time,
        concurrent,
        latency_slot,
    }
}

fn is_digest(text: &str) -> bool {
    quorate_identity::parse_digest(text).is_some()
}

fn not_a_digest(text: &str) -> String {
    format!(
        "`{}` is not a digest, write `sha256:` and 64 hexadecimal digits",
        text.escape_debug()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: &str = "ed25519:";

    fn sound(dir: &Path) -> String {
        std::fs::write(dir.join("p.csv"), "person_id\n1\n").unwrap();
        let key = quorate_identity::SigningKey::from_seed(&[1; 32]).unwrap();
        let digest = format!("sha256:{}", "ab".repeat(32));
        format!(
            r#"[node]
format = 1
name = "cleveland"
coordinator = "https://hub.example.org:8443"
genesis = ["{key}"]
codebooks = ["{digest}"]

[population]
name = "cleveland-heart"

[source.person]
kind = "csv"
path = "p.csv"
delimiter = ";"
nulls = ["", "NA"]

[release]
k = 10
nk = [2, 0.85]

[[project]]
id = "heart-1"
until = 2027-06-30
tables = ["person"]
members = [{{ name = "alice", key = "{key}" }}]
approval = "listed"
approved = ["{digest}"]

[limits]
memory = "512 MiB"
time = "5 s"
"#,
            key = key.key_id()
        )
    }

    fn complaints(dir: &Path, text: &str) -> Vec<String> {
        let mistakes = read(text, "node.toml", dir, &[]).unwrap_err();
        mistakes.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_sound_policy() {
        let dir = tempfile::tempdir().unwrap();
        let text = sound(dir.path());
        let policy = read(&text, "node.toml", dir.path(), &[]).unwrap();
        assert_eq!(policy.digest, digest(&text));
        assert_eq!(policy.node.state, dir.path().join("state"));
        assert_eq!(policy.node.proxy, Proxy::Env);
        assert_eq!(policy.limits.memory_bytes, 512 << 20);
        assert_eq!(
            (policy.limits.time, policy.limits.concurrent),
            (Duration::from_secs(5), 2)
        );
        assert_eq!(policy.limits.latency_slot, Duration::from_millis(250));
        assert_eq!(policy.release.nk, Some((2, 85)));
        let project = &policy.projects["heart-1"];
        assert_eq!(
            project.until,
            21_000 * 86_400,
            "the whole last day counts (UTC)"
        );
        assert!(matches!(&project.approval, Approval::Listed(hashes) if hashes.len() == 1));
    }

    #[test]
    fn three_mistakes_are_three_lines() {
        let dir = tempfile::tempdir().unwrap();
        let text = sound(dir.path())
            .replace("delimiter = \";\"", "delimeter = \";\"")
            .replace("path = \"p.csv\"", "path = \"q.csv\"")
            .replace("time = \"5 s\"", "time = \"5 seconds\"");
        let lines = complaints(dir.path(), &text);
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(
            lines[0].starts_with("node.toml:13:") && lines[0].contains("no such file"),
            "{lines:#?}"
        );
        assert!(
            lines[1].contains("source.person.delimeter: unknown key, write `delimiter`"),
            "{lines:#?}"
        );
        assert!(
            lines[2].contains("limits.time: this is a string, write a number and a unit"),
            "{lines:#?}"
        );
    }

    #[test]
    fn each_part_has_its_own_mistakes() {
        let dir = tempfile::tempdir().unwrap();
        for (from, to, says) in [
            ("https://hub", "http://hub", "not an https address"),
            ("\"cleveland\"", "\"Cleve land\"", "not a name"),
            ("[\"ed25519:", "[\"ed25518:", "not a key id"),
            (
                "codebooks = [\"sha256:",
                "codebooks = [\"sha1:",
                "not a digest",
            ),
            ("kind = \"csv\"", "kind = \"cvs\"", "write \"csv\""),
            ("kind = \"csv\"", "kind = \"parquet\"", "only csv sources"),
            (
                "delimiter = \";\"",
                "delimiter = \"||\"",
                "not one plain character",
            ),
            (
                "delimiter = \";\"",
                "date_format = \"%d.%m\"",
                "does not name year, month and day",
            ),
            (
                "approval = \"listed\"",
                "approval = \"auto\"",
                "only `approval = \"listed\"`",
            ),
            ("until = 2027-06-30", "until = \"soon\"", "write a date"),
            (
                "[[project]]\nid = \"heart-1\"",
                "[[project]]",
                "`id` is missing",
            ),
            ("nk = [2, 0.85]", "nk = [2]", "contributors and a share"),
            (
                "[population]\nname = \"cleveland-heart\"",
                "",
                "write `[population]`",
            ),
            ("memory = \"512 MiB\"", "memory = \"1 MiB\"", "too little"),
            ("format = 1", "format = 2", "out of range"),
            (
                "format = 1",
                "format = 1\nproxy = \"proxy.example.org\"",
                "not a proxy",
            ),
            (
                "format = 1",
                "format = 1\nextra_ca = [\"ca.pem\"]",
                "no such file",
            ),
        ] {
            let text = sound(dir.path()).replace(from, to);
            assert_ne!(text, sound(dir.path()), "{from}");
            let lines = complaints(dir.path(), &text);
            assert!(
                lines.iter().any(|line| line.contains(says)),
                "{says}: {lines:#?}"
            );
            assert!(
                !lines
                    .iter()
                    .any(|line| line.contains(KEY) && says != "not a key id"),
                "{lines:#?}"
            );
        }
    }

    #[test]
    fn a_release_looser_than_the_codebook_is_a_mistake_and_has_no_effect() {
        let dir = tempfile::tempdir().unwrap();
        let codebook = "[codebook]\nformat = 1\nname = 'c'\nversion = 1\nunit = 'person.person_id'\n[release]\nk = 12\nround_base = 5\n[table.person]\nrows = 'one-per-unit'\n[table.person.column]\nperson_id = { type = 'int', role = ['unit'] }\n";
        let codebook = quorate_query::codebook::read(codebook, "c.toml").unwrap();
        let text = sound(dir.path()).replace(
            "nk = [2, 0.85]",
            "nk = [2, 0.95]\nround_base = 10\nmax_cells = 5000",
        );
        let mistakes = read(&text, "node.toml", dir.path(), &[&codebook])
            .unwrap_err()
            .to_string();
        assert_eq!(mistakes.lines().count(), 3, "{mistakes}");
        assert!(
            mistakes.contains("release.k: looser than the codebook's 12"),
            "{mistakes}"
        );
        let release = read(&text, "node.toml", dir.path(), &[])
            .unwrap()
            .release_for(&codebook);
        assert_eq!(
            (release.k, release.round_base, release.nk, release.max_cells),
            (12, 10, (2, 90), 1000)
        );
    }

    #[test]
    fn a_policy_that_is_not_there_is_one_mistake() {
        let error = read_file(Path::new("/nowhere/node.toml"), &[]).unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }

    #[test]
    fn the_samples_of_the_documentation_have_no_mistake() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/samples");
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "data/a.csv",
            "omop/person.parquet",
            "omop/measurement/1.parquet",
            "invented.csv",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let mut read_samples = 0;
        for entry in std::fs::read_dir(&samples).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            if !text.contains("[node]") {
                continue;
            }
            let policy = read(&text, &path.display().to_string(), dir.path(), &[]);
            assert!(policy.is_ok(), "{}", policy.unwrap_err());
            read_samples += 1;
        }
        assert!(read_samples >= 3);
    }
}
