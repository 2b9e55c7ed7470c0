//! `COMMAND`: what commands there are, for clients that want to know.

use super::Here;
use super::client::{unknown_part, write_help};
use crate::redis::commands::{Arguments, COMMANDS, Command, Parsed, Refusal};
use crate::redis::resp::{Replies, Request};

pub(crate) fn command(_: &mut Here<'_>, request: Request<'_>, replies: &mut Replies) -> Parsed<()> {
    let mut words = Arguments::of(request);
    if words.left() == 0 {
        replies.array(COMMANDS.len());
        COMMANDS.iter().for_each(|command| write(command, replies));
    } else if words.take("COUNT") {
        let line = "wrong number of arguments for 'command|count' command";
        words.end().map_err(|_| Refusal::because(line))?;
        replies.integer(i64::try_from(COMMANDS.len()).unwrap_or(i64::MAX));
    } else if words.take("INFO") {
        infos(words, replies);
    } else if words.take("DOCS") {
        documents(words, replies);
    } else if words.take("LIST") {
        words.end()?;
        replies.array(COMMANDS.len());
        let names = COMMANDS.iter().map(|command| command.name.as_bytes());
        names.for_each(|name| replies.bulk(name));
    } else if words.take("HELP") {
        write_help(
            "COMMAND",
            &["count", "docs", "help", "info", "list"],
            replies,
        );
    } else {
        return Err(unknown_part("COMMAND", words.word()?));
    }
    Ok(())
}

/// Those that are named, or all.
fn infos(mut words: Arguments<'_>, replies: &mut Replies) {
    if words.left() == 0 {
        replies.array(COMMANDS.len());
        return COMMANDS.iter().for_each(|command| write(command, replies));
    }
    replies.array(words.left());
    while let Some(name) = words.next() {
        match Command::find(name) {
            Some((_, command)) => write(command, replies),
            None => replies.null(),
        }
    }
}

/// Those that are named and exist, or all.
fn documents(mut words: Arguments<'_>, replies: &mut Replies) {
    let mut named: Vec<&Command> = Vec::with_capacity(words.left());
    let all = words.left() == 0;
    while let Some(name) = words.next() {
        named.extend(Command::find(name).map(|(_, command)| command));
    }
    if all {
        named.extend(COMMANDS);
    }
    replies.map(named.len());
    for command in named {
        replies.bulk(command.name.as_bytes());
        document(command, replies);
    }
}

fn document(command: &Command, replies: &mut Replies) {
    let lines = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
    ];
    replies.map(lines.len());
    for (name, value) in lines {
        replies.bulk(name.as_bytes());
        replies.bulk(value.as_bytes());
    }
}

/// The ten things that Redis tells of a command since version 7.
fn write(command: &Command, replies: &mut Replies) {
    let (first, last, step) = command.keys.places();
    replies.array(10);
    replies.bulk(command.name.as_bytes());
    replies.integer(i64::from(command.arity));
    replies.set(command.flags.len());
    command.flags.iter().for_each(|flag| replies.simple(flag));
    replies.integer(first);
    replies.integer(last);
    replies.integer(step);
    replies.set(1);
    replies.simple(&format!("@{}", command.group.name()));
    // Hints for proxies, details of where keys are, and commands within: there are none.
    replies.set(0);
    replies.set(0);
    replies.set(0);
}
