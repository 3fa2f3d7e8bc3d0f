//! `ledger extract`: this node's part of the public register, counted from its ledger and signed.

use quorate_evidence::extract::Extract;
use quorate_identity::Signed;
use quorate_identity::envelope::kind;

use super::args::Place;
use super::{Done, ui};
use crate::home::Home;
use crate::ledger;

/// Prints the signed extract as JSON; the same ledger gives the same bytes.
pub(super) fn extract(place: &Place) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let key = home.node_key()?;
    let sound = ledger::verify(&policy.node.state, Some(key.key_id()), None)?;
    let bytes = ledger::read(&policy.node.state)?;
    let count = usize::try_from(sound.head.seq)?;
    let text = String::from_utf8(bytes)?;
    let network = home.roster(&policy)?.network().to_string();
    let extract = Extract::of(&network, &policy.node.name, text.lines().take(count));
    let signed = Signed::by(&key, kind::EXTRACT, serde_json::to_vec(&extract)?);
    ui::say(&serde_json::to_string(&signed)?);
    Ok(Done::Well)
}
