//! The admin port says what a process says of itself.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use copymill_service::admin::{self, AdminSettings, Vitals};

/// A process that is well until it is told otherwise.
#[derive(Default)]
struct Process {
    is_stuck: AtomicBool,
    waits: AtomicBool,
    has_started: AtomicBool,
}

#[async_trait]
impl Vitals for Process {
    fn stuck(&self) -> Option<String> {
        self.is_stuck.load(Ordering::SeqCst).then(|| "the loop stands still".into())
    }

    fn starting(&self) -> Option<String> {
        (!self.has_started.load(Ordering::SeqCst)).then(|| "the model is being loaded".into())
    }

    async fn unready(&self) -> Option<String> {
        self.waits.load(Ordering::SeqCst).then(|| "the store does not answer".into())
    }

    fn metrics(&self) -> String {
        assert!(!self.is_stuck.load(Ordering::SeqCst), "what is stuck cannot be measured");
        "turns_total 1\n".into()
    }
}

async fn asked(port: u16, path: &'static str) -> (u16, String) {
    let ask = move || match ureq::get(&format!("http://127.0.0.1:{port}{path}")).call() {
        Ok(answer) | Err(ureq::Error::Status(_, answer)) => (answer.status(), answer.into_string().unwrap()),
        Err(error) => panic!("no answer: {error}"),
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn each_path_fails_for_its_own_reason_and_names_it() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = AdminSettings { address: format!("127.0.0.1:{port}") };
    let process = Arc::new(Process::default());
    admin::serve(&settings, process.clone()).await.unwrap();
    assert_eq!(asked(port, "/startz").await, (503, "the model is being loaded\n".into()));
    process.has_started.store(true, Ordering::SeqCst);
    for path in ["/startz", "/healthz", "/readyz"] {
        assert_eq!(asked(port, path).await, (200, "ok\n".into()));
    }
    assert_eq!(asked(port, "/metrics").await, (200, "turns_total 1\n".into()));
    process.waits.store(true, Ordering::SeqCst);
    assert_eq!(asked(port, "/readyz").await, (503, "the store does not answer\n".into()));
    assert_eq!(asked(port, "/startz").await.0, 200, "it has started");
    assert_eq!(asked(port, "/healthz").await.0, 200, "a restart does not help who waits");
    process.is_stuck.store(true, Ordering::SeqCst);
    assert_eq!(asked(port, "/healthz").await, (503, "the loop stands still\n".into()));
    assert_eq!(asked(port, "/metrics").await, (500, "what is measured could not be said\n".into()));
}
