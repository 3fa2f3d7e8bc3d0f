//! The test network's binary, which is every party at once: see `quorate_testnet`.

fn main() -> std::process::ExitCode {
    quorate_testnet::run(std::env::args_os())
}
