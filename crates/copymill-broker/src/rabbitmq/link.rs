//! The connection, which comes back: whoever needs it waits until it stands.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{Connection, ConnectionProperties, ErrorKind};

use super::settings::{BrokerSettings, place};
use super::topology;
use crate::seam::BrokerError;

/// A goodbye that takes longer is not heard.
const GOODBYE: Duration = Duration::from_secs(2);
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Many clients that lost one broker must not all come back at once, nor wait for long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A handshake that takes longer hangs.
const HANDSHAKE: Duration = Duration::from_secs(15);

const DISTRUST_ADVICE: &str = ". The broker and this program do not trust each other's certificates: broker.tls.ca_file must \
    hold the authority that signed the broker's, whose names must include the host in broker.url, and the broker may want \
    broker.tls.certificate_file and broker.tls.key_file";

/// The way to the broker.
pub(super) struct Link {
    settings: BrokerSettings,
    place: String,
    /// Number of the node that the next connection goes to; counts on for ever.
    next_node: AtomicUsize,
    is_down: AtomicBool,
    reconnections: AtomicU64,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

/// How the connection to a broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// Whether it stands, as far as anybody has noticed: somebody asks for it every few seconds.
    pub is_up: bool,
    /// How often it was made again.
    pub reconnections: u64,
}

/// One connection and what was declared on it.
pub(super) struct Session {
    pub(super) connection: Connection,
    declared: Mutex<HashSet<String>>,
}

impl Link {
    /// Connects; where `patience` is none, however long the broker is away.
    pub(super) async fn connect(
        settings: &BrokerSettings,
        patience: Option<Duration>,
    ) -> Result<Self, BrokerError> {
        let uris = settings.uris();
        let places = uris.as_ref().map(|uris| uris.iter().map(place).collect::<Vec<_>>().join(" or "));
        let link = Self {
            settings: settings.clone(),
            // An address that cannot be read may hold a password.
            place: places.unwrap_or_else(|_| "that broker.url names".into()),
            // Clients that start together are spread over the nodes.
            next_node: AtomicUsize::new(fastrand::usize(..=usize::from(u16::MAX))),
            is_down: AtomicBool::default(),
            reconnections: AtomicU64::default(),
            session: tokio::sync::Mutex::default(),
        };
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut wait = Backoff::default();
        loop {
            match link.try_connect().await {
                Ok(session) => {
                    *link.session.lock().await = Some(session);
                    return Ok(link);
                }
                Err(Failed::ForGood(reason)) => return Err(link.because("be reached", reason)),
                Err(Failed::ForNow(reason)) if deadline.is_some_and(|deadline| Instant::now() > deadline) => {
                    return Err(link.because("be reached", reason));
                }
                Err(Failed::ForNow(reason)) => {
                    tracing::warn!(broker = link.place, reason, "the broker cannot be reached; trying again");
                    wait.wait().await;
                }
            }
        }
    }

    /// The connection; waits until there is one.
    pub(super) async fn session(&self) -> Arc<Session> {
        let mut current = self.session.lock().await;
        if let Some(session) = current.as_ref().filter(|session| session.is_up()) {
            return Arc::clone(session);
        }
        *current = None;
        self.is_down.store(true, Ordering::Relaxed);
        let mut wait = Backoff::default();
        loop {
            match self.try_connect().await {
                Ok(session) => {
                    tracing::info!(broker = self.place, "connected to the broker again");
                    *current = Some(Arc::clone(&session));
                    self.is_down.store(false, Ordering::Relaxed);
                    self.reconnections.fetch_add(1, Ordering::Relaxed);
                    return session;
                }
                Err(Failed::ForNow(reason) | Failed::ForGood(reason)) => {
                    tracing::warn!(broker = self.place, reason, "the broker cannot be reached; trying again");
                    wait.wait().await;
                }
            }
        }
    }

    pub(super) fn state(&self) -> LinkState {
        LinkState {
            is_up: !self.is_down.load(Ordering::Relaxed),
            reconnections: self.reconnections.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn close(&self) {
        let goodbye = async {
            // Whoever holds the session looks for a connection that is gone, and that needs no goodbye.
            if let Some(session) = self.session.lock().await.take() {
                drop(session.connection.close(200, "done".into()).await);
            }
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    /// Connects to the next of the nodes.
    async fn try_connect(&self) -> Result<Arc<Session>, Failed> {
        let (mut uris, tls) = (self.settings.uris().map_err(Failed::ForGood)?, self.settings.tls());
        let node = self.next_node.fetch_add(1, Ordering::Relaxed) % uris.len();
        let uri = uris.swap_remove(node);
        let tls = tls.map_err(Failed::ForGood)?;
        let runtime =
            lapin::runtime::default_runtime().map_err(|error| Failed::ForGood(error.to_string()))?;
        let name = format!("{} {}", env!("CARGO_PKG_NAME"), std::process::id());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect_uri_with_config(uri, properties, tls, runtime);
        let connection = match tokio::time::timeout(HANDSHAKE, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) if is_refusal(&error) => return Err(Failed::ForGood(error.to_string())),
            Ok(Err(error)) if is_distrust(&error) => {
                return Err(Failed::ForGood(format!("{error}{DISTRUST_ADVICE}")));
            }
            Ok(Err(error)) => return Err(Failed::ForNow(error.to_string())),
            Err(_) => return Err(Failed::ForNow(format!("no answer within {} s", HANDSHAKE.as_secs()))),
        };
        Ok(Arc::new(Session { connection, declared: Mutex::default() }))
    }

    /// Tries until it works or never can; `what` opens its own channels on the session it is given.
    pub(super) async fn persist<T, F>(
        &self,
        action: &'static str,
        mut what: impl FnMut(Arc<Session>) -> F,
    ) -> Result<T, BrokerError>
    where
        F: Future<Output = Result<T, lapin::Error>>,
    {
        let mut wait = Backoff::default();
        loop {
            match what(self.session().await).await {
                Ok(done) => return Ok(done),
                Err(error) if is_refusal(&error) => return Err(self.error(action, &error)),
                Err(error) => {
                    tracing::debug!(broker = self.place, action, %error, "trying again");
                    wait.wait().await;
                }
            }
        }
    }

    /// Where the broker is, without secrets.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn error(&self, action: &'static str, error: &lapin::Error) -> BrokerError {
        let is_lasting = is_mismatch(error);
        let advice = if is_lasting { topology::MISMATCH_ADVICE } else { "" };
        BrokerError { is_lasting, ..self.because(action, format!("{error}{advice}")) }
    }

    fn because(&self, action: &'static str, reason: String) -> BrokerError {
        BrokerError { broker: self.place.clone(), action, reason, is_returned: false, is_lasting: false }
    }

    /// The error of a delivery that went back to its queue.
    pub(super) fn returned(&self, action: &'static str) -> BrokerError {
        let reason = "its consumer or connection is gone, so the message went back to its queue".to_owned();
        BrokerError { is_returned: true, ..self.because(action, reason) }
    }
}

impl Session {
    fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// Declares a queue, once a connection.
    pub(super) async fn declare(&self, queue: &str) -> Result<(), lapin::Error> {
        if self.declared().contains(queue) {
            return Ok(());
        }
        // A channel of its own: a mismatch closes the channel it is found on.
        let channel = self.connection.create_channel().await?;
        topology::declare(&channel, queue).await?;
        channel.close(200, "done".into()).await?;
        self.declared().insert(queue.to_owned());
        Ok(())
    }

    /// Notes that a queue is gone.
    pub(super) fn forget(&self, queue: &str) {
        self.declared().remove(queue);
    }

    fn declared(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Failed {
    ForNow(String),
    ForGood(String),
}

/// Waits that grow, with jitter.
#[derive(Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    pub(super) async fn wait(&mut self) {
        let longest = (SHORTEST_WAIT * 2_u32.saturating_pow(self.0.min(16))).min(LONGEST_WAIT);
        self.0 += 1;
        tokio::time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    }
}

/// Whether another try would be refused as well: other arguments, no rights, no such vhost.
fn is_refusal(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(
        error.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    )
}

/// Whether TLS failed over certificates: rustls calls that invalid data.
fn is_distrust(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::InvalidData)
}

fn is_mismatch(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
}
