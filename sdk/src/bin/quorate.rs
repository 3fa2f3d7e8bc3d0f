//! The command line of a researcher: see `quorate_sdk::run`.

fn main() -> std::process::ExitCode {
    quorate_sdk::run(std::env::args_os())
}
