//! The fuzz target of what Redis clients send on a stable toolchain: see `fuzz/`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "../../../fuzz/properties/resp.rs"]
mod resp;
#[path = "../../../fuzz/properties/runner.rs"]
mod runner;

#[test]
fn no_bytes_make_the_parser_fall_however_they_are_cut() {
    let examples: Vec<Vec<u8>> = [
        &b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"[..],
        b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
        b"*-1\r\n*0\r\n\r\n",
        b"set k \"a b\\x41\\n\" 'it\\'s'\r\nPING\n",
        b"*11\r\n$16385\r\nx",
        b"*2\r\n$4\r\nECHO\r\n$1048576\r\nabc",
        b"*65536\r\n$-1\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    runner::run(resp::hold, &examples, b"\r\n$*-0129 \"'\\x\x00\xff");
}
