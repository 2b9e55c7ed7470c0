//! Who is at the other end of a connection, and `CLIENT`.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use super::Here;
use crate::redis::commands::{Arguments, Parsed, Refusal, is};
use crate::redis::resp::{Replies, Request, Version};

/// A name, or that of a library, has at most this many bytes: it is kept as long as the connection.
const NAME_MAX_BYTES: usize = 256;

/// What is known of a client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Counted from 1 on this node.
    pub id: u64,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it came to.
    pub local: SocketAddr,
    /// The member whose password it knew.
    pub account: Option<String>,
    /// Channels it listens on.
    pub channels: usize,
    /// Patterns it listens on.
    pub patterns: usize,
    /// Commands that wait for EXEC, if it has begun a transaction.
    pub queued: Option<usize>,
    name: Bytes,
    library: Bytes,
    library_version: Bytes,
    since: Instant,
}

impl Client {
    /// One that has just connected.
    pub fn new(id: u64, peer: SocketAddr, local: SocketAddr) -> Self {
        Client {
            id,
            peer,
            local,
            account: None,
            channels: 0,
            patterns: 0,
            queued: None,
            name: Bytes::new(),
            library: Bytes::new(),
            library_version: Bytes::new(),
            since: Instant::now(),
        }
    }

    /// Whether it listens for messages.
    pub fn listens(&self) -> bool {
        self.channels + self.patterns > 0
    }

    /// Forgets who it is, but not the library it uses.
    pub fn reset(&mut self) {
        self.account = None;
        self.name = Bytes::new();
    }

    /// Gives it a name; an empty one takes the name away.
    pub fn set_name(&mut self, name: &[u8]) -> Parsed<()> {
        self.name = label(
            name,
            "Client names cannot contain spaces, newlines or special characters.",
        )?;
        Ok(())
    }

    /// One line about it, as Redis writes it; what Redis knows and we do not is left out.
    fn line(&self, command: &str, version: Version) -> String {
        let shown = String::from_utf8_lossy;
        format!(
            "id={} addr={} laddr={} name={} age={} idle=0 flags={} db=0 sub={} psub={} ssub=0 \
             multi={} events=r cmd=client|{command} user={} redir=-1 resp={} lib-name={} \
             lib-ver={}\n",
            self.id,
            self.peer,
            self.local,
            shown(&self.name),
            self.since.elapsed().as_secs(),
            match (self.listens(), self.queued) {
                (true, _) => "P",
                (false, Some(_)) => "x",
                (false, None) => "N",
            },
            self.channels,
            self.patterns,
            self.queued
                .map_or(-1, |queued| i64::try_from(queued).unwrap_or(i64::MAX)),
            self.account.as_deref().unwrap_or("default"),
            match version {
                Version::Two => 2,
                Version::Three => 3,
            },
            shown(&self.library),
            shown(&self.library_version),
        )
    }
}

/// A word that can be shown in a line of others.
fn label(text: &[u8], refusal: &'static str) -> Parsed<Bytes> {
    if text.len() > NAME_MAX_BYTES || !text.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal::because(refusal));
    }
    // What was read is not kept alive for a few letters of it.
    Ok(Bytes::copy_from_slice(text))
}

/// The part of a command that its second word names.
struct Part {
    name: &'static str,
    /// Words, with both names; negative is at least so many.
    arity: i32,
    run: super::Handler,
}

const PARTS: &[Part] = &[
    Part {
        name: "getname",
        arity: 2,
        run: get_name,
    },
    Part {
        name: "help",
        arity: 2,
        run: help,
    },
    Part {
        name: "id",
        arity: 2,
        run: id,
    },
    Part {
        name: "info",
        arity: 2,
        run: info,
    },
    Part {
        name: "list",
        arity: -2,
        run: list,
    },
    Part {
        name: "no-evict",
        arity: 3,
        run: on_or_off,
    },
    Part {
        name: "no-touch",
        arity: 3,
        run: on_or_off,
    },
    Part {
        name: "setinfo",
        arity: 4,
        run: set_info,
    },
    Part {
        name: "setname",
        arity: 3,
        run: set_name,
    },
];

pub(crate) fn client(
    here: &mut Here<'_>,
    request: Request<'_>,
    replies: &mut Replies,
) -> Parsed<()> {
    let name = request.get(1).unwrap_or_default();
    let Some(part) = PARTS.iter().find(|part| is(name, part.name)) else {
        return Err(unknown_part("CLIENT", name));
    };
    let wanted = part.arity.unsigned_abs() as usize;
    let fits = match part.arity {
        0.. => request.len() == wanted,
        _ => request.len() >= wanted,
    };
    if !fits {
        let line = format!(
            "wrong number of arguments for 'client|{}' command",
            part.name
        );
        return Err(Refusal::Because(line.into()));
    }
    (part.run)(here, request, replies)
}

/// Redis's line about the second word of a command that has parts.
pub(super) fn unknown_part(command: &str, name: &[u8]) -> Refusal {
    let name = String::from_utf8_lossy(&name[..name.len().min(128)]).into_owned();
    Refusal::Because(format!("unknown subcommand '{name}'. Try {command} HELP.").into())
}

fn get_name(here: &mut Here<'_>, _: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    match here.client.name.is_empty() {
        true => replies.null(),
        false => replies.bulk(&here.client.name),
    }
    Ok(())
}

fn set_name(here: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    here.client.set_name(Arguments::from(request, 2).word()?)?;
    replies.ok();
    Ok(())
}

fn id(here: &mut Here<'_>, _: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    replies.integer(i64::try_from(here.client.id).unwrap_or(i64::MAX));
    Ok(())
}

fn info(here: &mut Here<'_>, _: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let line = here.client.line("info", replies.version);
    replies.text(&line);
    Ok(())
}

/// The client's own line: what others do on this node is not everybody's business.
fn list(here: &mut Here<'_>, _: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let line = here.client.line("list", replies.version);
    replies.text(&line);
    Ok(())
}

/// Nothing is evicted here, and nothing is remembered of who touched what.
fn on_or_off(_: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let mut words = Arguments::from(request, 2);
    if words.take("on") || words.take("off") {
        replies.ok();
        return Ok(());
    }
    Err(Refusal::Syntax)
}

fn set_info(here: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let mut words = Arguments::from(request, 2);
    let (attribute, value) = (words.word()?, words.word()?);
    if is(attribute, "lib-name") {
        let refusal = "lib-name cannot contain spaces, newlines or special characters.";
        here.client.library = label(value, refusal)?;
    } else if is(attribute, "lib-ver") {
        let refusal = "lib-ver cannot contain spaces, newlines or special characters.";
        here.client.library_version = label(value, refusal)?;
    } else {
        let shown = String::from_utf8_lossy(attribute);
        return Err(Refusal::Because(
            format!("Unrecognized option '{shown}'").into(),
        ));
    }
    replies.ok();
    Ok(())
}

fn help(_: &mut Here<'_>, _: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    write_help("CLIENT", &names, replies);
    Ok(())
}

/// The parts of a command, as Redis lists them.
pub(super) fn write_help(command: &str, parts: &[&str], replies: &mut Replies) {
    replies.array(parts.len() + 1);
    let first = format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    replies.simple(&first);
    let upper = parts.iter().map(|part| part.to_ascii_uppercase());
    upper.for_each(|part| replies.simple(&part));
}
