//! Acts read before. A file is read anew every time; only where its bytes are the very ones that
//! were verified before is it not verified again, so that nothing else can be taken for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use quorate_identity::sha256;

use super::act::Act;
use super::{GovernError, file_name, listing, parse};

/// The digest of a file's bytes, and the act that they are.
type Read = ([u8; 32], Arc<Act>);

/// Verified acts by the name of their file, each with the digest of the bytes it was read from.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<BTreeMap<PathBuf, Read>>);

impl Shelf {
    /// Every act in the folder whose kind is wanted, in the order of names.
    ///
    /// # Errors
    /// If any of them cannot be read, does not verify, or has another's name.
    pub(crate) fn acts(
        &self,
        dir: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Arc<Act>>, GovernError> {
        let mut found = BTreeMap::new();
        for entry in listing(dir)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((kind, "json")) = name
                .split_once('-')
                .and_then(|(kind, rest)| Some((kind, rest.rsplit_once('.')?.1)))
            else {
                continue;
            };
            if wanted(kind) {
                let path = entry.path();
                let act = self.act(&path, &name)?;
                found.insert(path, act);
            }
        }
        Ok(found.into_values().collect())
    }

    fn act(&self, path: &Path, name: &str) -> Result<Arc<Act>, GovernError> {
        let bytes = std::fs::read(path).map_err(|error| GovernError::io(path, &error))?;
        let digest = sha256(&bytes);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, act)) = known.get(path)
            && *of == digest
        {
            return Ok(Arc::clone(act));
        }
        let signed = parse(path, &bytes)?;
        if name != file_name(&signed) {
            return Err(GovernError::Renamed(path.to_path_buf()));
        }
        let act = Act::open(&signed).map_err(|why| GovernError::Damaged {
            path: path.to_path_buf(),
            why,
        })?;
        let act = Arc::new(act);
        known.insert(path.to_path_buf(), (digest, Arc::clone(&act)));
        Ok(act)
    }
}

#[cfg(test)]
mod tests {
    use quorate_governance::artefact::Artefact;
    use quorate_governance::suspension::{Suspension, Target};
    use quorate_identity::Name;

    use super::Shelf;
    use crate::govern::{self, FOLDER, GovernError};
    use crate::testing::key;

    #[test]
    fn only_the_very_bytes_that_were_verified_are_believed_again() {
        let place = tempfile::tempdir().unwrap();
        let suspension = Suspension {
            network: Name::parse("net").unwrap(),
            node: Name::parse("cleveland").unwrap(),
            target: Target::Node,
            reason: "an inquiry".to_owned(),
            appeal: String::new(),
            at: 1,
        };
        govern::keep(place.path(), &suspension.sign(&key(1))).unwrap();
        let (shelf, folder) = (Shelf::default(), place.path().join(FOLDER));
        let acts = || shelf.acts(&folder, |_| true);
        let (first, second) = (acts().unwrap(), acts().unwrap());
        assert!(
            std::sync::Arc::ptr_eq(&first[0], &second[0]),
            "not read anew"
        );
        let file = std::fs::read_dir(&folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let text = std::fs::read_to_string(&file).unwrap();
        let mut forged = govern::read_file(&file).unwrap();
        forged.signatures[0].signature[5] ^= 1;
        std::fs::write(&file, govern::to_text(&forged)).unwrap();
        assert!(matches!(acts(), Err(GovernError::Damaged { .. })));
        std::fs::write(&file, &text).unwrap();
        assert_eq!(acts().unwrap().len(), 1);
        std::fs::remove_file(&file).unwrap();
        assert!(acts().unwrap().is_empty(), "what is gone is not remembered");
    }
}
