//! What the connections to one database share: the file's lock, and in WAL mode the memory of the
//! WAL index with its eight locks (<https://sqlite.org/walformat.html#the_wal_index_file_format>).

use std::ffi::c_int;
use std::ptr::NonNull;

use rusqlite::ffi;

/// Bytes of a region of the WAL index.
const REGION_BYTES: usize = 32 * 1024;

/// A region, aligned for the 64-bit words in it.
type Region = [u64; REGION_BYTES / 8];

/// How many locks the WAL index has.
const LOCKS: usize = ffi::SQLITE_SHM_NLOCK as usize;

/// The shared part of a database file.
#[derive(Default)]
pub(crate) struct Database {
    /// Connections that hold at least a shared lock on the file.
    readers: u32,
    /// The highest lock on the file, if it is above a shared one; one connection has it.
    writing: Option<c_int>,
    regions: Regions,
    /// Connections that have mapped the WAL index.
    pub(super) users: u32,
    locks: [WalLock; LOCKS],
}

/// The memory of the WAL index. Connections keep pointers into it.
#[derive(Default)]
struct Regions(Vec<NonNull<Region>>);

// SAFETY: the memory belongs to this value alone; SQLite orders its own accesses to it with the
// locks and barriers below.
unsafe impl Send for Regions {}

#[derive(Clone, Copy, Default)]
struct WalLock {
    shared: u32,
    exclusive: bool,
}

/// What one connection holds of the WAL index's locks: a bit for each.
#[derive(Clone, Copy, Default)]
pub(super) struct Held {
    shared: u8,
    exclusive: u8,
}

impl Database {
    /// Raises a connection's lock on the file from `held`. Answers the lock it has then, which is
    /// less than asked if another connection is in the way.
    pub(super) fn lock(&mut self, held: c_int, wanted: c_int) -> c_int {
        let mine = held > ffi::SQLITE_LOCK_SHARED;
        let theirs = self.writing.filter(|_| !mine);
        match wanted {
            _ if held >= wanted => held,
            ffi::SQLITE_LOCK_SHARED => match theirs {
                Some(level) if level >= ffi::SQLITE_LOCK_PENDING => held,
                _ => {
                    self.readers += 1;
                    ffi::SQLITE_LOCK_SHARED
                }
            },
            _ if theirs.is_some() => held,
            ffi::SQLITE_LOCK_EXCLUSIVE if self.readers > 1 && mine => {
                self.write_at(ffi::SQLITE_LOCK_PENDING)
            }
            ffi::SQLITE_LOCK_EXCLUSIVE if self.readers > 1 => held,
            level => self.write_at(level),
        }
    }

    fn write_at(&mut self, level: c_int) -> c_int {
        self.writing = Some(level);
        level
    }

    /// Lowers a connection's lock on the file to `wanted`: shared or none.
    pub(super) fn unlock(&mut self, held: c_int, wanted: c_int) {
        if held > ffi::SQLITE_LOCK_SHARED {
            self.writing = None;
        }
        if held >= ffi::SQLITE_LOCK_SHARED && wanted == ffi::SQLITE_LOCK_NONE {
            self.readers -= 1;
        }
    }

    /// True if a connection writes or is about to.
    pub(super) fn is_reserved(&self) -> bool {
        self.writing.is_some()
    }

    /// A region of the WAL index, made of zeros if it is missing and `extend` says so.
    pub(super) fn region(&mut self, number: usize, extend: bool) -> Option<*mut u8> {
        while extend && self.regions.0.len() <= number {
            let region = Box::new([0; REGION_BYTES / 8]);
            self.regions.0.push(NonNull::from(Box::leak(region)));
        }
        self.regions
            .0
            .get(number)
            .map(|region| region.as_ptr().cast())
    }

    /// Takes locks of the WAL index; false if another connection is in the way.
    pub(super) fn take(
        &mut self,
        held: &mut Held,
        locks: std::ops::Range<usize>,
        shared: bool,
    ) -> bool {
        let mask = mask(&locks);
        if shared {
            if held.shared & mask != 0 {
                return true;
            }
            if self.locks[locks.clone()].iter().any(|lock| lock.exclusive) {
                return false;
            }
            self.locks[locks]
                .iter_mut()
                .for_each(|lock| lock.shared += 1);
            held.shared |= mask;
            return true;
        }
        if self.locks[locks.clone()]
            .iter()
            .any(|lock| lock.exclusive || lock.shared > 0)
        {
            return false;
        }
        self.locks[locks]
            .iter_mut()
            .for_each(|lock| lock.exclusive = true);
        held.exclusive |= mask;
        true
    }

    /// Gives locks of the WAL index back; those that are not held are left alone.
    pub(super) fn give_back(&mut self, held: &mut Held, locks: std::ops::Range<usize>) {
        for number in locks {
            let bit = mask(&(number..number + 1));
            let lock = &mut self.locks[number];
            if held.shared & bit != 0 {
                lock.shared -= 1;
            }
            if held.exclusive & bit != 0 {
                lock.exclusive = false;
            }
            held.shared &= !bit;
            held.exclusive &= !bit;
        }
    }

    /// A connection has let go of the WAL index. The last one frees it: whoever comes next builds
    /// it anew from the WAL.
    pub(super) fn unmap(&mut self, held: &mut Held) {
        self.give_back(held, 0..LOCKS);
        self.users -= 1;
        if self.users == 0 {
            self.regions = Regions::default();
        }
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        for region in self.0.drain(..) {
            // SAFETY: it came from a leaked box and is freed only here; no connection is left, or
            // the database it belongs to would still be there.
            drop(unsafe { Box::from_raw(region.as_ptr()) });
        }
    }
}

/// The bits of a range of locks.
fn mask(locks: &std::ops::Range<usize>) -> u8 {
    locks.clone().fold(0, |mask, number| mask | 1 << number)
}
