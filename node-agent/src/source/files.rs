//! Which files a source is, whether they changed, and what their contents hash to.
//!
//! Knows paths and bytes, nothing of formats or tables.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

/// What the file system says about a file without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    path: PathBuf,
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

/// A file or folder could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No file there.
    #[error("{path}: no such file, write the path of a file, a folder or a glob")]
    Missing {
        /// Path as in the policy.
        path: String,
    },
    /// A folder or glob without a single file.
    #[error("{path}: no .{extension} file in it")]
    Empty {
        /// Path as in the policy.
        path: String,
        /// Expected ending.
        extension: &'static str,
    },
    /// Not a glob.
    #[error("{path}: not a usable pattern ({what})")]
    Pattern {
        /// Path as in the policy.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The system refused.
    #[error("{path}: cannot be read ({what})")]
    Unreadable {
        /// The file or folder.
        path: String,
        /// What the system said.
        what: String,
    },
}

/// The files of a source, in order of their paths.
pub(crate) fn list(path: &str, extension: &'static str) -> Result<Vec<PathBuf>, FileError> {
    let plain = Path::new(path);
    let mut files = match fs::metadata(plain) {
        Ok(meta) if meta.is_dir() => folder(plain, extension)?,
        Ok(_) => vec![plain.to_path_buf()],
        Err(_) if path.contains(['*', '?', '[']) => glob_files(path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(FileError::Missing {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(unreadable(plain, &error)),
    };
    if files.is_empty() {
        return Err(FileError::Empty {
            path: path.to_owned(),
            extension,
        });
    }
    files.sort();
    Ok(files)
}

/// Size, time and inode of every file.
pub(crate) fn stats(files: &[PathBuf]) -> Result<Vec<Stat>, FileError> {
    files.iter().map(|path| stat(path)).collect()
}

/// SHA-256 over the contents of all files, each preceded by its length. Names do not count: a
/// renamed file is the same data.
pub(crate) fn contents(files: &[PathBuf]) -> Result<[u8; 32], FileError> {
    let mut all = Context::new(&SHA256);
    let mut buffer = vec![0_u8; 1 << 16];
    for path in files {
        let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let mut one = Context::new(&SHA256);
        let mut length = 0_u64;
        loop {
            let read = file
                .read(&mut buffer)
                .map_err(|error| unreadable(path, &error))?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            one.update(chunk);
            length += u64::try_from(read).unwrap_or(0);
        }
        all.update(&length.to_be_bytes());
        all.update(one.finish().as_ref());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(all.finish().as_ref());
    Ok(digest)
}

/// Whether every file can be opened.
pub(crate) fn readable(files: &[PathBuf]) -> Result<(), FileError> {
    let open = |path: &PathBuf| {
        File::open(path)
            .map(drop)
            .map_err(|error| unreadable(path, &error))
    };
    files.iter().try_for_each(open)
}

/// The error of a file that the system refused.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> FileError {
    FileError::Unreadable {
        path: path.display().to_string(),
        what: error.kind().to_string(),
    }
}

fn stat(path: &Path) -> Result<Stat, FileError> {
    let meta: Metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    Ok(Stat {
        path: path.to_path_buf(),
        size: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        inode: (meta.dev(), meta.ino()),
    })
}

fn folder(path: &Path, extension: &str) -> Result<Vec<PathBuf>, FileError> {
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|error| unreadable(path, &error))?.path();
        let matches = file
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case(extension));
        if matches && file.is_file() {
            files.push(file);
        }
    }
    Ok(files)
}

fn glob_files(pattern: &str) -> Result<Vec<PathBuf>, FileError> {
    let bad = |what: String| FileError::Pattern {
        path: pattern.to_owned(),
        what,
    };
    let mut files = Vec::new();
    for found in glob::glob(pattern).map_err(|error| bad(error.msg.to_owned()))? {
        let file = found.map_err(|error| unreadable(error.path(), error.error()))?;
        if file.is_file() {
            files.push(file);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_a_folder_and_a_glob() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "notes.txt"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let at = |tail: &str| dir.path().join(tail).display().to_string();
        let names = |path: &str| -> Vec<String> {
            let files = list(path, "csv").unwrap();
            files
                .iter()
                .map(|f| f.file_name().unwrap().to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(names(&at("a.csv")), ["a.csv"]);
        assert_eq!(names(&at("")), ["a.csv", "b.csv"]);
        assert_eq!(names(&at("?.csv")), ["a.csv", "b.csv"]);
        assert!(matches!(
            list(&at("c.csv"), "csv"),
            Err(FileError::Missing { .. })
        ));
        assert!(matches!(
            list(&at("*.tsv"), "csv"),
            Err(FileError::Empty { .. })
        ));
        assert!(matches!(
            list(&at(""), "parquet"),
            Err(FileError::Empty { .. })
        ));
    }

    #[test]
    fn contents_do_not_depend_on_names_but_on_borders() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (ab, c) = (put("1", "ab"), put("2", "c"));
        let (a, bc, copy) = (put("3", "a"), put("4", "bc"), put("5", "ab"));
        assert_ne!(
            contents(&[ab.clone(), c]).unwrap(),
            contents(&[a, bc]).unwrap()
        );
        assert_eq!(contents(&[ab]).unwrap(), contents(&[copy]).unwrap());
    }
}
