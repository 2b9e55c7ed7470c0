//! A SQLite VFS on [`SimDisk`], so that databases suffer the same crashes as plain files.
//!
//! There is one VFS for the whole process, since SQLite keeps it by a global name; a file's name
//! begins with the number of the disk it is on. Locks and the shared memory that WAL mode needs
//! are between the connections of this process, see [`shared`]; they are gone after a crash.
//!
//! The device it describes is that of SQLite's own Unix VFS: sectors of 4,096 bytes, and a write
//! that is torn leaves the bytes around it alone.

#![allow(unsafe_code)]

mod file;
mod methods;
mod shared;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, Once, Weak};

use engine::env::Disk;
use rusqlite::ffi;

use crate::context::{self, lock};
use crate::dice::Dice;
use crate::disk::{Shared, SimDisk};
use file::{DatabaseFile, Kind};

pub(crate) use shared::Database;

/// The name under which SQLite knows the VFS.
pub(crate) const NAME: &str = "consorcio-sim";

/// [`NAME`] as C has it.
const C_NAME: &CStr = c"consorcio-sim";

/// The longest path, as in SQLite's own VFS.
const PATH_MAX_BYTES: c_int = 512;

/// What a file name begins with, before the number of its disk.
const MOUNT_PREFIX: &str = "/disk-";

/// Digits of a disk's number: always as many, so that names are as long in every run.
const ID_DIGITS: usize = 8;

/// The Julian day of 1970-01-01T00:00Z in milliseconds.
const UNIX_EPOCH_JULIAN_MS: i64 = 210_866_760_000_000;

/// The disks of this process. A disk that is dropped takes its files with it.
static DISKS: Mutex<BTreeMap<u64, Weak<Shared>>> = Mutex::new(BTreeMap::new());

/// Lets SQLite find a disk by its number.
pub(crate) fn mount(id: u64, disk: &Arc<Shared>) {
    register();
    let mut disks = lock(&DISKS);
    disks.retain(|_, disk| disk.strong_count() > 0);
    disks.insert(id, Arc::downgrade(disk));
}

/// How SQLite names the file at `path` of a disk.
pub(crate) fn database_path(id: u64, path: &Path) -> PathBuf {
    let path = Path::new("/").join(path);
    PathBuf::from(format!("{MOUNT_PREFIX}{id:0ID_DIGITS$x}{}", path.display()))
}

/// Starts SQLite's random generator, of which a process has one, from a seed (0 gives it back to
/// the machine). What is drawn from it, as the salt of a WAL, repeats in the next run only if no
/// other thread uses SQLite meanwhile.
pub(crate) fn seed_randomness(seed: i32) {
    let no_database: *mut ffi::sqlite3 = ptr::null_mut();
    // SAFETY: this control takes an int and a database handle, which may be null; it only changes
    // a number that SQLite reads at its next random draw.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed, no_database) };
}

/// Makes the VFS known to SQLite, once.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let vfs = ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: methods::HANDLE_BYTES,
            mxPathname: PATH_MAX_BYTES,
            pNext: ptr::null_mut(),
            zName: C_NAME.as_ptr(),
            pAppData: ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        };
        // SAFETY: the structure is complete, never moves and is never freed, as SQLite requires;
        // all its functions keep SQLite's contract.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
        assert_eq!(
            code,
            ffi::SQLITE_OK,
            "SQLite did not take the simulated VFS"
        );
    });
}

/// A disk of this process, and a path on it.
struct Place {
    disk: SimDisk,
    path: PathBuf,
}

impl Place {
    fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(MOUNT_PREFIX)?;
        let (id, path) = rest.split_at_checked(ID_DIGITS)?;
        let id = u64::from_str_radix(id, 16).ok()?;
        let shared = lock(&DISKS).get(&id)?.upgrade()?;
        Some(Place {
            disk: SimDisk::of(shared),
            path: PathBuf::from(path),
        })
    }

    /// Reads a name that SQLite gave.
    ///
    /// # Safety
    /// `name` points to a string that ends with a zero byte.
    unsafe fn read(name: *const c_char) -> Option<Self> {
        // SAFETY: the caller promises it.
        let name = unsafe { CStr::from_ptr(name) };
        Place::parse(name.to_str().ok()?)
    }

    fn open(self, flags: c_int) -> io::Result<DatabaseFile> {
        let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
        let is_new = self.disk.size(&self.path)?.is_none();
        let file = self.disk.open(&self.path, create)?;
        Ok(DatabaseFile::new(
            self.disk,
            self.path,
            file,
            Kind::of(flags, is_new),
        ))
    }

    /// Removes a file, for good if `durably`.
    fn remove(&self, durably: bool) -> io::Result<()> {
        self.disk.remove(&self.path)?;
        match self.path.parent() {
            Some(dir) if durably => self.disk.sync_dir(dir),
            _ => Ok(()),
        }
    }
}

/// `xOpen`. A name that is null asks for a temporary file: it gets a disk of its own, since no
/// crash leaves anything of it.
unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    handle: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let place = if name.is_null() {
        Some(Place {
            disk: SimDisk::new(Dice::new(0, 0)),
            path: PathBuf::from("/temporary"),
        })
    } else {
        // SAFETY: SQLite gives a string that ends with a zero byte.
        unsafe { Place::read(name) }
    };
    let opened = place
        .ok_or(io::ErrorKind::NotFound.into())
        .and_then(|place| place.open(flags));
    // SAFETY: SQLite gives room for `szOsFile` bytes; `out_flags` is null or valid.
    unsafe {
        if !out_flags.is_null() {
            *out_flags = flags;
        }
        methods::fill(handle, opened)
    }
}

/// `xDelete`.
unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_dir: c_int,
) -> c_int {
    // SAFETY: SQLite gives a string that ends with a zero byte.
    let place = unsafe { Place::read(name) };
    match place.map(|place| place.remove(sync_dir & 1 != 0)) {
        Some(Ok(())) => ffi::SQLITE_OK,
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            ffi::SQLITE_IOERR_DELETE_NOENT
        }
        _ => ffi::SQLITE_IOERR_DELETE,
    }
}

/// `xAccess`. As in SQLite's own VFS an empty file does not "exist".
unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a string that ends with a zero byte.
    let place = unsafe { Place::read(name) };
    let size = match place.map(|place| place.disk.size(&place.path)) {
        Some(Ok(size)) => size,
        _ => return ffi::SQLITE_IOERR_ACCESS,
    };
    let yes = match flags {
        ffi::SQLITE_ACCESS_EXISTS => size.is_some_and(|bytes| bytes > 0),
        _ => size.is_some(),
    };
    // SAFETY: SQLite gives a valid place for the answer.
    unsafe { *out = c_int::from(yes) };
    ffi::SQLITE_OK
}

/// `xFullPathname`: names are complete already.
unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a string that ends with a zero byte.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if bytes.len() > usize::try_from(room).unwrap_or(0) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has room for `room` bytes, which is enough, and does not overlap `name`.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    ffi::SQLITE_OK
}

/// `xRandomness`. SQLite asks its default VFS, which this is not, unless it has a seed of its own:
/// see [`seed_randomness`].
unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    let count_bytes = usize::try_from(count).unwrap_or(0);
    // SAFETY: `out` has room for `count` bytes.
    unsafe { ptr::write_bytes(out, 0x5a, count_bytes) };
    count
}

/// `xSleep`. Waiting for another connection is in vain: nothing else runs meanwhile.
unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

/// `xCurrentTimeInt64`: the node's wall clock as a Julian day in milliseconds.
unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite gives a valid place for the answer.
    unsafe { *out = julian_ms() };
    ffi::SQLITE_OK
}

/// `xCurrentTime`: the same in days.
unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite gives a valid place for the answer.
    unsafe { *out = julian_ms() as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

fn julian_ms() -> i64 {
    let wall_clock_ms = context::try_current().map_or(0, |context| {
        context.shared.wall_clock_ms(context.group.node())
    });
    UNIX_EPOCH_JULIAN_MS + wall_clock_ms
}
