//! Files over REST: their bytes in and out, conditions, ranges, and what is refused.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::{Answer, Ask, PATIENCE, Site, config};

const MIB: usize = 1024 * 1024;

/// Bytes of which no mebibyte is like another.
fn content(size_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_bytes + 8);
    for number in (0_u64..).take(size_bytes.div_ceil(8)) {
        bytes.extend(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    bytes.truncate(size_bytes);
    bytes
}

fn root(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn put(path: &str, token: &str, body: impl Into<Vec<u8>>) -> Ask {
    Ask::new("PUT", path).token(Some(token)).body(body)
}

async fn names(site: &Site, token: &str, query: &str) -> Vec<String> {
    let page = site.get(&format!("/v1/files{query}"), Some(token)).await;
    assert_eq!(page.status, 200, "{page:?}");
    let files = page.json()["files"].as_array().expect("files").clone();
    let name = |file: &Value| file["name"].as_str().expect("a name").to_owned();
    files.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_back_as_it_was_put() {
    let site = Site::start().await;
    let (ana, beto) = (site.member("ana").await, site.member("beto").await);
    let path = "/v1/files/actas%2Fenero.pdf";
    let bytes = content(2 * MIB + 12_345);
    let ask = put(&format!("{path}?tag=Acta&tag=2026"), &ana, bytes.clone());
    let made = site
        .send(ask.header("Content-Type", "application/pdf"))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let tag = format!("\"{}\"", root(&bytes));
    assert_eq!(made.header("etag"), Some(tag.as_str()));
    assert_eq!(made.header("location"), Some(path));
    let expected = json!({ "name": "actas/enero.pdf", "size_bytes": bytes.len(),
        "root": root(&bytes), "replaced": false });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(made.json()[name], *value, "{name}");
    }

    let got = site.get(path, Some(&beto)).await;
    assert_eq!(got.status, 200);
    assert!(got.body == bytes, "other bytes");
    for (name, value) in [
        ("etag", tag.as_str()),
        ("content-type", "application/pdf"),
        ("accept-ranges", "bytes"),
        (
            "content-disposition",
            "attachment; filename*=UTF-8''enero.pdf",
        ),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    let head = site.send(Ask::new("HEAD", path).token(Some(&beto))).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), got.header("content-length"));

    let info = site.get(&format!("{path}/info"), Some(&beto)).await.json();
    assert_eq!(info["tags"], json!(["2026", "acta"]));
    assert_eq!(
        (&info["owner"], &info["copies"]),
        (&json!("ana"), &json!(3))
    );
    let chunks = site
        .get(&format!("{path}/chunks"), Some(&beto))
        .await
        .json();
    assert_eq!(chunks["chunks"].as_array().unwrap().len(), 3);
    assert_eq!(chunks["chunks"][2]["nodes"], json!(["n1"]));
    let usage = site.get("/v1/usage/files", Some(&ana)).await.json();
    assert_eq!(usage["own"]["size_bytes"], bytes.len());

    let empty = site.send(put("/v1/files/nada", &ana, "")).await;
    assert_eq!(empty.status, 201, "{empty:?}");
    let empty = site.get("/v1/files/nada", Some(&ana)).await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_a_part_of_the_version_that_is_meant() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let bytes = content(MIB + 1_000);
    let path = "/v1/files/vídeo".replace('í', "%C3%AD");
    site.send(put(&path, &ana, bytes.clone())).await;
    let ask = |range: &str| {
        Ask::new("GET", &path)
            .token(Some(&ana))
            .header("Range", range)
    };
    let end = bytes.len();
    for (range, expected) in [
        ("bytes=0-9", 0..10),
        ("bytes=1048570-1048585", MIB - 6..MIB + 10),
        ("bytes=1049000-", 1_049_000..end),
        ("bytes=-5", end - 5..end),
        ("bytes=5-99999999", 5..end),
    ] {
        let part = site.send(ask(range)).await;
        assert_eq!(part.status, 206, "{range}: {part:?}");
        assert!(part.body == bytes[expected.clone()], "{range}");
        let shown = format!("bytes {}-{}/{end}", expected.start, expected.end - 1);
        assert_eq!(part.header("content-range"), Some(shown.as_str()));
    }
    let beyond = site.send(ask("bytes=2000000-")).await;
    beyond.is_problem(416, "range-not-satisfiable");
    let shown = format!("bytes */{end}");
    assert_eq!(beyond.header("content-range"), Some(shown.as_str()));
    let whole = site.send(ask("bytes=0-1,5-6")).await;
    assert_eq!((whole.status, whole.body.len()), (200, end));

    let tag = format!("\"{}\"", root(&bytes));
    let same = site.send(ask("bytes=0-9").header("If-Range", &tag)).await;
    assert_eq!(same.status, 206);
    let other = site
        .send(ask("bytes=0-9").header("If-Range", "\"x\""))
        .await;
    assert_eq!(other.status, 200);
    let gone = site
        .send(ask("bytes=0-9").header("If-Match", "\"x\""))
        .await;
    gone.is_problem(412, "file-changed");
    let known = Ask::new("GET", &path).token(Some(&ana));
    let known = site.send(known.header("If-None-Match", &tag)).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_decide_who_replaces_what() {
    let site = Site::start().await;
    let (ana, beto) = (site.member("ana").await, site.member("beto").await);
    let path = "/v1/files/lista";
    let new = || put(path, &ana, "uno").header("If-None-Match", "*");
    assert_eq!(site.send(new()).await.status, 201);
    site.send(new()).await.is_problem(412, "file-changed");
    let tag = format!("\"{}\"", root(b"uno"));
    let only = |body: &str| put(path, &ana, body).header("If-Match", &tag);
    let replaced = site.send(only("dos").key("k1")).await;
    assert_eq!(
        (replaced.status, &replaced.json()["replaced"]),
        (200, &json!(true))
    );
    // The same request again is answered as before, though the version is another now.
    let again = site.send(only("dos").key("k1")).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), replaced.json());
    site.send(only("tres").key("k1"))
        .await
        .is_problem(409, "request-conflict");
    site.send(only("tres"))
        .await
        .is_problem(412, "file-changed");

    site.send(put(path, &beto, "mío"))
        .await
        .is_problem(403, "forbidden");
    let remove = |token| Ask::new("DELETE", path).token(Some(token));
    site.send(remove(&beto)).await.is_problem(403, "forbidden");
    site.send(remove(&ana).header("If-Match", &tag))
        .await
        .is_problem(412, "file-changed");
    assert_eq!(site.get(path, Some(&beto)).await.text(), "dos");
    let rename = Ask::new("PATCH", path).token(Some(&ana));
    let renamed = site.send(rename.json(&json!({ "name": "otra" }))).await;
    assert_eq!(renamed.status, 204, "{renamed:?}");
    site.get(path, Some(&ana))
        .await
        .is_problem(404, "not-found");
    let admin = site.admin().await;
    assert_eq!(
        site.delete("/v1/files/otra", Some(&admin)).await.status,
        204
    );
    assert!(names(&site, &ana, "").await.is_empty());
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_found_and_private_ones_are_not() {
    let site = Site::start().await;
    let (ana, beto) = (site.member("ana").await, site.member("beto").await);
    for (path, token) in [
        ("/v1/files/Acta%201.pdf?tag=acta", &ana),
        ("/v1/files/acta%202.txt?tag=ACTA", &beto),
        ("/v1/files/diario?private=true", &ana),
    ] {
        let made = site.send(put(path, token, path)).await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    assert_eq!(names(&site, &beto, "").await, ["acta 2.txt", "Acta 1.pdf"]);
    assert_eq!(names(&site, &ana, "?match=DIARIO").await, ["diario"]);
    assert_eq!(names(&site, &beto, "?match=*.pdf").await, ["Acta 1.pdf"]);
    assert_eq!(
        names(&site, &beto, "?tag=Acta&owner=BETO").await,
        ["acta 2.txt"]
    );
    let first = site.get("/v1/files?limit=1", Some(&beto)).await.json();
    let next = format!("?limit=1&before={}", first["next"]);
    assert_eq!(names(&site, &beto, &next).await, ["Acta 1.pdf"]);
    for path in ["/v1/files/diario", "/v1/files/diario?private=true"] {
        site.get(path, Some(&beto))
            .await
            .is_problem(404, "not-found");
    }
    let own = site.get("/v1/files/diario?private=true", Some(&ana)).await;
    assert_eq!(own.status, 200);
    site.get("/v1/files/diario", None)
        .await
        .is_problem(401, "not-signed-in");
    site.send(Ask::new("PUT", "/v1/files/x").body("x"))
        .await
        .is_problem(401, "not-signed-in");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_and_leaves_nothing() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let long = format!("/v1/files/{}", "x".repeat(256));
    for path in [
        "/v1/files/..%2Fetc",
        "/v1/files/a%2F..%2Fb",
        "/v1/files/a%00b",
        "/v1/files/a%0Ab",
        "/v1/files/%2Fa",
        "/v1/files/a%5Cb",
        long.as_str(),
        "/v1/files/a?copies=9",
        "/v1/files/a?copias=1",
        "/v1/files/a?private=true&area=1",
    ] {
        let refused = site.send(put(path, &ana, "x")).await;
        assert!([404, 422].contains(&refused.status), "{path}: {refused:?}");
    }
    let name = site.send(put("/v1/files/%FF", &ana, "x")).await;
    name.is_problem(400, "malformed-request");
    let ask = || put("/v1/files/a", &ana, "bytes");
    let other = site
        .send(ask().header("Consorcio-Root", &root(b"other")))
        .await;
    other.is_problem(400, "malformed-request");
    let odd = site.send(ask().header("Consorcio-Root", "x")).await;
    odd.is_problem(400, "malformed-request");
    let kind = site.send(ask().header("Content-Type", "text")).await;
    kind.is_problem(422, "invalid");
    let huge = Ask::new("PUT", "/v1/files/a").token(Some(&ana));
    let huge = site
        .send(huge.header("Content-Length", "17179869185"))
        .await;
    huge.is_problem(413, "too-large");
    assert!(names(&site, &ana, "").await.is_empty());
    let right = site
        .send(ask().header("Consorcio-Root", &root(b"bytes")))
        .await;
    assert_eq!(right.status, 201, "{right:?}");
    site.stop().await;
}

/// Sends the head of a request, some bytes, and then closes its half.
async fn broken_off(site: &Site, head: &str, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    (!answer.is_empty()).then(|| Answer::parse(&answer))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_makes_no_file() {
    let mut config = config();
    config.limits.body_timeout = std::time::Duration::from_millis(300);
    let site = Site::with(config).await;
    let ana = site.member("ana").await;
    let head = |how: &str| {
        format!(
            "PUT /v1/files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {ana}\r\n{how}\r\n\r\n"
        )
    };
    let short = head("Content-Length: 3000000");
    if let Some(answer) = broken_off(&site, &short, &content(2 * MIB)).await {
        answer.is_problem(400, "malformed-request");
    }
    let chunked = head("Transfer-Encoding: chunked");
    if let Some(answer) = broken_off(&site, &chunked, b"5\r\nbytes\r\n").await {
        answer.is_problem(400, "malformed-request");
    }
    // Whoever falls silent is told so.
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let mut ask = head("Content-Length: 10").into_bytes();
    ask.extend(b"bytes");
    stream.write_all(&ask).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    Answer::parse(&answer).is_problem(408, "request-timeout");
    assert!(names(&site, &ana, "").await.is_empty());
    // A body of unknown length is fine, if it ends.
    let whole = format!("{chunked}5\r\nbytes\r\n0\r\n\r\n");
    assert_eq!(site.raw(whole.as_bytes()).await.status, 201);
    assert_eq!(site.get("/v1/files/a", Some(&ana)).await.text(), "bytes");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_serves_a_file_and_one_that_is_gone_is_not_missed() {
    let first = Site::start().await;
    let second = Site::node("n2", Some(&first), config()).await;
    let third = Site::node("n3", Some(&first), config()).await;
    let ana = first.member("ana").await;
    let bytes = content(3 * MIB);
    let path = "/v1/files/a";
    let deadline = std::time::Instant::now() + PATIENCE;
    // A node that others do not know yet holds nothing for them.
    let knows_all = |site: &Site| {
        let status = site.engine.status();
        status.nodes.iter().filter(|node| node.healthy).count() == 3
    };
    while ![&first, &second, &third].into_iter().all(knows_all) {
        assert!(std::time::Instant::now() < deadline, "they are not ready");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let made = second.send(put(path, &ana, bytes.clone())).await;
    assert_eq!(made.status, 201, "{made:?}");
    let chunks = third
        .get(&format!("{path}/chunks"), Some(&ana))
        .await
        .json();
    for chunk in chunks["chunks"].as_array().unwrap() {
        assert_eq!(chunk["nodes"].as_array().unwrap().len(), 3, "{chunk}");
    }
    second.stop().await;
    for site in [&first, &third] {
        let got = site.get(path, Some(&ana)).await;
        assert_eq!(got.status, 200, "{got:?}");
        assert!(got.body == bytes, "other bytes");
    }
    third.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_shared_files_is_told() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    site.send(put("/v1/files/a", &ana, "uno")).await;
    site.send(put("/v1/files/b?private=true", &ana, "dos"))
        .await;
    let rename = Ask::new("PATCH", "/v1/files/a").token(Some(&ana));
    site.send(rename.json(&json!({ "name": "c" }))).await;
    site.delete("/v1/files/c", Some(&ana)).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let ask = Ask::new("GET", "/v1/events?after=0-0").token(Some(&ana));
    stream.write_all(&ask.bytes()).await.unwrap();
    let mut told = String::new();
    let reading = async {
        while !told.contains("file.removed\n") {
            let mut bytes = [0; 4_096];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "the stream ended: {told}");
            told.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    let kinds: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("event: file."))
        .collect();
    assert_eq!(kinds, ["put", "renamed", "removed"]);
    let root = root(b"uno");
    assert!(
        told.contains(&root) && told.contains("\"before\":\"a\""),
        "{told}"
    );
    site.stop().await;
}
