//! A node with a gRPC door on a port of its own, and clients for it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use api::grpc::v1;
use api::grpc::v1::accounts_client::AccountsClient;
use api::grpc::v1::cluster_client::ClusterClient;
use api::grpc::v1::events_client::EventsClient;
use api::grpc::v1::journals_client::JournalsClient;
use api::grpc::v1::lotteries_client::LotteriesClient;
use api::grpc::v1::news_client::NewsClient;
use api::grpc::v1::polls_client::PollsClient;
use api::grpc::v1::store_client::StoreClient;
use engine::production::Production;
use engine::{Engine, JoinToken, Options, Tuning};
use server::{Config, Front, GrpcConfig, PasswordCost};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

pub const ADMIN_PASSWORD: &str = "la llave del local";
pub const PASSWORD: &str = "una frase larga";

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node with its gRPC door.
pub struct Site {
    pub address: SocketAddr,
    pub engine: Engine,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<std::io::Result<()>>,
    pub channel: Channel,
    _data: TempDir,
}

pub fn config() -> Config {
    Config {
        password_cost: PasswordCost::cheapest(),
        ..Config::default()
    }
}

pub fn open() -> GrpcConfig {
    GrpcConfig {
        require_session: false,
        ..GrpcConfig::default()
    }
}

impl Site {
    pub async fn start() -> Self {
        Self::with(config(), open()).await
    }

    pub async fn with(config: Config, grpc: GrpcConfig) -> Self {
        let site = Self::node("n1", None, config.clone(), grpc).await;
        server::bootstrap(&site.engine, &config, Some(ADMIN_PASSWORD))
            .await
            .unwrap();
        site
    }

    pub async fn node(name: &str, join: Option<&Site>, config: Config, grpc: GrpcConfig) -> Self {
        let data = TempDir::new().unwrap();
        let peers = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            name: name.to_owned(),
            data: data.path().join(name),
            peer: peers.local_addr().unwrap().to_string(),
            http: format!("http://{address}"),
            join: join.map(|site| site.engine.join_token().parse::<JoinToken>().unwrap()),
            tuning: Tuning::default(),
        };
        let engine = Engine::start(Production::new(peers), options)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let (front, stop) = (
            Front::open(engine.clone(), config).unwrap(),
            shutdown.clone(),
        );
        let served = tokio::spawn(async move {
            let served = front.serve_grpc(listener, grpc, &stop).await;
            front.close().await;
            served
        });
        Site {
            channel: channel(address),
            address,
            engine,
            shutdown,
            served,
            _data: data,
        }
    }

    /// Stops the front door, then the node.
    pub async fn stop(self) {
        drop(self.channel);
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
        self.engine.stop().await;
    }

    pub fn accounts(&self) -> AccountsClient<Channel> {
        AccountsClient::new(self.channel.clone())
    }

    pub fn news(&self) -> NewsClient<Channel> {
        NewsClient::new(self.channel.clone())
    }

    pub fn polls(&self) -> PollsClient<Channel> {
        PollsClient::new(self.channel.clone())
    }

    pub fn lotteries(&self) -> LotteriesClient<Channel> {
        LotteriesClient::new(self.channel.clone())
    }

    pub fn events(&self) -> EventsClient<Channel> {
        EventsClient::new(self.channel.clone())
    }

    pub fn store(&self) -> StoreClient<Channel> {
        StoreClient::new(self.channel.clone())
    }

    pub fn journals(&self) -> JournalsClient<Channel> {
        JournalsClient::new(self.channel.clone())
    }

    pub fn cluster(&self) -> ClusterClient<Channel> {
        ClusterClient::new(self.channel.clone())
    }

    pub async fn log_in(&self, name: &str, password: &str) -> String {
        let ask = v1::LogInRequest {
            name: name.to_owned(),
            password: password.to_owned(),
        };
        self.accounts()
            .log_in(ask)
            .await
            .unwrap()
            .into_inner()
            .token
    }

    pub async fn admin(&self) -> String {
        self.log_in("admin", ADMIN_PASSWORD).await
    }

    pub async fn member(&self, name: &str) -> String {
        let ask = v1::RegisterRequest {
            name: name.to_owned(),
            password: PASSWORD.to_owned(),
        };
        self.accounts().register(ask).await.unwrap();
        self.log_in(name, PASSWORD).await
    }

    /// An area of this name; answers its id.
    pub async fn area(&self, name: &str) -> i64 {
        let ask = v1::AddAreaRequest {
            name: name.to_owned(),
            description: String::new(),
        };
        let ask = signed(&self.admin().await, ask);
        self.news().add_area(ask).await.unwrap().into_inner().id
    }

    /// Publishes; answers the post's id.
    pub async fn publish(&self, token: &str, area: i64, title: &str) -> i64 {
        let ask = signed(token, post(area, title));
        self.news().publish(ask).await.unwrap().into_inner().id
    }
}

pub fn channel(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    // The smallest that HTTP/2 begins with: a reader that is slow is noticed soon.
    endpoint.initial_stream_window_size(65_535).connect_lazy()
}

pub fn by_id(id: i64) -> Option<v1::AreaRef> {
    Some(v1::AreaRef {
        r#ref: Some(v1::area_ref::Ref::Id(id)),
    })
}

pub fn by_name(name: &str) -> Option<v1::AreaRef> {
    Some(v1::AreaRef {
        r#ref: Some(v1::area_ref::Ref::Name(name.to_owned())),
    })
}

pub fn post(area: i64, title: &str) -> v1::PublishRequest {
    v1::PublishRequest {
        area: by_id(area),
        title: title.to_owned(),
        text: format!("*{title}*"),
    }
}

/// A request of whoever has this token.
pub fn signed<T>(token: &str, message: T) -> Request<T> {
    with(
        "authorization",
        &format!("Bearer {token}"),
        Request::new(message),
    )
}

/// A request with one more piece of metadata.
pub fn with<T>(name: &'static str, value: &str, mut request: Request<T>) -> Request<T> {
    let value: MetadataValue<_> = value.parse().unwrap();
    request.metadata_mut().insert(name, value);
    request
}

/// The text of a piece of metadata.
pub fn said<'a>(metadata: &'a MetadataMap, name: &str) -> &'a str {
    let value = metadata.get(name);
    value
        .unwrap_or_else(|| panic!("no {name}"))
        .to_str()
        .unwrap()
}

/// The index of the state that an answer was made from.
pub fn index(metadata: &MetadataMap) -> u64 {
    said(metadata, "consorcio-index").parse().unwrap()
}

/// An error must have this code and this reason, and name its node.
#[track_caller]
pub fn refused(status: &Status, code: Code, reason: &str) {
    let details = status.get_error_details();
    let info = details.error_info();
    let info = info.unwrap_or_else(|| panic!("no details: {status:?}"));
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (code, reason),
        "{status:?}"
    );
    assert_eq!(info.domain, "consorcio");
    assert_eq!(info.metadata["type"], format!("/problems/{reason}"));
}

/// The fields that an error names.
pub fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .map(|bad| bad.field_violations.clone());
    let violations = violations.unwrap_or_default();
    violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

/// Waits for something that comes true by itself.
pub async fn eventually<F, C>(what: &str, condition: C)
where
    C: Fn() -> F,
    F: Future<Output = bool>,
{
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
