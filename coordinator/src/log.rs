//! The coordinator's own log: every roster entry and every result, in its order, under a Merkle tree
//! whose checkpoints the nodes keep. A result or an entry that is altered or dropped afterwards, or
//! a log that is set back, is noticed by every node that saw an earlier checkpoint.

use quorate_evidence::Tree;
use quorate_wire::{Checkpoint, LogCheckpoint, Payload};
use tokio::sync::Mutex;

use crate::hub::Hub;
use crate::journal::{JournalError, pack, unpack};

/// The tree as far as it was read, and the size that others have seen; none before the first look.
#[derive(Default)]
pub(crate) struct Log(Mutex<(Tree, Option<u64>)>);

/// Under which name checkpoints of the log are kept among those of nodes: no node has it.
fn kept_as(name: &str) -> String {
    format!("coordinator {name}")
}

/// Signs where the log stands, keeps that, and shows it to every node; nothing if it has not grown,
/// or if the roster does not name this coordinator yet.
pub(crate) async fn show(hub: &Hub) -> Result<Option<quorate_identity::Signed>, JournalError> {
    let (public, now) = (hub.public(), hub.now());
    let own = public.roster.as_ref();
    let Some(Ok(own)) = own.map(|roster| roster.by_key(hub.key.key_id(), now)) else {
        return Ok(None);
    };
    let name = own.name.to_string();
    let mut log = hub.log.0.lock().await;
    let (tree, shown) = &mut *log;
    let size = tree.size();
    let fresh = hub.journal.call(move |store| store.log_after(size)).await?;
    fresh.iter().for_each(|leaf| tree.push(leaf));
    let before = match *shown {
        Some(before) => before,
        None => newest(hub, &name).await?,
    };
    let size = tree.size();
    let Some(root) = tree.root(size).filter(|_| size > before || shown.is_none()) else {
        return Ok(None);
    };
    let checkpoint = LogCheckpoint(Checkpoint {
        network: hub.config.network.to_string(),
        node: name.clone(),
        seq: size,
        head: root.to_string(),
        time: now,
        root: Some(root),
        proof: tree.consistency(before, size),
    });
    let signed = quorate_wire::sign(&checkpoint, &hub.key);
    let (bytes, place) = (pack(&signed), kept_as(&name));
    hub.journal
        .call(move |store| store.put_checkpoint(&place, size, &bytes, now))
        .await?;
    *shown = Some(size);
    Ok(Some(signed))
}

/// The size of the newest checkpoint of an earlier run; 0 if there is none.
async fn newest(hub: &Hub, name: &str) -> Result<u64, JournalError> {
    let place = kept_as(name);
    let bytes = hub
        .journal
        .call(move |store| store.checkpoint(&place))
        .await?;
    let Some(bytes) = bytes else {
        return Ok(0);
    };
    let said = LogCheckpoint::decode(&unpack(&bytes)?.payload);
    Ok(said.map_or(0, |said| said.0.seq))
}
