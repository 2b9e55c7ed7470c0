//! How memory goes back to the system.

/// Blocks from this size on are given back as soon as they are freed.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: i32 = 1024 * 1024;

/// Keeps what a password hash needs for some milliseconds (19 MiB, see [`server::PasswordCost`])
/// from staying with the process for good: glibc serves a large block by a mapping of its own, but
/// the first time one is freed it decides to keep blocks of that size from then on.
#[allow(unsafe_code, reason = "glibc offers no safe call for it")]
pub fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a parameter of the allocator, which may be done at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
    }
}
