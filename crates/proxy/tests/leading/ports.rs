//! Connections that are led as they are.

use std::net::IpAddr;

use proxy::Door;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::stand::{Stand, Wish, is_closed, read_until, until};

/// A door of a node: it says its node's name, and sends back what comes.
struct Echo {
    address: String,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    stream.write_all(name.as_bytes()).await.unwrap();
                    let (mut read, mut write) = stream.split();
                    drop(tokio::io::copy(&mut read, &mut write).await);
                });
            }
        });
        Echo { address, task }
    }

    async fn kill(&mut self) {
        self.task.abort();
        drop((&mut self.task).await);
    }
}

async fn echoes() -> Vec<Echo> {
    let mut echoes = Vec::new();
    for name in ["<n1>", "<n2>", "<n3>"] {
        echoes.push(Echo::start(name).await);
    }
    echoes
}

fn doors(echoes: &[Echo], of: &str) -> Vec<Value> {
    let door = |echo: &Echo| json!({ of: echo.address });
    echoes.iter().map(door).collect()
}

/// Connects and reads which node is there.
async fn connect(stand: &Stand, port: usize) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(stand.ports[port]).await.unwrap();
    let name = read_until(&mut stream, ">").await;
    (stream, name)
}

#[tokio::test]
async fn each_port_leads_where_it_should() {
    let echoes = echoes().await;
    let stand = Stand::start(Wish {
        doors: doors(&echoes, "redis"),
        ports: vec![Door::Redis, Door::RedisReads],
        ..Wish::default()
    })
    .await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let (stream, name) = connect(&stand, 0).await;
        assert_eq!(name, "<n1>");
        kept.push(stream);
    }
    let mut readers = Vec::new();
    for _ in 0..6 {
        let (stream, name) = connect(&stand, 1).await;
        readers.push(name);
        kept.push(stream);
    }
    readers.sort();
    assert_eq!(readers, ["<n2>", "<n2>", "<n2>", "<n3>", "<n3>", "<n3>"]);
    let mut first = kept.swap_remove(0);
    first.write_all(b"*1\r\n$4\r\nPING\r\n").await.unwrap();
    read_until(&mut first, "PING\r\n").await;
    // What one side has ended, the other still ends in its own time.
    first.shutdown().await.unwrap();
    is_closed(&mut first).await;
}

#[tokio::test]
async fn grpc_is_led_to_all_and_agencies_to_the_leader() {
    let echoes = echoes().await;
    let both = echoes
        .iter()
        .map(|echo| json!({ "grpc": echo.address, "lottery": echo.address }));
    let stand = Stand::start(Wish {
        doors: both.collect(),
        ports: vec![Door::Grpc, Door::Lottery],
        ..Wish::default()
    })
    .await;
    let (mut kept, mut names) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let (stream, name) = connect(&stand, 0).await;
        kept.push(stream);
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["<n1>", "<n1>", "<n2>", "<n2>", "<n3>", "<n3>"]);
    assert_eq!(connect(&stand, 1).await.1, "<n1>");
}

#[tokio::test]
async fn a_connection_whose_node_dies_is_closed_and_the_next_goes_to_one_that_lives() {
    let mut echoes = echoes().await;
    let mut stand = Stand::start(Wish {
        doors: doors(&echoes, "redis"),
        ports: vec![Door::Redis],
        ..Wish::default()
    })
    .await;
    let (mut stream, name) = connect(&stand, 0).await;
    assert_eq!(name, "<n1>");
    stand.nodes[0].kill().await;
    echoes[0].kill().await;
    is_closed(&mut stream).await;
    let (mut stream, name) = connect(&stand, 0).await;
    assert_ne!(name, "<n1>");

    // One that stands still closes nothing by itself.
    let place = if name == "<n2>" { 1 } else { 2 };
    stand.nodes[place].pause();
    is_closed(&mut stream).await;
    let (_, last) = connect(&stand, 0).await;
    assert!(last != "<n1>" && last != name, "{last}");
}

#[tokio::test]
async fn who_is_led_nowhere_is_told_if_the_protocol_has_words_for_it() {
    let mut limits = Wish::default().limits;
    limits.retry_for = std::time::Duration::from_millis(200);
    let stand = Stand::start(Wish {
        limits,
        ports: vec![Door::Redis, Door::Lottery],
        ..Wish::default()
    })
    .await;
    let mut redis = TcpStream::connect(stand.ports[0]).await.unwrap();
    let mut said = String::new();
    redis.read_to_string(&mut said).await.unwrap();
    assert_eq!(
        said,
        "-ERR no node of the cluster can be reached, try again\r\n"
    );
    let mut agency = TcpStream::connect(stand.ports[1]).await.unwrap();
    is_closed(&mut agency).await;
}

#[tokio::test]
async fn a_port_for_others_leads_to_no_door_that_trusts_its_own_machine() {
    let echoes = echoes().await;
    for trusts in [false, true] {
        let stand = Stand::start(Wish {
            doors: doors(&echoes, "redis"),
            ports: vec![Door::Redis],
            for_others: true,
            trusts,
            ..Wish::default()
        })
        .await;
        let port = stand.ports[0].port();
        let mut redis = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let expected = match trusts {
            true => "<n1>",
            false => "-NOAUTH the nodes serve Redis clients of their own machine alone\r\n",
        };
        read_until(&mut redis, expected).await;
    }
}

#[tokio::test]
async fn who_may_not_connect_is_closed() {
    let echoes = echoes().await;
    let nobody: fn(IpAddr) -> bool = |_| false;
    let stand = Stand::start(Wish {
        doors: doors(&echoes, "lottery"),
        ports: vec![Door::Lottery],
        admits: nobody,
        ..Wish::default()
    })
    .await;
    let mut agency = TcpStream::connect(stand.ports[0]).await.unwrap();
    is_closed(&mut agency).await;
}

#[tokio::test]
async fn led_connections_are_counted_and_end_with_the_proxy() {
    let echoes = echoes().await;
    let stand = Stand::start(Wish {
        doors: doors(&echoes, "lottery"),
        ports: vec![Door::Lottery],
        ..Wish::default()
    })
    .await;
    let (mut stream, _) = connect(&stand, 0).await;
    let metrics = stand.send("GET /metrics HTTP/1.1", "").await;
    assert!(
        metrics.contains("consorcio_proxy_connections{door=\"lottery\"} 1"),
        "{metrics}"
    );
    stand.stop.cancel();
    is_closed(&mut stream).await;
    until("the proxy ends", async || stand.served.is_finished()).await;
}
