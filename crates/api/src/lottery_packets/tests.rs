//! Every packet there and back, and every one that is none.
#![allow(clippy::unwrap_used, clippy::panic)]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use crate::types::Hex32;

use super::{
    Answer, BETS_PER_BATCH_MAX, BODY_MAX_BYTES, BadBet, Bet, BrokenFrame, Field, HEADER_BYTES,
    Malformed, Receipt, Request, TooLong, Unintelligible, body_bytes, frame,
};

/// Requests tried: a second or so of an unoptimised build.
const TRIALS: usize = 2_000;

const ANA: Bet<'_> = Bet {
    first_name: "Ana María",
    last_name: "Núñez",
    document: "30904465",
    birthdate: "1999-03-17",
    number: 7574,
};

/// The longest bet there is.
const LONGEST: Bet<'_> = Bet {
    first_name: "01234567890123456789012345678901234567890123456789",
    last_name: "01234567890123456789012345678901234567890123456789",
    document: "0123456789",
    birthdate: "2000-02-29",
    number: 9999,
};

fn packet(request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    request.render(&mut out).unwrap();
    out
}

/// The body of a packet, whose header says what it should.
fn body(packet: &[u8]) -> &[u8] {
    let header = [packet[0], packet[1]];
    assert_eq!(body_bytes(header), Ok(packet.len() - HEADER_BYTES));
    &packet[HEADER_BYTES..]
}

fn parse(text: &str) -> Result<Request<'_>, Malformed> {
    Request::parse(text.as_bytes())
}

#[test]
fn requests_are_written_as_the_protocol_says() {
    let agency = 3;
    let line = "Ana María;Núñez;30904465;1999-03-17;7574";
    let cases = [
        (
            Request::StoreBet { agency, bet: ANA },
            format!("StoreBet:3;{line}"),
        ),
        (
            Request::StoreBatch {
                agency,
                bets: vec![ANA, ANA],
            },
            format!("StoreBatch:3;{line}:{line}"),
        ),
        (
            Request::StoreBatchOnce {
                id: "a1",
                agency,
                bets: vec![ANA],
                receipt: false,
            },
            format!("StoreBatchOnce:a1:3;{line}"),
        ),
        (
            Request::StoreBatchOnce {
                id: "a1",
                agency,
                bets: vec![ANA],
                receipt: true,
            },
            format!("StoreReceipted:a1:3;{line}"),
        ),
        (Request::AgencyClose { agency }, "AgencyClose:3".to_owned()),
        (
            Request::WinnersRequest { agency },
            "WinnersRequest:3".to_owned(),
        ),
        (Request::Lottery { lottery: None }, "Lottery:".to_owned()),
        (
            Request::Lottery { lottery: Some(17) },
            "Lottery:17".to_owned(),
        ),
    ];
    for (request, text) in cases {
        let packet = packet(&request);
        assert_eq!(str::from_utf8(body(&packet)).unwrap(), text);
        assert_eq!(Request::parse(body(&packet)), Ok(request));
    }
}

#[test]
fn the_agency_of_a_batch_may_stand_alone() {
    let line = "Ana María;Núñez;30904465;1999-03-17;7574";
    let alone = format!("StoreBatch:3:{line}:{line}");
    let expected = Request::StoreBatch {
        agency: 3,
        bets: vec![ANA, ANA],
    };
    assert_eq!(parse(&alone), Ok(expected));
    let once = format!("StoreBatchOnce:x:3:{line}");
    let expected = Request::StoreBatchOnce {
        id: "x",
        agency: 3,
        bets: vec![ANA],
        receipt: false,
    };
    assert_eq!(parse(&once), Ok(expected));
}

#[test]
fn answers_are_written_as_the_protocol_says() {
    let cases = [
        (Answer::Store { stored: true }, "StoreResponse:0"),
        (Answer::Store { stored: false }, "StoreResponse:1"),
        (
            Answer::Receipt(Receipt {
                lottery: 2,
                first: 64,
                leaf_index: 1,
                leaf: Hex32([0xab; 32]),
            }),
            "ReceiptResponse:2;64;1;\
             abababababababababababababababababababababababababababababababab",
        ),
        (Answer::NotReady, "NotReadyResponse:"),
        (Answer::Winners(vec![]), "WinnersResponse:"),
        (
            Answer::Winners(vec!["1".into(), "23".into()]),
            "WinnersResponse:1;23",
        ),
    ];
    for (answer, text) in cases {
        let mut out = Vec::new();
        answer.render(&mut out).unwrap();
        assert_eq!(body(&out), text.as_bytes());
        assert_eq!(Answer::parse(body(&out)), Ok(answer));
    }
    for text in [
        "",
        "StoreResponse",
        "StoreResponse:2",
        "WinnersResponse:1;;2",
        "Hello:",
    ] {
        assert_eq!(
            Answer::parse(text.as_bytes()),
            Err(Unintelligible),
            "{text:?}"
        );
    }
}

#[test]
fn the_longest_batch_fits_and_winners_that_do_not_are_not_sent() {
    let id = "123456789012345678901234567890123456";
    let bets = vec![LONGEST; BETS_PER_BATCH_MAX];
    let longest = packet(&Request::StoreBatchOnce {
        id,
        agency: u32::MAX,
        bets,
        receipt: false,
    });
    assert!(longest.len() <= HEADER_BYTES + BODY_MAX_BYTES);
    let mut out = b"kept".to_vec();
    let many = Answer::Winners(vec!["30904465".to_owned(); 2000]);
    assert_eq!(many.render(&mut out), Err(TooLong(16 + 2000 * 9 - 1)));
    assert_eq!(out, b"kept");
}

#[test]
fn frames_are_of_1_to_8190_bytes() {
    assert_eq!(body_bytes([0, 0]), Err(BrokenFrame::Empty));
    assert_eq!(body_bytes([0, 1]), Ok(1));
    assert_eq!(body_bytes(8190_u16.to_be_bytes()), Ok(8190));
    assert_eq!(
        body_bytes(8191_u16.to_be_bytes()),
        Err(BrokenFrame::TooLong(8191))
    );
    assert_eq!(body_bytes([255, 255]), Err(BrokenFrame::TooLong(65_535)));
    let mut out = Vec::new();
    let fill = |bytes| move |out: &mut Vec<u8>| out.resize(out.len() + bytes, b'x');
    assert_eq!(frame(&mut out, fill(8191)), Err(TooLong(8191)));
    assert!(out.is_empty());
    assert_eq!(frame(&mut out, fill(8190)), Ok(()));
    assert_eq!(out.len(), 8192);
}

#[test]
fn bodies_that_are_no_request_are_named() {
    let cases = [
        ("", Malformed::NoType),
        ("StoreBet", Malformed::NoType),
        (":", Malformed::UnknownType(String::new())),
        ("Hello:1", Malformed::UnknownType("Hello".into())),
        (
            "storebet:1;a;b;1;2000-01-01;1",
            Malformed::UnknownType("storebet".into()),
        ),
        ("StoreBet:", Malformed::NoAgency),
        ("StoreBet:0;a;b;1;2000-01-01;1", Malformed::NoAgency),
        ("StoreBet:-1;a;b;1;2000-01-01;1", Malformed::NoAgency),
        ("StoreBet:+1;a;b;1;2000-01-01;1", Malformed::NoAgency),
        (
            "StoreBet:4294967296;a;b;1;2000-01-01;1",
            Malformed::NoAgency,
        ),
        ("StoreBatch:", Malformed::NoBets),
        ("StoreBatch:1", Malformed::NoBets),
        ("StoreBatch:1:", Malformed::NoBets),
        ("StoreBatch:1;", Malformed::NoBets),
        ("StoreBatch::a;b;1;2000-01-01;1", Malformed::NoAgency),
        ("StoreBatchOnce:", Malformed::NoBets),
        (
            "StoreBatchOnce::1;a;b;1;2000-01-01;1",
            Malformed::NoRequestId,
        ),
        (
            "StoreBatchOnce:a b:1;a;b;1;2000-01-01;1",
            Malformed::NoRequestId,
        ),
        (
            "StoreBatchOnce:a;b:1;a;b;1;2000-01-01;1",
            Malformed::NoRequestId,
        ),
        ("StoreBatchOnce:x:1", Malformed::NoBets),
        ("AgencyClose:", Malformed::NoAgency),
        ("AgencyClose:1:", Malformed::NoAgency),
        ("AgencyClose:uno", Malformed::NoAgency),
        ("WinnersRequest:0", Malformed::NoAgency),
        ("Lottery:0", Malformed::NoLottery),
        ("Lottery:-1", Malformed::NoLottery),
        ("Lottery: 1", Malformed::NoLottery),
        ("Lottery:9223372036854775808", Malformed::NoLottery),
        ("WinnersRequest: 1", Malformed::NoAgency),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Err(expected), "{text:?}");
    }
    assert_eq!(
        Request::parse(b"StoreBet:1;\xff;b;1;2000-01-01;1"),
        Err(Malformed::NotUtf8)
    );
    let long = format!("{}:", "x".repeat(100));
    assert_eq!(parse(&long), Err(Malformed::UnknownType("x".repeat(20))));
    let id = "x".repeat(37);
    let long = format!("StoreBatchOnce:{id}:1;a;b;1;2000-01-01;1");
    assert_eq!(parse(&long), Err(Malformed::NoRequestId));
    let many = format!("StoreBatch:1{}", ":a;b;1;2000-01-01;1".repeat(64));
    assert_eq!(parse(&many), Err(Malformed::TooManyBets));
}

#[test]
fn what_is_wrong_with_a_bet_is_named() {
    let long = "x".repeat(51);
    let too_long = |field, max_bytes| BadBet::TooLong { field, max_bytes };
    let cases = [
        ("", BadBet::Missing(Field::FirstName)),
        ("a;b;1;2000-01-01", BadBet::Missing(Field::Number)),
        ("a;;1;2000-01-01;1", BadBet::Missing(Field::LastName)),
        ("a;b;;2000-01-01;1", BadBet::Missing(Field::Document)),
        ("a;b;1;;1", BadBet::Missing(Field::Birthdate)),
        ("a;b;1;2000-01-01;1;", BadBet::Extra),
        ("a;b;c;1;2000-01-01;1", BadBet::Extra),
        (
            &format!("{long};b;1;2000-01-01;1"),
            too_long(Field::FirstName, 50),
        ),
        (
            &format!("a;{long};1;2000-01-01;1"),
            too_long(Field::LastName, 50),
        ),
        (
            "a;b;12345678901;2000-01-01;1",
            too_long(Field::Document, 10),
        ),
        ("a;b;1;2000-01-010;1", too_long(Field::Birthdate, 10)),
        ("a\n;b;1;2000-01-01;1", BadBet::Reserved(Field::FirstName)),
        ("a;b;1;2000-01-01;-1", BadBet::NoNumber),
        ("a;b;1;2000-01-01;10000", BadBet::NoNumber),
        ("a;b;1;2000-01-01;00001", BadBet::NoNumber),
        ("a;b;1;2000-01-01;1.0", BadBet::NoNumber),
        ("a;b;1;2000-01-01; 1", BadBet::NoNumber),
    ];
    for (text, why) in cases {
        let one = format!("StoreBet:1;{text}");
        assert_eq!(
            parse(&one),
            Err(Malformed::Bet { place: 1, why }),
            "{text:?}"
        );
        let second = format!("StoreBatch:1;a;b;1;2000-01-01;1:{text}");
        assert_eq!(
            parse(&second),
            Err(Malformed::Bet { place: 2, why }),
            "{text:?}"
        );
    }
    let colon = parse("StoreBet:1;a:b;c;1;2000-01-01;1");
    assert_eq!(
        colon,
        Err(Malformed::Bet {
            place: 1,
            why: BadBet::Reserved(Field::FirstName)
        })
    );
    let in_the_date = parse("StoreBet:1;a;b;1;2000:01:01;1");
    assert_eq!(
        in_the_date,
        Err(Malformed::Bet {
            place: 1,
            why: BadBet::Reserved(Field::Birthdate)
        })
    );
    let semicolon = Bet::from_fields(["a;b", "c", "1", "2000-01-01", "1"]);
    assert_eq!(semicolon, Err(BadBet::Reserved(Field::FirstName)));
    assert!(Bet::from_fields(["a", "b", "1", "2000-02-29", "0"]).is_ok());
}

#[test]
fn every_request_is_read_back_as_it_was_written() {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..TRIALS {
        let texts: Vec<[String; 5]> = (0..dice.random_range(1..=63))
            .map(|_| random_bet(&mut dice))
            .collect();
        let bets: Vec<Bet<'_>> = texts.iter().map(|fields| read(fields)).collect();
        let agency = dice.random_range(1..=u32::MAX);
        let request = match dice.random_range(0..3) {
            0 => Request::StoreBet {
                agency,
                bet: bets[0],
            },
            1 => Request::StoreBatch { agency, bets },
            _ => Request::StoreBatchOnce {
                id: "0f-9",
                agency,
                bets,
                receipt: false,
            },
        };
        let packet = packet(&request);
        assert_eq!(Request::parse(body(&packet)), Ok(request));
    }
}

fn read(fields: &[String; 5]) -> Bet<'_> {
    Bet::from_fields(fields.each_ref().map(String::as_str)).unwrap()
}

fn random_bet(dice: &mut ChaCha8Rng) -> [String; 5] {
    let mut name = || {
        let letters = ['a', 'ñ', 'É', ' ', '\'', '-', ',', '"', '😀'];
        let count = dice.random_range(1..=12);
        (0..count)
            .map(|_| letters[dice.random_range(0..letters.len())])
            .collect::<String>()
    };
    let (first, last) = (name(), name());
    let document = dice.random_range(1..=9_999_999_999_u64);
    let (year, month) = (dice.random_range(1..=9999), dice.random_range(1..=12));
    let birthdate = format!("{year:04}-{month:02}-{:02}", dice.random_range(1..=28));
    let number = dice.random_range(0..=9999_u16);
    [
        first,
        last,
        document.to_string(),
        birthdate,
        number.to_string(),
    ]
}
