//! Starts that are refused, and why.

use std::time::{Duration, Instant};

use engine::StartError;

use super::{refusal, start};

#[tokio::test(flavor = "multi_thread")]
async fn data_without_an_identity_or_with_a_damaged_state_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let node = start("n1", dir.path(), None).await;
    node.stop().await;
    drop(node);
    let home = dir.path().join("n1");
    std::fs::rename(home.join("identity"), dir.path().join("identity")).unwrap();
    let refused = refusal("n1", dir.path(), None).await;
    assert!(matches!(refused, StartError::IdentityLost), "{refused}");
    assert!(!home.join("identity").exists(), "nothing was written");
    std::fs::rename(dir.path().join("identity"), home.join("identity")).unwrap();

    for suffix in ["-wal", "-shm"] {
        // What is in there would make up for it.
        drop(std::fs::remove_file(home.join(format!("state.db{suffix}"))));
    }
    std::fs::write(home.join("state.db"), vec![7; 64 * 1024]).unwrap();
    let refused = refusal("n1", dir.path(), None).await;
    assert!(refused.is_damage(), "{refused}");
    let said = refused.to_string();
    assert!(said.ends_with("join anew at its next start"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_can_never_do_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let node = start("n1", dir.path(), None).await;
    let token = node.join_token();
    let swap = |text: &str| match text.starts_with('0') {
        true => text.replacen('0', "1", 1),
        false => format!("0{}", &text[1..]),
    };
    let (secret, rest) = token["consorcio://".len()..].split_once('@').unwrap();
    let (peers, cluster) = rest.split_once('/').unwrap();
    let tokens = [
        (
            format!("consorcio://{}@{rest}", swap(secret)),
            "secret is not",
        ),
        (
            format!("consorcio://{secret}@{peers}/{}", swap(cluster)),
            "belongs to another cluster",
        ),
    ];
    for (number, (token, why)) in tokens.iter().enumerate() {
        let begun = Instant::now();
        let name = format!("n{}", number + 2);
        let refused = refusal(&name, dir.path(), Some(token)).await.to_string();
        assert!(refused.contains(why), "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    node.stop().await;
}
