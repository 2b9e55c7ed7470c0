//! Health and reflection, as generic tools ask for them.

use std::io::Write;
use std::process::Command;

use api::grpc::v1;
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio::sync::mpsc;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_reflection::pb::v1alpha;

use crate::site::{PATIENCE, Site, eventually, refused};

const SERVICES: [&str; 8] = [
    "Accounts",
    "Cluster",
    "Events",
    "Journals",
    "Lotteries",
    "News",
    "Polls",
    "Store",
];

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

fn is(answer: &HealthCheckResponse, status: ServingStatus) -> bool {
    answer.status() == status
}

#[tokio::test]
async fn health_follows_readiness() {
    let site = Site::start().await;
    let health = || HealthClient::new(site.channel.clone());
    let serves = |service: String| async move {
        let asked = health().check(of(&service)).await;
        asked.is_ok_and(|answer| is(answer.get_ref(), ServingStatus::Serving))
    };
    for service in SERVICES.map(|name| format!("consorcio.v1.{name}")) {
        eventually("it serves", || serves(service.clone())).await;
    }
    assert!(serves(String::new()).await);
    let unknown = health().check(of("consorcio.v1.Nothing")).await;
    refused(&unknown.unwrap_err(), Code::NotFound, "not-found");
    let mut watched = health().watch(of("")).await.unwrap().into_inner();
    let first = watched.message().await.unwrap().unwrap();
    assert!(is(&first, ServingStatus::Serving));
    site.engine.stop().await;
    let next = tokio::time::timeout(PATIENCE, watched.message()).await;
    let next = next.expect("a change").unwrap().unwrap();
    assert!(is(&next, ServingStatus::NotServing));
    drop(watched);
    site.stop().await;
}

async fn reflected(site: &Site, ask: MessageRequest) -> ServerReflectionResponse {
    let mut client = ServerReflectionClient::new(site.channel.clone());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(ask),
    };
    let (sender, receiver) = mpsc::channel(1);
    sender.send(request).await.unwrap();
    let asked = futures_util::stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    });
    let mut answers = client
        .server_reflection_info(asked)
        .await
        .unwrap()
        .into_inner();
    answers.message().await.unwrap().unwrap()
}

#[tokio::test]
async fn reflection_tells_every_service_and_message() {
    let site = Site::start().await;
    let services = reflected(&site, MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(list)) = services.message_response else {
        panic!("{services:?}");
    };
    let names: Vec<String> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for service in SERVICES.map(|name| format!("consorcio.v1.{name}")) {
        assert!(names.contains(&service), "{service} in {names:?}");
    }
    for standard in [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(
            names.contains(&standard.to_owned()),
            "{standard} in {names:?}"
        );
    }
    for symbol in [
        "consorcio.v1.Events",
        "google.rpc.ErrorInfo",
        "consorcio.v1.Poll",
    ] {
        let ask = MessageRequest::FileContainingSymbol(symbol.to_owned());
        let found = reflected(&site, ask).await;
        let Some(MessageResponse::FileDescriptorResponse(found)) = found.message_response else {
            panic!("{symbol}: {found:?}");
        };
        let file = FileDescriptorProto::decode(&*found.file_descriptor_proto[0]).unwrap();
        assert!(symbol.starts_with(file.package()), "{symbol}");
    }
    site.stop().await;
}

#[tokio::test]
async fn older_tools_are_answered_too() {
    let site = Site::start().await;
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(site.channel.clone());
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let asked = futures_util::stream::iter([ask]);
    let mut answers = client
        .server_reflection_info(asked)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(answer.message_response.is_some());
    assert_eq!(answers.message().await.unwrap(), None);
    site.cluster()
        .get_version(v1::GetVersionRequest {})
        .await
        .unwrap();
    site.stop().await;
}

/// A Python that has grpcio with reflection and health: what `CONSORCIO_TEST_PYTHON` names, the one
/// that `./test` made, or the machine's own. With `CONSORCIO_TEST_STRICT=1` there must be one.
fn python() -> Option<String> {
    let cache = std::env::var("XDG_CACHE_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cache")));
    let made = cache.map(|cache| format!("{cache}/consorcio/grpcio/bin/python"));
    let named = std::env::var("CONSORCIO_TEST_PYTHON");
    let candidates = [named.ok(), made.ok(), Some("python3".to_owned())];
    let has_library = |python: &String| {
        let modules = "import grpc_reflection, grpc_health";
        let tried = Command::new(python).args(["-c", modules]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().flatten().find(has_library);
    if found.is_none() {
        let strict = std::env::var("CONSORCIO_TEST_STRICT").is_ok_and(|value| value == "1");
        assert!(
            !strict,
            "no Python has grpcio, and CONSORCIO_TEST_STRICT asks for one"
        );
        // Not `println`, which the test runner swallows when a test passes.
        let skipped = b"skipped: no Python has grpcio with reflection and health\n";
        std::io::stderr().write_all(skipped).unwrap();
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_client_needs_no_file() {
    let Some(python) = python() else { return };
    let site = Site::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/scripts/generic.py");
    let mut command = tokio::process::Command::new(python);
    command.args([script, &site.address.to_string()]);
    let run = tokio::time::timeout(PATIENCE * 3, command.kill_on_drop(true).output());
    let output = run.await.expect("it ends").unwrap();
    let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        (String::from_utf8(out).unwrap().as_str(), &*err),
        ("ok\n", "")
    );
    site.stop().await;
}
