//! `make bench-cluster`: benchmarks with real servers.

use clap::{Parser, Subcommand};
use copymill_tests::bench::{Fleet, Overhead, Throughput};

/// Measures a cluster on this machine, with RabbitMQ and an S3 server of its own.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Throughput(Throughput),
    Overhead(Overhead),
    Fleet(Fleet),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Throughput(bench) => bench.execute().await,
        What::Overhead(bench) => bench.execute().await,
        What::Fleet(bench) => bench.execute().await,
    }
}
