//! The lottery's front door, and the echo beside it.

use std::io;

use engine::Engine;
use server::{Allowed, LOTTERY_BACKLOG, LotteryConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::listen;
use crate::failure::{Failure, Outcome};
use crate::settings::Settings;

/// Echoes that wait to be accepted: somebody tries by hand.
const ECHO_BACKLOG: u32 = 64;

/// The networks that the settings name.
pub fn allowed(settings: &Settings) -> Outcome<Allowed> {
    networks(&settings.lottery_allow, "--lottery-allow")
}

/// The networks that a setting names; this machine alone if it names none.
pub fn networks(text: &str, flag: &str) -> Outcome<Allowed> {
    match text {
        "" => Ok(Allowed::loopback()),
        networks => networks
            .parse()
            .map_err(|error| Failure::usage(format!("{flag}: {error}"))),
    }
}

/// Listeners, each of which may be left out.
pub struct Doors {
    lottery: Option<TcpListener>,
    echo: Option<TcpListener>,
    config: LotteryConfig,
}

impl Doors {
    /// Listens where the settings say.
    pub fn open(settings: &Settings, allowed: Allowed) -> Outcome<Self> {
        let lottery = listen::open(settings.lottery, LOTTERY_BACKLOG, "agencies", "--lottery")?;
        Ok(Doors {
            lottery,
            echo: listen::open(settings.echo, ECHO_BACKLOG, "echoes", "--echo")?,
            config: LotteryConfig {
                lottery: (settings.lottery_id > 0).then_some(i64::from(settings.lottery_id)),
                allowed,
                ..LotteryConfig::default()
            },
        })
    }

    /// Serves until `stop`.
    pub async fn serve(self, engine: &Engine, stop: &CancellationToken) -> io::Result<()> {
        let allowed = self.config.allowed.clone();
        let lottery = async {
            match self.lottery {
                Some(listener) => {
                    let engine = engine.clone();
                    server::serve_lottery(listener, engine, self.config, stop.clone()).await
                }
                None => Ok(()),
            }
        };
        let echo = async {
            if let Some(listener) = self.echo {
                server::echo(listener, allowed, stop.clone()).await;
            }
        };
        tokio::join!(lottery, echo).0
    }
}
