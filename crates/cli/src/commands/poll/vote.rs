//! `consorcio poll vote`.

use api::types::{CastBallot, Poll};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::commands::session::Session;
use crate::failure::{Failure, Outcome};

/// Random bytes of a code: nobody guesses it, and no two voters have the same.
const CODE_BYTES: usize = 16;

/// Cast a ballot, or change it.
#[derive(clap::Args)]
pub struct Vote {
    /// The poll
    poll: i64,
    /// The option, by its text or its number
    #[arg(required_unless_present = "blank", conflicts_with = "blank")]
    option: Option<String>,
    /// A blank ballot
    #[arg(long)]
    blank: bool,
    /// The code that will find the ballot in the record [default: a random one]
    #[arg(long)]
    code: Option<String>,
    /// Who votes, without being signed in, in a poll for anyone: a secret of 16 characters or more
    #[arg(long, value_name = "SECRET")]
    voter: Option<String>,
}

impl Vote {
    pub async fn run(self, session: &mut Session) -> Outcome {
        let choice = match &self.option {
            Some(option) => Some(choice(&session.client.poll(self.poll).await?, option)?),
            None => None,
        };
        let code = match self.code {
            Some(code) => code,
            None => random_code()?,
        };
        let ballot = CastBallot {
            choice,
            blank: self.blank.then_some(true),
            code: code.clone(),
            voter: self.voter,
        };
        let cast = session.client.vote(self.poll, &ballot).await?;
        if session.out.json {
            let mut json = serde_json::to_value(&cast).map_err(Failure::failed)?;
            json["code"] = code.into();
            return session.out.json(&json);
        }
        let done = if cast.changed { "changed" } else { "cast" };
        session.out.text(&format!(
            "The ballot is {done}. Keep this code; it finds the ballot in the record:\n{code}"
        ))
    }
}

/// The number of an option: one that reads so goes first.
fn choice(poll: &Poll, option: &str) -> Outcome<i64> {
    let wanted = option.to_lowercase();
    let by_text = poll
        .options
        .iter()
        .position(|text| text.to_lowercase() == wanted);
    let by_text = by_text.map(|at| at as i64 + 1);
    by_text.or_else(|| option.parse().ok()).ok_or_else(|| {
        let options = poll.options.join(", ");
        Failure::failed(format!("there is no option {option:?}: they are {options}"))
    })
}

fn random_code() -> Outcome<String> {
    let mut bytes = [0; CODE_BYTES];
    getrandom::fill(&mut bytes).map_err(Failure::failed)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
