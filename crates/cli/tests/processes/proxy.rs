//! A node behind a proxy or a balancer: whom it believes, and what it calls itself.

use super::harness::{Cluster, Server, sign_in};

/// What a node with these settings answers to wrong passwords for `admin`, one after the other, of
/// which each is said to come from an address of its own.
async fn guesses(settings: &[(&'static str, &'static str)]) -> Vec<u16> {
    let cluster = Cluster::with(1, settings).await;
    // Past the allowance of one name at one address.
    let guess = |number: u32| {
        let from = format!("X-Forwarded-For: 6.6.6.6, 10.0.0.{number}");
        let head = format!("POST /v1/sessions HTTP/1.1\r\n{from}");
        let body = r#"{"name": "admin", "password": "adivina adivinanza"}"#;
        let answer = cluster.nodes[0].raw(&head, body);
        answer[9..12].parse().unwrap()
    };
    (1..=11).map(guess).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_told_to_believes_a_proxy() {
    let trusting = guesses(&[("CONSORCIO_TRUST_FORWARDED_FOR", "true")]).await;
    assert_eq!(trusting, [401; 11], "each address has its own allowance");
    let wary = guesses(&[]).await;
    assert_eq!(wary[..10], [401; 10]);
    assert_eq!(wary[10], 429, "whatever they say, all come from one");
}

/// Makes the administrator's private feed.
async fn make_feed(node: &Server) -> String {
    let client = sign_in(&node.client()).await;
    let token = client.token().unwrap();
    let head = format!("POST /v1/feed HTTP/1.1\r\nAuthorization: Bearer {token}");
    node.raw(&head, "{}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_begin_with_the_public_url() {
    let mut cluster = Cluster::start(1).await;
    let node = &mut cluster.nodes[0];
    let made = make_feed(node).await;
    let expected = r#""url":"http://localhost/feeds/"#;
    assert!(made.contains(expected), "{made}");
    node.stop().await;

    node.settings = vec![("CONSORCIO_PUBLIC_URL", "https://consorcio.example/")];
    node.start(None);
    node.ready().await;
    let made = make_feed(node).await;
    let expected = r#""url":"https://consorcio.example/feeds/"#;
    assert!(made.contains(expected), "{made}");
    let path = made.split("https://consorcio.example").nth(1).unwrap();
    let path = path.split('"').next().unwrap();
    let atom = node.raw(&format!("GET {path} HTTP/1.1"), "");
    assert!(atom.starts_with("HTTP/1.1 200"), "{atom}");
    let link = r#"href="https://consorcio.example""#;
    assert!(atom.contains(link), "{atom}");
    assert!(!atom.contains("http://localhost"), "{atom}");
}
