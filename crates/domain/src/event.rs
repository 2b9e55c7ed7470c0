//! What happened, in order. Events are written to an outbox in the transaction of their command
//! and are the same on every replica, so any node can resume any client's stream.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The place of a command in the log, and the id of its event: `index-number`, for example
/// `1042-3`. A command makes at most one event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EventId {
    /// Log index of the entry.
    pub index: u64,
    /// Number of the command within the entry, from 0.
    pub number: u32,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place; ids only grow.
    pub id: EventId,
    /// Log time in milliseconds since 1970 (UTC).
    pub at_ms: i64,
    /// What it is about.
    pub topic: Topic,
}

/// What an event tells. The order of the variants is the stored format: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Topic {
    /// An area was added.
    AreaAdded {
        /// Area id.
        area: i64,
        /// Its name.
        name: String,
    },
    /// An area was renamed or described anew.
    AreaEdited {
        /// Area id.
        area: i64,
        /// Its name now.
        name: String,
    },
    /// An area was removed.
    AreaRemoved {
        /// Area id.
        area: i64,
        /// The name it had.
        name: String,
    },
    /// A post was published.
    PostPublished {
        /// Area id.
        area: i64,
        /// Post id within the area.
        post: i64,
        /// Its title.
        title: String,
        /// The author's name.
        author: String,
    },
    /// A post was deleted by its author or hidden by an administrator.
    PostRemoved {
        /// Area id.
        area: i64,
        /// Post id within the area.
        post: i64,
        /// True if an administrator hid it.
        hidden: bool,
    },
    /// A member joined.
    MemberJoined {
        /// The member's name.
        name: String,
    },
    /// A lottery was opened, and is the current one.
    LotteryOpened {
        /// Lottery id.
        lottery: i64,
        /// Its name.
        name: String,
        /// How many agencies it has.
        agencies: u32,
    },
    /// An agency closed, and nothing was drawn by that. Batches of bets have no events: there are
    /// thousands a second, and each agency has the receipts of its own.
    LotteryAgencyClosed {
        /// Lottery id.
        lottery: i64,
        /// The agency.
        agency: u32,
        /// Agencies that have not closed yet.
        open_agencies: u32,
    },
    /// A lottery was drawn.
    LotteryDrawn {
        /// Lottery id.
        lottery: i64,
        /// The number.
        number: u16,
        /// Bets on it, over all agencies.
        winners: i64,
        /// The agency whose closing drew it (the fixed rule): that closing has no other event.
        closed_agency: Option<u32>,
    },
    /// A poll was made.
    PollCreated {
        /// Poll id.
        poll: i64,
        /// What is asked.
        question: String,
        /// The author's name.
        author: String,
    },
    /// A poll was closed, by hand or because its time was over.
    PollClosed {
        /// Poll id.
        poll: i64,
        /// What was asked.
        question: String,
    },
    /// A shared file was put. Private files have no events: everybody may follow these.
    FilePut {
        /// File id.
        file: i64,
        /// Its name.
        name: String,
        /// The name of the member who put it.
        by: String,
        /// The area it belongs to, if any.
        area: Option<i64>,
        /// How long it is.
        size_bytes: i64,
        /// BLAKE3 of all its bytes.
        root: [u8; 32],
        /// Whether it took the place of an earlier version.
        replaced: bool,
    },
    /// A shared file was given another name.
    FileRenamed {
        /// File id.
        file: i64,
        /// The name it had.
        before: String,
        /// Its name now.
        name: String,
    },
    /// A shared file was removed.
    FileRemoved {
        /// File id.
        file: i64,
        /// The name it had.
        name: String,
    },
}

impl Topic {
    /// The kind, as clients filter by it.
    pub fn kind(&self) -> &'static str {
        match self {
            Topic::AreaAdded { .. } => "area.added",
            Topic::AreaEdited { .. } => "area.edited",
            Topic::AreaRemoved { .. } => "area.removed",
            Topic::PostPublished { .. } => "post.published",
            Topic::PostRemoved { .. } => "post.removed",
            Topic::MemberJoined { .. } => "member.joined",
            Topic::LotteryOpened { .. } => "lottery.opened",
            Topic::LotteryAgencyClosed { .. } => "lottery.agency-closed",
            Topic::LotteryDrawn { .. } => "lottery.drawn",
            Topic::PollCreated { .. } => "poll.created",
            Topic::PollClosed { .. } => "poll.closed",
            Topic::FilePut { .. } => "file.put",
            Topic::FileRenamed { .. } => "file.renamed",
            Topic::FileRemoved { .. } => "file.removed",
        }
    }

    /// The area it belongs to, if any.
    pub fn area(&self) -> Option<i64> {
        match *self {
            Topic::AreaAdded { area, .. }
            | Topic::AreaEdited { area, .. }
            | Topic::AreaRemoved { area, .. }
            | Topic::PostPublished { area, .. }
            | Topic::PostRemoved { area, .. } => Some(area),
            Topic::FilePut { area, .. } => area,
            Topic::MemberJoined { .. }
            | Topic::LotteryOpened { .. }
            | Topic::LotteryAgencyClosed { .. }
            | Topic::LotteryDrawn { .. }
            | Topic::PollCreated { .. }
            | Topic::PollClosed { .. }
            | Topic::FileRenamed { .. }
            | Topic::FileRemoved { .. } => None,
        }
    }

    /// The poll it belongs to, if any.
    pub fn poll(&self) -> Option<i64> {
        match *self {
            Topic::PollCreated { poll, .. } | Topic::PollClosed { poll, .. } => Some(poll),
            _ => None,
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.index, self.number)
    }
}

/// The text is not an event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEventId;

impl fmt::Display for NotAnEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event id looks like 1042-3: a log index and a number")
    }
}

impl std::error::Error for NotAnEventId {}

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, number) = text.split_once('-').ok_or(NotAnEventId)?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(index) || !digits(number) {
            return Err(NotAnEventId);
        }
        let index = index.parse().map_err(|_| NotAnEventId)?;
        let number = number.parse().map_err(|_| NotAnEventId)?;
        Ok(EventId { index, number })
    }
}
