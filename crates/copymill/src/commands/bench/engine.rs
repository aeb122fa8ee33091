//! The engine.
use crate::exit::Exit;
use clap::Args;
/// Measure the engine
///
/// x
#[derive(Args)]
#[command(after_help = "Example:\n  copymill bench engine")]
pub(super) struct EngineBench {}
impl EngineBench {
    pub(super) async fn execute(self) -> anyhow::Result<Exit> {
        Ok(Exit::Done)
    }
}
