//! Tests of the language from outside: golden files, the documentation page, the corpus, laws.

#[cfg(test)]
mod analyses;
#[cfg(test)]
mod canonical;
#[cfg(test)]
mod cells;
#[cfg(test)]
mod codebook_corpus;
#[cfg(test)]
mod codebook_page;
#[cfg(test)]
mod cohorts;
#[cfg(test)]
mod combine;
#[cfg(test)]
mod common;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod disclosure;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hard;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod models;
#[cfg(test)]
mod page;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod reviewed;
