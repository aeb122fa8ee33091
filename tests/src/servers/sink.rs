//! The smallest servers: one that keeps what it is sent, and one that always says the same.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the bodies of all requests.
#[derive(Clone)]
pub struct Sink {
    port: u16,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Sink {
    /// Listens.
    pub fn start() -> Self {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        let port = serve(move |body| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            String::new()
        });
        Self { port, bodies }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether a text was in a body.
    pub fn got(&self, text: &str) -> bool {
        let holds = |body: &Vec<u8>| body.windows(text.len()).any(|window| window == text.as_bytes());
        self.bodies().iter().any(holds)
    }

    /// All bodies, in the order in which they came.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers every request with a text; returns the port.
pub fn page(text: String) -> u16 {
    serve(move |_| text.clone())
}

fn serve(answer: impl Fn(Vec<u8>) -> String + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it listens").port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A client that breaks off is none of the test's business.
            std::thread::spawn(move || drop(converse(stream, answer.as_ref())));
        }
    });
    port
}

fn converse(stream: TcpStream, answer: &dyn Fn(Vec<u8>) -> String) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = answer(body);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
    write!(&stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}
