//! What commands have touched, for those who wait: blocked clients, watches, subscribers.
//!
//! It is told once, on every node, right after the commands were applied, and kept nowhere: whoever
//! missed something looks at the state.

use bytes::Bytes;

/// Keys and messages that are told together. Past this the table says only that it was too much:
/// whoever waits looks at the state.
const TOUCHED_MAX: usize = 16 * 1024;

/// Keys touched and messages published, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Keys whose value, time to live or existence changed; a key may come several times.
    pub keys: Vec<TouchedKey>,
    /// Messages published.
    pub messages: Vec<Message>,
    /// Something was left out: there was too much, or everything changed at once.
    pub missed: bool,
    /// Messages were left out, or may have been: there was too much, or a snapshot took the place
    /// of commands. Unlike keys they are found nowhere.
    pub messages_missed: bool,
}

/// A key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedKey {
    /// The key.
    pub key: Bytes,
    /// The version of the change.
    pub version: i64,
}

/// A message to whoever listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub channel: Bytes,
    /// What.
    pub message: Bytes,
}

impl Touched {
    /// True if there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.messages.is_empty() && !self.missed
    }

    pub(crate) fn key(&mut self, key: &[u8], version: i64) {
        if self.has_room() {
            let key = Bytes::copy_from_slice(key);
            self.keys.push(TouchedKey { key, version });
        }
    }

    pub(crate) fn message(&mut self, channel: &Bytes, message: &Bytes) {
        match self.has_room() {
            true => self.messages.push(Message {
                channel: channel.clone(),
                message: message.clone(),
            }),
            false => self.messages_missed = true,
        }
    }

    /// Everything changed.
    pub(crate) fn all(&mut self) {
        self.missed = true;
    }

    fn has_room(&mut self) -> bool {
        let room = self.keys.len() + self.messages.len() < TOUCHED_MAX;
        self.missed |= !room;
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_told_as_missed() {
        let mut touched = Touched::default();
        let message = Bytes::from_static(b"m");
        for _ in 0..TOUCHED_MAX {
            touched.message(&message, &message);
        }
        assert!(!touched.missed && !touched.messages_missed);
        touched.key(b"k", 1);
        assert!(touched.missed && !touched.messages_missed);
        touched.message(&message, &message);
        assert!(touched.messages_missed);
        assert_eq!(touched.messages.len(), TOUCHED_MAX);
    }

    #[test]
    fn messages_are_not_missed_because_every_key_changed() {
        let mut touched = Touched::default();
        touched.all();
        assert!(touched.missed && !touched.messages_missed);
    }
}
