//! What is not durable yet, and what a crash leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::image::Image;
use super::state::Inode;
use crate::dice::Dice;

/// What a disk writes as one: a loss of power never leaves half of it.
const SECTOR_BYTES: u64 = 512;

/// What a loss of power, or a kill, does to the changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of them are lost.
    LoseUnsynced,
    /// None is lost: the disk had written them all by itself.
    KeepAll,
    /// None is lost, and none is more durable than before: only the process was killed.
    KillOnly,
    /// The first ones are kept, in order; the next one is torn if it is a write; the rest is lost.
    Torn,
    /// Of the names the first changes are kept, as a file system with a journal does; of the
    /// bytes any sectors.
    Sectors,
}

impl Crash {
    /// All there are.
    pub const ALL: [Crash; 4] = [
        Crash::LoseUnsynced,
        Crash::KeepAll,
        Crash::Torn,
        Crash::Sectors,
    ];

    /// Any of them.
    pub fn any(dice: &mut Dice) -> Self {
        *dice.pick(&Crash::ALL)
    }
}

/// A change that is in the cache and not yet durable.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write {
        inode: Inode,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        inode: Inode,
        len: u64,
    },
    MakeDir {
        dir: PathBuf,
    },
    Link {
        path: PathBuf,
        inode: Inode,
    },
    Unlink {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        inode: Inode,
    },
}

/// The part of a disk that a crash cannot take.
#[derive(Clone, Debug, Default)]
pub(super) struct Medium {
    pub(super) files: BTreeMap<Inode, Image>,
    pub(super) names: BTreeMap<PathBuf, Inode>,
    pub(super) dirs: BTreeSet<PathBuf>,
}

impl Change {
    /// The file whose bytes it changes.
    pub(super) fn inode(&self) -> Option<Inode> {
        match *self {
            Change::Write { inode, .. } | Change::SetLen { inode, .. } => Some(inode),
            _ => None,
        }
    }

    fn is_of_names(&self) -> bool {
        self.inode().is_none()
    }
}

impl Medium {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write {
                inode,
                offset,
                bytes,
            } => {
                self.files.entry(*inode).or_default().write(bytes, *offset);
            }
            Change::SetLen { inode, len } => self.files.entry(*inode).or_default().set_len(*len),
            Change::MakeDir { dir } => {
                self.dirs.insert(dir.clone());
            }
            Change::Link { path, inode } => {
                self.names.insert(path.clone(), *inode);
            }
            Change::Unlink { path } => {
                self.names.remove(path);
            }
            Change::Rename { from, to, inode } => {
                self.names.remove(from);
                self.names.insert(to.clone(), *inode);
            }
        }
    }

    /// Applies what a crash leaves of the changes.
    pub(super) fn crash(&mut self, changes: &[Change], crash: Crash, dice: &mut Dice) {
        match crash {
            Crash::LoseUnsynced | Crash::KillOnly => {}
            Crash::KeepAll => changes.iter().for_each(|change| self.apply(change)),
            Crash::Torn => self.keep_torn(changes, dice),
            Crash::Sectors => self.keep_sectors(changes, dice),
        }
        self.forget_lost_files();
    }

    fn keep_torn(&mut self, changes: &[Change], dice: &mut Dice) {
        let kept = dice.below(changes.len() as u64 + 1) as usize;
        changes[..kept].iter().for_each(|change| self.apply(change));
        if let Some(Change::Write {
            inode,
            offset,
            bytes,
        }) = changes.get(kept)
        {
            let torn = &bytes[..dice.below(bytes.len() as u64) as usize];
            self.files.entry(*inode).or_default().write(torn, *offset);
        }
    }

    fn keep_sectors(&mut self, changes: &[Change], dice: &mut Dice) {
        let of_names = changes.iter().filter(|change| change.is_of_names());
        let kept = dice.below(of_names.clone().count() as u64 + 1) as usize;
        of_names.take(kept).for_each(|change| self.apply(change));
        // Some crashes lose a little, some nearly all.
        let lost_of_ten = 1 + dice.below(9);
        for change in changes.iter().filter(|change| !change.is_of_names()) {
            match change {
                Change::Write {
                    inode,
                    offset,
                    bytes,
                } => {
                    let file = self.files.entry(*inode).or_default();
                    for (offset, sector) in sectors(*offset, bytes) {
                        if dice.below(10) >= lost_of_ten {
                            file.write(sector, offset);
                        }
                    }
                }
                other if dice.below(10) >= lost_of_ten => self.apply(other),
                _ => {}
            }
        }
    }

    pub(super) fn is_named(&self, inode: Inode) -> bool {
        self.names.values().any(|named| *named == inode)
    }

    /// Files without a durable name are gone.
    pub(super) fn forget_lost_files(&mut self) {
        let dirs = &self.dirs;
        self.names
            .retain(|path, _| path.parent().is_some_and(|dir| dirs.contains(dir)));
        let named: BTreeSet<Inode> = self.names.values().copied().collect();
        self.files.retain(|inode, _| named.contains(inode));
        // A name whose file was never written is an empty file.
        for inode in named {
            self.files.entry(inode).or_default();
        }
    }
}

/// A write cut where the disk's sectors are.
fn sectors(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let position = offset + done as u64;
        let rest = bytes.get(done..).filter(|rest| !rest.is_empty())?;
        let room = (SECTOR_BYTES - position % SECTOR_BYTES) as usize;
        let sector = &rest[..room.min(rest.len())];
        done += sector.len();
        Some((position, sector))
    })
}
