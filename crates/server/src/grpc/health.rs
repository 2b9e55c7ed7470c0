//! `grpc.health.v1`: whether this node can serve, for the whole and for each service.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};

use crate::app::App;

/// Between two looks at whether the node is ready: far below the seconds of any balancer.
const LOOK: Duration = Duration::from_millis(200);

/// The name of the whole.
const ALL: &str = "";

/// The service, and what it is told by.
pub(super) fn service() -> (HealthReporter, HealthServer<impl Health>) {
    let reporter = HealthReporter::new();
    let service = HealthService::from_health_reporter(reporter.clone());
    (reporter, HealthServer::new(service))
}

/// Tells what is true of the node until it stops: then it does not serve any more.
pub(super) async fn follow(app: App, reporter: HealthReporter, services: Vec<String>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        let stops = tokio::select! {
            () = app.stopping.cancelled() => true,
            _ = looks.tick() => false,
        };
        let status = match !stops && app.engine.is_ready() {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        if told != Some(status) {
            told = Some(status);
            for name in services.iter().map(String::as_str).chain([ALL]) {
                reporter.set_service_status(name, status).await;
            }
        }
        if stops {
            return;
        }
    }
}
