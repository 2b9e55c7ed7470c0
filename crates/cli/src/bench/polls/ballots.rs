//! Ballots as bytes of HTTP.

use crate::bench::load::{Answer, Client, http};

/// Who votes.
pub enum Voters {
    /// Somebody else with every ballot: a row more each time.
    New,
    /// The members with these sessions, who change their votes.
    Members(Vec<String>),
}

/// Keeps the voters of one measurement from being those of another.
pub fn salt() -> anyhow::Result<String> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Casts ballots: `PUT /v1/polls/{poll}/ballot`.
pub struct Caster {
    /// Up to the length of the body.
    head: String,
    /// The start of each voter's secret; empty for members.
    voter: String,
}

impl Caster {
    /// The connection `number` of those who vote in a poll.
    pub fn new(poll: i64, number: usize, voters: &Voters) -> Self {
        let (authorization, voter) = match voters {
            // Without randomness the voters of two measurements are the same, who then change.
            Voters::New => (String::new(), salt().unwrap_or_default()),
            Voters::Members(tokens) => {
                let token = &tokens[number % tokens.len()];
                (format!("Authorization: Bearer {token}\r\n"), String::new())
            }
        };
        let head = format!(
            "PUT /v1/polls/{poll}/ballot HTTP/1.1\r\nHost: localhost\r\n{authorization}\
             Content-Type: application/json\r\nContent-Length: "
        );
        Caster { head, voter }
    }
}

impl Client for Caster {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        let choice = 1 + number % 2;
        let mut body = format!(r#"{{"choice":{choice},"code":"code-{number:016}""#);
        if self.voter.is_empty() {
            body.push('}');
        } else {
            body.push_str(&format!(r#","voter":"{}-{number:010}"}}"#, self.voter));
        }
        let request = format!("{}{}\r\n\r\n{body}", self.head, body.len());
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

/// Path and body of a ballot for the probes' option.
pub fn probe(poll: i64, salt: &str, number: u32) -> (String, String) {
    let path = format!("/v1/polls/{poll}/ballot");
    let secret = format!("probe-{salt}-{number:08}");
    let body = format!(r#"{{"choice":3,"code":"{secret}","voter":"{secret}"}}"#);
    (path, body)
}
