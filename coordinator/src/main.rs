//! `quorate-coordinator`.

fn main() -> std::process::ExitCode {
    quorate_coordinator::run(std::env::args_os())
}
