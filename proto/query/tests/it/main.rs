//! Tests of the language from outside: golden files, the documentation page, the corpus, laws.

mod canonical;
mod codebook_corpus;
mod common;
mod corpus;
mod golden;
mod laws;
mod problems;
