//! Time is paused here: it goes on only when nobody else can, so what waits for time shows it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{
    BATCH_MAX_BYTES, BATCH_MAX_COMMANDS, Claim, Duration, Group, LINGER_MAX, MEMORY, NOTHING,
    Ordering, QUEUE_MAX, QUEUE_MAX_BYTES, Queue, Waiting, busy, oneshot, queue,
};
use crate::answer::WriteError;
use crate::production::Production;

/// The timer's steps are this coarse, and a deadline falls into the step after it.
const STEP: Duration = Duration::from_millis(1);

/// A group of so many commands of so many bytes, each beginning with the group's mark.
fn group(mark: u8, commands: usize, bytes: usize) -> Group {
    Group {
        proposals: vec![vec![mark; bytes].into(); commands],
        repeatable: false,
        forwarded: false,
        claim: Claim::default(),
        reply: oneshot::channel().0,
    }
}

fn marks(groups: &[Group]) -> Vec<u8> {
    groups.iter().map(|group| group.proposals[0][0]).collect()
}

async fn next(waiting: &mut Waiting) -> Vec<u8> {
    marks(&waiting.next::<Production>().await.unwrap())
}

/// A queue whose batcher has just made an entry of so many commands.
async fn after_an_entry_of(commands: usize) -> (Queue, Waiting) {
    let (queue, mut waiting) = queue();
    queue.send(group(0, commands, 1)).unwrap();
    // It was there before anybody asked for more, so nothing was missing.
    let begun = Instant::now();
    assert_eq!(next(&mut waiting).await, [0]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    (queue, waiting)
}

/// Lets the batcher ask for its next entry, and comes back when it waits.
async fn asking(mut waiting: Waiting) -> JoinHandle<(Vec<u8>, Waiting)> {
    let batcher = tokio::spawn(async move { (next(&mut waiting).await, waiting) });
    tokio::task::yield_now().await;
    batcher
}

fn assert_empty(queue: &Queue) {
    assert_eq!(queue.count.commands.load(Ordering::SeqCst), 0);
    assert_eq!(queue.count.bytes.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_entry_goes_as_soon_as_most_of_those_who_ask_are_there() {
    let (queue, waiting) = after_an_entry_of(16).await;
    let begun = Instant::now();
    let batcher = asking(waiting).await;
    // All of sixteen but an eighth: fourteen.
    for mark in 1..=13 {
        queue.send(group(mark, 1, 1)).unwrap();
        tokio::task::yield_now().await;
        assert!(!batcher.is_finished(), "after {mark}");
    }
    queue.send(group(14, 1, 1)).unwrap();
    let (taken, _) = batcher.await.unwrap();
    assert_eq!(taken, (1..=14).collect::<Vec<u8>>());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_empty(&queue);
    assert_eq!(queue.count.wanted.load(Ordering::SeqCst), NOTHING);
}

#[tokio::test(start_paused = true)]
async fn an_entry_waits_no_longer_than_it_may_and_only_once() {
    let (queue, waiting) = after_an_entry_of(16).await;
    let begun = Instant::now();
    let batcher = asking(waiting).await;
    queue.send(group(1, 1, 1)).unwrap();
    queue.send(group(2, 1, 1)).unwrap();
    let (taken, waiting) = batcher.await.unwrap();
    assert_eq!(taken, [1, 2]);
    let waited = begun.elapsed();
    assert!(
        (LINGER_MAX..=LINGER_MAX + STEP).contains(&waited),
        "{waited:?}"
    );
    assert_eq!(queue.count.wanted.load(Ordering::SeqCst), NOTHING);
    // The others have stopped asking: for two nobody is waited for.
    let begun = Instant::now();
    let batcher = asking(waiting).await;
    queue.send(group(3, 1, 1)).unwrap();
    assert_eq!(batcher.await.unwrap().0, [3]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_empty(&queue);
}

#[tokio::test(start_paused = true)]
async fn of_few_callers_all_but_one_are_waited_for() {
    let (queue, waiting) = after_an_entry_of(5).await;
    let begun = Instant::now();
    let batcher = asking(waiting).await;
    for mark in 1..=3 {
        queue.send(group(mark, 1, 1)).unwrap();
        tokio::task::yield_now().await;
        assert!(!batcher.is_finished(), "after {mark}");
    }
    queue.send(group(4, 1, 1)).unwrap();
    let (taken, _) = batcher.await.unwrap();
    assert_eq!(taken, [1, 2, 3, 4]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn one_or_two_callers_wait_for_nobody() {
    for callers in [1, 2] {
        let (queue, waiting) = after_an_entry_of(callers).await;
        let begun = Instant::now();
        let batcher = asking(waiting).await;
        queue.send(group(1, 1, 1)).unwrap();
        assert_eq!(batcher.await.unwrap().0, [1]);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_silence_nobody_is_expected() {
    let (queue, waiting) = after_an_entry_of(64).await;
    let batcher = asking(waiting).await;
    tokio::time::sleep(MEMORY + STEP).await;
    let begun = Instant::now();
    queue.send(group(1, 1, 1)).unwrap();
    assert_eq!(batcher.await.unwrap().0, [1]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_begins_the_next_entry_in_its_order_and_at_once() {
    let (queue, mut waiting) = queue();
    let half = BATCH_MAX_COMMANDS / 2;
    for (mark, commands) in [(1, half), (2, half), (3, 1), (4, half), (5, half), (6, 1)] {
        queue.send(group(mark, commands, 1)).unwrap();
    }
    let begun = Instant::now();
    assert_eq!(next(&mut waiting).await, [1, 2]);
    assert_eq!(next(&mut waiting).await, [3, 4]);
    assert_eq!(next(&mut waiting).await, [5, 6]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_empty(&queue);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_after_a_full_entry() {
    let (queue, mut waiting) = queue();
    queue.send(group(1, BATCH_MAX_COMMANDS, 1)).unwrap();
    queue.send(group(2, 1, 1)).unwrap();
    let begun = Instant::now();
    assert_eq!(next(&mut waiting).await, [1]);
    // Thousands were just answered, but this one has waited for a whole entry already.
    assert_eq!(next(&mut waiting).await, [2]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_bounded_in_bytes_too() {
    let (queue, mut waiting) = queue();
    let half = BATCH_MAX_BYTES / 2;
    for (mark, bytes) in [(1, half), (2, half), (3, 1), (4, BATCH_MAX_BYTES), (5, 1)] {
        queue.send(group(mark, 1, bytes)).unwrap();
    }
    assert_eq!(next(&mut waiting).await, [1, 2]);
    assert_eq!(next(&mut waiting).await, [3]);
    assert_eq!(next(&mut waiting).await, [4]);
    assert_eq!(next(&mut waiting).await, [5]);
    assert_empty(&queue);
}

#[tokio::test(start_paused = true)]
async fn a_queue_full_of_groups_refuses_and_counts_no_more_than_it_holds() {
    let (queue, mut waiting) = queue();
    for _ in 0..QUEUE_MAX {
        queue.send(group(1, 1, 1)).unwrap();
    }
    assert_eq!(queue.send(group(2, 3, 5)), Err(busy()));
    assert_eq!(queue.count.commands.load(Ordering::SeqCst), QUEUE_MAX);
    assert_eq!(queue.count.bytes.load(Ordering::SeqCst), QUEUE_MAX);
    let mut left = QUEUE_MAX;
    while left > 0 {
        left -= next(&mut waiting).await.len();
    }
    assert_empty(&queue);
}

#[tokio::test(start_paused = true)]
async fn a_queue_full_of_bytes_refuses_until_some_are_taken() {
    let (queue, mut waiting) = queue();
    for _ in 0..QUEUE_MAX_BYTES / BATCH_MAX_BYTES {
        queue.send(group(1, 1, BATCH_MAX_BYTES)).unwrap();
    }
    assert_eq!(queue.send(group(2, 1, 1)), Err(busy()));
    assert_eq!(next(&mut waiting).await, [1]);
    queue.send(group(2, 1, 1)).unwrap();
    while next(&mut waiting).await != [2] {}
    assert_empty(&queue);
}

#[tokio::test(start_paused = true)]
async fn a_closed_queue_takes_nothing_and_gives_what_it_has() {
    let (queue, waiting) = queue();
    drop(waiting);
    assert_eq!(queue.send(group(1, 3, 5)), Err(WriteError::Stopping));
    assert_empty(&queue);

    let (queue, mut waiting) = super::queue();
    queue.send(group(1, 1, 1)).unwrap();
    drop(queue);
    assert_eq!(next(&mut waiting).await, [1]);
    assert!(waiting.next::<Production>().await.is_none());
}

#[test]
fn a_claim_is_settled_once() {
    let claim = Claim::default();
    assert!(claim.propose(), "it waits");
    assert!(
        claim.propose(),
        "proposed again, as after an unknown outcome"
    );
    claim.withdraw();
    assert!(claim.propose(), "withdrawn, it waits again");
    assert!(!claim.abandon(), "given up while it is proposed");
    assert!(!claim.propose(), "and then it is not proposed again");

    let claim = Claim::default();
    claim.withdraw();
    assert!(claim.abandon(), "nothing was proposed");
    assert!(!claim.propose());
    claim.withdraw();
    assert!(!claim.propose(), "given up for good");
    assert!(!claim.abandon(), "no second time");

    let claim = Claim::default();
    let callers = claim.clone();
    assert!(claim.propose());
    claim.withdraw();
    assert!(callers.abandon(), "withdrawn, nothing was proposed");
    assert!(!claim.propose(), "the caller's claim is the same");
}
