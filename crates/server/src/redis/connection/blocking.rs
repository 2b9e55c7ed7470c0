//! Commands that wait: for an item in a list, for entries of a journal, for the other nodes. No
//! thread waits with them.

use std::time::Duration;

use domain::store::{Answer, Read, StoreReply, Write};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Connection, Cut, KEEP_BYTES};
use crate::redis::Shared;
use crate::redis::commands::{
    After, Arguments, Blocking, Command, Entries, Refusal, Shape, Wanted, milliseconds,
};
use crate::redis::resp::Request;
use crate::redis::store::Line;
use crate::redis::waiters::Parcel;

/// How often is looked how far the other nodes have come, which they tell four times a second.
const NODES_POLL: Duration = Duration::from_millis(50);

/// Whether something came in time.
enum Came<T> {
    /// It did.
    Yes(T),
    /// The time is over.
    TimedOut,
}

impl Connection {
    /// Waits for what a command wants, and answers.
    pub(super) async fn block(
        &mut self,
        command: &'static Command,
        blocking: Blocking,
    ) -> Result<(), Cut> {
        self.send().await?;
        let until = blocking.timeout.map(|timeout| Instant::now() + timeout);
        match blocking.wanted {
            Wanted::Pop(write) => self.take_item(command, write, blocking.shape, until).await,
            Wanted::Entries(entries) => self.await_entries(command, entries, until).await,
        }
    }

    /// Waits for something while the client stays.
    async fn wait_for<T>(
        &mut self,
        until: Option<Instant>,
        thing: impl Future<Output = T>,
    ) -> Result<Came<T>, Cut> {
        let over = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            thing = thing => Ok(Came::Yes(thing)),
            () = over => Ok(Came::TimedOut),
            cut = self.stream.ended() => Err(cut),
            () = self.stopping.cancelled() => Err(Cut::Stopping),
            () = self.shared.hub.silent() => Err(Cut::Silent),
        }
    }

    async fn take_item(
        &mut self,
        command: &'static Command,
        write: Write,
        shape: Shape,
        until: Option<Instant>,
    ) -> Result<(), Cut> {
        let keys = Wanted::Pop(write.clone()).keys();
        // What is no list is told at once if it comes before anything to take, as in Redis; who
        // waits is not disturbed by it later.
        let lengths = keys.iter().map(|key| Read::ListLength { key: key.clone() });
        let lengths = self.shared.store.read(&lengths.collect::<Vec<_>>()).await;
        let first = |lengths: Vec<Answer>| {
            let is_empty = |length: &Answer| *length == Ok(StoreReply::Integer(0));
            lengths.into_iter().find(|length| !is_empty(length))
        };
        match lengths.map(first) {
            Ok(None | Some(Ok(_))) => {}
            Ok(Some(Err(error))) => {
                shape.write_answer(command.name, Err(error), &mut self.replies);
                return Ok(());
            }
            Err(line) => {
                self.replies.error(line.as_bytes());
                return Ok(());
            }
        }
        let hub = std::sync::Arc::clone(&self.shared.hub);
        let mut ticket = hub
            .waiters
            .queue_up(write, keys.clone(), self.stream.presence());
        let _blocked = self.shared.metrics.block();
        let served = async {
            hub.watched().await;
            hub.waiters.look(&keys);
            ticket.answered().await
        };
        let came = self.wait_for(until, served).await;
        let popped = match came {
            Ok(Came::Yes(popped)) => Some(popped),
            Ok(Came::TimedOut) => ticket.last_answer().await,
            // What is being taken for this client it gets before it is cut.
            Err(cut @ (Cut::Stopping | Cut::Silent)) => match ticket.last_answer().await {
                Some(popped) => Some(popped),
                None => return Err(cut),
            },
            Err(cut) => return Err(cut),
        };
        let Some(popped) = popped else {
            shape.write_answer(command.name, Ok(StoreReply::Nil), &mut self.replies);
            return Ok(());
        };
        match popped {
            Ok(parcel) => {
                self.written = self.written.max(parcel.index);
                shape.write_answer(command.name, parcel.answer(), &mut self.replies);
                self.deliver(parcel).await
            }
            // Nothing was taken for a client that has gone, and it needs not be told.
            Err(_) if self.stream.has_gone() => Err(Cut::Left),
            Err(line) => {
                self.replies.error(line.as_bytes());
                Ok(())
            }
        }
    }

    /// Sends a reply with what was taken for this client. It goes back if the client has gone
    /// before a byte of it was sent; afterwards nobody knows what it has read.
    async fn deliver(&mut self, parcel: Parcel) -> Result<(), Cut> {
        if self.stream.has_gone() {
            return Err(Cut::Left);
        }
        let stall = self.shared.config.limits.write_stall;
        let mut left = self.replies.as_bytes();
        let sent = self.stream.send(&mut left, stall).await;
        if left.len() < self.replies.len() {
            parcel.sent();
        }
        sent?;
        self.replies.clear(KEEP_BYTES);
        Ok(())
    }

    async fn await_entries(
        &mut self,
        command: &'static Command,
        mut entries: Entries,
        until: Option<Instant>,
    ) -> Result<(), Cut> {
        let shared = std::sync::Arc::clone(&self.shared);
        let reader = shared.hub.waiters.follow(entries.keys());
        let _blocked = shared.metrics.block();
        let found = async {
            shared.hub.watched().await;
            look_up_newest(&shared, &mut entries).await?;
            loop {
                let (reads, keys) = entries.reads();
                let answers = shared.store.read(&reads).await?;
                if answers.iter().any(is_worth_telling) {
                    return Ok::<_, Line>((answers, keys));
                }
                reader.touched().await;
            }
        };
        match self.wait_for(until, found).await? {
            Came::Yes(Ok((answers, keys))) => {
                Shape::Streams(keys).write(command.name, answers, &mut self.replies);
            }
            Came::Yes(Err(line)) => self.replies.error(line.as_bytes()),
            Came::TimedOut => self.replies.null_array(),
        }
        Ok(())
    }

    /// WAIT: how many other nodes have this client's last write.
    pub(super) async fn wait_for_nodes(
        &mut self,
        command: &'static Command,
        request: Request<'_>,
    ) -> Result<(), Cut> {
        let mut words = Arguments::of(request);
        let asked = words
            .integer()
            .and_then(|wanted| Ok((wanted, milliseconds(&mut words)?)));
        let (wanted, timeout) = match asked {
            Ok(asked) => asked,
            Err(refusal) => {
                let refusal: Refusal = refusal;
                self.refuse(command, &refusal);
                return Ok(());
            }
        };
        self.send().await?;
        let until = timeout.map(|timeout| Instant::now() + timeout);
        let (shared, written) = (std::sync::Arc::clone(&self.shared), self.written);
        let enough = async {
            while others_with(&shared, written) < wanted {
                sleep(NODES_POLL).await;
            }
        };
        self.wait_for(until, enough).await?;
        self.replies.integer(others_with(&self.shared, written));
        Ok(())
    }
}

/// Something to tell: entries, or an error.
fn is_worth_telling(answer: &Answer) -> bool {
    !matches!(answer, Ok(StoreReply::Entries(entries)) if entries.is_empty())
}

/// Puts the newest ids that there are into the place of `$`.
async fn look_up_newest(shared: &Shared, entries: &mut Entries) -> Result<(), Line> {
    let newest = entries.streams.iter_mut();
    let mut newest: Vec<_> = newest
        .filter(|(_, after)| *after == After::Newest)
        .collect();
    let reads = newest
        .iter()
        .map(|(key, _)| Read::JournalInfo { key: key.clone() });
    let answers = shared.store.read(&reads.collect::<Vec<_>>()).await?;
    for ((_, after), answer) in newest.iter_mut().zip(answers) {
        let last = match answer {
            Ok(StoreReply::Journal(journal)) => journal.last_id,
            // What is no journal is told by the read of its entries.
            _ => domain::store::EntryId::MIN,
        };
        *after = After::Id(last);
    }
    Ok(())
}

/// How many nodes have the write at `index` on disk, one of which counts as the one asked.
///
/// An acknowledged write is on a majority; that others have it, too, is known once they say that
/// they have applied it.
fn others_with(shared: &Shared, index: u64) -> i64 {
    let status = shared.store.engine().status();
    let voters = status
        .nodes
        .iter()
        .filter(|node| node.role != engine::Role::Learner)
        .count();
    let applied = status
        .nodes
        .iter()
        .filter(|node| node.applied >= index && node.last_contact_ms.is_some())
        .count();
    let sure = if index > 0 { voters / 2 + 1 } else { 1 };
    let with = applied.max(sure) - 1;
    i64::try_from(with).unwrap_or(i64::MAX)
}
