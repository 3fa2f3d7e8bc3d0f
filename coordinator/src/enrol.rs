//! Enrolment: a token buys one certificate, once, for the role and name it was made for. The key
//! stays where it was made; the request is bound to the holder of an identity key by a signature.
//! A certificate opens nothing until custodians have put that key into the roster.

use quorate_identity::tls::PeerIdentity;
use quorate_identity::token::EnrolToken;
use quorate_identity::{KeyError, KeyId, Name, Role, Roster, Signed, digest_text, sha256};
use quorate_query::problem::{Code, Problem};
use quorate_wire::v1::EnrolResponse;
use quorate_wire::{EnrolPayload, OpenError, open_possession};

use crate::ca::{CaError, Issued};
use crate::config::Certificates;
use crate::hub::Hub;
use crate::journal::{CertificateRow, JournalError, Redeemed, Store};

/// Why nobody was enrolled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    /// The caller is told what is wrong, and no more than the table says.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Nothing was issued.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a token secret is kept as.
pub(crate) fn secret_hash(secret: &str) -> String {
    digest_text(&sha256(secret.as_bytes()))
}

/// What a token is made for.
pub(crate) struct TokenPurpose {
    /// As what the bearer enrols.
    pub(crate) role: Role,
    /// Under which name.
    pub(crate) name: Name,
    /// Where the coordinator is reached.
    pub(crate) url: String,
    /// The authority that the bearer pins.
    pub(crate) ca_sha256: String,
    /// Last moment of the token.
    pub(crate) until: i64,
    /// The founders' keys, to be compared with those received out of band.
    pub(crate) genesis: Vec<KeyId>,
}

/// Makes a token for one party. Only the hash of its secret is kept.
pub(crate) fn make_token(
    store: &mut Store,
    purpose: TokenPurpose,
    now: i64,
) -> Result<EnrolToken, MakeTokenError> {
    let TokenPurpose {
        role,
        name,
        url,
        ca_sha256,
        until,
        genesis,
    } = purpose;
    let secret = hex::encode(quorate_identity::random::<32>()?);
    store.add_token(
        &secret_hash(&secret),
        (role.as_str(), name.as_str()),
        now,
        until,
    )?;
    Ok(EnrolToken {
        url,
        ca_sha256,
        secret,
        until,
        role: Some(role),
        name: Some(name),
        genesis,
    })
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeTokenError {
    /// No randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The state file is at fault.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// First contact: spends the token and issues a certificate, both or neither.
pub(crate) async fn enrol(
    hub: &Hub,
    secret: String,
    csr_pem: &str,
    possession: &Signed,
) -> Result<EnrolResponse, EnrolError> {
    let proof = prove(csr_pem, possession)?;
    let issued = issue(hub, &proof, csr_pem)?;
    let (row, now) = (proof.row(&issued, hub.now()), hub.now());
    let holder = (row.role.clone(), row.name.clone());
    let redeemed = hub
        .journal
        .call(move |store| store.redeem(&secret_hash(&secret), &row, now))
        .await?;
    if redeemed == Redeemed::No {
        tracing::warn!(
            role = holder.0,
            name = holder.1,
            "an enrolment token was turned away"
        );
        return Err(Problem::of(Code("A413")).into());
    }
    tracing::info!(role = holder.0, name = holder.1, "enrolled");
    admitted(hub, issued).await
}

/// A new certificate for the holder of one that is still good. The identity key must be the one
/// that enrolled, so that a stolen TLS key cannot renew itself.
pub(crate) async fn renew(
    hub: &Hub,
    peer: &PeerIdentity,
    csr_pem: &str,
    possession: &Signed,
) -> Result<EnrolResponse, EnrolError> {
    let proof = prove(csr_pem, possession)?;
    if proof.role != peer.role || proof.name != peer.name {
        return Err(Problem::of(Code("A401")).into());
    }
    let (role, name) = (proof.role.as_str(), proof.name.to_string());
    let enrolled = hub
        .journal
        .call(move |store| store.newest_identity(role, &name))
        .await?;
    if enrolled.as_deref() != Some(proof.identity.as_str()) {
        return Err(Problem::of(Code("A401")).into());
    }
    let issued = issue(hub, &proof, csr_pem)?;
    let row = proof.row(&issued, hub.now());
    hub.journal.call(move |store| store.renew(&row)).await?;
    admitted(hub, issued).await
}

/// Who asks, and that they hold the identity key.
struct Proof {
    role: Role,
    name: Name,
    identity: KeyId,
}

impl Proof {
    fn row(&self, issued: &Issued, now: i64) -> CertificateRow {
        CertificateRow {
            sha256: issued.sha256.clone(),
            role: self.role.as_str().to_owned(),
            name: self.name.to_string(),
            identity: self.identity.to_string(),
            issued: now,
            not_after: issued.not_after,
        }
    }
}

fn prove(csr_pem: &str, possession: &Signed) -> Result<Proof, Problem> {
    let opened = open_possession(possession).map_err(|error: OpenError| error.problem())?;
    let EnrolPayload {
        role,
        name,
        csr_sha256,
    } = opened.payload();
    if *csr_sha256 != sha256(csr_pem.as_bytes()) {
        return Err(Problem::of(Code("A406")));
    }
    let name = Name::parse(name).map_err(|_| Problem::of(Code("A414")))?;
    Ok(Proof {
        role: *role,
        name,
        identity: opened.signer().clone(),
    })
}

fn issue(hub: &Hub, proof: &Proof, csr_pem: &str) -> Result<Issued, Problem> {
    let Certificates { node, researcher } = hub.config.certificates;
    let life = match proof.role {
        Role::Node => node,
        Role::Researcher => researcher,
        Role::Custodian
        | Role::Approver
        | Role::Coordinator
        | Role::Checker
        | Role::Operator
        | Role::Auditor => {
            return Err(Problem::of(Code("A413")));
        }
    };
    let holder = (proof.role, &proof.name);
    hub.authority
        .issue_client(csr_pem, holder, hub.now(), life)
        .map_err(|error| match error {
            CaError::Request(_) => Problem::of(Code("A414")),
            CaError::Key(_) | CaError::File { .. } | CaError::Unusable(_) => {
                tracing::error!(%error, "no certificate can be issued");
                Problem::of(Code("E900"))
            }
        })
}

/// Opens the door at once, and hands out what a newcomer needs to know.
async fn admitted(hub: &Hub, issued: Issued) -> Result<EnrolResponse, EnrolError> {
    if let Err(error) = hub.reload().await {
        tracing::error!(%error, "the register cannot be read again");
    }
    let public = hub.public();
    let roster = public.roster.as_ref().map(Roster::log).unwrap_or_default();
    Ok(EnrolResponse {
        certificate_pem: issued.pem,
        ca_pem: hub.authority.pem().to_owned(),
        network: hub.config.network.to_string(),
        roster: roster.iter().map(Into::into).collect(),
        codebooks: public.codebooks_for_wire(|_| false),
    })
}
