//! Polls: a question, its options, who may vote, and a record that anybody can recount.
//!
//! ```text
//!   planned ── opens_at ──▶ open ── closes_at, or by hand ──▶ closed
//!                            │ ballots: one a voter, changed as often as they like
//! ```
//!
//! Log time decides: a ballot whose command is applied at `closes_at` or later is too late on
//! every node, whatever the clock of the node that received it says. A leader writes down soon
//! after that a poll is over ([`crate::Action::SettlePoll`]), which tells the world.
//!
//! Tallies are kept exactly, in integers, with every ballot: how many chose an option and what
//! they weigh together. A ballot is three or four small statements, because there are many at once.
//! For the same reason a ballot makes no event: the front door shows how the tallies change.
//!
//! **What this can hide, and what it cannot.** A closed poll publishes its ballots under the hash
//! of a random code that each voter's client chose ([`record`]): whoever knows the code finds the
//! ballot and can prove that it was counted. The record gives no names unless the ballot is open,
//! but it gives each ballot's weight: **in a weighted list a weight that only one voter has names
//! that voter** to everybody who knows the list, and one that few have leaves little to guess.
//! Where all weigh alike (members, anyone, a list without weights) nobody else learns *from that
//! record* whose a ballot is, unless all voted the same.
//! The state itself links each member to a choice, because a ballot can be changed: whoever runs a
//! node, or reads its disk, its backups or its log, sees who voted what. **A secret ballot is not
//! claimed.** Nor does a receipt protect against being bought or forced: a voter can show the code
//! to others. And a front door that makes the code for a browser without scripts could give two
//! voters the same one; a recount tells how many codes are shared.
//!
//! **Who is somebody.** `Members` lets every account vote, and whoever reaches a node can make
//! accounts. `Anyone` takes a browser's random cookie for a person: deleting it makes another
//! person. It is for a show of hands; a vote that binds needs a list ([`Voters::Listed`]).

pub(crate) mod ballots;
pub mod leaf;
pub mod lists;
pub(crate) mod manage;
pub mod queries;
pub mod record;
pub mod verdict;

use serde::{Deserialize, Serialize};

use crate::names::Name;

/// A question has at most this many characters: it is read on a phone, above its options.
pub const QUESTION_MAX_CHARS: usize = 300;

/// An option has at most this many characters.
pub const OPTION_MAX_CHARS: usize = 200;

/// There is nothing to choose with fewer options.
pub const OPTIONS_MIN: usize = 2;

/// There are at most this many options: more do not fit on a page that people read.
pub const OPTIONS_MAX: usize = 100;

/// A list of voters has at most this many: it travels in one command.
pub const LISTED_MAX: usize = 5_000;

/// A voter's weight is at most this: shares in parts of a million. The sum of a list's stays far
/// below what an integer holds.
pub const WEIGHT_MAX: i64 = 1_000_000;

/// A poll takes at most this many ballots; who has cast one may still change it. A poll for anyone
/// has no other bound, and a closed poll's record is read and hashed whole, and kept in memory
/// where it is asked for: a quarter of a million take less than a second and 80 MB to read, and
/// half of that to keep.
pub const BALLOTS_MAX: i64 = 250_000;

/// At most this many polls are open or planned at once: their tallies are looked at many times a
/// second.
pub const RUNNING_MAX: i64 = 1_000;

/// At most this many polls of one author are open or planned at once, so that one member alone
/// cannot take the room of all: that needs twenty of them.
pub const RUNNING_PER_AUTHOR_MAX: i64 = 50;

/// An author makes at most this many polls in all, one a week for 19 years: none is ever removed,
/// and whoever makes and closes them without end would use up [`POLLS_MAX`].
pub const POLLS_PER_AUTHOR_MAX: i64 = 1_000;

/// There are at most this many polls: ten a day for 27 years. None is ever removed.
pub const POLLS_MAX: i64 = 100_000;

/// A poll opens and closes at most this far ahead: ten years.
pub const AHEAD_MAX_MS: i64 = 10 * 366 * 24 * 60 * 60 * 1000;

/// A new poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPoll {
    /// What is asked: one line.
    pub question: String,
    /// What can be answered: [`OPTIONS_MIN`] to [`OPTIONS_MAX`] lines, no two alike.
    pub options: Vec<String>,
    /// Who may vote.
    pub voters: Voters,
    /// Whether tallies show while it is open.
    pub live: bool,
    /// Whether the record names who cast each ballot.
    pub open_ballot: bool,
    /// When it opens; at once if that is absent or past.
    pub opens_at_ms: Option<i64>,
    /// When it closes; only by hand if absent.
    pub closes_at_ms: Option<i64>,
    /// How many must take part.
    pub quorum: Option<Quorum>,
    /// What it takes to win.
    pub majority: Majority,
    /// The list of the store that it takes ballots from as well: see [`lists`]. Only if anyone may
    /// vote, and no other poll that is not closed takes from that list.
    pub from_list: Option<String>,
}

/// Who may vote. The order of the variants is the wire format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voters {
    /// Every member, also those who join while it is open.
    Members,
    /// These members.
    Listed(Vec<Listed>),
    /// Everybody: a member as such, others by what their browser's cookie holds.
    Anyone,
}

/// A voter of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The member's name.
    pub name: Name,
    /// What the ballot weighs: 1 to [`WEIGHT_MAX`]. The record shows it with the choice.
    pub weight: i64,
}

/// How many must take part; a blank ballot takes part. The order of the variants is the wire
/// format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quorum {
    /// At least so many per cent (1 to 100) of the weight of all who may vote.
    Percent(i64),
    /// At least this weight in all.
    Weight(i64),
}

/// What it takes to win; always more than any other option. Weights count, not heads. The order
/// of the variants is the wire format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Majority {
    /// More than any other option, and no more than that.
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

impl Majority {
    fn number(self) -> i64 {
        match self {
            Majority::Simple => 0,
            Majority::Absolute => 1,
            Majority::TwoThirds => 2,
            Majority::ThreeQuarters => 3,
            Majority::Electorate => 4,
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        [
            Majority::Simple,
            Majority::Absolute,
            Majority::TwoThirds,
            Majority::ThreeQuarters,
            Majority::Electorate,
        ]
        .into_iter()
        .find(|majority| majority.number() == number)
    }
}

/// How [`Voters`] is stored.
const VOTERS_MEMBERS: i64 = 0;
const VOTERS_LISTED: i64 = 1;
const VOTERS_ANYONE: i64 = 2;

/// How a blank ballot's choice is stored; the options are numbered from 1.
const BLANK: i64 = 0;
