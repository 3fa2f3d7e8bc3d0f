//! One file a family of commands. They open the state beside a running coordinator and print
//! states, times and codes: never a cell value, never the text of a question.

pub(crate) mod init;
pub(crate) mod keep;
pub(crate) mod people;
pub(crate) mod roster;
pub(crate) mod serve;
pub(crate) mod show;

/// A moment as people read it, in UTC.
pub(crate) fn time(unix: i64) -> String {
    jiff::Timestamp::from_second(unix).map_or_else(|_| unix.to_string(), |time| time.to_string())
}
