//! The fuzz entry point: any bytes as the text of a codebook.

use super::{inline_sets, read};
use crate::toml_reader::Mistakes;

/// Any bytes, read as a codebook, must end in a codebook that reads the same again, or in mistakes
/// that point into the text and say something. Returns which promise was broken otherwise.
///
/// # Errors
/// A sentence that names the broken promise.
pub fn fuzz(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let load = |_: &str| Ok("1\n2\n".to_owned());
    let whole = match inline_sets(&text, "fuzz.toml", load) {
        Ok(whole) => whole,
        Err(mistakes) => return check(&mistakes, &text),
    };
    match read(&whole, "fuzz.toml") {
        Ok(book) => {
            let again = read(&whole, "fuzz.toml");
            let same = again.is_ok_and(|again| format!("{again:?}") == format!("{book:?}"));
            let tables = !book.tables.is_empty() && book.column(&book.unit).is_some();
            if same && tables {
                Ok(())
            } else {
                Err("a codebook is not whole".to_owned())
            }
        }
        Err(mistakes) => check(&mistakes, &whole),
    }
}

fn check(mistakes: &Mistakes, text: &str) -> Result<(), String> {
    if mistakes.0.is_empty() {
        return Err("a refusal names no mistake".to_owned());
    }
    let lines = text.lines().count().max(1) + 1;
    for mistake in &mistakes.0 {
        let inside = (1..=lines).contains(&mistake.line) && mistake.column >= 1;
        if !inside || mistake.text.is_empty() || mistake.text.contains('\n') {
            return Err(format!("not a place and a sentence: {mistake}"));
        }
    }
    Ok(())
}
