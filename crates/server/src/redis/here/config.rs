//! `CONFIG GET`: the few of Redis's settings that have an answer here. They are set where all
//! settings of a node are: in its file, its environment and its flags.

use domain::store::matches;

use super::Here;
use super::client::{unknown_part, write_help};
use crate::redis::commands::{Arguments, Parsed, Refusal, check_pattern};
use crate::redis::resp::{BULK_MAX_BYTES, Replies, Request};

pub(crate) fn config(
    here: &mut Here<'_>,
    request: Request<'_>,
    replies: &mut Replies,
) -> Parsed<()> {
    let mut words = Arguments::of(request);
    if words.take("GET") {
        if words.left() == 0 {
            let line = "wrong number of arguments for 'config|get' command";
            return Err(Refusal::because(line));
        }
        get(here, words, replies)?;
    } else if words.take("HELP") {
        write_help("CONFIG", &["get", "help"], replies);
    } else if words.take("SET") || words.take("REWRITE") || words.take("RESETSTAT") {
        let line = "settings are read-only here: they stand in the node's file, environment and \
                    flags";
        return Err(Refusal::because(line));
    } else {
        return Err(unknown_part("CONFIG", words.word()?));
    }
    Ok(())
}

fn get(here: &Here<'_>, mut words: Arguments<'_>, replies: &mut Replies) -> Parsed<()> {
    let known = known(here);
    let mut wanted = vec![false; known.len()];
    while let Some(pattern) = words.next() {
        check_pattern(pattern)?;
        let pattern = pattern.to_ascii_lowercase();
        for (wanted, (name, _)) in wanted.iter_mut().zip(&known) {
            *wanted |= matches(&pattern, name.as_bytes());
        }
    }
    let wanted = known.iter().zip(wanted).filter(|(_, wanted)| *wanted);
    let found: Vec<_> = wanted.map(|(setting, _)| setting).collect();
    replies.map(found.len());
    for (name, value) in found {
        replies.bulk(name.as_bytes());
        replies.bulk(value.as_bytes());
    }
    Ok(())
}

fn known(here: &Here<'_>) -> Vec<(&'static str, String)> {
    let local = here.client.local;
    vec![
        // Every write is synced before it is acknowledged, which is what Redis calls so.
        ("appendfsync", "always".to_owned()),
        ("appendonly", "yes".to_owned()),
        ("bind", local.ip().to_string()),
        ("databases", "1".to_owned()),
        (
            "maxclients",
            here.shared.config.limits.connections.to_string(),
        ),
        ("maxmemory", "0".to_owned()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("port", local.port().to_string()),
        ("proto-max-bulk-len", BULK_MAX_BYTES.to_string()),
        ("save", String::new()),
        ("timeout", "0".to_owned()),
    ]
}
