//! openraft's simulated runtime with what a cluster needs besides: tasks that belong to a node,
//! blocking work, a wall clock for each node.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::time::Duration;

use openraft_rt::{AsyncRuntime, OptionalSend};
use openraft_rt_sim::{SimInstant, SimJoinError, SimRuntime as Inner};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::context;
use crate::task::{JoinHandle, spawn_in};

/// How long blocking work waits for a thread.
const HANDOVER: Range<Duration> = Duration::from_micros(5)..Duration::from_micros(200);

/// The runtime of every node of a world: one thread, a virtual clock. Tasks are polled in the
/// order they became runnable, and time passes only when none is.
#[derive(Debug)]
pub struct SimRuntime {
    inner: Inner,
}

impl SimRuntime {
    pub(crate) fn with_seed(seed: u64) -> Self {
        SimRuntime {
            inner: Inner::with_seed(seed),
        }
    }
}

thread_local! {
    /// What the disk calls of the blocking work under way would have taken.
    static DISK_TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Makes the blocking work that calls this finish later.
pub(crate) fn take_time(duration: Duration) {
    DISK_TIME.set(DISK_TIME.get() + duration);
}

impl engine::env::Runtime for SimRuntime {
    fn wall_clock_ms() -> i64 {
        let context = context::current();
        context.shared.wall_clock_ms(context.group.node())
    }
}

impl AsyncRuntime for SimRuntime {
    type JoinError = SimJoinError;
    type JoinHandle<T: OptionalSend + 'static> = JoinHandle<T>;
    type Sleep = <Inner as AsyncRuntime>::Sleep;
    type Instant = SimInstant;
    type TimeoutError = <Inner as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <Inner as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = SmallRng;
    type Mpsc = <Inner as AsyncRuntime>::Mpsc;
    type Watch = <Inner as AsyncRuntime>::Watch;
    type Oneshot = <Inner as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <Inner as AsyncRuntime>::Mutex<T>;

    #[track_caller]
    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        spawn_in(context::current(), future)
    }

    #[track_caller]
    fn sleep(duration: Duration) -> Self::Sleep {
        Inner::sleep(duration)
    }

    #[track_caller]
    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        Inner::sleep_until(deadline)
    }

    #[track_caller]
    fn timeout<R, F>(duration: Duration, future: F) -> Self::Timeout<R, F>
    where
        F: Future<Output = R> + OptionalSend,
    {
        Inner::timeout(duration, future)
    }

    #[track_caller]
    fn timeout_at<R, F>(deadline: Self::Instant, future: F) -> Self::Timeout<R, F>
    where
        F: Future<Output = R> + OptionalSend,
    {
        Inner::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        Inner::is_panic(join_error)
    }

    #[track_caller]
    fn thread_rng() -> Self::ThreadLocalRng {
        let context = context::current();
        SmallRng::seed_from_u64(context.shared.draw(context.group.node()))
    }

    fn new(_threads: usize) -> Self {
        SimRuntime::with_seed(0)
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.inner.block_on(future)
    }

    /// Runs `f` on this thread, a little later; it finishes when its disk calls would have. Like a
    /// real thread, it runs whether or not the answer is waited for.
    fn spawn_blocking<F, T>(f: F) -> impl Future<Output = Result<T, io::Error>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let context = context::current();
        let handover =
            context.shared.delay(context.group.node(), &HANDOVER) + context.group.queue_duration();
        let task = spawn_in(context, async move {
            Self::sleep(handover).await;
            DISK_TIME.set(Duration::ZERO);
            let output = f();
            let disk_time = DISK_TIME.replace(Duration::ZERO);
            if !disk_time.is_zero() {
                Self::sleep(disk_time).await;
            }
            output
        });
        async move { task.await.map_err(io::Error::other) }
    }
}
