//! A row in memory.

/// A row, or a place for one.
#[derive(Debug)]
pub(super) struct Slot {
    /// The name, and after it the value.
    pub bytes: Box<[u8]>,
    pub hash: u32,
    pub name_length: u16,
    pub state: State,
    /// The database has no such row, and none is being written.
    pub new: bool,
    /// It must be written before the next commit.
    pub unwritten: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No row.
    Free,
    /// As the last commit has it.
    Clean,
    /// Newer than the last commit.
    Changed,
    /// Deleted since the last commit.
    Deleted,
}

impl Slot {
    pub fn of(bytes: Vec<u8>, name_length: usize, hash: u64, state: State, new: bool) -> Self {
        Slot {
            bytes: bytes.into_boxed_slice(),
            hash: hash as u32,
            // Keys are short, and so are names.
            name_length: name_length as u16,
            state,
            new,
            unwritten: false,
        }
    }

    pub fn name(&self) -> &[u8] {
        &self.bytes[..usize::from(self.name_length)]
    }

    pub fn value(&self) -> &[u8] {
        &self.bytes[usize::from(self.name_length)..]
    }

    /// Puts another value in the place of the old one; `length` is that of the whole row then.
    pub fn overwrite(&mut self, value: &[&[u8]], length: usize) {
        let at = usize::from(self.name_length);
        if self.bytes.len() != length {
            let mut bytes = Vec::with_capacity(length);
            bytes.extend_from_slice(self.name());
            bytes.resize(length, 0);
            self.bytes = bytes.into_boxed_slice();
        }
        let mut rest = &mut self.bytes[at..];
        for part in value {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
    }
}
