//! A TCP proxy before a broker that harms on command what passes it, and counts what it did.
//!
//! What it swallows stays swallowed: a connection that lost bytes never passes any again, as behind a firewall that
//! forgot it, and neither end hears of the other any more. Only a new connection works once the fault is over.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::amqp_frames::{Frames, is_ack, opens_channel, refuse};
use super::next_version::{Later, renumber_job};

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They pass.
    Open,
    /// They are cut, and new ones are closed at once.
    Cut,
    /// They stay, and nothing arrives, either way.
    Swallowing,
}

/// A proxy on a port of loopback; it ends with the process.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    connections: AtomicU64,
    refused: AtomicU64,
    swallowed_bytes: AtomicU64,
    swallowed_acks: AtomicU64,
    /// Whether clients speak as a later version would.
    is_later: AtomicBool,
    /// Whether jobs have another format than clients write and read.
    renumbers_jobs: AtomicBool,
    extended: AtomicU64,
    channels: AtomicU64,
    confirms_to_refuse: AtomicU64,
}

struct State {
    passage: Passage,
    /// From the first frame of a client on that holds this, what clients send is swallowed.
    trap: Option<Vec<u8>>,
    live: Vec<Arc<Pair>>,
}

impl Default for State {
    fn default() -> Self {
        Self { passage: Passage::Open, trap: None, live: Vec::new() }
    }
}

/// The two ends of one connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    /// Nothing passes any more, the end of the connection included.
    is_lost: AtomicBool,
    /// What the client sends is swallowed; what it is told still arrives.
    is_trapped: AtomicBool,
}

impl Proxy {
    /// Starts a proxy before a port of loopback.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepting.accept(client, port);
            }
        });
        Self { address, shared }
    }

    /// The URL of a broker with this proxy in its place.
    pub fn in_place_of(&self, url: &str) -> String {
        let (start, rest) = url.rsplit_once('@').expect("the URL names a user");
        let (_, path) = rest.split_once('/').expect("the URL names a vhost");
        format!("{start}@{}/{path}", self.address)
    }

    /// Changes what happens to the connections that there are and to new ones.
    pub fn set(&self, passage: Passage) {
        let mut state = self.shared.state();
        state.passage = passage;
        for pair in &state.live {
            match passage {
                Passage::Open => {}
                Passage::Cut => pair.end(),
                Passage::Swallowing => pair.is_lost.store(true, Ordering::SeqCst),
            }
        }
    }

    /// Holds a fault for its time, then lets connections pass again.
    pub fn harm(proxies: &[&Self], passage: Passage, time: Duration) {
        proxies.iter().for_each(|proxy| proxy.set(passage));
        std::thread::sleep(time);
        proxies.iter().for_each(|proxy| proxy.set(Passage::Open));
    }

    /// Swallows what a client sends after its first frame that holds a text; what the broker says still arrives.
    pub fn swallow_what_follows(&self, text: &str) {
        self.shared.state().trap = Some(text.as_bytes().to_vec());
    }

    /// Makes refusals of the next confirmations of the broker.
    pub fn refuse_confirms(&self, count: u64) {
        self.shared.confirms_to_refuse.store(count, Ordering::SeqCst);
    }

    /// Confirmations that are still to be refused.
    pub fn confirms_to_refuse(&self) -> u64 {
        self.shared.confirms_to_refuse.load(Ordering::SeqCst)
    }

    /// Channels that clients opened.
    pub fn channels(&self) -> u64 {
        self.shared.channels.load(Ordering::SeqCst)
    }

    /// Adds a field that nobody knows to every message that clients publish from now on.
    pub fn speak_as_a_later_version(&self) {
        self.shared.is_later.store(true, Ordering::SeqCst);
    }

    /// Lets clients write and read jobs of format 2 from now on, which others refuse.
    pub fn use_another_format_of_jobs(&self) {
        self.shared.renumbers_jobs.store(true, Ordering::SeqCst);
    }

    /// Messages that got a field more.
    pub fn extended(&self) -> u64 {
        self.shared.extended.load(Ordering::SeqCst)
    }

    /// Connections that were passed on.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Connections that were closed at once.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Bytes that never arrived.
    pub fn swallowed_bytes(&self) -> u64 {
        self.shared.swallowed_bytes.load(Ordering::SeqCst)
    }

    /// Acknowledgements of messages that never arrived.
    pub fn swallowed_acks(&self) -> u64 {
        self.shared.swallowed_acks.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, client: TcpStream, port: u16) {
        let mut state = self.state();
        if state.passage == Passage::Cut {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        self.connections.fetch_add(1, Ordering::SeqCst);
        let is_lost = AtomicBool::new(state.passage == Passage::Swallowing);
        let pair = Arc::new(Pair { client, server, is_lost, is_trapped: AtomicBool::new(false) });
        state.live.push(Arc::clone(&pair));
        let (shared, own) = (Arc::clone(self), Arc::clone(&pair));
        std::thread::spawn(move || shared.to_server(&own));
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.to_client(&pair));
    }

    fn to_server(&self, pair: &Arc<Pair>) {
        let (mut frames, mut later) = (Frames::default(), Later::default());
        let is_later = self.is_later.load(Ordering::SeqCst);
        pump(&pair.client, |bytes| {
            frames.push(bytes);
            while let Some(mut frame) = frames.next() {
                if self.renumbers_jobs.load(Ordering::SeqCst) {
                    renumber_job(&mut frame, b'1', b'2');
                }
                if pair.is_lost.load(Ordering::SeqCst) || pair.is_trapped.load(Ordering::SeqCst) {
                    self.swallowed_bytes.fetch_add(frame.len() as u64, Ordering::SeqCst);
                    self.swallowed_acks.fetch_add(is_ack(&frame).into(), Ordering::SeqCst);
                    continue;
                }
                self.channels.fetch_add(opens_channel(&frame).into(), Ordering::SeqCst);
                let (sent, is_extended) =
                    if is_later { later.pass(frame.clone()) } else { (vec![frame.clone()], false) };
                self.extended.fetch_add(is_extended.into(), Ordering::SeqCst);
                sent.iter().try_for_each(|frame| (&pair.server).write_all(frame))?;
                let state = self.state();
                let springs = |text: &Vec<u8>| frame.windows(text.len()).any(|window| window == text);
                if state.trap.as_ref().is_some_and(springs) {
                    pair.is_trapped.store(true, Ordering::SeqCst);
                }
            }
            Ok(())
        });
        self.ended(pair);
    }

    fn to_client(&self, pair: &Arc<Pair>) {
        let mut frames = Frames::of_server();
        pump(&pair.server, |bytes| {
            frames.push(bytes);
            while let Some(mut frame) = frames.next() {
                if pair.is_lost.load(Ordering::SeqCst) {
                    self.swallowed_bytes.fetch_add(frame.len() as u64, Ordering::SeqCst);
                    continue;
                }
                if self.renumbers_jobs.load(Ordering::SeqCst) {
                    renumber_job(&mut frame, b'2', b'1');
                }
                if is_ack(&frame) && self.takes_refusal() {
                    refuse(&mut frame);
                }
                (&pair.client).write_all(&frame)?;
            }
            Ok(())
        });
        self.ended(pair);
    }

    /// Whether a confirmation is to be refused.
    fn takes_refusal(&self) -> bool {
        let left = |left: u64| left.checked_sub(1);
        self.confirms_to_refuse.try_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok()
    }

    /// One end closed the connection. The other hears of it, unless the connection is lost.
    fn ended(&self, pair: &Arc<Pair>) {
        if !pair.is_lost.load(Ordering::SeqCst) {
            pair.end();
            self.state().live.retain(|other| !Arc::ptr_eq(other, pair));
        }
    }
}

impl Pair {
    fn end(&self) {
        let _ = (self.client.shutdown(Shutdown::Both), self.server.shutdown(Shutdown::Both));
    }
}

/// Hands on what arrives until the end of the connection, or until it cannot be handed on.
fn pump(mut from: &TcpStream, mut hand_on: impl FnMut(&[u8]) -> std::io::Result<()>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if hand_on(&buffer[..read]).is_err() {
            return;
        }
    }
}
