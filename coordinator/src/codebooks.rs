//! Codebooks as the consortium publishes them. The digest covers the exact text that is handed
//! out; a node runs a codebook only if its own policy names that digest.

use std::path::Path;

use quorate_query::codebook::{self, Codebook};
use quorate_query::toml_reader::Mistakes;

use crate::journal::{CodebookRow, JournalError, Store};

/// Why a codebook is not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodebookError {
    /// The file has mistakes; all of them are listed.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// The state file is at fault.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A published codebook, read.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// What is asked against.
    pub(crate) codebook: Codebook,
    /// The exact bytes that its digest covers.
    pub(crate) text: Vec<u8>,
}

/// Puts set files into the text, reads it, and publishes it. Returns its digest, and false if it
/// was published before.
pub(crate) fn publish(
    store: &mut Store,
    path: &Path,
    now: i64,
) -> Result<(Codebook, bool), CodebookError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Mistakes::whole_file(&name, format!("cannot be read: {error}")))
        .map_err(CodebookError::Mistakes)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let load =
        |set: &str| std::fs::read_to_string(folder.join(set)).map_err(|error| error.to_string());
    let text = codebook::inline_sets(&text, &name, load).map_err(CodebookError::Mistakes)?;
    let codebook = codebook::read(&text, &name).map_err(CodebookError::Mistakes)?;
    let row = CodebookRow {
        digest: codebook.digest.clone(),
        name: codebook.name.clone(),
        version: codebook.version,
        text: text.into_bytes(),
        published: now,
    };
    let new = store.put_codebook(&row)?;
    Ok((codebook, new))
}

/// Every published codebook, oldest first.
pub(crate) fn load(store: &Store) -> Result<Vec<Published>, JournalError> {
    let read = |row: CodebookRow| {
        let text = std::str::from_utf8(&row.text).ok()?;
        let codebook = codebook::read(text, &row.name).ok()?;
        (codebook.digest == row.digest).then_some(Published {
            codebook,
            text: row.text,
        })
    };
    let rows = store.codebooks()?.into_iter();
    rows.map(|row| read(row).ok_or(JournalError::Damaged("a codebook")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{CodebookError, load, publish};
    use crate::journal::Store;

    const TEXT: &str = "[codebook]\nformat = 1\nname = 'cvd'\nversion = 1\nunit = 'person.id'\n\
        [set.few]\ncolumn = 'person.code'\nfile = 'few.csv'\n\
        [table.person]\nrows = 'one-per-unit'\n[table.person.column]\n\
        id = { type = 'int', role = ['unit'] }\ncode = { type = 'int', role = ['filter'] }\n";

    #[test]
    fn set_files_become_part_of_the_published_text() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let file = dir.path().join("codebook.toml");
        std::fs::write(&file, TEXT).unwrap();
        std::fs::write(dir.path().join("few.csv"), "1\n2\n").unwrap();
        let (first, new) = publish(&mut store, &file, 1).unwrap();
        assert!(new);
        assert!(!publish(&mut store, &file, 2).unwrap().1);
        let read = load(&store).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].codebook.digest, first.digest);
        assert_eq!(read[0].codebook.sets["few"].values.len(), 2);
        assert!(
            !String::from_utf8(read[0].text.clone())
                .unwrap()
                .contains("few.csv")
        );
    }

    #[test]
    fn mistakes_are_listed_and_nothing_is_published() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let file = dir.path().join("codebook.toml");
        std::fs::write(&file, TEXT.replace("'int', role", "'integer', rolle")).unwrap();
        std::fs::write(dir.path().join("few.csv"), "1\n2\n").unwrap();
        let error = publish(&mut store, &file, 1).unwrap_err();
        assert!(matches!(&error, CodebookError::Mistakes(mistakes) if mistakes.0.len() > 1));
        assert!(load(&store).unwrap().is_empty());
    }
}
