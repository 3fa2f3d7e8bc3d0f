//! The story of an answer.

use quorate_identity::Signed;

use crate::node::Node;

/// A question as the coordinator delivered it.
pub struct Delivery {
    /// The researcher's signed bytes.
    pub question: Signed,
    /// 0 for a question of one round.
    pub round: u32,
}

/// What became of a delivery.
pub enum Reply {
    /// Send this answer or refusal (its `kind` says which); it is recorded and in the outbox.
    Say(Signed),
    /// The same question is being answered right now: say nothing.
    Running,
}

/// Answers a question, or refuses it. `now` is unix seconds.
pub async fn answer(node: &Node, delivery: Delivery, now: i64) -> Reply {
    let _ = (node, delivery, now);
    Reply::Running
}
