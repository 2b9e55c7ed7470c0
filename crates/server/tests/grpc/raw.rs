//! HTTP/2 without a gRPC library: whatever bytes, and what comes back.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::Status;

/// A connection.
pub struct Raw {
    pub sender: SendRequest<Full<Bytes>>,
    /// Ends with the connection.
    pub connection: JoinHandle<hyper::Result<()>>,
}

/// All of an answer.
#[derive(Debug)]
pub struct Whole {
    pub http: StatusCode,
    pub head: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Whole {
    /// The status that it ended with.
    pub fn status(&self) -> Status {
        let found = Status::from_header_map(&self.head);
        let found = found.or_else(|| Status::from_header_map(&self.trailers));
        found.unwrap_or_else(|| panic!("no status: {self:?}"))
    }
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::with_window(address, 65_535).await
    }

    /// A connection whose answers may have so many bytes before they are read.
    pub async fn with_window(address: SocketAddr, bytes: u32) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(bytes)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        Raw {
            sender,
            connection: tokio::spawn(connection),
        }
    }

    /// Sends and waits for the head of the answer.
    pub async fn begin(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    /// Sends and reads the whole answer.
    pub async fn call(&mut self, request: Request<Full<Bytes>>) -> Whole {
        let (parts, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Whole {
            http: parts.status,
            head: parts.headers,
            body: body.to_bytes(),
            trailers,
        }
    }
}

/// A call of a method with whatever body and metadata.
pub fn ask(path: &str, body: impl Into<Bytes>, metadata: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://node{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in metadata {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// A message as gRPC sends it: not compressed, its length, itself.
pub fn framed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    framed.extend_from_slice(&bytes);
    framed
}
