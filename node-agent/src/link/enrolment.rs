//! Getting a certificate, and a new one before it ends. The TLS key is made here and stays here;
//! what travels is a request for its certificate, signed by the node's identity key.

use quorate_identity::tls::{enrol_client_config, new_csr, uri};
use quorate_identity::token::EnrolToken;
use quorate_identity::{Name, Role, Signed, SigningKey, parse_digest, sha256};
use quorate_wire::v1::enrolment_client::EnrolmentClient;
use quorate_wire::v1::{self, EnrolRequest, EnrolResponse, RenewRequest};
use quorate_wire::{EnrolPayload, MAX_MESSAGE, sign};
use tonic::transport::Channel;

use super::dial::{Route, Target};
use super::{LinkError, channel};
use crate::home::Enrolment;
use crate::policy::Policy;

/// What enrolment brought.
pub(crate) struct Enrolled {
    pub(crate) enrolment: Enrolment,
    pub(crate) roster: Vec<Signed>,
    pub(crate) codebooks: Vec<v1::Codebook>,
}

/// First contact: the token pins the coordinator, the coordinator checks the token.
pub(crate) async fn enrol(
    policy: &Policy,
    key: &SigningKey,
    token: &EnrolToken,
) -> Result<Enrolled, LinkError> {
    let target = Target::parse(&token.url)?;
    let pin =
        parse_digest(&token.ca_sha256).ok_or(LinkError::Protocol("token pins no authority"))?;
    let route = Route::choose(&policy.node.proxy, &target);
    let line = channel(&route, &target, enrol_client_config(&pin)?).await?;
    let mut client = client(line.channel);
    let request = Request::new(policy, key)?;
    let reply = client
        .enrol(EnrolRequest {
            secret: token.secret.clone(),
            csr_pem: request.csr_pem.clone(),
            possession: Some(request.possession.clone().into()),
        })
        .await?
        .into_inner();
    let authority = quorate_identity::tls::fingerprint(&reply.ca_pem)?;
    if authority != pin {
        return Err(LinkError::Protocol(
            "sent another certificate authority than the token pins",
        ));
    }
    request.finish(reply, policy)
}

/// A new certificate over the connection that the old one opened.
pub(crate) async fn renew(
    channel: Channel,
    policy: &Policy,
    key: &SigningKey,
    old: &Enrolment,
) -> Result<Enrolment, LinkError> {
    let request = Request::new(policy, key)?;
    let reply = client(channel)
        .renew(RenewRequest {
            csr_pem: request.csr_pem.clone(),
            possession: Some(request.possession.clone().into()),
        })
        .await?
        .into_inner();
    // The authority stays the one that the token pinned, whatever the coordinator says now.
    let fresh = request
        .finish(
            EnrolResponse {
                ca_pem: old.ca.clone(),
                ..reply
            },
            policy,
        )?
        .enrolment;
    if fresh.network != old.network {
        return Err(LinkError::Protocol("belongs to another network"));
    }
    Ok(fresh)
}

fn client(channel: Channel) -> EnrolmentClient<Channel> {
    EnrolmentClient::new(channel).max_decoding_message_size(MAX_MESSAGE)
}

/// A fresh key, the request for its certificate, and the proof that goes with it.
struct Request {
    csr_pem: String,
    key_pem: String,
    possession: Signed,
}

impl Request {
    fn new(policy: &Policy, key: &SigningKey) -> Result<Self, LinkError> {
        let name =
            Name::parse(&policy.node.name).map_err(|_| LinkError::Protocol("name is not one"))?;
        let csr = new_csr(&uri(Role::Node, &name))?;
        let payload = EnrolPayload {
            role: Role::Node,
            name: policy.node.name.clone(),
            csr_sha256: sha256(csr.csr_pem.as_bytes()),
        };
        let possession = sign(&payload, key);
        Ok(Self {
            csr_pem: csr.csr_pem,
            key_pem: csr.key_pem.to_string(),
            possession,
        })
    }

    /// The reply is used only if it certifies this node and this key.
    fn finish(self, reply: EnrolResponse, policy: &Policy) -> Result<Enrolled, LinkError> {
        let leaf = quorate_identity::tls::certificates(&reply.certificate_pem)?;
        let leaf = leaf
            .first()
            .ok_or(LinkError::Protocol("sent no certificate"))?;
        let named = quorate_identity::tls::peer(leaf)?;
        if named.role != Role::Node || named.name != *policy.node.name {
            return Err(LinkError::Protocol("sent a certificate for somebody else"));
        }
        let pair = (reply.certificate_pem.as_str(), self.key_pem.as_str());
        quorate_identity::tls::client_config(&reply.ca_pem, &[], Some(pair))?;
        let entries = reply
            .roster
            .into_iter()
            .map(Signed::try_from)
            .collect::<Result<Vec<_>, _>>();
        let roster = entries.map_err(|_| LinkError::Protocol("sent a malformed roster"))?;
        let enrolment = Enrolment {
            certificate: reply.certificate_pem,
            key: self.key_pem,
            ca: reply.ca_pem,
            network: reply.network,
        };
        Ok(Enrolled {
            enrolment,
            roster,
            codebooks: reply.codebooks,
        })
    }
}
