//! Who listens on this node for messages, and the messages on their way to them.
//!
//! A message comes through the log, so every node tells it, in the same order. A listener who does
//! not take what is told is cut: the messages that wait for one are bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::store::{Message, matches};
use tokio::sync::Notify;

use super::resp::{Replies, Version};

/// Bytes that may wait for one listener: eight of the largest messages.
const MAILBOX_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Channels and patterns that one client may listen on.
pub(super) const SUBSCRIPTIONS_MAX: usize = 10_000;

/// Channels and patterns of all clients of this node together, each as often as somebody listens on
/// it: with names of the usual length about 200 MiB.
const NODE_SUBSCRIPTIONS_MAX: usize = 1_000_000;

/// Different patterns of all clients of this node together: each message is compared with each, and
/// meanwhile no other is told.
const NODE_PATTERNS_MAX: usize = 10_000;

/// All who listen on this node.
#[derive(Default)]
pub(super) struct Listeners {
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    channels: HashMap<Bytes, Mailboxes>,
    patterns: BTreeMap<Bytes, Mailboxes>,
    /// How many mailboxes there are in both.
    count: usize,
}

/// The listeners of a channel or a pattern, by the ids of their connections.
type Mailboxes = BTreeMap<u64, Arc<Mailbox>>;

/// Where messages wait for one listener.
pub(super) struct Mailbox {
    /// The client speaks version 3 of the protocol.
    three: AtomicBool,
    waiting: Mutex<Waiting>,
    filled: Notify,
    /// Something was left out: too much waited, or came at once.
    overflowed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: usize,
}

/// What somebody listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A channel.
    Channel,
    /// All channels whose names match.
    Pattern,
}

impl Listeners {
    /// True if nobody listens.
    pub fn is_empty(&self) -> bool {
        let places = self.places();
        places.channels.is_empty() && places.patterns.is_empty()
    }

    /// From now on, this client hears what is told there; an error if that are too many already.
    pub fn add(
        &self,
        place: Place,
        name: Bytes,
        client: u64,
        mailbox: Arc<Mailbox>,
    ) -> Result<(), &'static str> {
        let mut places = self.places();
        if places.count >= NODE_SUBSCRIPTIONS_MAX {
            return Err("the clients of this node listen on too many channels and patterns");
        }
        let many = places.patterns.len() >= NODE_PATTERNS_MAX;
        if place == Place::Pattern && many && !places.patterns.contains_key(&name) {
            return Err("the clients of this node listen on too many patterns");
        }
        let mailboxes = match place {
            Place::Channel => places.channels.entry(name).or_default(),
            Place::Pattern => places.patterns.entry(name).or_default(),
        };
        let added = mailboxes.insert(client, mailbox).is_none();
        places.count += usize::from(added);
        Ok(())
    }

    /// No longer.
    pub fn remove(&self, place: Place, name: &Bytes, client: u64) {
        let mut places = self.places();
        let mailboxes = match place {
            Place::Channel => places.channels.get_mut(name),
            Place::Pattern => places.patterns.get_mut(name),
        };
        let Some(mailboxes) = mailboxes else {
            return;
        };
        let removed = mailboxes.remove(&client).is_some();
        if mailboxes.is_empty() {
            match place {
                Place::Channel => drop(places.channels.remove(name)),
                Place::Pattern => drop(places.patterns.remove(name)),
            }
        }
        places.count -= usize::from(removed);
    }

    /// How many hear what is told on a channel, each counted as often as it hears it.
    pub fn count(&self, channel: &[u8]) -> usize {
        let places = self.places();
        let matching = places
            .patterns
            .iter()
            .filter(|(pattern, _)| matches(pattern, channel));
        let by_pattern: usize = matching.map(|(_, mailboxes)| mailboxes.len()).sum();
        by_pattern + places.channels.get(channel).map_or(0, Mailboxes::len)
    }

    /// Tells a message to all who listen.
    pub fn tell(&self, message: &Message) {
        let places = self.places();
        if let Some(mailboxes) = places.channels.get(&message.channel) {
            let head = [&b"message"[..], &message.channel];
            Envelope::new(&head, &message.message).put_into(mailboxes);
        }
        for (pattern, mailboxes) in &places.patterns {
            if matches(pattern, &message.channel) {
                let head = [&b"pmessage"[..], pattern, &message.channel];
                Envelope::new(&head, &message.message).put_into(mailboxes);
            }
        }
    }

    /// Has all who listen cut: something was left out.
    pub fn cut(&self) {
        let places = self.places();
        let mailboxes = places.channels.values().chain(places.patterns.values());
        mailboxes.flatten().for_each(|(_, mailbox)| mailbox.cut());
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message as it is sent, written once for each version of the protocol.
struct Envelope<'a> {
    head: &'a [&'a [u8]],
    message: &'a [u8],
    written: [Option<Bytes>; 2],
}

impl<'a> Envelope<'a> {
    fn new(head: &'a [&'a [u8]], message: &'a [u8]) -> Self {
        Envelope {
            head,
            message,
            written: [None, None],
        }
    }

    fn put_into(mut self, mailboxes: &Mailboxes) {
        for mailbox in mailboxes.values() {
            mailbox.put(self.bytes(mailbox.version()));
        }
    }

    fn bytes(&mut self, version: Version) -> Bytes {
        let slot = match version {
            Version::Two => 0,
            Version::Three => 1,
        };
        let (head, message) = (self.head, self.message);
        let write = || {
            let mut replies = Replies::new();
            replies.version = version;
            replies.push(head.len() + 1);
            head.iter().for_each(|part| replies.bulk(part));
            replies.bulk(message);
            Bytes::from(replies.into_bytes())
        };
        self.written[slot].get_or_insert_with(write).clone()
    }
}

impl Mailbox {
    /// An empty one for a client that speaks this version.
    pub fn new(version: Version) -> Arc<Self> {
        Arc::new(Mailbox {
            three: AtomicBool::new(version == Version::Three),
            waiting: Mutex::default(),
            filled: Notify::new(),
            overflowed: AtomicBool::new(false),
        })
    }

    /// The client speaks another version from now on.
    pub fn set_version(&self, version: Version) {
        self.three
            .store(version == Version::Three, Ordering::Relaxed);
    }

    fn version(&self) -> Version {
        match self.three.load(Ordering::Relaxed) {
            true => Version::Three,
            false => Version::Two,
        }
    }

    fn put(&self, message: Bytes) {
        let mut waiting = self.waiting();
        if waiting.bytes + message.len() > MAILBOX_MAX_BYTES {
            drop(waiting);
            return self.cut();
        }
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        drop(waiting);
        self.filled.notify_one();
    }

    /// A message was left out: the client is to be cut.
    fn cut(&self) {
        self.overflowed.store(true, Ordering::Release);
        self.filled.notify_one();
    }

    /// Waits until there is something; false if something was left out, and the client is to be
    /// cut.
    pub async fn filled(&self) -> bool {
        loop {
            if self.overflowed.load(Ordering::Acquire) {
                return false;
            }
            if !self.waiting().messages.is_empty() {
                return true;
            }
            self.filled.notified().await;
        }
    }

    /// Moves messages into `replies` until there are so many bytes.
    pub fn take(&self, replies: &mut Replies, until_bytes: usize) {
        let mut waiting = self.waiting();
        while replies.len() < until_bytes {
            let Some(message) = waiting.messages.pop_front() else {
                return;
            };
            waiting.bytes -= message.len();
            replies.append(&message);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
