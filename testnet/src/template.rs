//! Templates of policies: `${NAME}` is replaced, nothing else is.

use std::collections::BTreeMap;

/// What a template may name.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, String>);

/// A template that names something unknown.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// No such name.
    #[error("line {line}: `${{{name}}}` is not known here; known are {known}")]
    Unknown {
        /// Line, from 1.
        line: usize,
        /// The name.
        name: String,
        /// All known names.
        known: String,
    },
    /// `${` without `}`.
    #[error("line {line}: `${{` without a closing brace")]
    Open {
        /// Line, from 1.
        line: usize,
    },
}

impl Values {
    /// Adds a name; a later value wins.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Fills a template in.
    ///
    /// # Errors
    /// When it names something unknown.
    pub fn fill(&self, template: &str) -> Result<String, TemplateError> {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        let mut line = 1;
        while let Some((before, after)) = rest.split_once("${") {
            line += before.matches('\n').count();
            let (name, after) = after.split_once('}').ok_or(TemplateError::Open { line })?;
            let value = self.get(name).ok_or_else(|| TemplateError::Unknown {
                line,
                name: name.to_owned(),
                known: self.0.keys().cloned().collect::<Vec<_>>().join(", "),
            })?;
            out.push_str(before);
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_other_text_is_not() {
        let mut values = Values::default();
        values.set("DATA", "/d");
        values.set("key:alice", "ed25519:x");
        assert_eq!(
            values.fill("a $x ${DATA}/b {y} ${key:alice}$").unwrap(),
            "a $x /d/b {y} ed25519:x$"
        );
    }

    #[test]
    fn unknown_names_are_refused_with_their_line() {
        let error = Values::default().fill("a\nb ${key:bob}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: `${key:bob}` is not known here; known are "
        );
        assert_eq!(
            Values::default().fill("${x").unwrap_err(),
            TemplateError::Open { line: 1 }
        );
    }
}
