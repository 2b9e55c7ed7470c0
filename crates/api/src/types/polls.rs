//! Polls, ballots, and the record that anybody can recount.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For whom a poll is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PollVoters {
    /// Every member, also those who join while it is open.
    #[default]
    Members,
    /// The members of `list`.
    Listed,
    /// Everybody: members as such, others by a random cookie, which is weak: who deletes it is
    /// somebody else. For a show of hands only.
    Anyone,
}

/// What it takes to win: always more weight than any other option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PollMajority {
    /// More than any other option, and no more than that.
    #[default]
    Simple,
    /// More than half of all that was cast, blank ballots included.
    Absolute,
    /// At least two thirds of all that was cast, blank ballots included.
    TwoThirds,
    /// At least three quarters of all that was cast, blank ballots included.
    ThreeQuarters,
    /// More than half of all who may vote, whether they did or not.
    Electorate,
}

/// Where a poll stands in its life. The log's time decides, the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PollState {
    /// It has not opened yet.
    Planned,
    /// It takes ballots.
    Open,
    /// It takes none any more.
    Closed,
}

/// A voter of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListedVoter {
    /// The member's name.
    pub name: String,
    /// What the ballot weighs, 1 to 1,000,000; 1 if absent. The record shows it beside the choice:
    /// a weight that only one voter has names that voter.
    #[serde(default = "one")]
    pub weight: i64,
}

fn one() -> i64 {
    1
}

fn yes() -> bool {
    true
}

/// A new poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPoll {
    /// One line of at most 300 characters.
    #[schema(example = "¿Gatos o perros?")]
    pub question: String,
    /// 2 to 100 lines of at most 200 characters, no two alike.
    #[schema(example = json!(["Gatos", "Perros"]))]
    pub options: Vec<String>,
    /// For whom it is; the members if absent.
    #[serde(default)]
    pub voters: PollVoters,
    /// Who may vote if `voters` is `listed`: at most 5,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<ListedVoter>,
    /// Whether tallies show while it is open; `true` if absent.
    #[serde(default = "yes")]
    pub live: bool,
    /// Whether the record names who cast each ballot; `false` if absent. Without names it still
    /// shows each ballot's weight.
    #[serde(default)]
    pub open_ballot: bool,
    /// When it opens; at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub opens_at: Option<String>,
    /// When it closes; only by hand if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub closes_at: Option<String>,
    /// How much weight must take part, blank ballots included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<i64>,
    /// The same, in per cent of the weight of all who may vote. Only one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum_percent: Option<i64>,
    /// What it takes to win.
    #[serde(default)]
    pub majority: PollMajority,
    /// A list of the store from which ballots are taken as well, each counted exactly once: items
    /// like `{"voter_id": "ana", "vote": "a"}`, where `a` is the first option, or the option's
    /// text. Only in a poll for anyone: nothing proves who a voter of a list is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "votes")]
    pub from_list: Option<String>,
}

/// A poll was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollMade {
    /// Its id.
    pub id: i64,
}

/// Ballots, and what they weigh together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// How many.
    pub ballots: i64,
    /// Their weight.
    pub weight: i64,
}

/// How a poll stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// All ballots.
    pub total: Count,
    /// Blank ones.
    pub blank: Count,
    /// Those for each option, in the options' order.
    pub options: Vec<Count>,
}

/// A ballot of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnBallot {
    /// The option's number from 1; `null` if it is blank.
    pub choice: Option<i64>,
    /// What it weighs.
    pub weight: i64,
    /// When it was cast or last changed.
    #[schema(format = DateTime)]
    pub at: String,
}

/// A poll as whoever asks sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Poll {
    /// Its id.
    pub id: i64,
    /// What is asked.
    pub question: String,
    /// What can be answered; the first is number 1.
    pub options: Vec<String>,
    /// The author's name.
    pub author: String,
    /// For whom it is.
    pub voters: PollVoters,
    /// Whether tallies show while it is open.
    pub live: bool,
    /// Whether the record names who cast each ballot.
    pub open_ballot: bool,
    /// Where it stands.
    pub state: PollState,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it opens.
    #[schema(format = DateTime)]
    pub opens_at: String,
    /// When it closes, or did; `null` if only by hand.
    #[schema(format = DateTime)]
    pub closes_at: Option<String>,
    /// How much weight must take part.
    pub quorum: Option<i64>,
    /// The same, in per cent of all who may vote.
    pub quorum_percent: Option<i64>,
    /// What it takes to win.
    pub majority: PollMajority,
    /// The list of the store from which it takes ballots as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_list: Option<String>,
    /// How it stands; `null` while that is not to be shown.
    pub tally: Option<Tally>,
    /// Whether whoever asks may vote in it, when it is open.
    pub may_vote: bool,
    /// The ballot of whoever asks.
    pub ballot: Option<OwnBallot>,
}

/// A page of polls, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Polls {
    /// The polls.
    pub polls: Vec<Poll>,
    /// Goes into `?before=` for the next page; `null` on the last one.
    pub next: Option<i64>,
}

/// A ballot: an option or a blank one. Sent again it changes what was cast before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CastBallot {
    /// The option's number from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<i64>,
    /// `true` instead of a choice: a blank ballot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blank: Option<bool>,
    /// A random code that the voter's client chooses and keeps: 16 to 64 visible ASCII characters.
    /// Only its SHA-256 is kept; with the code the voter finds the ballot in the record.
    #[schema(example = "mQ8vXb2pT0yLkR4dWz7NcA")]
    pub code: String,
    /// Who votes, without a session, in a poll for anyone: a random secret that the client keeps,
    /// 16 to 64 visible ASCII characters. A browser's cookie stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter: Option<String>,
}

/// A ballot was cast, and is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BallotCast {
    /// The poll's id.
    pub poll: i64,
    /// The option's number; `null` if it is blank.
    pub choice: Option<i64>,
    /// What it weighs.
    pub weight: i64,
    /// True if it took the place of an earlier one.
    pub changed: bool,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// SHA-256 of the code, in hexadecimal: how the record names it.
    pub code_hash: String,
    /// Its leaf in the tree of final ballots, in hexadecimal, if it is not changed again.
    pub leaf: String,
}

/// What a poll came to, or how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollResult {
    /// The poll's id.
    pub poll: i64,
    /// What is asked.
    pub question: String,
    /// What can be answered; the first is number 1.
    pub options: Vec<String>,
    /// True once it is closed: nothing changes any more.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether the record names who cast each ballot.
    pub open_ballot: bool,
    /// What was cast.
    pub tally: Tally,
    /// Who may vote; `null` if that is anyone.
    pub electorate: Option<Count>,
    /// Weight cast, in thousandths of the electorate's.
    pub turnout_permille: Option<i64>,
    /// How much weight must take part.
    pub quorum: Option<i64>,
    /// The same, in per cent of the electorate's.
    pub quorum_percent: Option<i64>,
    /// Whether it did; `null` without a quorum.
    pub quorum_reached: Option<bool>,
    /// What it takes to win.
    pub majority: PollMajority,
    /// Whether one option leads and has that majority.
    pub majority_reached: bool,
    /// The options with the largest weight: several if they are level, none without votes.
    pub leading: Vec<i64>,
    /// The option that is adopted, with majority and quorum; `null` if none is.
    pub winner: Option<i64>,
}

/// A final ballot as the record shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BallotReceipt {
    /// SHA-256 of the voter's code, in hexadecimal.
    pub code_hash: String,
    /// The option's number; `null` if it is blank.
    pub choice: Option<i64>,
    /// What it weighs. In a weighted list, a weight that only one voter has names that voter.
    pub weight: i64,
    /// The member's name, of an open ballot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its leaf, in hexadecimal.
    pub leaf: String,
}

/// The record of a closed poll, or a page of it: what `consorcio poll verify` recounts.
///
/// The receipts stand in the order of the tree: by code hash, then choice (blank is 0), weight and
/// leaf. A leaf is SHA-256 over `0x00`, `consorcio ballot 1`, the poll's id (8 bytes, big-endian),
/// the code hash (32), the choice (4), the weight (8) and the name in UTF-8. The tree is that of
/// RFC 6962 §2.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollRecord {
    /// What the nodes counted.
    pub result: PollResult,
    /// Every final ballot.
    pub receipts: Vec<BallotReceipt>,
    /// The root of the tree, in hexadecimal; on the first page.
    pub root: Option<String>,
    /// Goes into `?from=` for the next page; `null` on the last one.
    pub next: Option<i64>,
}

/// The proof that a ballot is among the final ones (RFC 6962 §2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BallotProof {
    /// The poll's id.
    pub poll: i64,
    /// The ballot.
    pub receipt: BallotReceipt,
    /// Its place among the leaves, from 0.
    pub index: i64,
    /// How many leaves there are.
    pub size: i64,
    /// The hashes beside its way to the root, from below, in hexadecimal.
    pub path: Vec<String>,
    /// The root, in hexadecimal.
    pub root: String,
}
