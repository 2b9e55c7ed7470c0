//! One client's connection: requests in, replies out, in order.
//!
//! ```text
//!   read all there is ─▶ parse all that is complete ─▶ each request ─▶ batch ─▶ store
//!         ▲                                              │                        │
//!         │                                              └─▶ what must wait its turn: AUTH, EXEC,
//!         └──── one write for all replies ◀──────────────────  SUBSCRIBE, BLPOP …
//! ```

mod batch;
mod blocking;
mod info;
mod listening;
mod sign_in;
mod stream;
mod transaction;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::batch::{Asked, Batch};
use self::listening::Listening;
pub(super) use self::stream::Presence;
use self::stream::{Cut, Stream};
use self::transaction::Transaction;
use super::commands::{
    self, Arguments, Blocking, Command, Own, Parsed, Refusal, Run, Shape, Step, is,
};
use super::here::{Client, Handler, Here};
use super::resp::{Replies, Request, Requests, Version};
use super::{Shared, commands::Entries};

/// Replies are sent when there are so many bytes of them, also in the middle of a pipeline: what
/// waits for a slow client is this and one answer more.
const SEND_BYTES: usize = 256 * 1024;

/// A buffer that had to grow past this for replies is given back.
const KEEP_BYTES: usize = 16 * 1024;

/// A connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    stream: Stream,
    client: Client,
    replies: Replies,
    batch: Batch,
    /// Operations of the request at hand; reused.
    operations: Vec<domain::store::Operation>,
    /// The log index of the client's newest write, for WAIT.
    written: u64,
    /// It has not said who it is, and must.
    unknown: bool,
    transaction: Option<Transaction>,
    watched: Vec<domain::store::Condition>,
    listening: Listening,
    stopping: CancellationToken,
}

impl Connection {
    pub fn new(
        stream: tokio::net::TcpStream,
        client: Client,
        shared: Arc<Shared>,
        stopping: CancellationToken,
    ) -> Self {
        let large = Arc::clone(&shared.large);
        let unknown = shared.config.password_required;
        let waiting = Arc::clone(&shared.waiting_replies);
        let mut stream = Stream::new(stream, large, waiting);
        if unknown {
            stream.set_unknown(&shared.config.limits);
        }
        let listening = Listening::new(Arc::clone(&shared.hub), client.id);
        Connection {
            shared,
            stream,
            client,
            replies: Replies::new(),
            batch: Batch::default(),
            operations: Vec::new(),
            written: 0,
            unknown,
            transaction: None,
            watched: Vec::new(),
            listening,
            stopping,
        }
    }

    /// Answers requests until the client leaves, or is cut.
    pub async fn run(mut self) {
        let cut = match self.serve().await {
            Ok(never) => match never {},
            Err(cut) => cut,
        };
        if cut.is_worth_telling() {
            let peer = self.client.peer;
            tracing::warn!(%peer, reason = %cut, "a client's connection is closed");
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Cut> {
        let mut requests = Requests::new();
        loop {
            self.wait().await?;
            loop {
                self.stream.take(&mut requests);
                for request in requests.iter() {
                    self.handle(request).await?;
                    self.send_many().await?;
                }
                self.flush().await?;
                if let Some(error) = requests.error() {
                    self.replies.error(format!("ERR {error}"));
                    self.send().await?;
                    return Err(Cut::Broken);
                }
                self.send().await?;
                if requests.is_empty() {
                    break;
                }
            }
            requests.clear();
            self.stream.release();
        }
    }

    /// Waits for requests, and tells what is to be told meanwhile.
    async fn wait(&mut self) -> Result<(), Cut> {
        loop {
            let limits = &self.shared.config.limits;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Err(Cut::Stopping),
                () = self.shared.hub.silent(), if self.client.listens() => {
                    return Err(Cut::Silent);
                }
                filled = self.stream.fill(limits) => return filled,
                whole = self.listening.told() => {
                    if !whole {
                        return Err(Cut::Overflowed);
                    }
                }
            }
            self.listening.take(&mut self.replies, SEND_BYTES);
            self.send().await?;
        }
    }

    /// Does what a request asks, or puts it among what is asked together.
    async fn handle(&mut self, request: Request<'_>) -> Result<(), Cut> {
        self.stream.check_known(&self.shared.config.limits)?;
        let Some((place, command)) = Command::find(request.name()) else {
            return self.unknown_command(request);
        };
        self.shared.metrics.count(place);
        if let Err(refusal) = self.may(command, request) {
            self.refuse_now(command, &refusal);
            return Ok(());
        }
        if self.transaction.is_some() && !ends_transaction(command) {
            self.queue(command, request);
            return Ok(());
        }
        match command.run {
            Run::Own(own) => self.own(own, command, request).await,
            Run::Here(handler) => {
                self.here(handler, command, request);
                Ok(())
            }
            Run::Waiting(_) | Run::XRead => match self.wanted(command, request) {
                Ok(Wants::Now(shape)) => self.ask(command, shape, request).await,
                Ok(Wants::Wait(blocking)) => {
                    self.flush().await?;
                    self.block(command, blocking).await
                }
                Err(refusal) => {
                    self.refuse(command, &refusal);
                    Ok(())
                }
            },
            Run::Store(_) | Run::Publish => match self.parse(command, request) {
                Ok(shape) => self.ask(command, shape, request).await,
                Err(refusal) => {
                    self.refuse(command, &refusal);
                    Ok(())
                }
            },
        }
    }

    /// Whether the client may ask this now.
    fn may(&self, command: &Command, request: Request<'_>) -> Parsed<()> {
        if !command.takes(request) {
            return Err(Refusal::Arity);
        }
        if self.unknown && !command.flags.contains(&"no_auth") {
            return Err(Refusal::Line("NOAUTH Authentication required.".into()));
        }
        // In version 2 nothing tells a message from a reply.
        let may_listen = command.flags.contains(&"pubsub") && command.name != "publish";
        let plain = may_listen || matches!(command.name, "ping" | "quit" | "reset");
        if self.client.listens() && self.replies.version == Version::Two && !plain {
            let name = command.name;
            return Err(Refusal::Because(
                format!(
                    "Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT \
                     / RESET are allowed in this context"
                )
                .into(),
            ));
        }
        Ok(())
    }

    fn unknown_command(&mut self, request: Request<'_>) -> Result<(), Cut> {
        let name = request.name();
        if is(name, "POST") || is(name, "Host:") {
            return Err(Cut::Http);
        }
        let mut line = b"ERR unknown command '".to_vec();
        line.extend(name.iter().take(SHOWN_MAX_BYTES));
        line.extend_from_slice(b"', with args beginning with: ");
        let start = line.len();
        for argument in request.arguments() {
            let left = SHOWN_MAX_BYTES.saturating_sub(line.len() - start);
            if left == 0 {
                break;
            }
            line.push(b'\'');
            line.extend(argument.iter().take(left));
            line.extend_from_slice(b"' ");
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.break_off();
        }
        self.answer(|replies| replies.error(line));
        Ok(())
    }

    async fn own(
        &mut self,
        own: Own,
        command: &'static Command,
        request: Request<'_>,
    ) -> Result<(), Cut> {
        match own {
            Own::Multi | Own::Discard | Own::Unwatch => {
                self.begin_or_end(own, command);
                return Ok(());
            }
            _ => self.flush().await?,
        }
        match own {
            Own::Multi | Own::Discard | Own::Unwatch => Ok(()),
            Own::Auth => self.auth(command, request).await,
            Own::Hello => self.hello(command, request).await,
            Own::Reset => {
                self.reset();
                Ok(())
            }
            Own::Quit => {
                self.replies.ok();
                self.send().await?;
                Err(Cut::Left)
            }
            Own::Exec => self.exec(command).await,
            Own::Watch => self.watch(request).await,
            Own::Subscribe | Own::Psubscribe => self.subscribe(own, request).await,
            Own::Unsubscribe | Own::Punsubscribe => {
                self.unsubscribe(own, request);
                Ok(())
            }
            Own::Info => self.info(request).await,
            Own::Wait => self.wait_for_nodes(command, request).await,
        }
    }

    fn here(&mut self, handler: Handler, command: &Command, request: Request<'_>) {
        let mut here = Here {
            client: &mut self.client,
            shared: &self.shared,
        };
        let direct = self.batch.is_empty();
        let replies = match direct {
            true => &mut self.replies,
            false => self.batch.aside(self.replies.version),
        };
        if let Err(refusal) = handler(&mut here, request, replies) {
            refusal.write(command.name, replies);
        }
        if !direct {
            self.batch.ready();
        }
    }

    /// Writes a reply that needs nothing of the store, in its turn.
    fn answer(&mut self, write: impl FnOnce(&mut Replies)) {
        if self.batch.is_empty() {
            return write(&mut self.replies);
        }
        write(self.batch.aside(self.replies.version));
        self.batch.ready();
    }

    fn refuse(&mut self, command: &Command, refusal: &Refusal) {
        self.answer(|replies| refusal.write(command.name, replies));
    }

    /// The operations of a request, into `self.operations`.
    fn parse(&mut self, command: &Command, request: Request<'_>) -> Parsed<Shape> {
        self.operations.clear();
        let mut step = Step(&mut self.operations);
        match command.run {
            Run::Store(parse) => parse(Arguments::of(request), &mut step),
            Run::Publish => {
                let channel = commands::publish(request, &mut step)?;
                Ok(Shape::Number(self.shared.hub.listeners.count(&channel)))
            }
            Run::Waiting(_) | Run::XRead | Run::Here(_) | Run::Own(_) => Err(Refusal::Syntax),
        }
    }

    /// What a request that may wait wants.
    fn wanted(&mut self, command: &Command, request: Request<'_>) -> Parsed<Wants> {
        self.operations.clear();
        match command.run {
            Run::Waiting(parse) => parse(Arguments::of(request)).map(Wants::Wait),
            _ => Ok(match commands::xread(request)? {
                Ok(entries) => Wants::Now(self.read_entries(&entries)),
                Err(blocking) => Wants::Wait(blocking),
            }),
        }
    }

    fn read_entries(&mut self, entries: &Entries) -> Shape {
        commands::entries(entries, &mut Step(&mut self.operations))
    }

    /// Puts what a request asks of the store among what is asked together.
    async fn ask(
        &mut self,
        command: &'static Command,
        shape: Shape,
        request: Request<'_>,
    ) -> Result<(), Cut> {
        let (count, bytes) = (self.operations.len(), request.size());
        if !self.batch.has_room(count, bytes) {
            self.flush().await?;
        }
        let asked = Asked {
            command,
            shape,
            count,
        };
        self.batch.ask(asked, &mut self.operations, bytes);
        Ok(())
    }

    /// Does what is asked together, and sends the replies if they are many.
    async fn flush(&mut self) -> Result<(), Cut> {
        while !self.batch.is_empty() {
            let store = &self.shared.store;
            self.batch
                .step(store, &mut self.written, &mut self.replies)
                .await;
            if self.replies.len() >= SEND_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends replies if there are many already, also those that need nothing of the store: of
    /// what a client asks in a few words it must not make the node keep megabytes.
    async fn send_many(&mut self) -> Result<(), Cut> {
        if self.batch.aside_len() >= SEND_BYTES {
            self.flush().await?;
        }
        if self.replies.len() >= SEND_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Cut> {
        if self.replies.is_empty() {
            return Ok(());
        }
        let stall = self.shared.config.limits.write_stall;
        self.stream
            .send(&mut self.replies.as_bytes(), stall)
            .await?;
        self.replies.clear(KEEP_BYTES);
        Ok(())
    }
}

/// Of the client's words in an error, so many bytes are shown: as Redis does it.
const SHOWN_MAX_BYTES: usize = 128;

/// What a request wants that may have to wait.
enum Wants {
    /// What is there.
    Now(Shape),
    /// Something, when it comes.
    Wait(Blocking),
}

/// What is done at once between MULTI and EXEC.
fn ends_transaction(command: &Command) -> bool {
    matches!(
        command.run,
        Run::Own(Own::Multi | Own::Exec | Own::Discard | Own::Watch | Own::Quit | Own::Reset)
    )
}
