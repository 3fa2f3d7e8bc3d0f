//! Laws over random families.
