//! Shutdown in two steps: drain, then abort.
//!
//! The first SIGINT or SIGTERM asks everything to finish what it has in hand, the second to drop it. A third ends
//! the process at once, for when nobody listens any more.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The exit status after the third signal: 128 and SIGINT's number, as shells report it.
const EXIT_KILLED_BY_HAND: i32 = 130;

/// Tells every part of a process to drain or to abort; clones share it.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: watch::Sender<Phase>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Phase {
    #[default]
    Running,
    Draining,
    Aborting,
}

impl Shutdown {
    /// Makes a shutdown that only code asks for.
    pub fn manual() -> Self {
        Self { phase: watch::Sender::default() }
    }

    /// Makes the shutdown of this process, which signals ask for too; within a Tokio runtime.
    ///
    /// From here on signals no longer end the process by themselves, so a program does this once and early.
    pub fn install() -> io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let shutdown = Self::manual();
        let asked = shutdown.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
                asked.advance_by_signal();
            }
        });
        Ok(shutdown)
    }

    /// Aborts when draining takes longer than `grace`; within a Tokio runtime.
    pub fn with_grace(self, grace: Duration) -> Self {
        let shutdown = self.clone();
        tokio::spawn(async move {
            shutdown.drain_requested().await;
            tokio::select! {
                () = tokio::time::sleep(grace) => {
                    tracing::warn!(grace_s = grace.as_secs(), "draining took too long, aborting");
                    shutdown.request_abort();
                }
                () = shutdown.abort_requested() => {}
            }
        });
        self
    }

    /// Waits for something that may be given up at any time, such as a connection; none where draining came first.
    pub async fn unless_draining<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.drain_requested() => None,
        }
    }

    /// Asks everything to finish what it has in hand and take nothing new.
    pub fn request_drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Asks everything to drop what it has in hand; draining is implied.
    pub fn request_abort(&self) {
        self.advance(Phase::Aborting);
    }

    /// Whether draining or aborting was asked for.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Whether aborting was asked for.
    pub fn is_aborting(&self) -> bool {
        *self.phase.borrow() >= Phase::Aborting
    }

    /// Waits until draining or aborting is asked for; at once where it was. Cancel-safe.
    pub async fn drain_requested(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until aborting is asked for; at once where it was. Cancel-safe.
    pub async fn abort_requested(&self) {
        self.reached(Phase::Aborting).await;
    }

    fn advance_by_signal(&self) {
        let phase = *self.phase.borrow();
        match phase {
            Phase::Running => {
                tracing::info!("asked to stop: what is in hand is finished");
                self.request_drain();
            }
            Phase::Draining => {
                tracing::info!("asked to stop again: what is in hand is dropped");
                self.request_abort();
            }
            Phase::Aborting => std::process::exit(EXIT_KILLED_BY_HAND),
        }
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_later = to > *phase;
            if is_later {
                *phase = to;
            }
            is_later
        });
    }

    async fn reached(&self, awaited: Phase) {
        let mut phase = self.phase.subscribe();
        // No error can come: this shutdown holds the sender.
        drop(phase.wait_for(|phase| *phase >= awaited).await);
    }
}
