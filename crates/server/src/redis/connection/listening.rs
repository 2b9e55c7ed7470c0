//! SUBSCRIBE and its like: what a client listens on.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Connection, Cut};
use crate::redis::commands::{Arguments, Own, Parsed, Refusal, check_pattern};
use crate::redis::hub::Hub;
use crate::redis::listeners::{Mailbox, Place, SUBSCRIPTIONS_MAX};
use crate::redis::resp::{Replies, Request, Version};

/// What a client listens on. Dropped, it listens no more.
pub(super) struct Listening {
    hub: Arc<Hub>,
    client: u64,
    /// Made when it is first needed.
    mailbox: Option<Arc<Mailbox>>,
    channels: BTreeSet<Bytes>,
    patterns: BTreeSet<Bytes>,
}

impl Listening {
    /// On nothing.
    pub fn new(hub: Arc<Hub>, client: u64) -> Self {
        Listening {
            hub,
            client,
            mailbox: None,
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
        }
    }

    /// Waits until there is something to tell the client; false if there was too much.
    pub async fn told(&self) -> bool {
        match &self.mailbox {
            Some(mailbox) => mailbox.filled().await,
            None => std::future::pending().await,
        }
    }

    /// Moves messages into `replies` until there are so many bytes.
    pub fn take(&self, replies: &mut Replies, until_bytes: usize) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.take(replies, until_bytes);
        }
    }

    /// The client speaks another version of the protocol from now on.
    pub fn set_version(&self, version: Version) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.set_version(version);
        }
    }

    /// On how many channels and patterns.
    fn count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    fn names(&mut self, place: Place) -> &mut BTreeSet<Bytes> {
        match place {
            Place::Channel => &mut self.channels,
            Place::Pattern => &mut self.patterns,
        }
    }

    fn add(&mut self, place: Place, name: &Bytes, version: Version) -> Parsed<()> {
        check_pattern(name)?;
        if self.names(place).contains(name) {
            return Ok(());
        }
        if self.count() >= SUBSCRIPTIONS_MAX {
            return Err(Refusal::Because(
                format!("at most {SUBSCRIPTIONS_MAX} channels and patterns for a client").into(),
            ));
        }
        let mailbox = self.mailbox.get_or_insert_with(|| Mailbox::new(version));
        let (listeners, mailbox) = (&self.hub.listeners, Arc::clone(mailbox));
        listeners
            .add(place, name.clone(), self.client, mailbox)
            .map_err(Refusal::because)?;
        self.names(place).insert(name.clone());
        Ok(())
    }

    fn remove(&mut self, place: Place, name: &Bytes) {
        if self.names(place).remove(name) {
            self.hub.listeners.remove(place, name, self.client);
        }
    }

    /// On nothing any more; what waits to be told is forgotten.
    pub fn end(&mut self) {
        for place in [Place::Channel, Place::Pattern] {
            for name in std::mem::take(self.names(place)) {
                self.hub.listeners.remove(place, &name, self.client);
            }
        }
        self.mailbox = None;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.end();
    }
}

impl Connection {
    pub(super) async fn subscribe(&mut self, own: Own, request: Request<'_>) -> Result<(), Cut> {
        let (place, word) = match own {
            Own::Psubscribe => (Place::Pattern, "psubscribe"),
            _ => (Place::Channel, "subscribe"),
        };
        for name in Arguments::of(request).rest() {
            // What was read is not kept alive for a name.
            let name = Bytes::copy_from_slice(&name);
            if let Err(refusal) = self.listening.add(place, &name, self.replies.version) {
                refusal.write(word, &mut self.replies);
                continue;
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Err(Cut::Stopping),
                () = self.shared.hub.silent() => return Err(Cut::Silent),
                () = self.shared.hub.watched() => {}
            }
            self.tell(word, Some(&name));
        }
        self.count_listening();
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, own: Own, request: Request<'_>) {
        let (place, word) = match own {
            Own::Punsubscribe => (Place::Pattern, "punsubscribe"),
            _ => (Place::Channel, "unsubscribe"),
        };
        let mut names = Arguments::of(request).rest();
        if names.is_empty() {
            names.extend(self.listening.names(place).iter().cloned());
        }
        if names.is_empty() {
            self.tell(word, None);
        }
        for name in names {
            self.listening.remove(place, &name);
            self.tell(word, Some(&name));
        }
        self.count_listening();
    }

    fn tell(&mut self, word: &str, name: Option<&[u8]>) {
        let count = self.listening.count();
        self.replies.push(3);
        self.replies.bulk(word.as_bytes());
        self.replies.bulk_or_null(name);
        self.replies
            .integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn count_listening(&mut self) {
        self.client.channels = self.listening.channels.len();
        self.client.patterns = self.listening.patterns.len();
    }
}
