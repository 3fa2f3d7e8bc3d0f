//! The Rust SDK of Quorate and its command line.
//!
//! A question is checked on the researcher's machine with the code the nodes run, signed with the
//! researcher's key, and sent to the coordinator. The answer is believed only after `verify`
//! has checked every signature against the roster that the pinned founders began, and has
//! recombined the table from the nodes' own signed cells.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use quorate_sdk::{ask::Draft, client::Client, profile::Profile};
//!
//! let mut client = Client::connect(Profile::open("/home/alice/.config/quorate".as_ref())?)?;
//! let codebook = client.catalogue().await?.codebooks.remove(0);
//! let draft = Draft {
//!     request: "SELECT sex, count(*) AS n FROM person GROUP BY sex".into(),
//!     project: "heart-1".to_owned(),
//!     ..Draft::default()
//! };
//! # let unix_milliseconds = 0;
//! let result = client
//!     .ask(&draft, &codebook, unix_milliseconds, &mut |event| eprintln!("{event:?}"))
//!     .await?;
//! let batch = result.to_batch()?; // an Arrow record batch, its provenance in the schema metadata
//! # drop(batch);
//! # Ok(())
//! # }
//! ```
//!
//! What this crate must not know: any data, and how a node computes.

pub mod ask;
pub mod audit;
pub mod client;
pub mod diff;
pub mod document;
pub mod heads;
pub mod journal;
pub mod lineage;
pub mod link;
pub mod login;
pub mod packet;
pub mod params;
pub mod problems;
pub mod profile;
pub mod render;
pub mod report;
pub mod sample;
pub mod verify;

mod cli;

pub use cli::run;
