//! What is no call gets a clear answer, and harms nobody.

use api::grpc::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::raw::{Raw, ask, framed};
use crate::site::{Site, refused};

const VERSION: &str = "/consorcio.v1.Cluster/GetVersion";
const LOG_IN: &str = "/consorcio.v1.Accounts/LogIn";

async fn still_serves(site: &Site) {
    let version = site.cluster().get_version(v1::GetVersionRequest {}).await;
    version.unwrap();
}

#[tokio::test]
async fn a_body_that_is_no_message_is_said_to_be_none() {
    let site = Site::start().await;
    let mut raw = Raw::connect(site.address).await;
    let garbage: [(&str, Vec<u8>); 5] = [
        ("not Protobuf", vec![0, 0, 0, 0, 3, 0xff, 0xff, 0xff]),
        ("text that is not UTF-8", vec![0, 0, 0, 0, 3, 0x0a, 1, 0xff]),
        ("an unknown flag", vec![9, 0, 0, 0, 0]),
        ("compressed as nothing", vec![1, 0, 0, 0, 0]),
        ("half a message", vec![0, 0, 0, 0, 9, 0x0a]),
    ];
    for (what, body) in garbage {
        let answer = raw.call(ask(LOG_IN, body, &[])).await;
        assert_eq!(answer.http, 200, "{what}");
        refused(&answer.status(), Code::InvalidArgument, "malformed-request");
        assert_eq!(answer.head["consorcio-node"], "n1", "{what}");
    }
    let nothing = raw.call(ask(LOG_IN, Vec::new(), &[])).await;
    refused(
        &nothing.status(),
        Code::InvalidArgument,
        "malformed-request",
    );
    still_serves(&site).await;
    site.stop().await;
}

#[tokio::test]
async fn a_message_has_its_length() {
    let site = Site::start().await;
    let mut raw = Raw::connect(site.address).await;
    // Nothing is sent of what is announced.
    let huge = raw
        .call(ask(LOG_IN, vec![0, 0xff, 0xff, 0xff, 0xff], &[]))
        .await;
    refused(&huge.status(), Code::ResourceExhausted, "too-large");
    let long = v1::LogInRequest {
        name: "x".repeat(1024 * 1024),
        password: String::new(),
    };
    let long = raw.call(ask(LOG_IN, framed(&long), &[])).await;
    refused(&long.status(), Code::ResourceExhausted, "too-large");
    still_serves(&site).await;
    site.stop().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_spoken_is_said() {
    let site = Site::start().await;
    let mut raw = Raw::connect(site.address).await;
    let empty = || framed(&v1::GetVersionRequest {});
    for path in [
        "/consorcio.v1.Cluster/Nothing",
        "/consorcio.v9.Cluster/GetVersion",
        "/",
        "/x",
    ] {
        let answer = raw.call(ask(path, empty(), &[])).await;
        refused(&answer.status(), Code::Unimplemented, "method-not-allowed");
    }
    let gzip = raw
        .call(ask(VERSION, empty(), &[("grpc-encoding", "gzip")]))
        .await;
    refused(
        &gzip.status(),
        Code::Unimplemented,
        "unsupported-media-type",
    );

    let mut json = ask(VERSION, "{}", &[]);
    let kind = http::HeaderValue::from_static("application/json");
    json.headers_mut().insert("content-type", kind);
    assert_eq!(raw.call(json).await.http, 415);
    let mut get = ask(VERSION, "", &[]);
    *get.method_mut() = http::Method::GET;
    assert_eq!(raw.call(get).await.http, 405);

    let large = "x".repeat(20 * 1024);
    let answer = raw
        .call(ask(VERSION, empty(), &[("x-large", &large)]))
        .await;
    assert_eq!(answer.http, 431);
    let right = raw.call(ask(VERSION, empty(), &[])).await;
    assert_eq!(right.status().code(), Code::Ok);
    site.stop().await;
}

#[tokio::test]
async fn whoever_speaks_another_protocol_is_told_and_let_go() {
    let site = Site::start().await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let get = b"GET /v1/cluster HTTP/1.1\r\nhost: node\r\n\r\n";
    stream.write_all(get).await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 505 "), "{told}");
    assert!(told.contains("This port speaks gRPC"), "{told}");

    // The preface, and then something that is no frame.
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(&[0xff; 64]).await.unwrap();
    let mut rest = Vec::new();
    // However it ends, it ends.
    let _ = stream.read_to_end(&mut rest).await;
    still_serves(&site).await;
    site.stop().await;
}
