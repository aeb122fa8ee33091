//! The connection: credentials, region, time limits and retries.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Config};

use super::S3Settings;

/// Tries of one call, the first included; between them the SDK waits longer and longer, with jitter.
const TRIES: u32 = 6;
const CONNECT: Duration = Duration::from_secs(5);
/// One try of one call, until its answer begins: far more than a sound server takes, and little where one hangs.
const TRY: Duration = Duration::from_secs(5);
/// What a try may take longer for each byte that it sends: a part of 16 MiB has 32 s more.
const SLOWEST_BYTES_PER_S: u64 = 512 << 10;

pub(super) async fn connect(settings: &S3Settings) -> Client {
    let region = settings.region.clone().map(Region::new);
    // Other servers want a region in the signature and do not care which.
    let region = RegionProviderChain::first_try(region).or_default_provider().or_else("us-east-1");
    let timeouts = time_limits(0);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
        .timeout_config(timeouts);
    if let Some(path) = &settings.credentials_file {
        let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, path).build();
        loader = loader.profile_files(files);
    }
    let shared = loader.load().await;
    let mut own = Builder::from(&shared).force_path_style(settings.path_style);
    own.set_endpoint_url(settings.endpoint.clone());
    Client::from_conf(own.build())
}

/// Settings of a call that sends so many bytes, or lets the server put so many together.
pub(super) fn sending(bytes: u64) -> Builder {
    Config::builder().timeout_config(time_limits(bytes))
}

fn time_limits(bytes: u64) -> TimeoutConfig {
    let sent_within = Duration::from_secs(bytes / SLOWEST_BYTES_PER_S);
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(TRY + sent_within).build()
}
