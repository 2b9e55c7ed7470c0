//! What a node answers.

use super::frame::{TooLong, frame};

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bets were stored durably, all of them; or none was.
    Store {
        /// Which of the two.
        stored: bool,
    },
    /// The lottery is not drawn yet.
    NotReady,
    /// It is, and these documents won.
    Winners(Vec<String>),
}

/// Something that no node answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is none of this protocol")]
pub struct Unintelligible;

impl Answer {
    /// Reads the body of a packet.
    ///
    /// # Errors
    ///
    /// If it is no answer.
    pub fn parse(body: &[u8]) -> Result<Self, Unintelligible> {
        let text = str::from_utf8(body).map_err(|_| Unintelligible)?;
        match text.split_once(':').ok_or(Unintelligible)? {
            ("StoreResponse", "0") => Ok(Answer::Store { stored: true }),
            ("StoreResponse", "1") => Ok(Answer::Store { stored: false }),
            ("NotReadyResponse", "") => Ok(Answer::NotReady),
            ("WinnersResponse", "") => Ok(Answer::Winners(Vec::new())),
            ("WinnersResponse", winners) => documents(winners),
            _ => Err(Unintelligible),
        }
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    ///
    /// If there are more winners than fit; nothing is appended then.
    pub fn render(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        frame(out, |out| match self {
            Answer::Store { stored: true } => out.extend_from_slice(b"StoreResponse:0"),
            Answer::Store { stored: false } => out.extend_from_slice(b"StoreResponse:1"),
            Answer::NotReady => out.extend_from_slice(b"NotReadyResponse:"),
            Answer::Winners(documents) => {
                out.extend_from_slice(b"WinnersResponse:");
                out.extend_from_slice(documents.join(";").as_bytes());
            }
        })
    }
}

fn documents(text: &str) -> Result<Answer, Unintelligible> {
    let documents: Vec<String> = text.split(';').map(str::to_owned).collect();
    match documents.iter().any(String::is_empty) {
        true => Err(Unintelligible),
        false => Ok(Answer::Winners(documents)),
    }
}
