//! The question as the command line gives it: text from an argument, a file or standard input,
//! parameters from options and files, and the codebook it is read against.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use quorate_query::analyses::Request;
use quorate_query::codebook::{self, Codebook};
use quorate_query::cohort::Cohort;
use quorate_query::question::{ParamValue, Params};

use super::args::{CohortArgs, ParamArgs, TextArgs};
use super::exit::{Exit, Failure};
use crate::params;
use crate::profile::{Profile, ProfileError};

/// Larger texts are refused before they are read.
const TEXT_LIMIT: u64 = 1024 * 1024;
/// So many bytes a file may have: results, proofs, rosters and codebooks are far smaller.
const FILE_LIMIT: u64 = 64 << 20;
/// So many bytes a whole ledger may have: about a million records.
const LEDGER_LIMIT: u64 = 1 << 30;

/// The SQL text and its parameters.
pub(crate) fn question(args: &TextArgs) -> Result<(String, Params), Failure> {
    let sql = match (&args.sql, &args.file) {
        (Some(sql), _) => match file_of(sql) {
            Some(file) => {
                return Err(Failure::usage(format!(
                    "`{sql}` is the name of a file and no question: write --file {file}"
                )));
            }
            None => sql.clone(),
        },
        (None, Some(path)) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .take(TEXT_LIMIT)
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(Exit::Failed, format!("standard input: {error}")))?;
            text
        }
        (None, Some(path)) => read_file(path)?,
        (None, None) => return Err(Failure::usage("give the question as SQL, or --file F")),
    };
    Ok((sql.trim_end().to_owned(), params(&args.params)?))
}

/// The file that was named where a question stands: one word that ends as files do, or `@FILE`.
fn file_of(text: &str) -> Option<&str> {
    let one_word = !text.is_empty() && !text.contains(char::is_whitespace);
    let file = text.strip_prefix('@');
    file.or_else(|| text.ends_with(".sql").then_some(text))
        .filter(|_| one_word)
}

/// Parameters from options and files.
pub(crate) fn params(args: &ParamArgs) -> Result<Params, Failure> {
    let mut found = Params::new();
    for text in &args.param {
        let (name, value) = params::split(text).map_err(usage)?;
        params::add(&mut found, name, ParamValue::One(params::scalar(value))).map_err(usage)?;
    }
    for text in &args.set {
        let (name, file) = params::split(text).map_err(usage)?;
        let values = params::list(name, &read_file(Path::new(file))?)?;
        params::add(&mut found, name, ParamValue::List(values)).map_err(usage)?;
    }
    Ok(found)
}

fn usage(error: params::ParamError) -> Failure {
    Failure::usage(error.to_string())
}

/// The question, of the cohort of a file if one is named, and for review if that is asked for.
pub(crate) fn of_cohort(mut request: Request, args: &CohortArgs) -> Result<Request, Failure> {
    if let Some(path) = &args.cohort {
        let cohort = Cohort {
            sql: read_file(path)?.trim_end().to_owned(),
            complete: args.complete.clone(),
        };
        request = Request::Of(cohort, Box::new(request));
    }
    if args.reviewed {
        request = Request::Reviewed(Box::new(request));
    }
    Ok(request)
}

/// Reads a file, and names it where that fails.
pub(crate) fn read_file(path: &Path) -> Result<String, Failure> {
    read_within(path, FILE_LIMIT)
}

/// Reads a whole ledger.
pub(crate) fn read_ledger(path: &Path) -> Result<String, Failure> {
    read_within(path, LEDGER_LIMIT)
}

/// Reads a file of at most so many bytes. What is longer is never held in memory, and a device that never
/// ends is left after as many.
fn read_within(path: &Path, limit: u64) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(Exit::Failed, format!("{}: {why}", path.display()));
    let cannot = |error: std::io::Error| failed(why(&error));
    let too_long = || failed(format!("it has more than {limit} bytes; {LARGER}"));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let known = file.metadata();
    if known.is_ok_and(|known| known.is_file() && known.len() > limit) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let mut within = file.take(limit.saturating_add(1));
    within.read_to_end(&mut bytes).map_err(cannot)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > limit) {
        return Err(too_long());
    }
    String::from_utf8(bytes).map_err(|_not_text| failed(NOT_TEXT.to_owned()))
}

/// What to do about a file that is too long.
const LARGER: &str =
    "no file that this command reads is so long, so check that it is the one you meant";
/// Why a file of other bytes could not be read.
const NOT_TEXT: &str = "it is not text in UTF-8";

/// Why a file could not be read, in words.
fn why(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        ErrorKind::InvalidData => NOT_TEXT.to_owned(),
        _ => error.to_string(),
    }
}

/// Reads a codebook file and the set files that it names.
pub(crate) fn codebook_file(path: &Path) -> Result<(String, Codebook), Failure> {
    let text = read_file(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let load = |name: &str| {
        let file = folder.join(name);
        read_file(&file).map_err(|failure| failure.to_string())
    };
    let name = path.display().to_string();
    let whole = codebook::inline_sets(&text, &name, load)
        .map_err(|mistakes| Failure::mistakes(&mistakes))?;
    let codebook =
        codebook::read(&whole, &name).map_err(|mistakes| Failure::mistakes(&mistakes))?;
    Ok((whole, codebook))
}

/// The codebook a question is read against: a file, one of the cache by digest or name, or the
/// one that goes without saying.
pub(crate) fn choose_codebook(home: &Path, wanted: Option<&str>) -> Result<Codebook, Failure> {
    if let Some(wanted) = wanted
        && Path::new(wanted).is_file()
    {
        return Ok(codebook_file(Path::new(wanted))?.1);
    }
    let profile = match Profile::open(home) {
        Err(ProfileError::Missing(_)) if wanted.is_none() => {
            let message =
                "no codebook: log in with `quorate login TOKEN`, or give one with --codebook FILE";
            return Err(Failure::new(Exit::Failed, message));
        }
        other => other?,
    };
    let wanted = wanted.or(profile.settings.codebook.as_deref());
    pick(profile.codebooks()?, wanted)
}

/// Picks by digest or by name (the newest version); without a wish, the only name there is.
pub(crate) fn pick(codebooks: Vec<Codebook>, wanted: Option<&str>) -> Result<Codebook, Failure> {
    let mut names: Vec<String> = codebooks.iter().map(|book| book.name.clone()).collect();
    names.dedup();
    let known = names.join(", ");
    if wanted.is_none() && names.len() > 1 {
        let message =
            format!("the network has several codebooks ({known}); choose one with --codebook NAME");
        return Err(Failure::usage(message));
    }
    let fits = |book: &Codebook| wanted.is_none_or(|w| book.digest == w || book.name == w);
    let newest = codebooks
        .into_iter()
        .filter(fits)
        .max_by_key(|book| book.version);
    newest.ok_or_else(|| {
        let message = match wanted {
            Some(wanted) if !known.is_empty() => {
                format!("no file and no known codebook is called `{wanted}`; known: {known}")
            }
            Some(wanted) => format!("no file and no known codebook is called `{wanted}`"),
            None => "the network has published no codebook yet; ask its operator".to_owned(),
        };
        Failure::new(Exit::Failed, message)
    })
}

/// `--home`, `$QUORATE_HOME`, or the platform's configuration folder.
pub(crate) fn home(option: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    if let Some(home) = option.or_else(|| set("QUORATE_HOME").map(PathBuf::from)) {
        return Ok(home);
    }
    let platform = if cfg!(windows) {
        set("APPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| PathBuf::from(home).join("Library/Application Support"))
    } else {
        set("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config")))
    };
    let folder = platform
        .ok_or_else(|| Failure::usage("no home folder: set QUORATE_HOME or use --home DIR"))?;
    Ok(folder.join("quorate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_to_its_last_byte_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        for (text, wanted) in [
            (b"0123456789".as_slice(), Ok("0123456789")),
            (b"0123456789a", Err("ledger: it has more than 10 bytes")),
            (b"012345678\xc3", Err("ledger: it is not text in UTF-8")),
            // What is too long is not read, so it is not said what it would have been.
            (
                b"012345678\xc3\xa4",
                Err("ledger: it has more than 10 bytes"),
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let read = read_within(&path, 10).map_err(|failure| failure.to_string());
            match wanted {
                Ok(text) => assert_eq!(read, Ok(text.to_owned())),
                Err(why) => assert!(
                    read.as_ref().is_err_and(|said| said.contains(why)),
                    "{read:?}"
                ),
            }
        }
        let missing = read_within(&folder.path().join("missing"), 10);
        assert!(missing.is_err_and(|why| why.to_string().contains("there is no such file")));
        let folder = read_within(folder.path(), 10);
        assert!(folder.is_err_and(|why| why.to_string().contains("it is a folder")));
    }
}
