//! S3 servers that others wrote, from the Python environment that `make test` sets up.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::guarded::{Guarded, free_port, wait_until};
use crate::repository;
use crate::s3::{ACCESS_KEY, SECRET_KEY};

/// Python loads moto in one or two seconds on a quiet machine.
const START: Duration = Duration::from_secs(120);

/// A moto server: honours conditions, except that `If-Match` is not atomic.
pub struct Moto {
    port: u16,
    buckets: AtomicU32,
    _process: Guarded,
}

impl Moto {
    /// The server that tests share; each has a bucket of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(|| {
            let port = free_port();
            let mut command = Command::new(tool("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            let process = Guarded::spawn(&command);
            let url = format!("http://127.0.0.1:{port}/moto-api/");
            wait_until("moto serves", START, || ureq::get(&url).call().is_ok());
            Self { port, buckets: AtomicU32::new(0), _process: process }
        })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A bucket that nobody else uses.
    pub fn new_bucket(&self) -> String {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::SeqCst));
        ureq::put(&format!("{}/{name}", self.url())).call().expect("a bucket can be made");
        name
    }
}

/// An rclone that serves a folder over S3: ignores conditions and says nothing of it.
pub struct Rclone {
    port: u16,
    _folder: TempDir,
    _process: Guarded,
}

impl Rclone {
    /// Starts a server with a bucket named `bucket`.
    pub fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a temporary folder"));
        std::fs::create_dir(folder.path().join("bucket")).expect("the folder takes folders");
        let mut command = Command::new(tool("rclone"));
        command.args(["serve", "s3", "--addr", &format!("127.0.0.1:{port}")]);
        command.args(["--auth-key", &format!("{ACCESS_KEY},{SECRET_KEY}")]).arg(folder.path());
        let process = Guarded::spawn(&command);
        wait_until("rclone serves", START, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, _folder: folder, _process: process }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A program of the Python environment.
fn tool(name: &str) -> PathBuf {
    let path = repository().join(".venv/bin").join(name);
    assert!(path.exists(), "{} is missing: `make test` installs it", path.display());
    path
}
