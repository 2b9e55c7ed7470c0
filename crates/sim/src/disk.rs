//! A disk with a cache: what was written is read back at once, and survives a loss of power only
//! if it was synced before, or by luck.
//!
//! Plain files and SQLite's ([`crate::vfs`]) live on the same disk. Names are as fickle as bytes:
//! a file that was made, renamed or removed is so for good only after `sync_dir`. What is not yet
//! durable waits in a journal, in order; a crash takes from it what the [`Crash`] says.
//!
//! One thing is kinder than POSIX and as the common file systems are: syncing a directory makes
//! durable that it exists, with all above it.

mod image;
mod journal;
mod state;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use engine::env::{Disk, File};

use crate::context::{self, lock};
use crate::dice::Dice;
use crate::runtime::take_time;
use crate::vfs;
use state::{Inode, State};

pub use journal::Crash;

/// How long a sync takes unless [`SimDisk::set_sync_time`] says otherwise.
const SYNC_TIME: Range<Duration> = Duration::from_micros(50)..Duration::from_millis(3);

/// The disk of one node. It outlives the node's crashes; all clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

/// What a sync is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    /// What was written before is durable when it returns.
    Honest,
    /// It answers at once and does nothing.
    Lying,
    /// It answers at once, and what it should have made durable is so after the next one.
    Late,
    /// Files of databases are not synced, all others are.
    DatabasesLie,
}

/// What the clones of a disk share.
pub(crate) struct Shared {
    /// Tells the disks of a process apart in the names that SQLite sees.
    id: u64,
    state: Mutex<State>,
}

/// An open file. It is of no use any more once the disk has lost its power, also after the power
/// is back.
pub struct SimFile {
    disk: SimDisk,
    inode: Inode,
    /// The disk's life in which the file was opened.
    life: u64,
}

impl SimDisk {
    /// An empty disk whose decisions come from `dice`.
    pub fn new(dice: Dice) -> Self {
        SimDisk::holding(State::new(dice, SYNC_TIME))
    }

    fn holding(state: State) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let state = Mutex::new(state);
        let disk = SimDisk {
            shared: Arc::new(Shared { id, state }),
        };
        vfs::mount(id, &disk.shared);
        disk
    }

    /// The disk behind what [`vfs::mount`] was given.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        SimDisk { shared }
    }

    /// True while the disk has power.
    pub fn is_on(&self) -> bool {
        self.state().is_on()
    }

    /// Cuts the power: what was not durable is lost as `crash` says, and every open file is dead.
    pub fn power_off(&self, crash: Crash) {
        self.state().power_off(crash);
        context_event("power off", &[crash as u64]);
    }

    /// Gives the power back. Faults asked for earlier are forgotten, but not the disk's size.
    pub fn power_on(&self) {
        self.state().power_on();
    }

    /// Cuts the power in the middle of the `k`-th change from now on, counted from 1: writes,
    /// cuts, syncs and changes of names all count. A write on which it happens may be kept, torn
    /// or lost; a sync has not happened.
    pub fn crash_at(&self, k: u64, crash: Crash) {
        self.state().faults.crash_at = Some((k.max(1), crash));
    }

    /// Takes the crash back that [`SimDisk::crash_at`] asked for, if it has not come yet.
    pub fn crash_never(&self) {
        self.state().faults.crash_at = None;
    }

    /// How many changes the disk has seen: see [`SimDisk::crash_at`].
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// From now on the files may take this many bytes together; `None` is no limit.
    pub fn set_capacity_bytes(&self, capacity: Option<u64>) {
        self.state().capacity_bytes = capacity;
    }

    /// Bytes that all files take together.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// How long each sync takes from now on.
    pub fn set_sync_time(&self, range: Range<Duration>) {
        self.state().sync_time = range;
    }

    /// How long blocking work of the node waits from now on before it reaches the disk: what it
    /// writes is not even cached before.
    pub fn set_queue_time(&self, range: Range<Duration>) {
        self.state().queue_time = range;
    }

    pub(crate) fn queue_duration(&self) -> Duration {
        self.state().queue_duration()
    }

    /// How honest syncs are from now on. A test that does not find the dishonest ones tests
    /// nothing. `set_sync_time` and the power do not change it.
    pub fn set_honesty(&self, honesty: Honesty) {
        self.state().set_honesty(honesty);
    }

    /// From now on every sync fails, until the power has been off.
    pub fn fail_syncs(&self) {
        self.state().faults.fail_syncs = true;
    }

    /// Takes the power and everything else from the disk, as when it is replaced by a new one.
    pub fn erase(&self) {
        self.state().erase();
    }

    /// A disk of its own with what reads of this one see now.
    pub fn copy(&self) -> SimDisk {
        SimDisk::holding(self.state().copy(false))
    }

    /// A disk of its own with what a loss of power would surely leave of this one now.
    pub fn durable_copy(&self) -> SimDisk {
        SimDisk::holding(self.state().copy(true))
    }

    /// How many files of this name have been made on the disk.
    pub fn made(&self, name: &str) -> u64 {
        self.state().made.get(name).copied().unwrap_or_default()
    }

    /// Changes a byte on the medium.
    pub fn flip_byte(&self, path: &Path, offset: u64) -> io::Result<()> {
        self.state().flip_byte(path, offset)
    }

    /// All files under a directory, with their sizes in bytes, sorted by name.
    pub fn files_under(&self, dir: &Path) -> Vec<(PathBuf, u64)> {
        self.state().files_under(dir)
    }

    /// The size of a file in bytes, if there is one of that name.
    pub(crate) fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        let state = self.state();
        state.check_power()?;
        state.find(path).map(|inode| state.len(inode)).transpose()
    }

    /// The database part of a file's life on this disk: see [`vfs`].
    pub(crate) fn database(&self, file: &SimFile) -> Arc<Mutex<vfs::Database>> {
        self.state()
            .databases
            .entry(file.inode)
            .or_default()
            .clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    fn file(&self, state: &mut State, inode: Inode) -> SimFile {
        state.opened(inode);
        SimFile {
            disk: self.clone(),
            inode,
            life: state.life,
        }
    }
}

/// Tells the world's trace of a change.
fn context_event(kind: &'static str, numbers: &[u64]) {
    if let Some(context) = context::try_current() {
        context.shared.record(kind, context.group.node(), numbers);
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.state().create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.state().list(dir)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<SimFile> {
        let mut state = self.state();
        let inode = state.open(path, create)?;
        Ok(self.file(&mut state, inode))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        context_event("remove", &[]);
        self.state().remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        context_event("rename", &[]);
        self.state().rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        take_time(state.sync_duration());
        context_event("sync dir", &[]);
        state.sync_dir(dir)
    }

    fn vfs(&self) -> Option<String> {
        Some(vfs::NAME.to_owned())
    }

    fn database_path(&self, path: &Path) -> PathBuf {
        vfs::database_path(self.shared.id, path)
    }
}

impl SimFile {
    /// The disk's state, if the file is still of use.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        state.check_power()?;
        if state.life != self.life {
            return Err(io::Error::other(
                "the file was opened before the power was lost",
            ));
        }
        Ok(state)
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.state()?.read(self.inode, buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        context_event("write", &[self.inode, offset, bytes.len() as u64]);
        self.state()?.write(self.inode, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        take_time(state.sync_duration());
        context_event("sync", &[self.inode]);
        state.sync_data(self.inode)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        context_event("set len", &[self.inode, len]);
        self.state()?.set_len(self.inode, len)
    }

    fn len(&self) -> io::Result<u64> {
        self.state()?.len(self.inode)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.closed(self.inode);
        }
    }
}
