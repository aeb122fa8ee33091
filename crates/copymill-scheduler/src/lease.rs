//! Leadership: one lease object, taken and renewed by compare-and-swap on its ETag.
//!
//! The holder stops acting [`HOLD`] after the start of its last successful renewal, until another one succeeds; a standby
//! takes over after it has seen the object unchanged for [`TAKEOVER`] on its own monotonic clock. The 5 s between them are
//! for clocks that run at different speeds and for writes that are under way.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use copymill_store::{Condition, Put, Store, StoreError};
use serde::{Deserialize, Serialize};

/// How long a holder may act on its last renewal.
pub const HOLD: Duration = Duration::from_secs(5);
/// How long a standby watches an unchanged lease before it takes it.
pub const TAKEOVER: Duration = Duration::from_secs(10);
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How long the store's answer to a renewal is waited for; each try in a row waits this much longer than the one before,
/// so that within [`HOLD`] a store may leave two of them without an answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long an act waits for a renewal that is overdue.
const RENEWED_WITHIN: Duration = Duration::from_secs(30);
/// Pause after a renewal that the store refused to look at.
const RENEW_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long a standby waits after the store failed it.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(1);
const WATCH_EVERY: Duration = Duration::from_millis(250);
const KEY: &str = "leader.json";

/// Why leadership was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds and renews it.
    #[error("{place} is in use by {holder}; wait for it to end, or choose another folder with --output")]
    Held {
        /// The store.
        place: String,
        /// The holder's description of itself.
        holder: String,
    },
    /// It was held and is not any more.
    #[error(
        "the lease on {place} was lost to another process; nothing is damaged: run the same command again"
    )]
    Lost {
        /// The store.
        place: String,
    },
    /// An object that only a leader writes was written by somebody else.
    #[error("{key} was changed by another process; run the same command again")]
    Overtaken {
        /// The object.
        key: String,
    },
    /// The lease object is not one of ours.
    #[error(
        "leader.json in {place} is no lease: {reason}; remove the file if no copymill process uses the folder"
    )]
    Unreadable {
        /// The store.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct LeaseObject {
    v: u32,
    epoch: u64,
    revision: u64,
    /// Empty once the holder gave it back.
    holder: String,
    host: String,
    pid: i32,
    /// Among which processes the number is one: that of a container means nothing in another one of the same host name.
    #[serde(default)]
    processes: String,
}

/// Leadership in hand. Dropping it stops the renewals; [`Lease::release`] lets the next process lead at once.
pub struct Lease {
    shared: Arc<Shared>,
    renewals: tokio::task::JoinHandle<()>,
}

struct Shared {
    store: Arc<dyn Store>,
    epoch: u64,
    holder: String,
    current: tokio::sync::Mutex<(LeaseObject, String)>,
    valid_until: Mutex<Option<Instant>>,
}

impl Lease {
    /// Takes the lease, waiting for a silent holder to be sure that it is gone.
    pub async fn acquire(store: Arc<dyn Store>) -> Result<Self, LeaseError> {
        let mut seen: Option<(String, Instant)> = None;
        loop {
            let started = Instant::now();
            let Some(object) = store.get(KEY).await? else {
                if let Some(lease) = Self::put(&store, 1, Condition::IfAbsent, started).await? {
                    return Ok(lease);
                }
                continue;
            };
            let lease: LeaseObject = serde_json::from_slice(&object.body)
                .map_err(|e| LeaseError::Unreadable { place: store.describe(), reason: e.to_string() })?;
            let since = match &seen {
                Some((etag, since)) if *etag == object.etag => *since,
                Some(_) if !lease.holder.is_empty() => {
                    return Err(LeaseError::Held { place: store.describe(), holder: lease.holder });
                }
                Some(_) => started,
                None => started,
            };
            if lease.holder.is_empty() || holder_is_dead(&lease) || since.elapsed() >= TAKEOVER {
                let condition = Condition::IfMatch(object.etag);
                if let Some(lease) = Self::put(&store, lease.epoch + 1, condition, started).await? {
                    return Ok(lease);
                }
                seen = None;
                continue;
            }
            seen = Some((object.etag, since));
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }

    /// Waits, however long, until it may lead; whatever holder or store do meanwhile.
    pub async fn stand_by(store: Arc<dyn Store>) -> Self {
        loop {
            match Self::acquire(store.clone()).await {
                Ok(lease) => return lease,
                Err(LeaseError::Held { .. }) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "the lease could not be looked at; trying again");
                    tokio::time::sleep(STORE_AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn put(
        store: &Arc<dyn Store>,
        epoch: u64,
        condition: Condition,
        started: Instant,
    ) -> Result<Option<Self>, LeaseError> {
        let host = host();
        let pid = std::process::id().cast_signed();
        let holder = format!("process {pid} on {host}");
        let processes = processes();
        let object = LeaseObject { v: 1, epoch, revision: 1, holder: holder.clone(), host, pid, processes };
        let Put::Stored(etag) = store.put(KEY, body(&object), condition).await? else { return Ok(None) };
        let shared = Arc::new(Shared {
            store: store.clone(),
            epoch,
            holder,
            current: tokio::sync::Mutex::new((object, etag)),
            valid_until: Mutex::new(Some(started + HOLD)),
        });
        let renewals = tokio::spawn(renew(shared.clone()));
        Ok(Some(Self { shared, renewals }))
    }

    /// Fails once the lease has passed to another process; to be asked before every act of a leader.
    ///
    /// Where it could not be renewed in time, nothing is done until it is: a machine or a disk that stalls is no reason to
    /// give up while nobody else has taken the lease.
    pub async fn check(&self) -> Result<(), LeaseError> {
        let asked = Instant::now();
        while let Some(until) = self.valid_until() {
            if Instant::now() < until {
                return Ok(());
            }
            if asked.elapsed() > RENEWED_WITHIN {
                break;
            }
            tokio::time::sleep(WATCH_EVERY).await;
        }
        Err(LeaseError::Lost { place: self.shared.store.describe() })
    }

    fn is_valid(&self) -> bool {
        self.valid_until().is_some_and(|until| Instant::now() < until)
    }

    fn valid_until(&self) -> Option<Instant> {
        *self.shared.valid_until.lock().expect("no holder of this lock panics")
    }

    /// Grows with every change of leadership.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// Who holds it: this process, in words.
    pub fn holder(&self) -> &str {
        &self.shared.holder
    }

    /// Waits until the lease may have passed to another process.
    pub async fn lost(&self) {
        while let Some(until) = self.valid_until() {
            tokio::time::sleep_until(until.into()).await;
            if !self.is_valid() {
                return;
            }
        }
    }

    /// Gives the lease back, so that the next process leads at once. Nothing may be done under it afterwards.
    pub async fn release(&self) -> Result<(), LeaseError> {
        self.renewals.abort();
        *self.shared.valid_until.lock().expect("no holder of this lock panics") = None;
        let (mut object, etag) = self.shared.current.lock().await.clone();
        object.holder.clear();
        object.revision += 1;
        if let Put::Stored(_) = self.shared.store.put(KEY, body(&object), Condition::IfMatch(etag)).await? {
            return Ok(());
        }
        // The answer to an earlier try of this put may have been lost.
        match self.shared.store.get(KEY).await? {
            Some(found) if found.body == body(&object) => Ok(()),
            _ => Err(LeaseError::Lost { place: self.shared.store.describe() }),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

async fn renew(shared: Arc<Shared>) {
    let mut tries = 0;
    loop {
        if tries == 0 {
            tokio::time::sleep(RENEW_EVERY).await;
        }
        tries += 1;
        let started = Instant::now();
        // What was granted before still holds until its own end.
        let renewed = match tokio::time::timeout(ANSWER * tries, shared.renew_once()).await {
            Ok(Ok(renewed)) => renewed,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the lease could not be renewed; trying again");
                tokio::time::sleep(RENEW_AGAIN_AFTER).await;
                continue;
            }
            Err(_) => {
                tracing::warn!("the store gave no answer to a renewal of the lease; trying again");
                continue;
            }
        };
        tries = 0;
        // A renewal that comes late proves all the same that nobody else took the lease in between.
        let mut valid = shared.valid_until.lock().expect("no holder of this lock panics");
        *valid = renewed.then_some(started + HOLD);
        if valid.is_none() {
            return;
        }
    }
}

impl Shared {
    /// Puts the next revision; false where the lease is another's.
    async fn renew_once(&self) -> Result<bool, StoreError> {
        let mut current = self.current.lock().await;
        let (mut object, etag) = current.clone();
        object.revision += 1;
        match self.store.put(KEY, body(&object), Condition::IfMatch(etag)).await? {
            Put::Stored(etag) => *current = (object, etag),
            // The answer to an earlier renewal may have been lost: one's own revision is success.
            Put::Refused => match self.store.get(KEY).await? {
                Some(found) if found.body == body(&object) => *current = (object, found.etag),
                _ => return Ok(false),
            },
        }
        Ok(true)
    }
}

/// Whether the holder was a process among those that this one sees, and is gone: then nobody needs to wait.
fn holder_is_dead(lease: &LeaseObject) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(lease.pid) else { return false };
    lease.processes == processes() && rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

/// Names the processes that this one sees: of which boot of which machine, and of which container. Without `/proc`, of
/// which host.
fn processes() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
        _ => host(),
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn body(object: &LeaseObject) -> bytes::Bytes {
    serde_json::to_vec(object).expect("a lease serialises").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_dead_only_where_its_process_could_be_seen() {
        // Linux gives out numbers up to 2^22 (PID_MAX_LIMIT).
        let gone = LeaseObject {
            v: 1,
            epoch: 1,
            revision: 1,
            holder: "process 7 on a host".into(),
            host: host(),
            pid: 1 << 23,
            processes: processes(),
        };
        assert!(holder_is_dead(&gone));
        let alive = std::process::id().cast_signed();
        assert!(!holder_is_dead(&LeaseObject { pid: alive, ..gone.clone() }));
        assert!(!holder_is_dead(&LeaseObject { processes: "another boot pid:[1]".into(), ..gone.clone() }));
        let of_an_older_program = r#"{"v":1,"epoch":1,"revision":1,"holder":"x","host":"h","pid":8388608}"#;
        assert!(!holder_is_dead(&serde_json::from_str(of_an_older_program).unwrap()));
    }
}
