//! The S3 server of the tests as a program, for the local cluster and for measuring: `s3-server PORT [FOLDER]`. The folder
//! keeps its objects for the next one.

use std::path::PathBuf;

use anyhow::Context;
use copymill_tests::s3::S3Server;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().context("usage: s3-server PORT [FOLDER]")?;
    let port = port.parse().with_context(|| format!("{port} is no port"))?;
    let _server = match arguments.next().map(PathBuf::from) {
        Some(folder) => S3Server::start_in(port, &folder).await,
        None => S3Server::start(port).await,
    }
    .with_context(|| format!("port {port} cannot be served"))?;
    std::future::pending().await
}
