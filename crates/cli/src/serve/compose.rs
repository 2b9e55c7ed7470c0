//! What a node is made of: the engine, and the front doors before it.

use std::io::Write;
use std::str::FromStr;

use engine::production::Production;
use engine::{Engine, JoinToken, Options, StartError, Tuning};
use server::{Bootstrapped, Config, Front, SetupError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Data, Doors, End, TOKEN_FILE, rebuild};
use crate::failure::{Failure, Outcome};
use crate::settings::Settings;

/// Starts the engine and the front doors, and waits until `stop` has stopped them all: first the
/// doors, so that what came in is finished, then the engine, which hands over what it leads.
pub async fn compose(
    settings: &Settings,
    data: &Data,
    peer: TcpListener,
    doors: Doors,
    stop: CancellationToken,
) -> Outcome<End> {
    let options = options(settings, data)?;
    let founds = options.join.is_none() && data.is_new();
    if options.join.is_some() {
        info!("asking the cluster to be let in");
    }
    let started = tokio::select! {
        started = Engine::start(Production::new(peer), options) => started,
        // Nothing has been promised to anybody yet.
        () = stop.cancelled() => return Ok(End::Stopped),
    };
    let engine = match started {
        Ok(engine) => engine,
        Err(error) => return refusal(settings, data, &error),
    };
    rebuild::settle(data);
    if founds {
        say_founded(&engine, settings);
    }
    let config = Config {
        demo: settings.demo,
        allow_drills: settings.allow_drills,
        doors: told_doors(settings),
        trust_forwarded_for: settings.trust_forwarded_for,
        public_url: Some(settings.public_url.clone()).filter(|url| !url.is_empty()),
        ..Config::default()
    };
    let door = serve_doors(doors, &engine, &config, &stop);
    let setup = async {
        tokio::select! {
            done = set_up(&engine, &config, settings, data) => done,
            () = stop.cancelled() => Ok(()),
        }
    };
    let ended = async {
        tokio::select! {
            reason = engine.failed() => Err(end_of(settings, &reason)),
            () = engine.rebuild_is_due() => Ok(End::BeginsAnew),
            () = stop.cancelled() => Ok(End::Stopped),
        }
    };
    let outcome = run(door, setup, ended, &stop).await;
    engine.stop().await;
    outcome
}

/// Serves whoever asks, until `stop`.
async fn serve_doors(
    doors: Doors,
    engine: &Engine,
    config: &Config,
    stop: &CancellationToken,
) -> std::io::Result<()> {
    let front = Front::open(engine.clone(), config.clone())?;
    let (http, grpc, redis, lottery) = tokio::join!(
        front.serve_http(doors.http, stop),
        doors.grpc.serve(&front, stop),
        doors.redis.serve(&front, stop),
        doors.lottery.serve(engine, stop),
    );
    front.close().await;
    http.and(grpc).and(redis).and(lottery)
}

/// Serves until `stop`; an error of any part stops the others.
async fn run(
    door: impl Future<Output = std::io::Result<()>>,
    setup: impl Future<Output = Outcome>,
    ended: impl Future<Output = Outcome<End>>,
    stop: &CancellationToken,
) -> Outcome<End> {
    let door = async {
        let served = door.await;
        stop.cancel();
        served.map_err(|error| Failure::failed(format!("a front door failed: {error}")))
    };
    let setup = async {
        let done = setup.await;
        if let Err(failure) = &done {
            error!("{failure}");
            stop.cancel();
        }
        done
    };
    let ended = async {
        let ended = ended.await;
        // For whatever reason.
        stop.cancel();
        ended
    };
    let (served, done, ended) = tokio::join!(door, setup, ended);
    let end = ended?;
    served.and(done).map(|()| end)
}

fn options(settings: &Settings, data: &Data) -> Outcome<Options> {
    let token = |text: &String| JoinToken::from_str(text).map_err(Failure::usage);
    Ok(Options {
        name: settings.name.clone(),
        data: data.dir().to_owned(),
        peer: settings.peer_address.clone(),
        http: settings.http_url.clone(),
        join: settings.join.as_ref().map(token).transpose()?,
        tuning: Tuning::default(),
    })
}

/// The doors beside HTTP that others are told of.
fn told_doors(settings: &Settings) -> api::types::Doors {
    api::types::Doors {
        redis: settings.reached(settings.redis),
        grpc: settings.reached(settings.grpc),
        lottery: settings.reached(settings.lottery),
    }
}

/// No data and no token: right for the first node, wrong for one that lost its disk.
fn say_founded(engine: &Engine, settings: &Settings) {
    warn!(
        cluster = engine.cluster(),
        "{} had no data and no token to join with: it has founded a NEW cluster, which shares \
         nothing with any other. If it was a member before, stop it, empty its data directory and \
         start it with --join",
        settings.name
    );
}

/// A node that cannot start ends with one sentence, unless it was ordered to begin anew then.
fn refusal(settings: &Settings, data: &Data, error: &StartError) -> Outcome<End> {
    let sentence = format!("{} cannot start: {error}", settings.name);
    match rebuild::is_ordered_for(data, error) {
        true => {
            error!("{sentence}");
            Ok(End::BeginsAnew)
        }
        false => Err(Failure::failed(sentence)),
    }
}

/// The engine cannot go on, and neither can the process: a new start begins from what is durable.
fn end_of(settings: &Settings, reason: &str) -> Failure {
    Failure::failed(format!(
        "{} cannot go on and stops: {reason}. If that is so again after a restart, `consorcio \
         cluster rebuild --data DIR` puts its data away and has it join anew",
        settings.name
    ))
}

/// What the first start adds, and the secret for those who will join.
async fn set_up(engine: &Engine, config: &Config, settings: &Settings, data: &Data) -> Outcome {
    let password = settings.admin_password.as_deref();
    match server::bootstrap(engine, config, password).await {
        Ok(Bootstrapped::Made {
            generated: Some(password),
        }) => show(&password)?,
        Ok(Bootstrapped::Made { generated: None }) => info!("the administrator is made"),
        Ok(Bootstrapped::Exists) => {}
        Err(error) => return end(error),
    }
    data.write_secret(TOKEN_FILE, &engine.join_token())
        .map_err(|error| Failure::failed(format!("cannot write {TOKEN_FILE}: {error}")))?;
    if settings.demo {
        match server::demo(engine, config).await {
            Ok(()) => info!("the demonstration is there to be read"),
            // The node can do without; the next start tries again.
            Err(error) => warn!(%error, "the demonstration is not complete"),
        }
    }
    Ok(())
}

/// The password goes to standard output, once: logs are kept, and read by others.
fn show(password: &str) -> Outcome {
    warn!("the administrator is made, with a password that is shown only now");
    writeln!(
        std::io::stdout(),
        "The administrator is `admin`, with the password {password}"
    )
    .map_err(|error| Failure::failed(format!("cannot show the password: {error}")))
}

fn end(error: SetupError) -> Outcome {
    match error {
        SetupError::Stopping => Ok(()),
        SetupError::Password(_) => Err(Failure::usage(error)),
        SetupError::Failed(_) => Err(Failure::failed(error)),
    }
}
