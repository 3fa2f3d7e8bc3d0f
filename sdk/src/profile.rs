//! The researcher's folder: who I am, which network I belong to, whom I trust.
//!
//! ```text
//! config.toml       [profile] format, coordinator, network, name, genesis, project, codebook, extra_ca
//! identity.key      signs questions; long-lived, never leaves the machine
//! tls.pem           certificate chain and key for the connection; short-lived, renewed
//! ca.pem            the coordinator's certificate authority
//! roster.log        the newest roster seen; heads never go back
//! codebooks/        one file per codebook, named by its digest
//! questions/        what I asked: signed question and the nodes it went to
//! ```
//!
//! The founders' keys in `config.toml` are the anchor of everything that is verified.
//! What this file must not know: how to talk to anybody.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_identity::keys::{KeyError, read_private, write_private};
use quorate_identity::roster::{parse_log, write_log};
use quorate_identity::{KeyId, Name, Roster, RosterError, Signed, SigningKey};
use quorate_query::codebook::{self, Codebook};
use quorate_query::toml_reader::{File, Mistakes};
use zeroize::Zeroizing;

/// What is wrong with the researcher's folder.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no profile yet.
    #[error(
        "{0}: no profile here; run `quorate login TOKEN` with the token of your network's operator"
    )]
    Missing(PathBuf),
    /// `config.toml` has mistakes.
    #[error("{0}")]
    Config(#[from] Mistakes),
    /// A key is missing or exposed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The roster on disk, or one that was offered, is not to be believed.
    #[error("the roster cannot be trusted: {0}")]
    Roster(#[from] RosterError),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A codebook does not have the digest it is filed under.
    #[error("{0}: not the codebook it is named after; delete the file and ask again")]
    Codebook(PathBuf),
    /// Logged in to one network, asked to join another.
    #[error(
        "this profile belongs to {name} of the network `{network}`; use another folder (`--home DIR`) for another identity"
    )]
    Taken {
        /// Who it belongs to.
        name: Name,
        /// Where.
        network: Name,
    },
}

/// The contents of `config.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the coordinator listens, `https://host:port`.
    pub coordinator: String,
    /// Which network.
    pub network: Name,
    /// My name in its roster.
    pub name: Name,
    /// Keys of the custodians who founded it, read out of band.
    pub genesis: Vec<KeyId>,
    /// Project to ask for when none is named.
    pub project: Option<String>,
    /// Codebook to use when the network has several.
    pub codebook: Option<String>,
    /// Further certificate authorities, for networks behind a proxy that opens TLS.
    pub extra_ca: Vec<PathBuf>,
}

impl Settings {
    /// Reads `config.toml`, every mistake at once.
    ///
    /// # Errors
    /// If it has mistakes.
    pub fn read(text: &str, path: &str) -> Result<Self, Mistakes> {
        let file = File::parse(text, path)?;
        let root = file.root();
        let profile = root.need_section("profile");
        if let Some(format) = profile.need::<i64>("format")
            && format != 1
        {
            profile.mistake("format", "this program reads format 1; write `format = 1`");
        }
        let coordinator = profile.need::<String>("coordinator").filter(|url| {
            let right = url.starts_with("https://");
            if !right {
                profile.mistake("coordinator", "write the address as `https://host:port`");
            }
            right
        });
        let party = |key: &str| {
            let text = profile.need::<String>(key)?;
            let name = Name::parse(&text);
            name.map_err(|wrong| profile.mistake(key, wrong.to_string()))
                .ok()
        };
        let (network, name) = (party("network"), party("name"));
        let pins = profile.need::<Vec<String>>("genesis").unwrap_or_default();
        let mut genesis = Vec::new();
        for pin in pins {
            match KeyId::parse(&pin) {
                Ok(key) => genesis.push(key),
                Err(wrong) => profile.mistake("genesis", wrong.to_string()),
            }
        }
        let project = profile.get::<String>("project");
        let codebook = profile.get::<String>("codebook");
        let extra_ca = profile.or::<Vec<String>>("extra_ca", Vec::new());
        let settings = (|| {
            Some(Self {
                coordinator: coordinator?,
                network: network?,
                name: name?,
                genesis,
                project,
                codebook,
                extra_ca: extra_ca.into_iter().map(PathBuf::from).collect(),
            })
        })();
        file.finish(settings)
    }

    /// The text of `config.toml`.
    #[must_use]
    pub fn write(&self) -> String {
        let quoted = |text: &str| toml_edit::Value::from(text).to_string().trim().to_owned();
        let list = |items: Vec<String>| {
            let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        };
        let genesis = list(self.genesis.iter().map(ToString::to_string).collect());
        let mut text = format!(
            "[profile]\nformat = 1\ncoordinator = {}\nnetwork = {}\nname = {}\n\
             # keys of the founding custodians: compare them with what the custodians told you\n\
             genesis = {genesis}\n",
            quoted(&self.coordinator),
            quoted(self.network.as_str()),
            quoted(self.name.as_str()),
        );
        for (key, value) in [("project", &self.project), ("codebook", &self.codebook)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{key} = {}", quoted(value));
            }
        }
        if !self.extra_ca.is_empty() {
            let paths = self.extra_ca.iter().map(|p| p.display().to_string());
            let _ = writeln!(text, "extra_ca = {}", list(paths.collect()));
        }
        text
    }
}

/// A folder with an identity that belongs to a network.
#[derive(Clone, Debug)]
pub struct Profile {
    home: PathBuf,
    /// The contents of `config.toml`.
    pub settings: Settings,
}

impl Profile {
    /// Opens a folder that `quorate login` has filled.
    ///
    /// # Errors
    /// If there is no profile or its settings have mistakes.
    pub fn open(home: &Path) -> Result<Self, ProfileError> {
        let path = home.join("config.toml");
        if !path.exists() {
            return Err(ProfileError::Missing(home.to_owned()));
        }
        let settings = Settings::read(&read(&path)?, &path.display().to_string())?;
        Ok(Self {
            home: home.to_owned(),
            settings,
        })
    }

    /// Writes the settings of a new profile, or of the same one again.
    ///
    /// # Errors
    /// If the folder belongs to somebody else, or cannot be written.
    pub fn create(home: &Path, settings: Settings) -> Result<Self, ProfileError> {
        if let Ok(existing) = Self::open(home) {
            let old = existing.settings;
            if old.network != settings.network || old.name != settings.name {
                return Err(ProfileError::Taken {
                    name: old.name,
                    network: old.network,
                });
            }
        }
        make_folder(home)?;
        replace(&home.join("config.toml"), settings.write().as_bytes())?;
        Ok(Self {
            home: home.to_owned(),
            settings,
        })
    }

    /// The folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The key that signs my questions.
    ///
    /// # Errors
    /// If it is missing, damaged or exposed.
    pub fn identity(&self) -> Result<SigningKey, ProfileError> {
        Ok(SigningKey::load(&self.home.join("identity.key"))?)
    }

    /// Certificate chain and key of the connection, PEM in one text.
    ///
    /// # Errors
    /// If they are missing or exposed.
    pub fn tls(&self) -> Result<Zeroizing<String>, ProfileError> {
        let text = read_private(&self.home.join("tls.pem"))?;
        Ok(Zeroizing::new(String::from_utf8_lossy(&text).into_owned()))
    }

    /// Keeps a new certificate and its key. They stand in one file so that another `quorate` that
    /// runs meanwhile never sees one without the other.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_tls(&self, chain: &str, key: &str) -> Result<(), ProfileError> {
        let path = self.home.join("tls.pem");
        let fresh = beside(&path);
        let text = Zeroizing::new(format!("{chain}{key}"));
        write_private(&fresh, text.as_bytes())?;
        fs::rename(&fresh, &path).map_err(io(&path))
    }

    /// Keeps the authority that the enrolment token pinned.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_ca(&self, ca: &str) -> Result<(), ProfileError> {
        replace(&self.home.join("ca.pem"), ca.as_bytes())
    }

    /// The coordinator's certificate authority, PEM.
    ///
    /// # Errors
    /// If it is missing.
    pub fn ca(&self) -> Result<String, ProfileError> {
        read(&self.home.join("ca.pem"))
    }

    /// Further certificate authorities, PEM.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn extra_ca(&self) -> Result<Vec<String>, ProfileError> {
        self.settings
            .extra_ca
            .iter()
            .map(|path| read(&self.home.join(path)))
            .collect()
    }

    /// The newest roster seen, verified from the pinned founders.
    ///
    /// # Errors
    /// If there is none or it is not what the pins say.
    pub fn roster(&self) -> Result<Roster, ProfileError> {
        let log = parse_log(&read(&self.home.join("roster.log"))?)?;
        self.verify_roster(&log)
    }

    /// Verifies a roster log from the pinned founders.
    ///
    /// # Errors
    /// If it is not their roster of this network.
    pub fn verify_roster(&self, log: &[Signed]) -> Result<Roster, ProfileError> {
        let network = self.settings.network.as_str();
        Ok(Roster::verify(Some(network), &self.settings.genesis, log)?)
    }

    /// Verifies a roster log that should continue what was seen before, and keeps it.
    ///
    /// # Errors
    /// If it is not the founders' roster, goes back, or differs in its past.
    pub fn advance_roster(&self, log: &[Signed]) -> Result<Roster, ProfileError> {
        let path = self.home.join("roster.log");
        let newer = self.verify_roster(log)?;
        if path.exists() {
            let known = self.roster()?.head();
            newer.check_extends(&known)?;
            if known == newer.head() {
                return Ok(newer);
            }
        }
        replace(&path, write_log(newer.log()).as_bytes())?;
        Ok(newer)
    }

    /// Every codebook in the cache, by name and version.
    ///
    /// # Errors
    /// If the cache cannot be read or holds a file that is not what its name says.
    pub fn codebooks(&self) -> Result<Vec<Codebook>, ProfileError> {
        let folder = self.home.join("codebooks");
        let mut found = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(io(&folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(io(&folder))?.path();
            if path.extension().is_some_and(|ext| ext == "toml") {
                let codebook = codebook::read(&read(&path)?, &path.display().to_string())?;
                let stem = path
                    .file_stem()
                    .and_then(|stem| stem.to_str())
                    .unwrap_or_default();
                if codebook.digest != format!("sha256:{stem}") {
                    return Err(ProfileError::Codebook(path));
                }
                found.push(codebook);
            }
        }
        found.sort_by(|a, b| (&a.name, a.version, &a.digest).cmp(&(&b.name, b.version, &b.digest)));
        Ok(found)
    }

    /// Reads a published codebook and keeps it under its own digest.
    ///
    /// # Errors
    /// If the text is no codebook or the cache cannot be written.
    pub fn keep_codebook(&self, text: &str) -> Result<Codebook, ProfileError> {
        let codebook = codebook::read(text, "codebook of the network")?;
        let name = codebook.digest.trim_start_matches("sha256:");
        let path = self.home.join("codebooks").join(format!("{name}.toml"));
        if !path.exists() {
            make_folder(&self.home.join("codebooks"))?;
            replace(&path, text.as_bytes())?;
        }
        Ok(codebook)
    }

    /// Where it is noted how far nodes' ledgers were seen.
    #[must_use]
    pub fn heads(&self) -> PathBuf {
        self.home.join("heads.json")
    }

    /// Where notes on questions that were asked are kept.
    #[must_use]
    pub fn questions(&self) -> PathBuf {
        self.home.join("questions")
    }
}

/// The key in a folder, made if there is none.
///
/// # Errors
/// If it cannot be read or made.
pub fn identity_or_new(home: &Path) -> Result<SigningKey, ProfileError> {
    let path = home.join("identity.key");
    if path.exists() {
        return Ok(SigningKey::load(&path)?);
    }
    make_folder(home)?;
    let key = SigningKey::generate()?;
    key.save(&path)?;
    Ok(key)
}

/// Makes a folder that only its owner can enter.
pub(crate) fn make_folder(path: &Path) -> Result<(), ProfileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(io(path))
}

/// Writes a file so that a reader sees the old content or the new, never a part. Errors name the file
/// that was wanted. A link stays one; what is no file, such as a pipe or `/dev/stdout`, is written to.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), ProfileError> {
    let there = fs::metadata(path).ok();
    if there.is_some_and(|there| !there.is_file() && !there.is_dir()) {
        let file = fs::OpenOptions::new().write(true).open(path);
        return file
            .and_then(|mut file| file.write_all(bytes))
            .map_err(io(path));
    }
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = beside(&whole);
    let written = fs::File::create(&fresh)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&fresh, &whole));
    if written.is_err() {
        // Half a file helps nobody; that it could not be written is what is told.
        let _not_there = fs::remove_file(&fresh);
    }
    written.map_err(io(path))
}

/// A name beside a file that no other process or thread uses.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.as_os_str().to_owned();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".new-{}-{count}", std::process::id()));
    PathBuf::from(name)
}

pub(crate) fn read(path: &Path) -> Result<String, ProfileError> {
    fs::read_to_string(path).map_err(io(path))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ProfileError {
    let path = path.to_owned();
    move |source| ProfileError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            coordinator: "https://hub.example.org:8443".to_owned(),
            network: Name::parse("heart").unwrap(),
            name: Name::parse("alice").unwrap(),
            genesis: vec![SigningKey::from_seed(&[1; 32]).unwrap().key_id().clone()],
            project: Some("a \"quoted\" \\ project\n".to_owned()),
            codebook: None,
            extra_ca: vec![PathBuf::from("proxy.pem")],
        }
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        for settings in [
            settings(),
            Settings {
                project: None,
                codebook: Some("cvd".into()),
                extra_ca: vec![],
                ..settings()
            },
        ] {
            let text = settings.write();
            assert_eq!(
                Settings::read(&text, "config.toml").unwrap(),
                settings,
                "{text}"
            );
        }
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let text = "[profile]\nformat = 2\ncoordinator = \"http://x\"\nnetwork = \"A b\"\nname = \"alice\"\n\
                    genesis = [\"rsa:1\"]\ncolour = 1\n";
        let mistakes = Settings::read(text, "config.toml").unwrap_err();
        let said = mistakes.to_string();
        for (line, word) in [
            (2, "format"),
            (3, "https"),
            (4, "network"),
            (6, "ed25519"),
            (7, "colour"),
        ] {
            let found = said
                .lines()
                .any(|l| l.starts_with(&format!("config.toml:{line}:")) && l.contains(word));
            assert!(found, "line {line}, {word}: {said}");
        }
    }

    #[test]
    fn a_folder_belongs_to_one_person() {
        let home = tempfile::tempdir().unwrap();
        Profile::create(home.path(), settings()).unwrap();
        let mut other = settings();
        other.name = Name::parse("bob").unwrap();
        let taken = Profile::create(home.path(), other).unwrap_err();
        assert!(matches!(taken, ProfileError::Taken { .. }), "{taken}");
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_private_and_exposed_ones_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let profile = Profile::create(home.path(), settings()).unwrap();
        identity_or_new(home.path()).unwrap();
        profile.keep_tls("chain\n", "key\n").unwrap();
        for name in ["identity.key", "tls.pem"] {
            let path = home.path().join(name);
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600,
                "{name}"
            );
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert!(matches!(
            profile.identity(),
            Err(ProfileError::Key(KeyError::Exposed { .. }))
        ));
        assert!(matches!(
            profile.tls(),
            Err(ProfileError::Key(KeyError::Exposed { .. }))
        ));
    }

    #[test]
    fn a_codebook_is_what_its_name_says() {
        let home = tempfile::tempdir().unwrap();
        let profile = Profile::create(home.path(), settings()).unwrap();
        let text = "[codebook]\nformat = 1\nname = \"x\"\nversion = 1\nunit = \"person.id\"\n\
                    [table.person]\nrows = \"one-per-unit\"\n[table.person.column]\n\
                    id = { type = \"int\", role = [\"unit\"] }\n";
        let kept = profile.keep_codebook(text).unwrap();
        assert_eq!(profile.codebooks().unwrap()[0].digest, kept.digest);
        let name = format!(
            "codebooks/{}.toml",
            kept.digest.trim_start_matches("sha256:")
        );
        fs::write(home.path().join(name), format!("{text}# altered\n")).unwrap();
        assert!(matches!(
            profile.codebooks(),
            Err(ProfileError::Codebook(_))
        ));
    }
}
