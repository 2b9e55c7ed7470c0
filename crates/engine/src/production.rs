//! The real world: tokio, files and TCP.
#![allow(clippy::disallowed_methods, reason = "this is where they are wrapped")]

pub mod anew;
pub mod hardship;

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use openraft::OptionalSend;
use openraft_rt::AsyncRuntime;
use openraft_rt_tokio::{TokioMpsc, TokioMutex, TokioOneshot, TokioRuntime as Tokio, TokioWatch};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::codec::{FramedRead, FramedWrite};

use crate::env::{Disk, Env, File, FrameReceiver, FrameSender, Runtime, Transport};
use crate::frames::Frames;

/// How long a connection attempt may take: a peer on the same network answers in milliseconds,
/// and a dead one must not hold up an election.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The world of a node in production.
#[derive(Clone)]
pub struct Production {
    transport: TcpTransport,
}

impl Production {
    /// A node whose peers reach it through `listener`.
    pub fn new(listener: TcpListener) -> Self {
        Production {
            transport: TcpTransport {
                listener: Arc::new(Mutex::new(listener)),
            },
        }
    }
}

impl Env for Production {
    type Runtime = TokioRuntime;
    type Disk = RealDisk;
    type Transport = TcpTransport;

    fn disk(&self) -> &RealDisk {
        &RealDisk
    }

    fn transport(&self) -> &TcpTransport {
        &self.transport
    }
}

/// openraft's tokio runtime with tokio's own pool for blocking work (its default would start a
/// thread for each call) and the system's clock.
#[derive(Debug)]
pub struct TokioRuntime(Tokio);

impl Runtime for TokioRuntime {
    fn wall_clock_ms() -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        now_ms.saturating_add(hardship::clock_offset_ms())
    }

    fn clock_is_believed() -> bool {
        hardship::clock_offset_ms() == 0
    }
}

impl AsyncRuntime for TokioRuntime {
    type JoinError = <Tokio as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <Tokio as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <Tokio as AsyncRuntime>::Sleep;
    type Instant = <Tokio as AsyncRuntime>::Instant;
    type TimeoutError = <Tokio as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <Tokio as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = <Tokio as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = TokioMpsc;
    type Watch = TokioWatch;
    type Oneshot = TokioOneshot;
    type Mutex<T: OptionalSend + 'static> = TokioMutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        Tokio::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        Tokio::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        Tokio::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        Tokio::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        Tokio::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        Tokio::is_panic(join_error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        Tokio::thread_rng()
    }

    fn new(threads: usize) -> Self {
        TokioRuntime(Tokio::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }

    async fn spawn_blocking<F, T>(work: F) -> Result<T, io::Error>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(io::Error::other)
    }
}

/// The machine's file system.
#[derive(Clone, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = fs::File;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<fs::File> {
        fs::OpenOptions::new()
            .mode(0o600)
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn vfs(&self) -> Option<String> {
        None
    }

    fn database_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

impl File for fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match FileExt::read_at(self, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        hardship::room()?;
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        hardship::delay();
        fs::File::sync_data(self)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        fs::File::set_len(self, len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// TCP, in [`crate::frames`].
#[derive(Clone)]
pub struct TcpTransport {
    listener: Arc<Mutex<TcpListener>>,
}

/// The sending half of a TCP connection.
pub struct TcpSender(FramedWrite<OwnedWriteHalf, Frames>);

/// The receiving half of a TCP connection.
pub struct TcpReceiver(FramedRead<OwnedReadHalf, Frames>);

impl Transport for TcpTransport {
    type Sender = TcpSender;
    type Receiver = TcpReceiver;

    async fn connect(&self, address: &str) -> io::Result<(TcpSender, TcpReceiver)> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await??;
        frame(stream)
    }

    async fn accept(&self) -> io::Result<(TcpSender, TcpReceiver)> {
        let (stream, _) = self.listener.lock().await.accept().await?;
        frame(stream)
    }
}

fn frame(stream: TcpStream) -> io::Result<(TcpSender, TcpReceiver)> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok((
        TcpSender(FramedWrite::new(writer, Frames)),
        TcpReceiver(FramedRead::new(reader, Frames)),
    ))
}

impl FrameSender for TcpSender {
    async fn send(&mut self, frame: Bytes) -> io::Result<()> {
        self.0.send(frame).await
    }
}

impl FrameReceiver for TcpReceiver {
    async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        self.0.next().await.transpose()
    }
}
