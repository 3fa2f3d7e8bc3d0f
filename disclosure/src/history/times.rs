//! States of the data in their order, and whose data differ between two of them.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

/// Epochs, oldest first, each with the persons whose data differ from the one before.
#[derive(Default)]
pub(super) struct Times(Vec<(String, RoaringBitmap)>);

/// Whose data differ between an epoch and the present one.
#[derive(Clone, Default)]
pub(super) struct Changed {
    /// Their data differ. Somebody who changed twice may have changed back.
    pub(super) surely: RoaringBitmap,
    /// Nobody else's data differ; `None` if nothing is known.
    pub(super) perhaps: Option<RoaringBitmap>,
}

impl Times {
    pub(super) fn begin(&mut self, epoch: String, changed: RoaringBitmap) -> bool {
        let is_new = self.position(&epoch).is_none();
        if is_new {
            self.0.push((epoch, changed));
        }
        is_new
    }

    fn position(&self, epoch: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == epoch)
    }

    /// How many had begun with this one; none with one that is not known.
    pub(super) fn begun(&self, epoch: &str) -> usize {
        self.position(epoch).map_or(0, |at| at + 1)
    }

    /// Between two epochs, in either order.
    fn between(&self, one: &str, other: &str) -> Changed {
        let (mut once, mut ever) = (RoaringBitmap::new(), RoaringBitmap::new());
        if one != other {
            let (Some(a), Some(b)) = (self.position(one), self.position(other)) else {
                return Changed::default();
            };
            let mut more = RoaringBitmap::new();
            for (_, changed) in self.0.get(a.min(b) + 1..=a.max(b)).unwrap_or_default() {
                more |= &ever & changed;
                ever |= changed;
            }
            once = &ever - more;
        }
        Changed {
            surely: once,
            perhaps: Some(ever),
        }
    }

    /// Between each known epoch and one of them.
    pub(super) fn against(&self, present: &str) -> BTreeMap<String, Changed> {
        let all = self.0.iter().map(|(epoch, _)| epoch.clone());
        all.map(|epoch| (epoch.clone(), self.between(&epoch, present)))
            .collect()
    }
}
