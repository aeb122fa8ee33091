//! A program's admin port, as probes and Prometheus read it.

use std::time::Duration;

use crate::servers::free_port;

/// What is asked for may wait for a store that gives no answer.
const ANSWERS: Duration = Duration::from_secs(30);

/// An admin port of loopback for one program.
pub struct Admin {
    port: u16,
    address: String,
}

impl Default for Admin {
    fn default() -> Self {
        let port = free_port();
        Self { port, address: format!("127.0.0.1:{port}") }
    }
}

impl Admin {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The setting that tells a program of it.
    pub fn setting(&self) -> (&'static str, &str) {
        ("COPYMILL_ADMIN__ADDRESS", &self.address)
    }

    /// The answer to a path: its status, 0 where there is none, and its text.
    pub fn asked(&self, path: &str) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        match ureq::get(&url).timeout(ANSWERS).call() {
            Ok(answer) | Err(ureq::Error::Status(_, answer)) => {
                (answer.status(), answer.into_string().unwrap_or_default())
            }
            Err(error) => (0, error.to_string()),
        }
    }

    /// The status of the answer to a path.
    pub fn status(&self, path: &str) -> u16 {
        self.asked(path).0
    }

    /// The value of a series, labels included as they are written; none where there is no such series.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let page = self.asked("/metrics").1;
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }
}
