//! An S3 server for tests and for trying things out on one machine: buckets in memory, in a folder too where they shall
//! outlive it, signatures checked, conditions atomic, faults on command.

mod bucket;
mod faults;
mod files;
mod folder;

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::StreamingBlob;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use bucket::Buckets;
use faults::Faults;
pub use faults::{PlacedS3Fault, S3Fault};
pub use files::S3Files;

/// A call that is held or changed on its way may send so many bytes.
const HELD_BYTES: usize = 16 << 20;

/// The access key that the server takes.
pub const ACCESS_KEY: &str = "copymill";
/// Its secret.
pub const SECRET_KEY: &str = "copymill-secret";

/// A server that runs until it is dropped.
pub struct S3Server {
    address: SocketAddr,
    buckets: Buckets,
    faults: Faults,
    serving: JoinHandle<()>,
}

impl S3Server {
    /// Starts a server on a port of loopback; 0 takes a free one.
    pub async fn start(port: u16) -> std::io::Result<Self> {
        Self::serving(port, Buckets::default()).await
    }

    /// Starts a server with the objects of a folder, which keeps every change.
    pub async fn start_in(port: u16, folder: &Path) -> std::io::Result<Self> {
        Self::serving(port, Buckets::kept_in(folder)?).await
    }

    async fn serving(port: u16, buckets: Buckets) -> std::io::Result<Self> {
        let faults = Faults::default();
        let (address, serving) = listen(port, buckets.clone(), faults.clone()).await?;
        Ok(Self { address, buckets, faults, serving })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the next `calls` calls with a method fail whose path contains `path_part`.
    pub fn fail(&self, method: Method, path_part: &str, fault: S3Fault, calls: u32) -> PlacedS3Fault {
        self.faults.place(method, path_part, fault, calls)
    }

    /// Ignores `If-Match` from now on, as servers do that were written before S3 had it.
    pub fn ignore_if_match(&self) {
        self.buckets.ignore_if_match();
    }

    /// The first object whose `bucket/key` holds a text.
    pub fn object(&self, key_part: &str) -> Option<Bytes> {
        self.buckets.find(key_part).map(|(_, body)| body)
    }

    /// Changes the first object whose `bucket/key` holds a text behind everybody's back; returns where it is.
    pub fn alter(&self, key_part: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let (key, body) = self.buckets.find(key_part).expect("the object to alter is there");
        let mut altered = body.to_vec();
        change(&mut altered);
        assert_ne!(altered, body, "{key} is to be altered");
        self.buckets.replace(key.clone(), altered.into());
        key
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves buckets on a port of loopback, signatures checked.
async fn listen(
    port: u16,
    buckets: impl S3,
    faults: Faults,
) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let mut builder = S3ServiceBuilder::new(buckets);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    Ok((address, tokio::spawn(serve(listener, builder.build(), faults))))
}

async fn serve(listener: TcpListener, service: S3Service, faults: Faults) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        tokio::spawn(connection(socket, service.clone(), faults.clone()));
    }
}

async fn connection(socket: TcpStream, service: S3Service, faults: Faults) {
    // Answers are small and awaited.
    let _ = socket.set_nodelay(true);
    let handle = service_fn(move |request: Request<Incoming>| {
        let (service, faults) = (service.clone(), faults.clone());
        async move {
            let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
            match faults.of(request.method(), &path) {
                None => service.call(request.map(Body::from)).await.map_err(|_| Broken),
                Some(fault) => fail(&fault, service, request).await,
            }
        }
    });
    // What a client does to its connection is its own affair.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), handle).await;
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here")]
struct Broken;

async fn fail(
    placed: &PlacedS3Fault,
    service: S3Service,
    request: Request<Incoming>,
) -> Result<Response<Body>, Broken> {
    match placed.fault() {
        S3Fault::SlowDown => Ok(error(503, "SlowDown")),
        S3Fault::Full => Ok(error(507, "InsufficientStorage")),
        S3Fault::Denied => Ok(error(403, "AccessDenied")),
        S3Fault::ErrorAfterEffect => {
            let _effect = service.call(request.map(Body::from)).await;
            Ok(error(500, "InternalError"))
        }
        S3Fault::Hang(time) => {
            tokio::time::sleep(time).await;
            Err(Broken)
        }
        S3Fault::HangAfterEffect(time) => {
            let _effect = service.call(request.map(Body::from)).await;
            tokio::time::sleep(time).await;
            Err(Broken)
        }
        S3Fault::Garbled => {
            let (head, body) = received(request).await?;
            let mut body = body.to_vec();
            body.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            service.call(Request::from_parts(head, Body::from(body))).await.map_err(|_| Broken)
        }
        S3Fault::CutOff => {
            let answer = service.call(request.map(Body::from)).await.map_err(|_| Broken)?;
            let (head, body) = answer.into_parts();
            let mut body = body;
            let whole = body.store_all_limited(HELD_BYTES).await.map_err(|_| Broken)?;
            let pieces = [Ok(whole.slice(..whole.len() / 2)), Err(std::io::Error::other(Broken))];
            Ok(Response::from_parts(head, Body::from(StreamingBlob::wrap(futures::stream::iter(pieces)))))
        }
        S3Fault::Held => {
            let (head, body) = received(request).await?;
            let (request, placed) = (Request::from_parts(head, Body::from(body)), placed.clone());
            // Not a part of the connection, which its client may close.
            let effect = tokio::spawn(async move {
                placed.hold().await;
                let answer = service.call(request).await;
                placed.ended_later(answer.map_or(0, |answer| answer.status().as_u16()));
            });
            let _ended = effect.await;
            Err(Broken)
        }
        S3Fault::Reset => Err(Broken),
    }
}

/// A request whose body has arrived.
async fn received(request: Request<Incoming>) -> Result<(Parts, Bytes), Broken> {
    let (head, body) = request.into_parts();
    let body = Body::from(body).store_all_limited(HELD_BYTES).await.map_err(|_| Broken)?;
    Ok((head, body))
}

fn error(status: u16, code: &str) -> Response<Body> {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as placed</Message></Error>");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
}
