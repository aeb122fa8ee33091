//! The worker program.

fn main() -> std::process::ExitCode {
    copymill_worker::program::main()
}
