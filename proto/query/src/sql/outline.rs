//! From tokens to the one query of the text; everything that is not one query ends here.

use sqlparser::ast::Query;
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::refuse;
use super::text::{Text, tokens};
use crate::problem::Problem;

/// Deepest recursion of the parser.
const PARSER_DEPTH: usize = 50;

/// Parses the text as exactly one query.
pub(super) fn query(text: &Text<'_>) -> Result<Box<Query>, Problem> {
    let tokens = tokens(text)?;
    check_start(&tokens, text)?;
    let dialect = GenericDialect {};
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(PARSER_DEPTH)
        .with_tokens_with_locations(tokens);
    let query = parser
        .parse_query()
        .map_err(|error| syntax_error(&error, text))?;
    let mut ended = false;
    while parser.consume_token(&Token::SemiColon) {
        ended = true;
    }
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(query),
        _ if ended => Err(refuse(
            "V100",
            "ask one question at a time: there is a second statement",
        )
        .at(text.span(next.span))),
        _ => Err(refuse(
            "V101",
            "this part of the text is not understood; the query ended before it",
        )
        .at(text.span(next.span))),
    }
}

/// The first word decides whether this can be a question at all.
fn check_start(tokens: &[TokenWithSpan], text: &Text<'_>) -> Result<(), Problem> {
    let Some(first) = tokens.iter().find(|t| t.token != Token::LParen) else {
        return Err(refuse("V100", "there is no question; write one SELECT").at(Some(text.whole())));
    };
    let at = text.span(first.span);
    let Token::Word(word) = &first.token else {
        return Err(refuse("V100", "a question begins with SELECT or WITH").at(at));
    };
    match word.keyword {
        Keyword::SELECT | Keyword::WITH => Ok(()),
        Keyword::FROM => Err(refuse("V101", "SELECT comes before FROM")
            .at(at)
            .write("SELECT ... FROM ...")),
        Keyword::VALUES | Keyword::TABLE => {
            Err(refuse("V101", "a question selects from a table of the codebook").at(at))
        }
        _ => Err(refuse("V100", "only a SELECT can be asked").at(at)),
    }
}

fn syntax_error(error: &ParserError, text: &Text<'_>) -> Problem {
    match error {
        ParserError::RecursionLimitExceeded => {
            refuse("V800", "the text is nested too deeply").at(Some(text.whole()))
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let place = place(message).and_then(|location| text.point(location));
            refuse("V101", sentence(message)).at(place.or(Some(text.whole())))
        }
    }
}

/// What the parser expected, without what it found: that would repeat the text.
fn sentence(message: &str) -> String {
    let expected = message
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.split(", found").next())
        .filter(|what| what.len() < 80 && !what.contains(['\'', '"', '\n']));
    match expected {
        Some(what) => format!("this is not valid SQL: expected {what}"),
        None => "this is not valid SQL".to_owned(),
    }
}

/// The location at the end of a parser's message, ` at Line: 1, Column: 8`.
fn place(message: &str) -> Option<Location> {
    let (_, tail) = message.rsplit_once(" at Line: ")?;
    let (line, column) = tail.split_once(", Column: ")?;
    Some(Location {
        line: line.trim().parse().ok()?,
        column: column.trim().parse().ok()?,
    })
}
