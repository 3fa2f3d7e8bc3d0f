//! By what saved files are believed: the founders' keys, as a profile pins them or as the command
//! names them. With keys on the command line no profile is looked at, so that anybody can verify.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use quorate_identity::roster::parse_log;
use quorate_identity::{KeyId, Roster, RosterError, Signed};
use quorate_wire::signed_from_bytes;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::text;
use crate::profile::{Profile, ProfileError};

/// Whom to believe.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TrustArgs {
    /// Fingerprint of a founding custodian's key, read out of band (repeat it for every founder):
    /// believe by these alone, without a profile
    #[arg(long, value_name = "ed25519:...")]
    pub(crate) genesis: Vec<String>,
    /// The network's roster, one signed entry a line, where it is newer than the one at hand
    #[arg(long, value_name = "FILE")]
    pub(crate) roster: Option<PathBuf>,
}

/// The anchor of everything that is believed.
pub(crate) struct Trust {
    profile: Option<Profile>,
    network: Option<String>,
    genesis: Vec<KeyId>,
    known: Option<Roster>,
}

impl Trust {
    /// The keys on the command line, else those of the profile.
    pub(crate) fn of(home: &Path, args: &TrustArgs) -> Result<Self, Failure> {
        let mut trust = if args.genesis.is_empty() {
            Self::of_profile(home)?
        } else {
            let keys = args.genesis.iter().map(|pin| KeyId::parse(pin));
            let keys = keys
                .collect::<Result<_, _>>()
                .map_err(|error| Failure::new(Exit::Usage, format!("--genesis: {error}")))?;
            Self {
                profile: None,
                network: None,
                genesis: keys,
                known: None,
            }
        };
        if let Some(path) = &args.roster {
            let log = parse_log(&text::read_file(path)?).map_err(|error| refused(path, &error))?;
            let given = trust.verify(&log).map_err(|error| refused(path, &error))?;
            trust.known = Some(match trust.known {
                None => given,
                Some(known) => longer(known, given).map_err(|error| refused(path, &error))?,
            });
        }
        Ok(trust)
    }

    fn of_profile(home: &Path) -> Result<Self, Failure> {
        let profile = match Profile::open(home) {
            Err(ProfileError::Missing(place)) => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!(
                        "{} holds no profile: name the keys of the founding custodians, as they publish them, with --genesis ed25519:...",
                        place.display()
                    ),
                ));
            }
            opened => opened?,
        };
        let known = match profile.roster() {
            Err(ProfileError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                None
            }
            roster => Some(roster?),
        };
        Ok(Self {
            network: Some(profile.settings.network.to_string()),
            genesis: profile.settings.genesis.clone(),
            known,
            profile: Some(profile),
        })
    }

    /// The profile, where it is what everything is believed by.
    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    fn verify(&self, log: &[Signed]) -> Result<Roster, RosterError> {
        Roster::verify(self.network.as_deref(), &self.genesis, log)
    }

    /// The roster that a file was verified against when it was saved, and the one known where that
    /// is newer. They must be one history, begun by the founders.
    pub(crate) fn rosters(&self, saved: &[Signed]) -> Result<(Roster, Option<Roster>), Failure> {
        if saved.is_empty() {
            return Ok((self.newest(&[])?, None));
        }
        let saved = self.verify(saved).map_err(|error| inside(&error))?;
        let Some(known) = self.known.clone() else {
            return Ok((saved, None));
        };
        let moved_on = known.head().seq > saved.head().seq;
        longer(known.clone(), saved.clone()).map_err(|error| inside(&error))?;
        Ok((saved, moved_on.then_some(known)))
    }

    /// The newest roster of those known and those that files hold; they must be one history.
    pub(crate) fn newest(&self, offered: &[Vec<Signed>]) -> Result<Roster, Failure> {
        let mut newest = self.known.clone();
        for log in offered {
            let roster = self.verify(log).map_err(|error| inside(&error))?;
            newest = Some(match newest {
                None => roster,
                Some(known) => longer(known, roster).map_err(|error| inside(&error))?,
            });
        }
        newest.ok_or_else(|| {
            broken("nothing here holds the network's roster: give it with --roster FILE")
        })
    }
}

/// The longer of two rosters, which continues the other.
fn longer(one: Roster, other: Roster) -> Result<Roster, RosterError> {
    let (older, newer) = if one.head().seq <= other.head().seq {
        (one, other)
    } else {
        (other, one)
    };
    newer.check_extends(&older.head())?;
    Ok(newer)
}

/// The roster inside a saved result, entry by entry; empty if the text is none.
pub(crate) fn roster_in(text: &str) -> Vec<Signed> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let entries = document.get("roster").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    let entries = entries.map(|entry| entry.as_str().and_then(|text| envelope(text).ok()));
    entries.collect::<Option<_>>().unwrap_or_default()
}

/// A signed message as a result holds it.
pub(crate) fn envelope(text: &str) -> Result<Signed, Failure> {
    let bytes = BASE64
        .decode(text)
        .map_err(|_| broken("signed bytes are not base64"))?;
    signed_from_bytes(&bytes).map_err(|_| broken("signed bytes are not a signed message"))
}

/// What is not to be believed.
pub(crate) fn broken(message: impl Into<String>) -> Failure {
    Failure::new(
        Exit::NotVerified,
        format!("NOT VERIFIED: {}", message.into()),
    )
}

fn inside(error: &RosterError) -> Failure {
    broken(format!(
        "the roster in the file is not to be believed: {error}"
    ))
}

fn refused(path: &Path, error: &RosterError) -> Failure {
    broken(format!("{}: {error}", path.display()))
}
