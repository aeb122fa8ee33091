//! The scheduler program.

fn main() -> std::process::ExitCode {
    copymill_scheduler::program::main()
}
