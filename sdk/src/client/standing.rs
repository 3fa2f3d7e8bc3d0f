//! How questions stand, read from what the coordinator says about them.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_identity::Signed;
use quorate_query::codebook::Codebook;
use quorate_wire::{NodeStatus, QuestionId, QuestionStatus, WireError, v1};

use super::ClientError;

/// How a question stands at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProgress {
    /// The node.
    pub node: String,
    /// How it stands.
    pub status: NodeStatus,
    /// Refusal code.
    pub code: Option<String>,
}

/// What happens while a question is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something changed at a node.
    Node(NodeProgress),
    /// The connection is lost; it is tried again after this time.
    Lost {
        /// In words.
        why: String,
        /// Pause before the next try.
        again_in: Duration,
    },
    /// The connection is back.
    Back,
}

/// How a question stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: QuestionId,
    /// How it stands.
    pub status: QuestionStatus,
    /// At each node, by name.
    pub nodes: Vec<NodeProgress>,
    /// Its project.
    pub project: String,
    /// When it was submitted, unix seconds.
    pub submitted: i64,
}

/// What the network offers.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Published codebooks, checked and cached.
    pub codebooks: Vec<Codebook>,
    /// Nodes: name, whether connected, digests of the codebooks they answer to.
    pub nodes: Vec<(String, bool, Vec<String>)>,
}

/// Envelopes as they travel, as envelopes.
pub(crate) fn envelopes(wire: Vec<v1::Signed>) -> Result<Vec<Signed>, WireError> {
    wire.into_iter().map(TryInto::try_into).collect()
}

pub(super) fn progress(node: v1::NodeProgress) -> Result<NodeProgress, WireError> {
    let status = NodeStatus::parse(&node.status).ok_or(WireError::Invalid("node status"))?;
    let code = Some(node.code).filter(|code| !code.is_empty());
    Ok(NodeProgress {
        node: node.node,
        status,
        code,
    })
}

pub(super) fn standing(reply: v1::StatusResponse) -> Result<Standing, ClientError> {
    let mut nodes = reply
        .nodes
        .into_iter()
        .map(progress)
        .collect::<Result<Vec<_>, WireError>>()?;
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(Standing {
        id: QuestionId::parse(&reply.question_id).map_err(|_| WireError::Invalid("question_id"))?,
        status: QuestionStatus::parse(&reply.status).ok_or(WireError::Invalid("status"))?,
        nodes,
        project: reply.project,
        submitted: reply.submitted,
    })
}

/// Whether every node has ended but those that wait for a person.
pub(super) fn only_people_left(nodes: &[String], standing: &BTreeMap<String, NodeStatus>) -> bool {
    let rests = |node: &String| match standing.get(node) {
        None | Some(NodeStatus::Sent | NodeStatus::Running) => false,
        Some(
            NodeStatus::Waiting
            | NodeStatus::Answered
            | NodeStatus::Refused
            | NodeStatus::Late
            | NodeStatus::Absent,
        ) => true,
    };
    let waits = |status: &NodeStatus| *status == NodeStatus::Waiting;
    nodes.iter().all(rests) && standing.values().any(waits)
}
