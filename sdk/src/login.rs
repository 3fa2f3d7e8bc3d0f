//! Joining a network: a key of one's own, a certificate for the connection, the roster, the codebooks.
//!
//! The first contact is already authenticated: the token pins the coordinator's authority. The
//! keys of the founding custodians come from the person at the keyboard; what token and roster say
//! about them is only shown for comparison, and pinned with that remark.

use std::path::Path;

use quorate_identity::roster::{Change, Entry};
use quorate_identity::tls::{
    TlsError, certificates, enrol_client_config, fingerprint, new_csr, peer, uri,
};
use quorate_identity::token::{EnrolToken, TokenError};
use quorate_identity::{KeyId, Name, NameError, Role, RosterError, Signed, sha256};
use quorate_wire::v1::enrolment_client::EnrolmentClient;
use quorate_wire::{EnrolPayload, WireError, sign, v1};

use crate::client::envelopes;
use crate::link::{self, LinkError};
use crate::profile::{Profile, ProfileError, Settings, identity_or_new};

/// Why somebody could not join.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is for a node, say.
    #[error(
        "this token is for a {0}, not for a researcher; ask the operator for a researcher's token"
    )]
    Role(Role),
    /// Nobody said who it is.
    #[error("give your name in the roster with --name NAME")]
    NoName,
    /// Not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The token is for somebody else.
    #[error("this token is for `{0}`")]
    OtherName(Name),
    /// The own folder.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The way there, or the coordinator's objection.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Not a message.
    #[error("the coordinator sent something that is no message: {0}")]
    Wire(#[from] WireError),
    /// The answer is not what was asked for.
    #[error("the coordinator's answer is not believed: {0}")]
    Answer(&'static str),
    /// The roster.
    #[error("the roster cannot be trusted: {0}")]
    Roster(#[from] RosterError),
}

/// Where the pinned founders' keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// From the person: compared out of band.
    ByPerson,
    /// From the operator's token: still to be compared.
    FromToken,
    /// From the roster itself: still to be compared.
    FromRoster,
}

/// How one joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The profile.
    pub profile: Profile,
    /// The researcher's key.
    pub key: KeyId,
    /// Where the pins come from.
    pub pinned: Pinned,
    /// Why the roster does not list this key yet, if so.
    pub missing: Option<RosterError>,
    /// End of the certificate, unix seconds.
    pub until: i64,
}

/// What a person says about joining.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Name in the roster; else the token's, else the profile's.
    pub name: Option<String>,
    /// Keys of the founding custodians, read out of band.
    pub genesis: Vec<KeyId>,
    /// Project to ask for when none is named.
    pub project: Option<String>,
}

/// Joins a network, or renews a standing in it.
///
/// # Errors
/// If the token is not good, the coordinator is not the one it names, or its answer is not to be believed.
pub async fn login(home: &Path, token: &str, wish: Wish, now: i64) -> Result<Joined, LoginError> {
    let token = EnrolToken::parse(token)?;
    token.check_time(now)?;
    if let Some(role) = token.role.filter(|role| *role != Role::Researcher) {
        return Err(LoginError::Role(role));
    }
    let known = match Profile::open(home) {
        Ok(profile) => Some(profile.settings),
        Err(ProfileError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let name = name(&token, &wish, known.as_ref())?;
    if let Some(known) = known.as_ref().filter(|known| known.name != name) {
        let (name, network) = (known.name.clone(), known.network.clone());
        return Err(ProfileError::Taken { name, network }.into());
    }
    let key = identity_or_new(home)?;

    let request = new_csr(&uri(Role::Researcher, &name))?;
    let possession = sign(&possession(&name, &request.csr_pem), &key);
    let reply = enrol(&token, &request.csr_pem, &possession).await?;
    if fingerprint(&reply.ca_pem)? != token.ca_pin()? {
        return Err(LoginError::Answer(
            "its authority is not the one that the token names",
        ));
    }
    let until = check_certificate(&reply.certificate_pem, &name)?;
    let network = Name::parse(&reply.network)?;
    let log = envelopes(reply.roster)?;
    let (genesis, pinned) = pins(&wish, known.as_ref(), &token, &log)?;
    let settings = Settings {
        coordinator: token.url.clone(),
        network,
        name: name.clone(),
        genesis,
        project: wish.project.or_else(|| known.as_ref()?.project.clone()),
        codebook: known.as_ref().and_then(|known| known.codebook.clone()),
        extra_ca: known.map(|known| known.extra_ca).unwrap_or_default(),
    };
    // Before anything is written: does the roster begin with those founders?
    let missing = standing(&settings, &log, key.key_id(), now)?;
    let profile = Profile::create(home, settings)?;
    if !log.is_empty() {
        profile.advance_roster(&log)?;
    }
    profile.keep_ca(&reply.ca_pem)?;
    profile.keep_tls(&reply.certificate_pem, &request.key_pem)?;
    for book in reply.codebooks {
        let text = String::from_utf8(book.text).map_err(|_| WireError::Invalid("codebook"))?;
        profile.keep_codebook(&text)?;
    }
    Ok(Joined {
        profile,
        key: key.key_id().clone(),
        pinned,
        missing,
        until,
    })
}

/// Verifies the roster, and says why it does not list this key, if so.
fn standing(
    settings: &Settings,
    log: &[Signed],
    key: &KeyId,
    now: i64,
) -> Result<Option<RosterError>, LoginError> {
    if log.is_empty() {
        return Ok(Some(RosterError::Empty));
    }
    let network = settings.network.as_str();
    let roster = quorate_identity::Roster::verify(Some(network), &settings.genesis, log)?;
    let role = Role::Researcher;
    Ok(match roster.member(role, settings.name.as_str(), now) {
        Ok(member) if member.key == *key => None,
        Ok(member) => {
            let (name, found) = (member.name.clone(), key.clone());
            Some(RosterError::WrongKey { role, name, found })
        }
        Err(error) => Some(error),
    })
}

fn name(token: &EnrolToken, wish: &Wish, known: Option<&Settings>) -> Result<Name, LoginError> {
    let wished = wish.name.as_deref().map(Name::parse).transpose()?;
    match (&token.name, wished) {
        (Some(invited), Some(wished)) if *invited != wished => {
            Err(LoginError::OtherName(invited.clone()))
        }
        (Some(invited), _) => Ok(invited.clone()),
        (None, Some(wished)) => Ok(wished),
        (None, None) => known
            .map(|known| known.name.clone())
            .ok_or(LoginError::NoName),
    }
}

fn possession(name: &Name, csr_pem: &str) -> EnrolPayload {
    EnrolPayload {
        role: Role::Researcher,
        name: name.to_string(),
        csr_sha256: sha256(csr_pem.as_bytes()),
    }
}

async fn enrol(
    token: &EnrolToken,
    csr_pem: &str,
    possession: &Signed,
) -> Result<v1::EnrolResponse, LoginError> {
    let channel = link::channel(&token.url, enrol_client_config(&token.ca_pin()?)?)?;
    let mut enrolment = EnrolmentClient::new(channel)
        .max_decoding_message_size(quorate_wire::MAX_MESSAGE)
        .max_encoding_message_size(quorate_wire::MAX_MESSAGE);
    let request = v1::EnrolRequest {
        secret: token.secret.clone(),
        csr_pem: csr_pem.to_owned(),
        possession: Some(possession.into()),
    };
    let reply = enrolment.enrol(request).await;
    Ok(reply
        .map_err(|status| link::classify(&status, &token.url))?
        .into_inner())
}

/// The certificate must be this researcher's. Returns its end.
fn check_certificate(chain_pem: &str, name: &Name) -> Result<i64, LoginError> {
    let chain = certificates(chain_pem)?;
    let leaf = chain
        .first()
        .ok_or(LoginError::Answer("it has no certificate"))?;
    let identity = peer(leaf)?;
    if identity.role == Role::Researcher && identity.name == *name {
        Ok(identity.not_after)
    } else {
        Err(LoginError::Answer("the certificate names somebody else"))
    }
}

/// The founders' keys: the person's, else those pinned before, else what token or roster say.
fn pins(
    wish: &Wish,
    known: Option<&Settings>,
    token: &EnrolToken,
    log: &[Signed],
) -> Result<(Vec<KeyId>, Pinned), LoginError> {
    if !wish.genesis.is_empty() {
        return Ok((wish.genesis.clone(), Pinned::ByPerson));
    }
    if let Some(known) = known.filter(|known| !known.genesis.is_empty()) {
        return Ok((known.genesis.clone(), Pinned::ByPerson));
    }
    if !token.genesis.is_empty() {
        return Ok((token.genesis.clone(), Pinned::FromToken));
    }
    // Without a roster there is nothing to pin yet; a later login will.
    let Some(first) = log.first() else {
        return Ok((Vec::new(), Pinned::FromRoster));
    };
    match Entry::parse(&first.payload)?.change {
        Change::Genesis { custodians } => {
            let keys = custodians.into_iter().map(|founder| founder.key).collect();
            Ok((keys, Pinned::FromRoster))
        }
        Change::Add { .. } | Change::Revoke { .. } => Err(RosterError::Genesis { seq: 1 }.into()),
    }
}

/// Renews the certificate when two thirds of its life are over. Returns whether it did.
///
/// # Errors
/// If it is due and cannot be renewed; the old one may still be good for a while.
pub async fn renew_if_due(profile: &Profile, now: i64) -> Result<bool, LoginError> {
    let tls_identity = profile.tls()?;
    let leaf = certificates(&tls_identity)?;
    let identity = peer(
        leaf.first()
            .ok_or(LoginError::Answer("there is no certificate"))?,
    )?;
    let life = identity.not_after.saturating_sub(identity.not_before);
    if now < identity.not_before.saturating_add(life / 3 * 2) {
        return Ok(false);
    }
    let name = &profile.settings.name;
    let request = new_csr(&uri(Role::Researcher, name))?;
    let possession = sign(&possession(name, &request.csr_pem), &profile.identity()?);
    let tls = quorate_identity::tls::client_config(
        &profile.ca()?,
        &profile.extra_ca()?,
        Some((&tls_identity, &tls_identity)),
    )?;
    let url = &profile.settings.coordinator;
    let mut enrolment = EnrolmentClient::new(link::channel(url, tls)?)
        .max_decoding_message_size(quorate_wire::MAX_MESSAGE);
    let message = v1::RenewRequest {
        csr_pem: request.csr_pem.clone(),
        possession: Some((&possession).into()),
    };
    let reply = enrolment.renew(message).await;
    let reply = reply
        .map_err(|status| link::classify(&status, url))?
        .into_inner();
    check_certificate(&reply.certificate_pem, name)?;
    // The authority was pinned when we joined; a renewal does not change it.
    profile.keep_tls(&reply.certificate_pem, &request.key_pem)?;
    Ok(true)
}
