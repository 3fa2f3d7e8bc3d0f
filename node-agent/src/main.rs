//! `quorate-node`.

fn main() -> std::process::ExitCode {
    quorate_node::run(std::env::args_os())
}
