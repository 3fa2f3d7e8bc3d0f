//! Golden outputs of every format.
