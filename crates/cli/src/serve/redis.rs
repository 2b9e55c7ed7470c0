//! The Redis front door.

use std::io;

use server::{Allowed, Front, REDIS_BACKLOG, RedisConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::listen;
use crate::failure::{Failure, Outcome};
use crate::settings::Settings;

/// What the settings say about Redis clients.
pub fn config(settings: &Settings) -> Outcome<RedisConfig> {
    let allowed = settings.redis_allow.parse::<Allowed>();
    let others = settings.redis.for_others().is_some();
    Ok(RedisConfig {
        allowed: allowed.map_err(|error| Failure::usage(format!("--redis-allow: {error}")))?,
        password_required: others && !settings.redis_without_password,
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
        match settings.redis.for_others() {
            None => {}
            Some(address) if config.password_required => {
                info!(%address, "Redis clients of other machines need AUTH with an account");
            }
            Some(address) => warn!(
                %address,
                "whoever can reach the Redis port may change all keys: no password is asked for"
            ),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Given;

    fn settings(text: &str) -> Settings {
        let given: Given = toml::from_str(text).unwrap();
        given.settled().unwrap()
    }

    #[test]
    fn other_machines_need_a_password_unless_the_settings_say_otherwise() {
        for (text, required) in [
            ("", false),
            ("redis = \"[::1]:6379\"", false),
            ("redis = \"off\"", false),
            ("redis = \"127.0.0.1:6379\"", false),
            ("redis = \"0.0.0.0:6379\"", true),
            (
                "redis = \"10.1.2.3:6379\"\nredis_allow = \"10.0.0.0/8\"",
                true,
            ),
            (
                "redis = \"0.0.0.0:6379\"\nredis_without_password = true",
                false,
            ),
        ] {
            let config = config(&settings(text)).unwrap();
            assert_eq!(config.password_required, required, "{text}");
        }
    }

    #[test]
    fn networks_are_read_as_for_agencies() {
        let config = config(&settings("redis_allow = \"10.0.0.0/8,::1\"")).unwrap();
        assert!(config.allowed.contains("10.7.7.7".parse().unwrap()));
        assert!(!config.allowed.contains("192.168.1.1".parse().unwrap()));
        let wrong = super::config(&settings("redis_allow = \"here\"")).unwrap_err();
        assert!(wrong.message.contains("--redis-allow"), "{wrong}");
    }
}
