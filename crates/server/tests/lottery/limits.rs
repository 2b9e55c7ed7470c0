//! Who may come in, how many at once, and for how long.

use std::time::Duration;

use api::lottery_packets::Request;
use server::{Allowed, echo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::counter::{Counter, PATIENCE, REFUSED, STORED, allowed, bet, hasty};

/// In the original one silent client blocked everybody.
#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_block_nobody() {
    let counter = Counter::with_agencies(1).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(counter.agency().await);
    }
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", 1),
    };
    assert_eq!(counter.ask(&one).await, STORED);
    drop(silent);
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_clients_are_let_go_and_seats_are_bounded() {
    let mut config = hasty();
    config.limits.connections = 2;
    let counter = Counter::start(config).await;
    let idle = [counter.agency().await, counter.agency().await];
    // Its turn comes when the idle ones are gone.
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", 1),
    };
    assert_eq!(counter.ask(&one).await, REFUSED, "no lottery is open");
    for agency in idle {
        agency.let_go().await;
    }
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_allowed_networks_come_in() {
    let counter = Counter::start(allowed("10.0.0.0/8,192.168.1.7")).await;
    counter.agency().await.let_go().await;
    counter.stop().await;
    let counter = Counter::start(allowed("127.0.0.0/8")).await;
    counter.open(1).await;
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", 1),
    };
    assert_eq!(counter.ask(&one).await, STORED);
    counter.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_closes_lets_idle_agencies_go() {
    let counter = Counter::with_agencies(1).await;
    let mut idle = counter.agency().await;
    let one = Request::StoreBet {
        agency: 1,
        bet: bet("1", 1),
    };
    assert_eq!(idle.ask(&one).await, STORED);
    let address = counter.address;
    counter.stop().await;
    idle.let_go().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_the_echo_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let echoes = tokio::spawn(echo(listener, Allowed::loopback(), shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let sent = "¿Hola? ".repeat(1000);
    let (mut reader, mut writer) = stream.split();
    let mut heard = vec![0; sent.len()];
    let both = async {
        let (read, written) = tokio::join!(
            reader.read_exact(&mut heard),
            writer.write_all(sent.as_bytes())
        );
        read.and(written).unwrap();
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(heard, sent.as_bytes());
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), echoes)
        .await
        .unwrap()
        .unwrap();
}
