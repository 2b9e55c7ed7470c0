//! What was taken for a client, on its way to it.

use std::sync::Arc;

use bytes::Bytes;
use domain::store::{Answer, End, StoreReply, Write};

use super::Waiters;

/// What was taken for a client that waits. Dropped before it was [`Parcel::sent`], it is put back.
pub(in crate::redis) struct Parcel {
    answer: Answer,
    /// The log index of the command that took it.
    pub index: u64,
    /// The client's place in the queue.
    number: u64,
    /// What puts it back; nothing if it need not be: what was moved is in a list still.
    back: Option<Write>,
    waiters: Arc<Waiters>,
}

/// What was in a parcel whose client has gone.
pub(super) struct Returned {
    /// Where it was taken: log index, and the client's place in the queue.
    pub taken: (u64, u64),
    /// What puts it back.
    pub back: Write,
}

impl Parcel {
    /// What the client is answered.
    pub fn answer(&self) -> Answer {
        self.answer.clone()
    }

    /// It was sent, or a part of it, and is the client's.
    pub fn sent(mut self) {
        self.back = None;
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let mut queue = self.waiters.queue();
        queue.on_the_way -= 1;
        let taken = (self.index, self.number);
        let back = self.back.take();
        queue
            .returned
            .extend(back.map(|back| Returned { taken, back }));
        drop(queue);
        self.waiters.dirty.notify_one();
    }
}

impl Waiters {
    /// The answer to a write, for the client at this place of the queue.
    pub(super) fn pack(
        self: &Arc<Self>,
        number: u64,
        write: &Write,
        answer: Answer,
        index: u64,
    ) -> Parcel {
        self.queue().on_the_way += 1;
        Parcel {
            back: undo(write, &answer),
            answer,
            index,
            number,
            waiters: Arc::clone(self),
        }
    }

    /// What nobody is there for, the last that was taken first: so the first to be put back.
    pub(super) fn take_returned(&self) -> Vec<Write> {
        let mut returned = std::mem::take(&mut self.queue().returned);
        returned.sort_unstable_by_key(|returned| std::cmp::Reverse(returned.taken));
        returned.into_iter().map(|returned| returned.back).collect()
    }

    /// Whether every parcel has arrived or is back.
    pub(super) fn all_arrived(&self) -> bool {
        let queue = self.queue();
        queue.on_the_way == 0 && queue.returned.is_empty()
    }

    /// Nobody is served any more; those who wait leave by themselves.
    pub(super) fn close(&self) {
        self.queue().closed = true;
    }
}

/// What puts back what a write has taken.
fn undo(write: &Write, answer: &Answer) -> Option<Write> {
    match (write, answer) {
        (Write::ListPopFirst { end, .. }, Ok(StoreReply::Popped { key, items })) => {
            Some(push_back(key.clone(), *end, items.clone()))
        }
        _ => None,
    }
}

fn push_back(key: Bytes, end: End, mut items: Vec<Bytes>) -> Write {
    // They are pushed one after the other, so the one that was first goes last.
    items.reverse();
    Write::ListPush {
        key,
        end,
        values: items,
        only_existing: false,
    }
}
