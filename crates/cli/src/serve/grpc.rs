//! The gRPC front door.

use std::io;

use server::{Front, GrpcConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::listen;
use crate::failure::Outcome;
use crate::settings::Settings;

/// Connections that wait to be accepted: each client has one, and keeps it.
const BACKLOG: u32 = 1_024;

/// What the settings say about gRPC clients.
fn config(settings: &Settings) -> GrpcConfig {
    let others = settings.grpc.for_others().is_some();
    GrpcConfig {
        require_session: others && !settings.grpc_without_session,
        ..GrpcConfig::default()
    }
}

/// A listener that may be left out.
pub struct GrpcDoor {
    listener: Option<TcpListener>,
    config: GrpcConfig,
}

impl GrpcDoor {
    /// Listens where the settings say.
    pub fn open(settings: &Settings) -> Outcome<Self> {
        let config = config(settings);
        let listener = listen::open(settings.grpc, BACKLOG, "gRPC", "--grpc")?;
        match settings.grpc.for_others() {
            None => {}
            Some(address) if config.require_session => {
                info!(%address, "gRPC clients of other machines need a session");
            }
            Some(address) => warn!(
                %address,
                "whoever can reach the gRPC port may change all keys: no session is asked for"
            ),
        }
        Ok(GrpcDoor { listener, config })
    }

    /// Serves until `stop`.
    pub async fn serve(self, front: &Front, stop: &CancellationToken) -> io::Result<()> {
        match self.listener {
            Some(listener) => front.serve_grpc(listener, self.config, stop).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Given;

    #[test]
    fn other_machines_need_a_session_unless_the_settings_say_otherwise() {
        for (text, required) in [
            ("", false),
            ("grpc = \"[::1]:50051\"", false),
            ("grpc = \"off\"", false),
            ("grpc = \"0.0.0.0:50051\"", true),
            ("grpc = \"10.1.2.3:50051\"", true),
            (
                "grpc = \"0.0.0.0:50051\"\ngrpc_without_session = true",
                false,
            ),
        ] {
            let given: Given = toml::from_str(text).unwrap();
            let config = config(&given.settled().unwrap());
            assert_eq!(config.require_session, required, "{text}");
        }
    }
}
