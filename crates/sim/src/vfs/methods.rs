//! The functions through which SQLite uses an open file.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::size_of;
use std::ops::Range;
use std::ptr;
use std::slice;
use std::sync::atomic::{Ordering, fence};

use rusqlite::ffi;

use super::file::DatabaseFile;

/// What SQLite's own Unix VFS says.
const SECTOR_BYTES: c_int = 4096;

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// SQLite's handle of an open file: its own part, which must be first, and ours.
#[repr(C)]
pub(super) struct VfsFile {
    base: ffi::sqlite3_file,
    file: *mut DatabaseFile,
}

/// Bytes SQLite must set aside for a [`VfsFile`].
pub(super) const HANDLE_BYTES: c_int = size_of::<VfsFile>() as c_int;

/// Fills the handle at `handle`; SQLite's answer to `xOpen`.
///
/// # Safety
/// `handle` has room for [`HANDLE_BYTES`].
pub(super) unsafe fn fill(
    handle: *mut ffi::sqlite3_file,
    opened: io::Result<DatabaseFile>,
) -> c_int {
    let (methods, file, code) = match opened {
        Ok(file) => (
            &raw const METHODS,
            Box::into_raw(Box::new(file)),
            ffi::SQLITE_OK,
        ),
        // Without methods SQLite does not close it.
        Err(_) => (ptr::null(), ptr::null_mut(), ffi::SQLITE_CANTOPEN),
    };
    let filled = VfsFile {
        base: ffi::sqlite3_file { pMethods: methods },
        file,
    };
    // SAFETY: the caller promises the room.
    unsafe { handle.cast::<VfsFile>().write(filled) };
    code
}

/// The file behind a handle.
///
/// # Safety
/// [`fill`] has filled the handle with an open file that is not closed yet, and no other reference
/// to it is in use: SQLite calls for one handle from one thread at a time.
unsafe fn file<'a>(handle: *mut ffi::sqlite3_file) -> &'a mut DatabaseFile {
    // SAFETY: the caller promises it.
    unsafe { &mut *(*handle.cast::<VfsFile>()).file }
}

/// SQLite's code for an outcome: out of space has one of its own.
fn code(outcome: io::Result<()>, failure: c_int) -> c_int {
    match outcome {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) if error.kind() == io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(_) => failure,
    }
}

/// Offsets and sizes are never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

unsafe extern "C" fn close(handle: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once; the box came from `fill`.
    drop(unsafe { Box::from_raw((*handle.cast::<VfsFile>()).file) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    handle: *mut ffi::sqlite3_file,
    out: *mut c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the handle is open, and SQLite gives room for `count` bytes.
    let (file, buffer) = unsafe { (file(handle), slice::from_raw_parts_mut(out.cast(), count)) };
    match file.read(buffer, unsigned(offset)) {
        Ok(read) if read == count => ffi::SQLITE_OK,
        Ok(read) => {
            buffer[read..].fill(0);
            ffi::SQLITE_IOERR_SHORT_READ
        }
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    handle: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the handle is open, and SQLite gives `count` bytes.
    let (file, bytes) = unsafe { (file(handle), slice::from_raw_parts(bytes.cast(), count)) };
    code(file.write(bytes, unsigned(offset)), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(handle: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the handle is open.
    let file = unsafe { file(handle) };
    code(file.truncate(unsigned(size)), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(handle: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the handle is open.
    code(unsafe { file(handle) }.sync(), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(handle: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: the handle is open.
    let Ok(len) = unsafe { file(handle) }.len() else {
        return ffi::SQLITE_IOERR_FSTAT;
    };
    // SAFETY: SQLite gives a valid place for the answer.
    unsafe { *out = i64::try_from(len).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(handle: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the handle is open.
    if unsafe { file(handle) }.lock(level) {
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_BUSY
    }
}

unsafe extern "C" fn unlock(handle: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the handle is open.
    unsafe { file(handle) }.unlock(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(handle: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: the handle is open, and SQLite gives a valid place for the answer.
    unsafe { *out = c_int::from(file(handle).is_reserved()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    _: *mut ffi::sqlite3_file,
    _operation: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

/// Regions have the size that SQLite has always asked for; the locks are checked by SQLite.
unsafe extern "C" fn shm_map(
    handle: *mut ffi::sqlite3_file,
    number: c_int,
    _size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let number = usize::try_from(number).unwrap_or(0);
    // SAFETY: the handle is open.
    let region = unsafe { file(handle) }.region(number, extend != 0);
    // SAFETY: SQLite gives a valid place for the answer.
    unsafe { *out = region.map_or(ptr::null_mut(), <*mut u8>::cast) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(
    handle: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: the handle is open.
    let file = unsafe { file(handle) };
    let locks: Range<usize> = first as usize..(first + count) as usize;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        file.give_back(locks);
        return ffi::SQLITE_OK;
    }
    let shared = flags & ffi::SQLITE_SHM_SHARED != 0;
    if file.take(locks, shared) {
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_BUSY
    }
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(handle: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: the handle is open.
    unsafe { file(handle) }.unmap();
    ffi::SQLITE_OK
}
