//! The worker program.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    copymill_worker::program::main().await
}
