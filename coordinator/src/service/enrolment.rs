//! The only service that works without a client certificate.

use std::sync::Arc;

use quorate_identity::Signed;
use quorate_query::problem::{Code, Problem};
use quorate_wire::to_status;
use quorate_wire::v1::enrolment_server::Enrolment;
use quorate_wire::v1::{self, EnrolRequest, EnrolResponse, RenewRequest};
use tonic::{Request, Response, Status};

use super::{any_caller, internal, malformed};
use crate::enrol::{EnrolError, enrol, renew};
use crate::hub::Hub;

/// Enrolment over a hub.
pub(super) struct EnrolmentService(pub(super) Arc<Hub>);

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let EnrolRequest {
            secret,
            csr_pem,
            possession,
        } = request.into_inner();
        let possession = signed(possession)?;
        let issued = enrol(&self.0, secret, &csr_pem, &possession)
            .await
            .map_err(told)?;
        Ok(Response::new(issued))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        self.0.fresh().await;
        let peer = any_caller(&self.0, &request)?;
        let RenewRequest {
            csr_pem,
            possession,
        } = request.into_inner();
        let possession = signed(possession)?;
        let issued = renew(&self.0, &peer, &csr_pem, &possession)
            .await
            .map_err(told)?;
        Ok(Response::new(issued))
    }
}

fn signed(possession: Option<v1::Signed>) -> Result<Signed, Status> {
    let possession = possession.ok_or_else(|| to_status(&Problem::of(Code("A414"))))?;
    possession.try_into().map_err(malformed)
}

fn told(error: EnrolError) -> Status {
    match error {
        EnrolError::Problem(problem) => to_status(&problem),
        EnrolError::Journal(error) => internal(&error),
    }
}
