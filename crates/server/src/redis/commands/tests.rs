//! The table of commands, and what becomes of requests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use bytes::BytesMut;
use domain::store::{OPERATIONS_MAX, Operation};

use super::{Arguments, COMMANDS, Command, Keys, NAME_MAX_BYTES, Run, Step};
use crate::redis::resp::{Parser, Requests};

#[test]
fn the_table_is_sound() {
    let names: BTreeSet<&str> = COMMANDS.iter().map(|command| command.name).collect();
    assert_eq!(names.len(), COMMANDS.len(), "a name is there twice");
    for (place, command) in COMMANDS.iter().enumerate() {
        let name = command.name;
        assert!(name.len() < NAME_MAX_BYTES && name.bytes().all(|b| b.is_ascii_lowercase()));
        for written in [name.to_owned(), name.to_ascii_uppercase()] {
            let (found, same) = Command::find(written.as_bytes()).unwrap();
            assert_eq!((found, same.name), (place, name));
        }
        let (first, last, _) = command.keys.places();
        let words = i64::from(command.arity.abs());
        assert!(first.max(last) < words, "{name} has no room for its keys");
        assert!(!command.summary.is_empty() && command.since.split('.').count() == 3);
        let writes = command.flags.contains(&"write");
        assert!(!(writes && command.flags.contains(&"readonly")), "{name}");
        assert!(command.keys != Keys::pairs || writes, "{name}");
    }
    for name in ["", "ge", "gett", "get\0", "a name that is longer than any"] {
        assert!(Command::find(name.as_bytes()).is_none(), "{name:?}");
    }
}

/// The operations that a line becomes.
fn operations(line: &str) -> Vec<Operation> {
    let mut requests = Requests::new();
    let mut bytes = BytesMut::from(format!("{line}\r\n").as_bytes());
    Parser::default().parse(&mut bytes, &mut requests);
    let request = requests.get(0).unwrap();
    let (_, command) = Command::find(request.name()).unwrap();
    let mut operations = Vec::new();
    if let Run::Store(parse) = command.run {
        parse(Arguments::of(request), &mut Step(&mut operations)).unwrap();
    }
    operations
}

/// What a command says of itself is what it does: a read never becomes an entry of the log.
#[test]
fn commands_that_only_read_become_reads() {
    for line in [
        "get k",
        "mget a b",
        "strlen k",
        "getrange k 0 1",
        "getex k",
        "exists a b",
        "type k",
        "ttl k",
        "scan 0",
        "keys *",
        "dbsize",
        "randomkey",
        "llen k",
        "lrange k 0 1",
        "hgetall k",
        "hmget k f g",
        "smembers k",
        "srandmember k -3",
        "xlen k",
        "xrange k - +",
    ] {
        let operations = operations(line);
        let reads = operations
            .iter()
            .all(|one| matches!(one, Operation::Read(_)));
        assert!(reads && !operations.is_empty(), "{line}: {operations:?}");
    }
    for line in [
        "set k v",
        "incr k",
        "lpop k",
        "spop k",
        "getex k persist",
        "xtrim k maxlen 1",
    ] {
        let operations = operations(line);
        assert!(
            matches!(operations[..], [Operation::Write(_)]),
            "{line}: {operations:?}"
        );
    }
    assert!(operations("srandmember k -1000").len() <= OPERATIONS_MAX);
}
