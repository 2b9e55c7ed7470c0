//! The gRPC front door.

use std::io;

use server::{Front, GrpcConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::listen;
use crate::failure::Outcome;
use crate::settings::{Door, Settings};

/// Connections that wait to be accepted: each client has one, and keeps it.
const BACKLOG: u32 = 1_024;

/// A listener that may be left out.
pub struct GrpcDoor {
    listener: Option<TcpListener>,
    config: GrpcConfig,
}

impl GrpcDoor {
    /// Listens where the settings say.
    pub fn open(settings: &Settings) -> Outcome<Self> {
        let elsewhere = match settings.grpc {
            Door::At(address) => !address.ip().is_loopback(),
            Door::Off => false,
        };
        Ok(GrpcDoor {
            listener: listen::open(settings.grpc, BACKLOG, "gRPC", "--grpc")?,
            config: GrpcConfig {
                require_session: elsewhere && !settings.grpc_without_session,
                ..GrpcConfig::default()
            },
        })
    }

    /// Serves until `stop`.
    pub async fn serve(self, front: &Front, stop: &CancellationToken) -> io::Result<()> {
        match self.listener {
            Some(listener) => front.serve_grpc(listener, self.config, stop).await,
            None => Ok(()),
        }
    }
}
