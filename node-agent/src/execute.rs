//! Sixth step: the plan goes to the engine behind its wall, exact evidence comes back.

use quorate_disclosure::evidence::Evidence;
use quorate_query::problem::Code;
use quorate_query::release::ReleaseParams;

use crate::approve::Approved;
use crate::engine::Fault;
use crate::measure::Layout;
use crate::node::Node;
use crate::plan::Planned;
use crate::refusal::Coded;

/// Exact evidence: what must not leave. It cannot be printed, copied or serialised, and only
/// [`crate::disclose`] can look inside.
///
/// ```compile_fail,E0277
/// fn leak(raw: &quorate_node::execute::Raw<'_>) -> String {
///     format!("{raw:?}")
/// }
/// ```
///
/// ```compile_fail,E0599
/// fn keep<'a>(raw: &quorate_node::execute::Raw<'a>) -> quorate_node::execute::Raw<'a> {
///     raw.clone()
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn send(raw: &quorate_node::execute::Raw<'_>) -> String {
///     serde_json::to_string(raw).unwrap_or_default()
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn sign_raw(node: &quorate_node::node::Node, r: &quorate_node::record::Recorded, raw: quorate_node::execute::Raw<'_>) {
///     let _ = quorate_node::sign::sign(node, r, Ok(raw), Default::default(), 0);
/// }
/// ```
///
/// ```no_run
/// use quorate_node::{disclose, execute::Raw, node::Node};
/// async fn protect<'a>(
///     node: &Node,
///     raw: Raw<'a>,
/// ) -> Result<disclose::Checked<'a>, disclose::DiscloseError> {
///     disclose::disclose(node, raw, 0).await
/// }
/// ```
pub struct Raw<'a> {
    approved: Approved<'a>,
    epoch: String,
    params: ReleaseParams,
    measured: Vec<Measured>,
}

/// What the engine found for one table.
pub(crate) struct Measured {
    pub(crate) layout: Layout,
    pub(crate) evidence: Evidence,
}

/// The contents of [`Raw`], for disclosure control.
pub(crate) struct Parts<'a> {
    pub(crate) approved: Approved<'a>,
    pub(crate) epoch: String,
    pub(crate) params: ReleaseParams,
    /// One for each table, in their order.
    pub(crate) measured: Vec<Measured>,
}

impl<'a> Raw<'a> {
    pub(crate) fn into_parts(self) -> Parts<'a> {
        let Self {
            approved,
            epoch,
            params,
            measured,
        } = self;
        Parts {
            approved,
            epoch,
            params,
            measured,
        }
    }
}

impl Coded for Fault {
    fn code(&self) -> Code {
        Code(match self {
            Self::Time => "L703",
            Self::Memory => "L704",
            Self::Internal(_) => "E900",
        })
    }
}

/// Runs the plan of each table in turn, all of them within the node's one time limit.
///
/// # Errors
/// A limit, or a fault whose text is for the custodian only.
pub async fn execute<'a>(node: &Node, planned: Planned<'a>) -> Result<Raw<'a>, Fault> {
    let parts = planned.into_parts();
    let layouts = parts.plans.iter().map(|task| task.layout.clone());
    let layouts: Vec<Layout> = layouts.collect();
    let found = node.engine.run_all(parts.plans).await?;
    let measured = layouts.into_iter().zip(found);
    let measured = measured.map(|(layout, evidence)| Measured { layout, evidence });
    let measured = measured.collect();
    // nothing is decided with a number that a crash could give to somebody else
    node.with_store(|store| node.persons.save(store))
        .map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(Raw {
        approved: parts.approved,
        epoch: parts.epoch,
        params: parts.params,
        measured,
    })
}
