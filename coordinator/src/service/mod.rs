//! The three services behind one port, and who may speak to them.

mod connection;
mod doors;
mod enrolment;
mod listen;
mod node_link;
mod research;
mod session;

use quorate_identity::Role;
use quorate_identity::tls::{self, PeerIdentity};
use quorate_query::problem::{Code, Problem};
use quorate_wire::{WireError, to_status};
use tonic::{Request, Status};

use crate::hub::Hub;
use crate::journal::JournalError;

pub(crate) use listen::{ListenError, Listener};

/// Who is on the line in this role, from the certificate that TLS has verified. Whether it is
/// still good is asked of the register at each request, because a connection outlives a revocation.
fn caller<T>(hub: &Hub, request: &Request<T>, role: Role) -> Result<PeerIdentity, Status> {
    let peer = any_caller(hub, request)?;
    if peer.role == role {
        Ok(peer)
    } else {
        Err(no_door())
    }
}

/// Who is on the line, in whatever role.
fn any_caller<T>(hub: &Hub, request: &Request<T>) -> Result<PeerIdentity, Status> {
    let certificates = request.peer_certs().ok_or_else(no_door)?;
    let peer = tls::peer(certificates.first().ok_or_else(no_door)?).map_err(|_| no_door())?;
    hub.public().door(&peer, hub.now()).map_err(|problem| {
        tracing::warn!(
            role = peer.role.as_str(),
            name = peer.name.as_str(),
            certificate = quorate_identity::digest_text(&peer.sha256),
            "a certificate that opens no door"
        );
        to_status(&problem)
    })?;
    Ok(peer)
}

fn no_door() -> Status {
    to_status(&Problem::of(Code("A411")))
}

/// A request that cannot be decoded.
fn malformed(_: WireError) -> Status {
    to_status(&Problem::of(Code("A414")))
}

/// The journal cannot be written or read: the caller gets a ticket, the log has the reason.
fn internal(error: &JournalError) -> Status {
    let ticket = quorate_identity::random::<4>()
        .map(hex::encode)
        .unwrap_or_default();
    tracing::error!(ticket, %error, "a request failed");
    let text =
        format!("an internal fault at the coordinator, nothing was acknowledged; ticket {ticket}");
    to_status(&Problem::new(Code("E900"), text))
}
