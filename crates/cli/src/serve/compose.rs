//! What a node is made of.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Data;
use crate::failure::Outcome;
use crate::settings::Settings;

/// Starts the engine and the front doors, and waits until `stop` has stopped them all.
pub async fn compose(
    _settings: Settings,
    _data: Data,
    _http: TcpListener,
    _peer: TcpListener,
    stop: CancellationToken,
) -> Outcome {
    stop.cancelled().await;
    Ok(())
}
