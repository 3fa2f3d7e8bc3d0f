//! Why a result is not believed: each error names the lie and who must have told it.

use quorate_evidence::{BadReceipt, Contradiction};
use quorate_query::combine::CombineError;
use quorate_query::problem::Problem;
use quorate_wire::{NodeStatus, OpenError, QuestionStatus};

/// Why a result is not believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The envelope is not a coordinator's of this network.
    #[error("the result is not signed by this network's coordinator: {0}")]
    Coordinator(OpenError),
    /// The question in the result is not a researcher's.
    #[error("the question in the result is not signed by a researcher of this network: {0}")]
    Researcher(OpenError),
    /// It is the result of another question than was asked.
    #[error("the result belongs to another question than the one that was signed here")]
    OtherQuestion,
    /// The question demands something this version does not know.
    #[error("the question demands `{0}`, which this version does not understand; update quorate")]
    MustUnderstand(String),
    /// Its codebook is not at hand.
    #[error(
        "the codebook {0} is not at hand; log in to the network or give it with --codebook FILE"
    )]
    NoCodebook(String),
    /// The text does not mean what its digest says.
    #[error("the question does not have the hash that was signed: its text was read differently")]
    OtherMeaning,
    /// The text is refused by this version.
    #[error("this version does not read the question any more: {0}")]
    Unreadable(Problem),
    /// A node that was asked is not mentioned.
    #[error("the node `{0}` was asked and the result does not say what became of it")]
    Dropped(String),
    /// A node answers that was not asked.
    #[error("the node `{0}` was not asked and is in the result")]
    NotAsked(String),
    /// What the coordinator says of a node is not what the node said.
    #[error("the result says that `{node}` {status}, its signed words say otherwise")]
    Words {
        /// The node.
        node: String,
        /// What the coordinator says.
        status: NodeStatus,
    },
    /// A node's words are not signed by that node.
    #[error("the words of `{node}` are not its own: {source}")]
    Node {
        /// The node.
        node: String,
        /// Why.
        source: OpenError,
    },
    /// A node's answer belongs elsewhere.
    #[error("the signed words of `{node}` belong to another {what}")]
    Elsewhere {
        /// The node.
        node: String,
        /// Question, node, codebook, round or roster.
        what: &'static str,
    },
    /// A node's receipt does not fit its answer.
    #[error("the receipt in the answer of `{node}` is not to be believed: {why}")]
    Receipt {
        /// The node.
        node: String,
        /// Why.
        why: BadReceipt,
    },
    /// A node's receipt says other things than its answer.
    #[error("the receipt in the answer of `{node}` tells of another {what}")]
    OtherReceipt {
        /// The node.
        node: String,
        /// What differs.
        what: &'static str,
    },
    /// A node's ledger is not the one that was seen before.
    #[error("the ledger of `{node}` is not the one that this machine saw before: {why}")]
    Ledger {
        /// The node.
        node: String,
        /// Why.
        why: Contradiction,
    },
    /// The coordinator dated the result back.
    #[error(
        "the result claims to have been finished {seconds} s before {what}: the coordinator dated it back"
    )]
    BackDated {
        /// By how much.
        seconds: i64,
        /// What is later, and signed by somebody else.
        what: String,
    },
    /// The answers cannot be combined.
    #[error(transparent)]
    Combine(#[from] CombineError),
    /// The coordinator's table is not what the answers give.
    #[error("the coordinator's table is not what the nodes' signed answers combine to")]
    OtherTable,
    /// The coordinator's verdict is not what the answers give.
    #[error("the coordinator says `{0}`, the nodes' signed words do not")]
    Verdict(QuestionStatus),
}
