//! A server that answers as the Hugging Face hub does when it is asked for one file.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// The file's path on the hub.
const PATH: &str = "/owner/repository/resolve/main/file.gguf";

/// A running hub; it ends with the process.
pub struct Hub {
    address: String,
    downloads: Arc<AtomicUsize>,
}

impl Hub {
    /// The address of its file in campaigns.
    pub const MODEL: &str = "hf://owner/repository/file.gguf";

    /// Serves a file, to those who show `token` where one is given.
    pub fn start(file: Vec<u8>, token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let downloads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&downloads);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = answer(stream, &file, token, &counted);
            }
        });
        Self { address: format!("http://{address}"), downloads }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// How often the file was fetched, from its beginning or from somewhere in it.
    pub fn downloads(&self) -> usize {
        self.downloads.load(SeqCst)
    }
}

fn answer(
    stream: TcpStream,
    file: &[u8],
    token: Option<&str>,
    downloads: &AtomicUsize,
) -> std::io::Result<()> {
    let (mut wanted, mut range, mut shown) = (String::new(), String::new(), None);
    for (number, line) in BufReader::new(&stream).lines().enumerate() {
        let line = line?;
        match line.split_once(": ") {
            _ if line.is_empty() => break,
            _ if number == 0 => wanted = line.split(' ').nth(1).unwrap_or_default().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("range") => range = value.to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                shown = Some(value.to_owned())
            }
            _ => {}
        }
    }
    let reply = |status: &str, headers: &str, body: &[u8]| {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        (&stream).write_all(head.as_bytes())?;
        (&stream).write_all(body)
    };
    if token.is_some_and(|token| shown.as_deref() != Some(&format!("Bearer {token}"))) {
        return reply("401 Unauthorized", "", b"this file is gated");
    }
    if wanted != PATH {
        return reply("404 Not Found", "", b"no such file");
    }
    let (first, last) = range.trim_start_matches("bytes=").split_once('-').unwrap_or(("0", ""));
    let first: usize = first.parse().unwrap_or(0);
    let last = last.parse().unwrap_or(file.len() - 1);
    if last > 0 {
        downloads.fetch_add(1, SeqCst);
    }
    let headers = format!(
        "X-Repo-Commit: 0123456789abcdef\r\nETag: \"version-1\"\r\nContent-Range: bytes {first}-{last}/{}\r\n",
        file.len()
    );
    reply("206 Partial Content", &headers, &file[first..=last])
}
