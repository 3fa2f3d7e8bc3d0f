//! Problems on the wire: a gRPC status whose metadata holds the stable code.

use quorate_query::problem::{Code, Family, Problem, Span};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code as Grpc, Status};

const CODE: &str = "quorate-code";
const SPAN: &str = "quorate-span";
const WRITE: &str = "quorate-write-bin";

/// A problem as told by another party, which may run a newer release and know more codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteProblem {
    /// The code as sent: a letter and three digits.
    pub code: String,
    /// The sentence as sent.
    pub message: String,
    /// Where in the text.
    pub span: Option<Span>,
    /// What to write instead.
    pub write: Option<String>,
}

impl RemoteProblem {
    /// The problem, if this release knows the code.
    #[must_use]
    pub fn known(&self) -> Option<Problem> {
        let mut problem =
            Problem::new(Code::parse(&self.code)?, self.message.clone()).at(self.span);
        problem.write.clone_from(&self.write);
        Some(problem)
    }
}

/// A problem as a gRPC status.
#[must_use]
pub fn to_status(problem: &Problem) -> Status {
    let mut metadata = MetadataMap::new();
    if let Ok(code) = MetadataValue::try_from(problem.code.0) {
        metadata.insert(CODE, code);
    }
    if let Some(Span { start, end }) = problem.span
        && let Ok(span) = MetadataValue::try_from(format!("{start}-{end}"))
    {
        metadata.insert(SPAN, span);
    }
    if let Some(write) = &problem.write {
        metadata.insert_bin(WRITE, MetadataValue::from_bytes(write.as_bytes()));
    }
    Status::with_metadata(grpc(problem.code), problem.message.clone(), metadata)
}

/// The problem that a status carries; `None` if it is none of ours (a broken connection, say).
#[must_use]
pub fn from_status(status: &Status) -> Option<RemoteProblem> {
    let metadata = status.metadata();
    let code = crate::check::code(metadata.get(CODE)?.to_str().ok()?.to_owned()).ok()?;
    let span = metadata
        .get(SPAN)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| {
            let (start, end) = text.split_once('-')?;
            Some(Span {
                start: start.parse().ok()?,
                end: end.parse().ok()?,
            })
        });
    let write = metadata
        .get_bin(WRITE)
        .and_then(|value| value.to_bytes().ok());
    let write = write.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    Some(RemoteProblem {
        code,
        message: status.message().to_owned(),
        span,
        write,
    })
}

fn grpc(code: Code) -> Grpc {
    match (code.0, code.family()) {
        ("A401" | "A406" | "A411" | "A413", _) => Grpc::Unauthenticated,
        ("X806", _) => Grpc::NotFound,
        (_, Some(Family::Question)) => Grpc::InvalidArgument,
        (_, Some(Family::Identity | Family::Approval)) => Grpc::PermissionDenied,
        (_, Some(Family::Codebook | Family::Quorum)) => Grpc::FailedPrecondition,
        (_, Some(Family::Limits)) => Grpc::ResourceExhausted,
        (_, Some(Family::Internal) | None) => Grpc::Internal,
    }
}
