//! A node dials in and keeps one stream open. The stream begins with the node's signed hello, which
//! binds this TLS certificate to the identity key in the roster; everything else is a session.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use quorate_identity::tls::PeerIdentity;
use quorate_identity::{Role, Signed};
use quorate_query::problem::{Code, Problem};
use quorate_wire::v1::node_link_server::NodeLink;
use quorate_wire::v1::{HubFrame, NodeFrame, node_frame};
use quorate_wire::{Hello, Opened, PROTOCOL, open_member, to_status};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::caller;
use super::session::Session;
use crate::hub::Hub;

/// How long a node may take to say hello.
const HELLO_TIME: Duration = Duration::from_secs(10);
/// Frames that may wait for the connection.
const QUEUE: usize = 16;

/// The node link over a hub.
pub(super) struct NodeLinkService(pub(super) Arc<Hub>);

type Frames = Pin<Box<dyn Stream<Item = Result<HubFrame, Status>> + Send>>;

#[tonic::async_trait]
impl NodeLink for NodeLinkService {
    type AttachStream = Frames;

    async fn attach(
        &self,
        request: Request<Streaming<NodeFrame>>,
    ) -> Result<Response<Frames>, Status> {
        self.0.fresh().await;
        let peer = caller(&self.0, &request, Role::Node)?;
        let (out, frames) = mpsc::channel(QUEUE);
        let hub = Arc::clone(&self.0);
        tokio::spawn(async move {
            let mut incoming = request.into_inner();
            let ended = match hello(&hub, &peer, &mut incoming).await {
                Ok(hello) => Session::run(&hub, &peer, &hello, incoming, &out).await,
                Err(problem) => Err(problem),
            };
            if let Err(problem) = ended {
                tracing::warn!(
                    node = peer.name.as_str(),
                    code = problem.code.0,
                    "stream ended"
                );
                let _ = out.send(Err(to_status(&problem))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(frames))))
    }
}

/// The first frame must be the hello of the node that the certificate names, signed by its roster
/// key, over this very certificate.
async fn hello(
    hub: &Hub,
    peer: &PeerIdentity,
    incoming: &mut Streaming<NodeFrame>,
) -> Result<Opened<Hello>, Problem> {
    let malformed = || Problem::of(Code("A414"));
    let first = tokio::time::timeout(HELLO_TIME, incoming.next()).await;
    let frame = first
        .ok()
        .flatten()
        .and_then(Result::ok)
        .and_then(|frame| frame.frame);
    let Some(node_frame::Frame::Hello(signed)) = frame else {
        return Err(malformed());
    };
    let signed: Signed = signed.try_into().map_err(|_| malformed())?;
    let public = hub.public();
    let hello = open_member::<Hello>(&signed, public.roster()?, hub.now())
        .map_err(|error| error.problem())?;
    let said = hello.payload();
    if peer.name != *said.node || said.certificate_sha256 != peer.sha256 {
        return Err(Problem::of(Code("A411")));
    }
    let (least, most) = PROTOCOL;
    if said.protocol_max < least || said.protocol_min > most {
        return Err(Problem::of(Code("A409")));
    }
    Ok(hello)
}
