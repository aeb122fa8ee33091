//! The scheduler program.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    copymill_scheduler::program::main().await
}
