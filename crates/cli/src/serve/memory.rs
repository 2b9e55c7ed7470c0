//! How memory goes back to the system.

use std::convert::Infallible;
use std::time::Duration;

/// How often is given back what is free: a password hash takes 19 MiB for some milliseconds, and
/// nobody should see them in a node that does nothing.
const EVERY: Duration = Duration::from_secs(1);

/// Gives back what is free, again and again. The allocator does so by itself, but only when it is
/// asked for more, and a node at rest asks for little.
pub async fn give_back() -> Infallible {
    loop {
        tokio::time::sleep(EVERY).await;
        collect();
    }
}

#[expect(
    unsafe_code,
    reason = "mi_collect is a function of a C library, and neither libmimalloc-sys nor mimalloc \
              wraps it; without it a node at rest keeps the 20 MiB of its last password hash"
)]
fn collect() {
    // SAFETY: it may be called at any time, on any thread, and takes no pointer.
    unsafe { libmimalloc_sys::mi_collect(false) }
}
