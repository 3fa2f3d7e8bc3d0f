//! Values as people write them, in messages, canonical text and explanations.

use crate::value::Scalar;

/// A value as an SQL literal.
pub(crate) fn literal(value: &Scalar) -> String {
    match value {
        Scalar::Null => "NULL".to_owned(),
        Scalar::Bool(b) => b.to_string(),
        Scalar::Number(n) => n.to_string(),
        Scalar::Date(_) => format!("DATE '{value}'"),
        Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::literal;
    use crate::value::Scalar;

    #[test]
    fn quotes_in_texts_are_doubled() {
        assert_eq!(literal(&Scalar::Text("O'Hara".into())), "'O''Hara'");
    }
}
