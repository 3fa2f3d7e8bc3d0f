//! What a coordinator says about a question: the combined table and all it was combined from.

use std::fmt;

use prost::Message;
use quorate_identity::envelope::kind;
use quorate_identity::{Role, Signed};

use crate::MAX_MESSAGE;
use crate::check::{self, at_most, some};
use crate::error::WireError;
use crate::id::QuestionId;
use crate::open::{Payload, Spoken};
use crate::v1;

/// An enum that travels as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How it is written.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads what [`Self::as_str`] writes.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// How a question as a whole stands.
    QuestionStatus {
        /// Nodes are at work.
        Running = "running",
        /// It waits for a person.
        Waiting = "waiting",
        /// There is a table.
        Answered = "answered",
        /// Nobody may answer it.
        Refused = "refused",
        /// Fewer nodes answered than asked for.
        TooFewNodes = "too_few_nodes",
        /// Our own fault.
        Failed = "failed",
        /// Taken back by its researcher.
        Cancelled = "cancelled",
    }
}

words! {
    /// How a question stands at one node.
    NodeStatus {
        /// Delivered, nothing heard yet.
        Sent = "sent",
        /// The node is at work.
        Running = "running",
        /// The node waits for a person.
        Waiting = "waiting",
        /// The node answered.
        Answered = "answered",
        /// The node refused.
        Refused = "refused",
        /// The node did not answer in time.
        Late = "late",
        /// The node was not connected.
        Absent = "absent",
    }
}

impl QuestionStatus {
    /// Whether a result exists and nothing will change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }
}

/// What became of a question at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOutcome {
    /// The node.
    pub name: String,
    /// What it did.
    pub status: NodeStatus,
    /// Problem code, if it refused.
    pub code: Option<String>,
    /// Its own signed bytes, if it spoke.
    pub signed: Option<Signed>,
}

/// Payload of a signed result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultPayload {
    /// Which network.
    pub network: String,
    /// Which question.
    pub question_id: QuestionId,
    /// The researcher's own signed bytes.
    pub question: Signed,
    /// Every eligible node, sorted by name.
    pub nodes: Vec<NodeOutcome>,
    /// How it ended.
    pub status: QuestionStatus,
    /// Canonical bytes of the combined table; the SDK computes them again. Empty without one.
    pub combined: Vec<u8>,
    /// When it was finished, unix seconds.
    pub finished: i64,
    /// Problem code, if there is no table.
    pub problem: Option<String>,
}

impl Payload for ResultPayload {
    const KIND: &'static str = kind::RESULT;

    fn encode(&self) -> Vec<u8> {
        let node = |node: &NodeOutcome| v1::NodeOutcome {
            name: node.name.clone(),
            status: node.status.as_str().to_owned(),
            code: node.code.clone().unwrap_or_default(),
            signed: node.signed.as_ref().map(Into::into),
        };
        v1::ResultPayload {
            network: self.network.clone(),
            question_id: self.question_id.to_string(),
            question: Some((&self.question).into()),
            nodes: self.nodes.iter().map(node).collect(),
            status: self.status.as_str().to_owned(),
            combined: self.combined.clone(),
            finished: self.finished,
            problem: self.problem.clone().unwrap_or_default(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::ResultPayload::decode(bytes).map_err(|_| WireError::Malformed)?;
        at_most(&wire.nodes, "nodes", 1024)?;
        at_most(&wire.combined, "combined", MAX_MESSAGE)?;
        let nodes: Vec<NodeOutcome> = wire
            .nodes
            .into_iter()
            .map(outcome)
            .collect::<Result<_, _>>()?;
        if nodes
            .iter()
            .zip(nodes.iter().skip(1))
            .any(|(a, b)| a.name >= b.name)
        {
            return Err(WireError::Invalid("order of nodes"));
        }
        let status = QuestionStatus::parse(&wire.status).filter(|status| status.is_final());
        Ok(Self {
            network: check::name(wire.network, "network")?,
            question_id: check::id(&wire.question_id)?,
            question: some(wire.question, "question")?.try_into()?,
            nodes,
            status: status.ok_or(WireError::Invalid("status"))?,
            combined: wire.combined,
            finished: check::time(wire.finished, "finished")?,
            problem: code(wire.problem)?,
        })
    }
}

impl Spoken for ResultPayload {
    const SPEAKER: Role = Role::Coordinator;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        None
    }
}

fn outcome(wire: v1::NodeOutcome) -> Result<NodeOutcome, WireError> {
    Ok(NodeOutcome {
        name: check::name(wire.name, "node")?,
        status: NodeStatus::parse(&wire.status).ok_or(WireError::Invalid("node status"))?,
        code: code(wire.code)?,
        signed: wire.signed.map(TryInto::try_into).transpose()?,
    })
}

fn code(text: String) -> Result<Option<String>, WireError> {
    if text.is_empty() {
        Ok(None)
    } else {
        check::code(text).map(Some)
    }
}
