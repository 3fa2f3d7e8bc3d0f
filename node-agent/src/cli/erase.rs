//! `erase`: forgets who a person was. The number stays used and stays in every release, but nothing
//! links it to the person any more.

use anyhow::{Context, bail};
use quorate_query::number::Number;
use quorate_query::value::{ColumnType, Scalar, from_civil};

use super::args::{Erase, Place};
use super::data::pick_codebook;
use super::{Done, ui};
use crate::home::Home;
use crate::ledger::{Erased, Event, Ledger};
use crate::link::Clock;
use crate::persons::{Registry, UnitKey};
use crate::store::Store;

/// `erase`: the node must not be running.
pub(super) fn erase(place: &Place, args: &Erase, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let codebook = pick_codebook(&home, &policy, args.codebook.as_deref())?;
    let column = codebook.column(&codebook.unit);
    let ty = column.context("the codebook has no unit column")?.ty;
    let text = match args.unit_key.as_str() {
        "-" => std::io::read_to_string(std::io::stdin())?,
        key => key.to_owned(),
    };
    let key = UnitKey::of(&typed(text.trim(), ty)?).context("a unit key is never missing")?;
    let signing = home.node_key()?;
    let state = &policy.node.state;
    // The lock of the ledger says that the node is not running.
    let mut ledger = Ledger::open(state, &policy.node.name, &signing, clock())?;
    let mut store = Store::open(state)?;
    if let Some(reason) = crate::behind::look(state, &ledger, &store)? {
        bail!("this node was restored and must catch up first: {reason}");
    }
    let registry = Registry::open(&store, home.secrets()?.domain(), true)?;
    let known = registry.forget(&mut store, &key)?;
    let erased = Erased {
        population: policy.population.name.clone(),
        known,
    };
    ledger.append(Event::Erased(erased), &signing, clock())?;
    ui::note(match known {
        true => "forgotten: if the data still hold the person, it is a new one from now on",
        false => "nobody was known by that key",
    });
    Ok(Done::Well)
}

/// The key as the unit column types it.
fn typed(text: &str, ty: ColumnType) -> anyhow::Result<Scalar> {
    let number = || text.parse::<Number>().map(Scalar::Number);
    Ok(match ty {
        ColumnType::Int | ColumnType::Decimal { .. } => {
            number().with_context(|| "unit keys are numbers in this codebook")?
        }
        ColumnType::Date => Scalar::Date(from_civil(
            text.parse()
                .context("unit keys are dates in this codebook")?,
        )),
        ColumnType::Bool => bail!("a unit key is no truth value"),
        ColumnType::Text => Scalar::Text(text.to_owned()),
    })
}
