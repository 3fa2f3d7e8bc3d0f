//! Compiles the wire contract with protox: no protoc, no network, no generated files in git.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("..");
    let files = ["common", "question", "services"]
        .map(|name| root.join("quorate/v1").join(name).with_extension("proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let descriptors = protox::compile(&files, [&root])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
