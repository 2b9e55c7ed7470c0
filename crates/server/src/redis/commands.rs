//! The commands: what each is called, how many words it has, and what it becomes.
//!
//! ```text
//!   Request ─▶ find ─▶ Command ─▶ parse ─▶ operations of the store + the Shape of the answer
//!                                     └──▶ something about the connection itself
//! ```

mod arguments;
mod hashes;
mod keys;
mod lists;
mod sets;
mod shape;
mod streams;
mod strings;
mod table;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::LazyLock;

use domain::store::{Operation, Read, Write};

pub(crate) use arguments::{Arguments, Parsed, Refusal, check_pattern, is};
pub(crate) use shape::{Shape, write_error};
pub(crate) use streams::milliseconds;
pub(crate) use table::COMMANDS;
pub(crate) use waiting::{After, Blocking, Entries, Wanted};

use super::here;
use super::resp::Request;

/// A command.
pub(crate) struct Command {
    /// In small letters.
    pub name: &'static str,
    /// How many words it has, its name included; negative is at least so many.
    pub arity: i32,
    /// Redis's words for what it does.
    pub flags: &'static [&'static str],
    /// Which of the words are keys.
    pub keys: Keys,
    /// What it is about.
    pub group: Group,
    /// The version of Redis that had it first.
    pub since: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What becomes of it.
    pub run: Run,
}

/// Which words of a command are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    non_camel_case_types,
    reason = "they are written as words in the table"
)]
pub(crate) enum Keys {
    /// None, or it depends.
    none,
    /// The first after the name.
    one,
    /// The first two.
    two,
    /// All.
    all,
    /// Every other one.
    pairs,
    /// All but the last.
    timed,
}

/// What a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Strings and counters.
    String,
    /// Keys of any kind.
    Generic,
    /// The node.
    Server,
    /// Lists.
    List,
    /// Hashes.
    Hash,
    /// Sets.
    Set,
    /// Journals.
    Stream,
    /// Messages.
    Pubsub,
    /// Transactions.
    Transactions,
    /// The connection.
    Connection,
    /// What clusters of Redis have.
    Cluster,
}

/// What becomes of a command.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Operations of the store.
    Store(fn(Arguments<'_>, &mut Step<'_>) -> Parsed<Shape>),
    /// An operation of the store that may have to wait.
    Waiting(fn(Arguments<'_>) -> Parsed<Blocking>),
    /// Reads of journals, which may have to wait.
    XRead,
    /// A message for all who listen.
    Publish,
    /// Something that this node answers at once, without the store.
    Here(here::Handler),
    /// Something that the connection itself does.
    Own(Own),
}

/// What a connection does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// Checks a password.
    Auth,
    /// Chooses a version of the protocol, and perhaps checks a password.
    Hello,
    /// Forgets everything about the client.
    Reset,
    /// Ends.
    Quit,
    /// Begins a transaction.
    Multi,
    /// Executes it.
    Exec,
    /// Forgets it.
    Discard,
    /// Remembers the versions of keys.
    Watch,
    /// Forgets them.
    Unwatch,
    /// Listens on channels.
    Subscribe,
    /// Listens on patterns.
    Psubscribe,
    /// Stops to listen on channels.
    Unsubscribe,
    /// Stops to listen on patterns.
    Punsubscribe,
    /// Tells of the node.
    Info,
    /// Waits for the other nodes.
    Wait,
}

/// Where a command puts its operations.
pub(crate) struct Step<'a>(pub &'a mut Vec<Operation>);

impl Step<'_> {
    /// One that changes nothing.
    pub fn read(&mut self, read: Read) {
        self.0.push(Operation::Read(read));
    }

    /// One that may change something.
    pub fn write(&mut self, write: Write) {
        self.0.push(Operation::Write(write));
    }
}

/// The longest name of a command has fewer letters than this.
const NAME_MAX_BYTES: usize = 16;

/// The commands by their names.
static BY_NAME: LazyLock<Vec<(&[u8], u16)>> = LazyLock::new(|| {
    let names = COMMANDS.iter().zip(0..);
    let mut names: Vec<_> = names
        .map(|(command, place)| (command.name.as_bytes(), place))
        .collect();
    names.sort_unstable();
    names
});

impl Command {
    /// The command of this name, in any case, with its place among [`COMMANDS`].
    pub fn find(name: &[u8]) -> Option<(usize, &'static Command)> {
        let mut small = [0; NAME_MAX_BYTES];
        let small = small.get_mut(..name.len())?;
        small.copy_from_slice(name);
        small.make_ascii_lowercase();
        let by_name = &*BY_NAME;
        let found = by_name
            .binary_search_by_key(&&*small, |(name, _)| name)
            .ok()?;
        let place = usize::from(by_name.get(found)?.1);
        Some((place, COMMANDS.get(place)?))
    }

    /// Whether a request has as many words as the command.
    pub fn takes(&self, request: Request<'_>) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        match self.arity {
            0.. => request.len() == wanted,
            _ => request.len() >= wanted,
        }
    }
}

impl Keys {
    /// First, last and step, as `COMMAND INFO` tells them.
    pub fn places(self) -> (i64, i64, i64) {
        match self {
            Keys::none => (0, 0, 0),
            Keys::one => (1, 1, 1),
            Keys::two => (1, 2, 1),
            Keys::all => (1, -1, 1),
            Keys::pairs => (1, -1, 2),
            Keys::timed => (1, -2, 1),
        }
    }
}

impl Group {
    /// Redis's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Group::String => "string",
            Group::Generic => "generic",
            Group::Server => "server",
            Group::List => "list",
            Group::Hash => "hash",
            Group::Set => "set",
            Group::Stream => "stream",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Cluster => "cluster",
        }
    }
}

/// XREAD: the entries that there are, or a wait for them.
pub(crate) fn xread(request: Request<'_>) -> Parsed<Result<Entries, Blocking>> {
    Ok(match streams::xread(Arguments::of(request))? {
        streams::XRead::Now(entries) => Ok(entries),
        streams::XRead::Wait(blocking) => Err(blocking),
    })
}

/// The reads of the entries that there are.
pub(crate) fn entries(entries: &Entries, step: &mut Step<'_>) -> Shape {
    streams::entries(entries, step)
}

/// PUBLISH: where, and the operation.
pub(crate) fn publish(request: Request<'_>, step: &mut Step<'_>) -> Parsed<bytes::Bytes> {
    let mut words = Arguments::of(request);
    let (channel, message) = (words.pattern()?, words.bytes()?);
    step.write(Write::Publish {
        channel: channel.clone(),
        message,
    });
    Ok(channel)
}
