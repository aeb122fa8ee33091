//! Faults of an S3 server: placed on an operation, counted, never random.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use tokio::sync::watch;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Fault {
    /// 503 `SlowDown`; nothing is done.
    SlowDown,
    /// 500 `InternalError`, after the call took effect.
    ErrorAfterEffect,
    /// No answer for this long, then none at all; nothing is done.
    Hang(Duration),
    /// The call takes effect; no answer for this long, then none at all.
    HangAfterEffect(Duration),
    /// No answer, and the call takes effect once it is let through, as if it had been on its way: whoever sent it may be
    /// gone.
    Held,
    /// A bit of what was sent arrives as another.
    Garbled,
    /// 507 `InsufficientStorage`; nothing is done.
    Full,
    /// 403 `AccessDenied`; nothing is done.
    Denied,
    /// The answer ends in the middle of its body.
    CutOff,
    /// The connection is closed without an answer.
    Reset,
}

/// A fault on the first calls of an operation whose path contains a text.
#[derive(Clone)]
pub struct PlacedS3Fault(Arc<Placed>);

struct Placed {
    method: Method,
    path_part: String,
    fault: S3Fault,
    calls: u32,
    fired: AtomicU32,
    held: AtomicU32,
    /// Whether calls that are held may go on.
    is_let_through: watch::Sender<bool>,
    /// How calls ended that were held: statuses of HTTP.
    later: Mutex<Vec<u16>>,
}

impl PlacedS3Fault {
    /// How many calls it failed so far.
    pub fn fired(&self) -> u32 {
        self.0.fired.load(Ordering::SeqCst)
    }

    /// How many calls have arrived whole and were held.
    pub fn held(&self) -> u32 {
        self.0.held.load(Ordering::SeqCst)
    }

    /// Lets calls take effect that are held.
    pub fn let_through(&self) {
        self.0.is_let_through.send_replace(true);
    }

    /// How calls ended that were held: statuses of HTTP.
    pub fn later(&self) -> Vec<u16> {
        self.0.later.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds a call that has arrived whole until it is let through.
    pub(super) async fn hold(&self) {
        self.0.held.fetch_add(1, Ordering::SeqCst);
        let mut seen = self.0.is_let_through.subscribe();
        seen.wait_for(|is_let_through| *is_let_through).await.expect("the sender lives as long as this");
    }

    pub(super) fn ended_later(&self, status: u16) {
        self.0.later.lock().unwrap_or_else(PoisonError::into_inner).push(status);
    }

    pub(super) fn fault(&self) -> S3Fault {
        self.0.fault
    }

    fn fires(&self, method: &Method, path: &str) -> bool {
        let is_meant = self.0.method == *method && path.contains(&self.0.path_part);
        let left = |fired: u32| (fired < self.0.calls).then_some(fired + 1);
        is_meant && self.0.fired.try_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok()
    }
}

/// All faults of a server.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Vec<PlacedS3Fault>>>);

impl Faults {
    pub(super) fn place(&self, method: Method, path_part: &str, fault: S3Fault, calls: u32) -> PlacedS3Fault {
        let path_part = path_part.to_owned();
        let (fired, held) = (AtomicU32::new(0), AtomicU32::new(0));
        let (later, is_let_through) = (Mutex::default(), watch::Sender::new(false));
        let placed = Placed { method, path_part, fault, calls, fired, held, is_let_through, later };
        let placed = PlacedS3Fault(Arc::new(placed));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(placed.clone());
        placed
    }

    pub(super) fn of(&self, method: &Method, path: &str) -> Option<PlacedS3Fault> {
        let placed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        placed.iter().find(|fault| fault.fires(method, path)).cloned()
    }
}
