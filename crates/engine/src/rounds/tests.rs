//! Rounds whose length the test decides.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::Rounds;

/// Rounds whose answers the test gives, one by one.
struct Hand {
    rounds: Arc<Rounds<u32>>,
    answers: mpsc::UnboundedSender<u32>,
    given: Arc<Mutex<mpsc::UnboundedReceiver<u32>>>,
}

impl Hand {
    fn new() -> Self {
        let (answers, given) = mpsc::unbounded_channel();
        Hand {
            rounds: Arc::default(),
            answers,
            given: Arc::new(Mutex::new(given)),
        }
    }

    /// Joins, and sees to it that the rounds are driven.
    fn join(&self) -> tokio::sync::oneshot::Receiver<u32> {
        let place = self.rounds.join();
        if place.drives {
            let (rounds, given) = (Arc::clone(&self.rounds), Arc::clone(&self.given));
            tokio::spawn(async move {
                let next = || async { given.lock().await.recv().await.unwrap() };
                rounds.drive(next).await;
            });
        }
        place.answer
    }

    /// Lets the driver go on until it waits for an answer.
    async fn until_begun(&self, count: u64) {
        while self.rounds.begun() < count {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn who_comes_during_a_round_is_answered_by_the_next() {
    let hand = Hand::new();
    let first = hand.join();
    hand.until_begun(1).await;
    let mut others: Vec<_> = (0..100).map(|_| hand.join()).collect();
    hand.answers.send(1).unwrap();
    assert_eq!(first.await, Ok(1));
    assert!(
        others.iter_mut().all(|other| other.try_recv().is_err()),
        "the round began before they came"
    );
    hand.answers.send(2).unwrap();
    for other in others {
        assert_eq!(other.await, Ok(2));
    }
    assert_eq!(hand.rounds.begun(), 2);
}

#[tokio::test]
async fn rounds_begin_again_after_a_rest() {
    let hand = Hand::new();
    for number in 1..=3 {
        let answer = hand.join();
        hand.answers.send(number).unwrap();
        assert_eq!(answer.await, Ok(number));
    }
    assert_eq!(hand.rounds.begun(), 3);
}

#[tokio::test]
async fn nobody_is_asked_for_who_has_given_up() {
    let hand = Hand::new();
    let first = hand.join();
    hand.until_begun(1).await;
    drop(hand.join());
    hand.answers.send(1).unwrap();
    assert_eq!(first.await, Ok(1));
    let last = hand.join();
    hand.answers.send(2).unwrap();
    assert_eq!(last.await, Ok(2));
    assert_eq!(hand.rounds.begun(), 2);
}

#[tokio::test]
async fn who_waits_is_let_go_when_the_rounds_are_given_up() {
    let rounds: Arc<Rounds<u32>> = Arc::default();
    let place = rounds.join();
    assert!(place.drives);
    let driven = Arc::clone(&rounds);
    let driver = tokio::spawn(async move { driven.drive(std::future::pending::<u32>).await });
    while rounds.begun() == 0 {
        tokio::task::yield_now().await;
    }
    let late = rounds.join();
    assert!(!late.drives);
    driver.abort();
    assert!(place.answer.await.is_err() && late.answer.await.is_err());
    assert!(rounds.join().drives, "the next one drives");
}
