//! The custodian's data as the codebook's tables.
//!
//! [`snapshot`] is what the story of an answer calls: it finds the files, notices that they
//! changed, and hands out typed tables. Types come from the codebook, never from the data: in a
//! CSV file a column named as in the codebook has that type, every other one is text, and whatever
//! the custodian's map makes is converted strictly. What it must not know: questions, and who asks.

mod convert;
mod csv;
mod epoch;
mod error;
pub(crate) mod files;
mod load;
mod map;
mod parquet;
mod strict;
mod value;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use quorate_query::codebook::{Codebook, Table};
use tokio::sync::Mutex;

use crate::persons::Part;
use crate::policy::{Policy, Refresh, SourceSpec};
pub use error::{Problem, Problems, SourceError, SourceFault};
pub use files::FileError;
use files::Stat;
pub use load::Tally;
pub(crate) use load::{Key, key};
use load::{Loaded, load};
pub use value::Bad;
pub(crate) use value::{ISO_DAY, type_name};

/// The tables of one epoch. Columns are exactly the codebook's, in order of their names: `int` is
/// `Int64`, `decimal` with scale s `Decimal128(38, s)`, `text` `Utf8`, `date` `Date32`, `bool` `Boolean`.
pub struct Snapshot {
    /// `sha256:` over the contents of every source, its reading and map, and the codebook's tables.
    pub epoch: String,
    /// The tables asked for that this node holds.
    pub tables: BTreeMap<String, Arc<dyn TableProvider>>,
    /// Every table that this node holds, asked for or not: how it is read, and of what.
    pub(crate) parts: Vec<Part>,
}

/// Typed tables of the present epoch, kept between questions. Knows where it notes which contents
/// of a source with `refresh = "hold"` the custodian accepted.
#[derive(Default)]
pub struct Cache {
    accepted: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    contents: BTreeMap<String, Contents>,
    /// By codebook and table.
    loaded: BTreeMap<(String, String), ([u8; 32], Loaded)>,
}

/// The files of a source as they were when last read.
#[derive(Clone)]
struct Contents {
    files: Vec<PathBuf>,
    stats: Vec<Stat>,
    digest: [u8; 32],
}

impl Cache {
    /// A cache that notes accepted contents in the state folder.
    #[must_use]
    pub fn new(state_folder: &Path) -> Self {
        Self {
            accepted: Some(state_folder.join("sources.json")),
            state: Mutex::default(),
        }
    }
}

/// The tables of `wanted` that this node holds, of the present epoch. The epoch covers all sources,
/// wanted or not; only wanted ones are read.
///
/// # Errors
/// If the files of any source, or the rows of a wanted one, cannot be used.
pub async fn snapshot(
    policy: &Policy,
    codebook: &Codebook,
    wanted: &BTreeSet<String>,
    cache: &Cache,
) -> Result<Snapshot, SourceError> {
    let mut state = cache.state.lock().await;
    let (mut digests, mut parts) = (BTreeMap::new(), Vec::new());
    for (name, spec, table) in held(policy, codebook) {
        let contents = state
            .look(name, spec)
            .await
            .map_err(|fault| fault.of(name))?;
        if spec.refresh == Refresh::Hold {
            cache
                .check_accepted(name, &contents)
                .map_err(|fault| fault.of(name))?;
        }
        digests.insert(name, epoch::of_table(&contents, spec, table));
        parts.push(Part {
            source: name.to_owned(),
            part: epoch::of_part(name, spec, table),
            content: contents,
        });
    }
    let mut tables = BTreeMap::new();
    for (name, spec, table) in held(policy, codebook).filter(|(name, ..)| wanted.contains(*name)) {
        let Some(digest) = digests.get(name) else {
            continue;
        };
        let key = (codebook.digest.clone(), name.to_owned());
        let loaded = state
            .load(key, spec, table, *digest)
            .await
            .map_err(|fault| fault.of(name))?;
        tables.insert(name.to_owned(), loaded.provider);
    }
    let epoch = epoch::of_all(digests.iter().map(|(name, digest)| (*name, digest)));
    Ok(Snapshot {
        epoch,
        tables,
        parts,
    })
}

/// Reads one table anew, for `data check`.
///
/// # Errors
/// If its files or rows cannot be used.
pub(crate) async fn read_table(
    name: &str,
    spec: &SourceSpec,
    table: &Table,
) -> Result<(Arc<dyn TableProvider>, Tally), SourceError> {
    let files = files::list(&spec.path, spec.kind.extension());
    let files = files.map_err(|error| SourceFault::from(error).of(name))?;
    let loaded = load(table, spec, files)
        .await
        .map_err(|fault| fault.of(name))?;
    Ok((loaded.provider, loaded.tally))
}

/// Accepts the present contents of every source with `refresh = "hold"`; returns their names.
///
/// # Errors
/// If files cannot be read or the note cannot be written.
pub async fn accept(policy: &Policy, cache: &Cache) -> Result<Vec<String>, SourceError> {
    let mut state = cache.state.lock().await;
    let mut names = Vec::new();
    for (name, spec) in policy
        .sources
        .iter()
        .filter(|(_, spec)| spec.refresh == Refresh::Hold)
    {
        let contents = state
            .look(name, spec)
            .await
            .map_err(|fault| fault.of(name))?;
        cache
            .note_accepted(name, &contents)
            .map_err(|fault| fault.of(name))?;
        names.push(name.clone());
    }
    Ok(names)
}

/// The codebook's tables that the policy has a source for, in order of their names.
pub(crate) fn held<'a>(
    policy: &'a Policy,
    codebook: &'a Codebook,
) -> impl Iterator<Item = (&'a str, &'a SourceSpec, &'a Table)> {
    let tables = codebook.tables.iter();
    tables.filter_map(|(name, table)| Some((name.as_str(), policy.sources.get(name)?, table)))
}

impl State {
    /// The digest of a source's contents. Files that look as before are not opened.
    async fn look(&mut self, name: &str, spec: &SourceSpec) -> Result<[u8; 32], SourceFault> {
        let (path, extension) = (spec.path.clone(), spec.kind.extension());
        let before = self.contents.get(name).cloned();
        let looking = tokio::task::spawn_blocking(move || {
            let files = files::list(&path, extension)?;
            let stats = files::stats(&files)?;
            if let Some(before) = before.filter(|before| before.stats == stats) {
                return Ok(before);
            }
            let digest = files::contents(&files)?;
            if files::stats(&files)? != stats {
                return Err(SourceFault::Moving);
            }
            Ok(Contents {
                files,
                stats,
                digest,
            })
        });
        let contents = looking
            .await
            .map_err(|_| SourceFault::Internal("looking stopped"))??;
        let digest = contents.digest;
        self.contents.insert(name.to_owned(), contents);
        Ok(digest)
    }

    /// The typed table of that digest, read anew if it is another one than before.
    async fn load(
        &mut self,
        key: (String, String),
        spec: &SourceSpec,
        table: &Table,
        digest: [u8; 32],
    ) -> Result<Loaded, SourceFault> {
        if let Some((_, loaded)) = self.loaded.get(&key).filter(|(known, _)| *known == digest) {
            return Ok(loaded.clone());
        }
        self.loaded.remove(&key);
        let contents = self
            .contents
            .get(&key.1)
            .ok_or(SourceFault::Internal("not looked at"))?;
        let loaded = load(table, spec, contents.files.clone()).await?;
        if files::stats(&contents.files)? != contents.stats {
            return Err(SourceFault::Moving);
        }
        self.loaded.insert(key, (digest, loaded.clone()));
        Ok(loaded)
    }
}

impl Cache {
    /// The first contents ever seen are accepted silently; later ones by the custodian.
    fn check_accepted(&self, name: &str, contents: &[u8; 32]) -> Result<(), SourceFault> {
        let digest = quorate_identity::digest_text(contents);
        match self.accepted_digests()?.get(name) {
            Some(known) if *known == digest => Ok(()),
            Some(_) => Err(SourceFault::Held),
            None => self.note_accepted(name, contents),
        }
    }

    fn note_accepted(&self, name: &str, contents: &[u8; 32]) -> Result<(), SourceFault> {
        let Some(path) = &self.accepted else {
            return Ok(());
        };
        let mut digests = self.accepted_digests()?;
        digests.insert(name.to_owned(), quorate_identity::digest_text(contents));
        let text =
            serde_json::to_vec_pretty(&digests).map_err(|_| SourceFault::Internal("json"))?;
        let written = crate::state::write_file(path, &text);
        written.map_err(|error| SourceFault::File(files::unreadable(path, &error)))
    }

    fn accepted_digests(&self) -> Result<BTreeMap<String, String>, SourceFault> {
        let Some(path) = &self.accepted else {
            return Ok(BTreeMap::new());
        };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| SourceFault::Header {
                file: path.display().to_string(),
                what: "damaged, restore it from the backup or accept the sources anew".to_owned(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(SourceFault::File(files::unreadable(path, &error))),
        }
    }
}
