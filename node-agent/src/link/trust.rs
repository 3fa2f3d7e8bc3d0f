//! What a node takes from a coordinator that it does not trust: rosters that continue its own,
//! codebooks that its policy pins, stamps and checkpoints that other nodes signed.

use quorate_identity::envelope::kind;
use quorate_identity::{RosterError, Signed};
use quorate_wire::{Checkpoint, LogCheckpoint, Opened, Stamp, open_member, v1};

use super::LinkError;
use crate::home::Home;
use crate::ledger::Head;
use crate::node::Node;
use crate::peers::{COORDINATOR, Noticed};

/// Takes a roster log. `true` if it was news.
pub(super) fn take_roster(
    node: &Node,
    home: &Home,
    entries: Vec<v1::Signed>,
) -> Result<bool, LinkError> {
    if entries.is_empty() {
        return Ok(false);
    }
    let log = entries
        .into_iter()
        .map(Signed::try_from)
        .collect::<Result<Vec<_>, _>>();
    let log = log.map_err(|_| LinkError::Protocol("sent a malformed roster"))?;
    let known = node.roster();
    let newer = known
        .advance(&log)
        .map_err(|error| LinkError::Roster(error.to_string()))?;
    if newer.head() == known.head() {
        return Ok(false);
    }
    let newer = home.accept_roster(&node.policy, newer.log())?;
    let head = newer.head();
    tracing::info!(seq = head.seq, head = head.hash, "roster continued");
    node.set_roster(newer);
    Ok(true)
}

/// Takes codebooks that the policy pins and the node does not have.
pub(super) fn take_codebooks(node: &Node, home: &Home, codebooks: Vec<v1::Codebook>) {
    for v1::Codebook { digest, text } in codebooks {
        if node.codebook(&digest).is_some() {
            continue;
        }
        match home.accept_codebook(&node.policy, &digest, &text) {
            Ok(Some(codebook)) => {
                tracing::info!(digest, "codebook accepted");
                node.add_codebook(&codebook);
            }
            Ok(None) => tracing::warn!(digest, "codebook ignored: the policy does not pin it"),
            Err(why) => tracing::error!(why, "codebook refused"),
        }
    }
}

/// What stamps of other nodes say about our roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Nobody knows more than we do.
    Current,
    /// Another node knows newer entries.
    Behind,
}

/// Reads the stamps of other nodes. One that shows another past ends the session.
pub(super) fn read_stamps(
    node: &Node,
    stamps: Vec<v1::Signed>,
    now: i64,
) -> Result<Freshness, LinkError> {
    let roster = node.roster();
    let mut freshness = Freshness::Current;
    for signed in stamps {
        let Ok(signed) = Signed::try_from(signed) else {
            continue;
        };
        let Ok(stamp): Result<Opened<Stamp>, _> = open_member(&signed, &roster, now) else {
            continue;
        };
        match roster.check_stamp(&stamp.claim(), stamp.signer(), now) {
            Err(RosterError::Behind { .. }) => freshness = Freshness::Behind,
            Err(error @ RosterError::Fork { .. }) => {
                return Err(LinkError::Roster(error.to_string()));
            }
            // Our own word about the head we know proves nothing to us.
            Ok(until) if stamp.payload().node != node.policy.node.name => node.note_stamp(until),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(freshness)
}

/// This node's roster head, signed, for the other nodes.
pub(super) fn stamp(node: &Node, now: i64) -> Signed {
    let roster = node.roster();
    let head = roster.head();
    let stamp = Stamp {
        network: roster.network().to_string(),
        node: node.policy.node.name.clone(),
        roster_seq: head.seq,
        roster_head: head.hash,
        time: now,
    };
    quorate_wire::sign(&stamp, &node.key)
}

/// Looks at a checkpoint of another node's ledger. One that contradicts what was seen is kept as
/// evidence; it is that node's custodian who must explain it, so our own answers go on.
fn peer(node: &Node, signed: &Signed, said: &Checkpoint, now: i64) -> Result<(), LinkError> {
    let noticed = node
        .watch_peer(signed, said, now)
        .map_err(|error| LinkError::Broken(error.to_string()))?;
    if let Noticed::Contradiction(why) = noticed {
        tracing::error!(
            peer = said.node,
            %why,
            "the ledger of another party contradicts itself; `quorate-node doctor` shows the evidence"
        );
    }
    Ok(())
}

/// Looks at where the coordinator's own log of results and roster entries stands.
fn coordinators_log(node: &Node, signed: &Signed, now: i64) -> Result<(), LinkError> {
    let opened: Result<Opened<LogCheckpoint>, _> = open_member(signed, &node.roster(), now);
    let Ok(opened) = opened else {
        return Ok(());
    };
    let LogCheckpoint(said) = opened.payload();
    let said = Checkpoint {
        node: format!("{COORDINATOR}{}", said.node),
        ..said.clone()
    };
    peer(node, signed, &said, now)
}

/// Looks at a checkpoint that the coordinator kept. If it is our own and our ledger does not hold
/// it, a backup was put back: the node answers nothing until its custodian has caught up.
pub(super) fn witness(
    node: &Node,
    checkpoint: Option<v1::Signed>,
    now: i64,
) -> Result<(), LinkError> {
    let Some(Ok(signed)) = checkpoint.map(Signed::try_from) else {
        return Ok(());
    };
    if signed.kind == kind::LOG {
        return coordinators_log(node, &signed, now);
    }
    let Ok(opened): Result<Opened<Checkpoint>, _> = open_member(&signed, &node.roster(), now)
    else {
        return Ok(());
    };
    let seen = opened.payload();
    if seen.node != node.policy.node.name {
        return peer(node, &signed, seen, now);
    }
    let head = Head {
        seq: seen.seq,
        hash: seen.head.clone(),
    };
    if node
        .witnessed(&head)
        .map_err(|error| LinkError::Broken(error.to_string()))?
    {
        let own = node.ledger_head().seq;
        tracing::error!(
            seen = seen.seq,
            own,
            "the ledger was set back: nothing is answered until `quorate-node history import`"
        );
    }
    Ok(())
}
