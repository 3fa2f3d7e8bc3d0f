//! The node agent: everything a custodian's auditor must read, in reading order.

pub mod measure;
