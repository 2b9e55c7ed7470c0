//! The fuzz target of the lottery's packets on a stable toolchain: see `fuzz/`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "../../../fuzz/properties/lottery_packets.rs"]
mod lottery_packets;
#[path = "../../../fuzz/properties/runner.rs"]
mod runner;

/// A packet with this body.
fn packet(body: &str) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&length.to_be_bytes(), body.as_bytes()].concat()
}

#[test]
fn no_bytes_make_the_parsers_fall_and_what_they_take_is_sound() {
    let bet = "Ana María;Núñez;30904465;1999-03-17;7574";
    let leaf = "ab".repeat(32);
    let bodies = [
        format!("StoreBet:1;{bet}"),
        format!("StoreBatch:12;{bet}:{bet}:{bet}"),
        format!("StoreBatch:12:{bet}:{bet}"),
        format!("StoreBatchOnce:id:5;{bet}:{bet}"),
        format!("StoreReceipted:0f-9:5;{bet}"),
        format!("StoreBatch:4294967295{}", format!(":{bet}").repeat(63)),
        "AgencyClose:3".to_owned(),
        "WinnersRequest:3".to_owned(),
        "StoreResponse:0".to_owned(),
        format!("ReceiptResponse:2;64;1;{leaf}"),
        "NotReadyResponse:".to_owned(),
        "WinnersResponse:30904465;1;22".to_owned(),
    ];
    let mut examples: Vec<Vec<u8>> = bodies.iter().map(|body| packet(body)).collect();
    examples.push(examples.concat());
    runner::run(
        lottery_packets::hold,
        &examples,
        b";;::0019-\n\xff\xc3\x00A",
    );
}
