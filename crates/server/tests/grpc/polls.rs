//! Polls, and following how one stands.

use api::grpc::v1;
use api::grpc::v1::cast_ballot_request::Ballot;
use tonic::{Code, Request, Streaming};

use crate::site::{PATIENCE, Site, fields, refused, signed};

fn poll(voters: v1::PollVoters) -> v1::CreatePollRequest {
    v1::CreatePollRequest {
        question: "¿Gatos o perros?".to_owned(),
        options: vec!["Gatos".to_owned(), "Perros".to_owned()],
        voters: voters.into(),
        ..v1::CreatePollRequest::default()
    }
}

fn ballot(poll: i64, ballot: Ballot, who: &str) -> v1::CastBallotRequest {
    v1::CastBallotRequest {
        poll,
        ballot: Some(ballot),
        code: format!("code-of-{who}-0123456789"),
        voter: String::new(),
    }
}

async fn created(site: &Site, token: &str, ask: v1::CreatePollRequest) -> i64 {
    let made = site.polls().create_poll(signed(token, ask)).await;
    made.unwrap().into_inner().id
}

async fn next(stream: &mut Streaming<v1::WatchTallyResponse>) -> v1::WatchTallyResponse {
    loop {
        let next = tokio::time::timeout(PATIENCE, stream.message());
        let said = next.await.expect("a message").unwrap().expect("no end");
        if said.tally.is_some() {
            return said;
        }
    }
}

fn weights(tally: Option<v1::Tally>) -> Vec<i64> {
    let tally = tally.unwrap();
    let options = tally.options.iter().map(|count| count.weight);
    options.chain([tally.blank.unwrap().weight]).collect()
}

#[tokio::test]
async fn a_poll_from_its_making_to_its_proof() {
    let site = Site::start().await;
    let (ana, luis) = (site.member("ana").await, site.member("luis").await);
    let mut polls = site.polls();
    let id = created(&site, &ana, poll(v1::PollVoters::Members)).await;
    let cast = polls.cast_ballot(signed(&ana, ballot(id, Ballot::Choice(1), "ana")));
    let cast = cast.await.unwrap().into_inner();
    assert_eq!(
        (cast.choice, cast.weight, cast.changed),
        (Some(1), 1, false)
    );
    let blank = ballot(id, Ballot::Blank(true), "luis");
    polls.cast_ballot(signed(&luis, blank)).await.unwrap();
    let change = polls.cast_ballot(signed(&ana, ballot(id, Ballot::Choice(2), "ana")));
    let change = change.await.unwrap().into_inner();
    assert!(change.changed);

    let get = v1::GetPollRequest {
        poll: id,
        voter: String::new(),
    };
    let seen = polls
        .get_poll(signed(&ana, get))
        .await
        .unwrap()
        .into_inner();
    let seen = seen.poll.unwrap();
    assert_eq!((seen.state(), seen.may_vote), (v1::PollState::Open, true));
    assert_eq!(weights(seen.tally), [0, 1, 1]);
    assert_eq!(seen.ballot.unwrap().choice, Some(2));
    let record = v1::GetPollRecordRequest {
        poll: id,
        ..v1::GetPollRecordRequest::default()
    };
    let early = polls.get_poll_record(signed(&ana, record)).await;
    refused(
        &early.unwrap_err(),
        Code::FailedPrecondition,
        "result-hidden",
    );

    let close = v1::ClosePollRequest { poll: id };
    let foreign = polls.close_poll(signed(&luis, close)).await;
    refused(&foreign.unwrap_err(), Code::PermissionDenied, "forbidden");
    polls.close_poll(signed(&ana, close)).await.unwrap();
    let late = polls.cast_ballot(signed(&ana, ballot(id, Ballot::Choice(1), "ana")));
    refused(
        &late.await.unwrap_err(),
        Code::FailedPrecondition,
        "poll-closed",
    );
    let result = polls.get_result(signed(&luis, v1::GetResultRequest { poll: id }));
    let result = result.await.unwrap().into_inner();
    assert_eq!((result.r#final, result.winner), (true, Some(2)));
    let page = polls.get_poll_record(signed(&ana, record)).await.unwrap();
    let page = page.into_inner();
    assert_eq!(
        (page.receipts.len(), page.root.len(), page.next),
        (2, 32, None)
    );
    let proof = v1::GetBallotProofRequest {
        poll: id,
        code: "code-of-ana-0123456789".to_owned(),
    };
    let proof = polls.get_ballot_proof(signed(&luis, proof)).await.unwrap();
    let proof = proof.into_inner();
    assert_eq!((proof.root, proof.size), (page.root, 2));
    assert_eq!(proof.receipt.unwrap().leaf, change.leaf);
    let list = v1::ListPollsRequest::default();
    let list = polls.list_polls(signed(&luis, list)).await.unwrap();
    assert_eq!(list.into_inner().polls.len(), 1);
    site.stop().await;
}

#[tokio::test]
async fn anyone_votes_where_anyone_may() {
    let site = Site::start().await;
    let (ana, mut polls) = (site.member("ana").await, site.polls());
    let id = created(&site, &ana, poll(v1::PollVoters::Anyone)).await;
    let members = created(&site, &ana, poll(v1::PollVoters::Members)).await;
    let secret = "a-secret-of-32-random-characters";
    let vote = |poll| v1::CastBallotRequest {
        voter: secret.to_owned(),
        ..ballot(poll, Ballot::Choice(2), "nobody")
    };
    polls.cast_ballot(vote(id)).await.unwrap();
    let nobody = polls
        .cast_ballot(ballot(id, Ballot::Choice(1), "nobody"))
        .await;
    refused(&nobody.unwrap_err(), Code::Unauthenticated, "not-signed-in");
    let get = |poll| v1::GetPollRequest {
        poll,
        voter: secret.to_owned(),
    };
    let mine = polls.get_poll(get(id)).await.unwrap().into_inner().poll;
    assert_eq!(mine.unwrap().ballot.unwrap().choice, Some(2));
    let hidden = polls.get_poll(get(members)).await.unwrap_err();
    refused(&hidden, Code::Unauthenticated, "not-signed-in");
    let watch = |poll| Request::new(v1::WatchTallyRequest { poll });
    let hidden = polls.watch_tally(watch(members)).await.unwrap_err();
    refused(&hidden, Code::Unauthenticated, "not-signed-in");
    polls.watch_tally(watch(id)).await.unwrap();
    site.stop().await;
}

#[tokio::test]
async fn how_a_poll_stands_is_followed_to_its_close() {
    let site = Site::start().await;
    let (ana, mut polls) = (site.member("ana").await, site.polls());
    let luis = site.member("luis").await;
    let id = created(&site, &ana, poll(v1::PollVoters::Members)).await;
    let watch = || signed(&luis, v1::WatchTallyRequest { poll: id });
    let mut stream = polls.watch_tally(watch()).await.unwrap().into_inner();
    assert_eq!(weights(next(&mut stream).await.tally), [0, 0, 0]);
    let vote = polls.cast_ballot(signed(&ana, ballot(id, Ballot::Choice(1), "ana")));
    vote.await.unwrap();
    assert_eq!(weights(next(&mut stream).await.tally), [1, 0, 0]);
    let vote = polls.cast_ballot(signed(&luis, ballot(id, Ballot::Choice(2), "luis")));
    vote.await.unwrap();
    assert_eq!(weights(next(&mut stream).await.tally), [1, 1, 0]);
    let close = v1::ClosePollRequest { poll: id };
    polls.close_poll(signed(&ana, close)).await.unwrap();
    let last = next(&mut stream).await;
    assert!(last.closed && last.at.is_some());
    assert_eq!(weights(last.tally), [1, 1, 0]);
    assert_eq!(stream.message().await.unwrap(), None);
    // Whoever comes later gets the same and the end.
    let mut stream = polls.watch_tally(watch()).await.unwrap().into_inner();
    assert!(next(&mut stream).await.closed);
    assert_eq!(stream.message().await.unwrap(), None);
    site.stop().await;
}

#[tokio::test]
async fn what_is_hidden_is_not_followed() {
    let site = Site::start().await;
    let ana = site.member("ana").await;
    let hidden = v1::CreatePollRequest {
        hide_until_close: true,
        ..poll(v1::PollVoters::Members)
    };
    let id = created(&site, &ana, hidden).await;
    let (mut polls, watch) = (site.polls(), |poll| {
        signed(&ana, v1::WatchTallyRequest { poll })
    });
    let hidden = polls.watch_tally(watch(id)).await.unwrap_err();
    refused(&hidden, Code::FailedPrecondition, "result-hidden");
    let none = polls.watch_tally(watch(99)).await.unwrap_err();
    refused(&none, Code::NotFound, "not-found");
    site.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_poll_or_a_ballot_is_said() {
    let site = Site::start().await;
    let (ana, mut polls) = (site.member("ana").await, site.polls());
    let members = v1::PollVoters::Members;
    let listed = v1::CreatePollRequest {
        list: vec![v1::ListedVoter {
            name: "ana".to_owned(),
            weight: 0,
        }],
        ..poll(members)
    };
    let never = v1::CreatePollRequest {
        closes_at: Some(prost_types::Timestamp {
            seconds: 0,
            nanos: -1,
        }),
        ..poll(members)
    };
    let alone = v1::CreatePollRequest {
        options: vec!["Gatos".to_owned()],
        ..poll(members)
    };
    for (ask, field) in [(listed, "list"), (never, "closes_at"), (alone, "options")] {
        let refusal = polls.create_poll(signed(&ana, ask)).await.unwrap_err();
        refused(&refusal, Code::InvalidArgument, "invalid");
        assert_eq!(fields(&refusal), [field]);
    }
    let id = created(&site, &ana, poll(members)).await;
    let short = v1::CastBallotRequest {
        code: "short".to_owned(),
        ..ballot(id, Ballot::Choice(1), "ana")
    };
    let none = v1::CastBallotRequest {
        ballot: None,
        ..ballot(id, Ballot::Choice(1), "ana")
    };
    for (ask, field) in [
        (short, "code"),
        (none, "choice"),
        (ballot(id, Ballot::Choice(3), "ana"), "choice"),
    ] {
        let refusal = polls.cast_ballot(signed(&ana, ask)).await.unwrap_err();
        refused(&refusal, Code::InvalidArgument, "invalid");
        assert_eq!(fields(&refusal), [field]);
    }
    site.stop().await;
}
