//! Posts by the hundred thousand: who writes them, where, and what they say.

use serde_json::json;

use super::consorcio::{Consorcio, PATIENCE};
use super::http::Http;
use super::load::{self, Answer, Client, Measured, Until, http};

/// Areas the posts are spread over, evenly.
pub const AREAS: usize = 50;

/// Bytes of a post's title and text together.
pub const POST_BYTES: usize = 300;

/// Connections that post.
const WRITERS: usize = 64;

/// The reader's name and password.
const READER: (&str, &str) = ("lectora", "lee todo lo que hay");

/// Makes the areas; answers their ids.
pub fn make_areas(cluster: &Consorcio, count: usize) -> anyhow::Result<Vec<i64>> {
    let mut http = cluster.http(0)?;
    let mut ids = Vec::new();
    for number in 1..=count {
        let body = json!({"name": format!("Portal {number}"), "description": ""}).to_string();
        let made = http.json("POST", "/v1/areas", &body)?;
        ids.push(made["id"].as_i64().unwrap_or_default());
    }
    Ok(ids)
}

/// Publishes so many posts.
pub fn publish(cluster: &Consorcio, areas: &[i64], count: u64) -> anyhow::Result<Measured> {
    let clients = (0..WRITERS)
        .map(|_| Publisher::new(cluster.token(), areas))
        .collect();
    load::drive(&[cluster.address(0)], clients, Until::Done(count))
}

/// Registers a member who is subscribed to all areas; answers her connection.
pub fn reader(cluster: &Consorcio, areas: &[i64]) -> anyhow::Result<Http> {
    let credentials = json!({"name": READER.0, "password": READER.1}).to_string();
    let mut http = Http::connect(cluster.address(0), PATIENCE)?;
    http.json("POST", "/v1/accounts", &credentials)?;
    let session = http.json("POST", "/v1/sessions", &credentials)?;
    let mut http = http.authorize(session["token"].as_str().unwrap_or_default());
    for area in areas {
        http.json("PUT", &format!("/v1/areas/{area}/subscription"), "")?;
    }
    Ok(http)
}

/// Publishes posts: `POST /v1/areas/{area}/posts`.
struct Publisher {
    areas: Vec<i64>,
    /// Between the path and the length of the body.
    head: String,
}

impl Publisher {
    fn new(token: &str, areas: &[i64]) -> Self {
        let head = format!(
            "HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: "
        );
        Publisher {
            areas: areas.to_vec(),
            head,
        }
    }
}

impl Client for Publisher {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        let area = self.areas[(number % self.areas.len() as u64) as usize];
        let body = post(number);
        let (head, length) = (&self.head, body.len());
        let request = format!("POST /v1/areas/{area}/posts {head}{length}\r\n\r\n{body}");
        out.extend_from_slice(request.as_bytes());
    }

    fn hear(
        &mut self,
        input: &[u8],
        _out: &mut Vec<u8>,
    ) -> anyhow::Result<(usize, Option<Answer>)> {
        http::hear(input)
    }
}

/// A post as JSON: words as people write them, because search keeps an index of them.
pub fn post(number: u64) -> String {
    let title = format!("Aviso {number}");
    let mut text = String::with_capacity(POST_BYTES);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while title.len() + text.len() < POST_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        push_word(&mut text, state);
    }
    text.truncate(POST_BYTES - title.len());
    format!(r#"{{"title":"{title}","text":"{text}"}}"#)
}

/// A word of two to four syllables. Small numbers come far more often than large ones, as with
/// the words of a language: a few make up half of a text, and there are thousands.
fn push_word(text: &mut String, random: u64) {
    const SYLLABLES: [&str; 24] = [
        "ca", "lle", "por", "tal", "a", "gua", "luz", "o", "bra", "ve", "ci", "no", "jun", "ta",
        "cuo", "re", "u", "nion", "pa", "tio", "mar", "tes", "li", "de",
    ];
    let rank = (1u64 << (random % 12)) + (random >> 32) % (1 << (random % 12));
    let mut rest = rank.wrapping_mul(7919);
    for _ in 0..2 + rank % 3 {
        text.push_str(SYLLABLES[(rest % 24) as usize]);
        rest /= 24;
    }
    text.push(' ');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_post_is_json_of_the_stated_size() {
        for number in [0, 7, 999_999] {
            let post: serde_json::Value = serde_json::from_str(&post(number)).unwrap();
            let (title, text) = (
                post["title"].as_str().unwrap(),
                post["text"].as_str().unwrap(),
            );
            assert_eq!(title.len() + text.len(), POST_BYTES);
        }
    }

    #[test]
    fn the_words_are_many_and_some_are_common() {
        let all: String = (0..1000).map(post).collect();
        let words: Vec<&str> = all.split(' ').collect();
        let different: BTreeSet<&&str> = words.iter().collect();
        assert!(different.len() > 1000, "{}", different.len());
        assert!(
            different.len() * 5 < words.len(),
            "{} of {}",
            different.len(),
            words.len()
        );
    }
}
