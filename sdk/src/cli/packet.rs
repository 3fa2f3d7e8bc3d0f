//! `quorate crate FILE`: a saved result as a Five Safes RO-Crate, after it was verified again.

use std::path::Path;

use super::args::CrateArgs;
use super::exit::{Exit, Failure};
use super::trust::Trust;
use super::{ui, verify};
use crate::packet;

/// Runs the command.
pub(crate) fn run(home: &Path, args: &CrateArgs) -> Result<Exit, Failure> {
    let verified = verify::believed(&Trust::of(home, &args.trust)?, &args.result)?;
    let files = packet::bag(&verified, &args.licence);
    for (name, content) in &files {
        let path = args.out.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, content)?;
    }
    ui::say(&format!(
        "written to {}: {} files",
        args.out.display(),
        files.len()
    ));
    Ok(Exit::Answered)
}
