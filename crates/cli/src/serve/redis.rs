//! The Redis front door.

use std::io;

use server::{Allowed, Front, REDIS_BACKLOG, RedisConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::listen;
use crate::failure::{Failure, Outcome};
use crate::settings::{Door, Settings};

/// What the settings say about Redis clients.
pub fn config(settings: &Settings) -> Outcome<RedisConfig> {
    let allowed = settings.redis_allow.parse::<Allowed>();
    let local = match settings.redis {
        Door::At(address) => address.ip().is_loopback(),
        Door::Off => true,
    };
    Ok(RedisConfig {
        allowed: allowed.map_err(|error| Failure::usage(format!("--redis-allow: {error}")))?,
        password_required: !local && !settings.redis_without_password,
        ..RedisConfig::default()
    })
}

/// A listener, which may be left out.
pub struct RedisDoor {
    listener: Option<TcpListener>,
    config: RedisConfig,
}

impl RedisDoor {
    /// Listens where the settings say.
    pub fn open(settings: &Settings, config: RedisConfig) -> Outcome<Self> {
        let listener = listen::open(settings.redis, REDIS_BACKLOG, "Redis clients", "--redis")?;
        if let (Door::At(address), true) = (settings.redis, settings.redis_without_password)
            && !address.ip().is_loopback()
        {
            warn!(%address, "whoever can reach the Redis port may change all keys: no password is asked for");
        }
        Ok(RedisDoor { listener, config })
    }

    /// Serves until `stop`.
    pub async fn serve(self, front: &Front, stop: &CancellationToken) -> io::Result<()> {
        match self.listener {
            Some(listener) => front.serve_redis(listener, self.config, stop).await,
            None => Ok(()),
        }
    }
}
