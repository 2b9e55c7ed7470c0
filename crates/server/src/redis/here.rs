//! Commands that a node answers at once, without the store.

mod client;
mod commands;
mod config;

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) use client::Client;
pub(super) use client::client;
pub(super) use commands::command;
pub(super) use config::config;

use super::Shared;
use super::commands::{Arguments, Parsed, Refusal};
use super::resp::{Replies, Request, Version};

/// A command that is answered at once.
pub(crate) type Handler = fn(&mut Here<'_>, Request<'_>, &mut Replies) -> Parsed<()>;

/// What such a command may look at.
pub(crate) struct Here<'a> {
    /// Who asks.
    pub client: &'a mut Client,
    /// The door that it came in by.
    pub shared: &'a Shared,
}

/// PING, which looks different to somebody who listens and cannot tell replies from messages.
pub(super) fn ping(here: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    if request.len() > 2 {
        return Err(Refusal::Arity);
    }
    let message = request.get(1);
    if here.client.listens() && replies.version == Version::Two {
        replies.array(2);
        replies.bulk(b"pong");
        replies.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        Some(message) => replies.bulk(message),
        None => replies.simple("PONG"),
    }
    Ok(())
}

pub(super) fn echo(_: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    replies.bulk(Arguments::of(request).word()?);
    Ok(())
}

/// There is one database, 0.
pub(super) fn select(_: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    match Arguments::of(request).integer()? {
        0 => replies.ok(),
        _ => return Err(Refusal::because("DB index is out of range")),
    }
    Ok(())
}

pub(super) fn time(_: &mut Here<'_>, _: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default();
    replies.array(2);
    replies.bulk(since.as_secs().to_string().as_bytes());
    replies.bulk(since.subsec_micros().to_string().as_bytes());
    Ok(())
}

/// Any node takes any request: there are no slots to be told of.
pub(super) fn cluster(_: &mut Here<'_>, _: Request<'_>, _: &mut Replies) -> Parsed<()> {
    Err(Refusal::because(
        "This instance has cluster support disabled",
    ))
}
