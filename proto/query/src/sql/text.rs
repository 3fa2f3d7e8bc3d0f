//! The text as it came: limits before parsing, tokens, and places for error messages.
//!
//! What this file must not know: the codebook, and what a statement means.

use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span as TokenSpan, Token, TokenWithSpan, Tokenizer};

use super::refuse;
use crate::problem::{Problem, Span};

/// Longest text, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
/// Most tokens, white space and comments not counted.
pub const MAX_TOKENS: usize = 1500;
/// Deepest nesting of brackets.
pub const MAX_DEPTH: usize = 24;

/// The text with the byte offset of each line, to turn parser locations into byte spans.
pub(super) struct Text<'a> {
    sql: &'a str,
    lines: Vec<usize>,
}

impl<'a> Text<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        let ends = sql.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        Self { sql, lines }
    }

    /// Byte span of a parser span; `None` where the parser knows no place.
    pub(super) fn span(&self, span: TokenSpan) -> Option<Span> {
        let start = self.offset(span.start)?;
        let end = self.offset(span.end)?;
        (start < end).then_some(Span { start, end })
    }

    /// The span with the closing brackets of those it opens, and with the arguments of a
    /// function that it names: parsers leave them out.
    pub(super) fn closed(&self, mut span: Span) -> Span {
        let inside = self.sql.get(span.start..span.end).unwrap_or_default();
        let opened = inside.matches('(').count();
        let mut depth = opened.saturating_sub(inside.matches(')').count());
        let start = span.end;
        for (at, c) in self.sql.get(start..).unwrap_or_default().char_indices() {
            match c {
                '(' if at == 0 || depth > 0 => depth += 1,
                ')' if depth > 0 => {
                    depth -= 1;
                    span.end = start + at + 1;
                }
                _ if depth > 0 && (c.is_whitespace() || at > 0) => {}
                _ => break,
            }
            if depth == 0 {
                break;
            }
        }
        span
    }

    /// Byte offset of a location; columns count characters.
    fn offset(&self, location: Location) -> Option<usize> {
        let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let rest = self.sql.get(start..)?;
        let within = rest
            .char_indices()
            .nth(column)
            .map_or(rest.len(), |(at, _)| at);
        Some(start + within)
    }

    /// The character at a location, as a span; the end of the text has an empty one.
    pub(super) fn point(&self, location: Location) -> Option<Span> {
        let start = self.offset(location)?;
        let width = self
            .sql
            .get(start..)?
            .chars()
            .next()
            .map_or(0, char::len_utf8);
        Some(Span {
            start,
            end: start + width,
        })
    }

    /// The whole text.
    pub(super) fn whole(&self) -> Span {
        Span {
            start: 0,
            end: self.sql.len(),
        }
    }
}

/// Tokens of the text, within every limit, with `IN name` written as `IN (name)`.
pub(super) fn tokens(text: &Text<'_>) -> Result<Vec<TokenWithSpan>, Problem> {
    check_text(text)?;
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text.sql)
        .tokenize_with_location()
        .map_err(|error| {
            refuse(
                "V101",
                "a string, comment or quoted name does not end, or a character is not SQL",
            )
            .at(text.point(error.location).or(Some(text.whole())))
        })?;
    let tokens: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .collect();
    if tokens.len() > MAX_TOKENS {
        return Err(refuse(
            "V800",
            format!("the text has more than {MAX_TOKENS} words and signs"),
        ));
    }
    check_depth(&tokens, text)?;
    for token in &tokens {
        check_name(token, text)?;
    }
    Ok(bracket_in_lists(tokens))
}

fn check_text(text: &Text<'_>) -> Result<(), Problem> {
    if text.sql.len() > MAX_TEXT {
        return Err(
            refuse("V800", format!("the text is longer than {MAX_TEXT} bytes"))
                .write("a named set or a list parameter for long lists"),
        );
    }
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if let Some((start, c)) = text.sql.char_indices().find(|(_, c)| control(*c)) {
        let span = Span {
            start,
            end: start + c.len_utf8(),
        };
        return Err(refuse("V101", "the text has a control character").at(Some(span)));
    }
    Ok(())
}

fn check_depth(tokens: &[TokenWithSpan], text: &Text<'_>) -> Result<(), Problem> {
    let mut depth = 0_usize;
    for token in tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let message = format!("brackets are nested deeper than {MAX_DEPTH}");
            return Err(refuse("V800", message).at(text.span(token.span)));
        }
    }
    Ok(())
}

/// Names are plain ASCII, so that two names that look alike are alike.
fn check_name(token: &TokenWithSpan, text: &Text<'_>) -> Result<(), Problem> {
    let Token::Word(word) = &token.token else {
        return Ok(());
    };
    let at = text.span(token.span);
    if word.quote_style.is_some() {
        if is_plain_name(&word.value) {
            return Ok(());
        }
        let message = "a quoted name may only hold lower-case ASCII letters, digits and _";
        return Err(refuse("V101", message).at(at));
    }
    if word.value.is_ascii() {
        return Ok(());
    }
    Err(refuse("V101", "names are plain ASCII letters, digits and _").at(at))
}

/// Whether a name is `[a-z_][a-z0-9_]{0,62}`.
pub(super) fn is_plain_name(name: &str) -> bool {
    let head = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    head && name.len() <= 63
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `IN set.name` and `IN $list` become `IN (set.name)` and `IN ($list)`, which the parser knows.
fn bracket_in_lists(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len() + 8);
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let is_in = matches!(&token.token, Token::Word(word) if word.keyword == Keyword::IN);
        out.push(token);
        let Some(first) = rest.next_if(|t| is_in && starts_bare_list(&t.token)) else {
            continue;
        };
        out.push(TokenWithSpan {
            token: Token::LParen,
            span: first.span,
        });
        let mut end = first.span;
        out.push(first);
        while let Some(part) = rest.next_if(|t| continues_name(out.last(), &t.token)) {
            end = part.span;
            out.push(part);
        }
        out.push(TokenWithSpan {
            token: Token::RParen,
            span: end,
        });
    }
    out
}

fn starts_bare_list(token: &Token) -> bool {
    match token {
        Token::Placeholder(_) => true,
        Token::Word(word) => !matches!(
            word.keyword,
            Keyword::UNNEST | Keyword::SELECT | Keyword::WITH
        ),
        _ => false,
    }
}

fn continues_name(last: Option<&TokenWithSpan>, next: &Token) -> bool {
    let after_dot = last.is_some_and(|t| t.token == Token::Period);
    let after_word = last.is_some_and(|t| matches!(t.token, Token::Word(_)));
    match next {
        Token::Period => after_word,
        Token::Word(_) => after_dot,
        _ => false,
    }
}
