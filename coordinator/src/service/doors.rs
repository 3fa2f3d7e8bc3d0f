//! Which service a request is for, by its path. Nothing else is served.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use quorate_wire::MAX_MESSAGE;
use quorate_wire::v1::enrolment_server::EnrolmentServer;
use quorate_wire::v1::node_link_server::NodeLinkServer;
use quorate_wire::v1::research_server::ResearchServer;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

use super::enrolment::EnrolmentService;
use super::node_link::NodeLinkService;
use super::research::ResearchService;
use crate::hub::Hub;

/// Largest message to enrolment, the only service open to strangers.
const MAX_ENROLMENT: usize = 256 * 1024;

/// The services of the one port.
#[derive(Clone)]
pub(super) struct Doors {
    enrolment: EnrolmentServer<EnrolmentService>,
    nodes: NodeLinkServer<NodeLinkService>,
    research: ResearchServer<ResearchService>,
}

impl Doors {
    /// All of them over one hub.
    pub(super) fn new(hub: &Arc<Hub>) -> Self {
        Self {
            enrolment: EnrolmentServer::new(EnrolmentService(Arc::clone(hub)))
                .max_decoding_message_size(MAX_ENROLMENT)
                .max_encoding_message_size(MAX_MESSAGE),
            nodes: NodeLinkServer::new(NodeLinkService(Arc::clone(hub)))
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
            research: ResearchServer::new(ResearchService(Arc::clone(hub)))
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
        }
    }
}

impl Service<http::Request<Body>> for Doors {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        match path.split('/').next().unwrap_or_default() {
            EnrolmentServer::<EnrolmentService>::NAME => self.enrolment.call(request),
            NodeLinkServer::<NodeLinkService>::NAME => self.nodes.call(request),
            ResearchServer::<ResearchService>::NAME => self.research.call(request),
            _ => Box::pin(async { Ok(Status::unimplemented("no such service").into_http()) }),
        }
    }
}
