//! The state machine: applies commands one after the other, the same way on every replica.
//!
//! ```text
//!   Command ─▶ log time ─▶ who asks? ─▶ seen this request id? ─▶ decide, write ─▶ event, chores
//!                                            │ yes                              │
//!                                            ▼                                  ▼
//!                                    first reply again              reply stored, hash chain
//! ```
//!
//! Log time is the largest `at_ms` that any command carried, so it never goes back when leaders
//! whose clocks differ follow each other. Sessions, stored replies and the times of posts use it.

use serde::{Deserialize, Serialize};

use crate::accounts;
use crate::command::{Action, Actor, Command, Rejection, Reply};
use crate::context::{Caller, Context, Place, Recorder, Step, Stop};
use crate::event::Event;
use crate::files::manage as files;
use crate::lottery::commands as lotteries;
use crate::news::{areas, marks, posts, sweep};
use crate::outbox;
use crate::polls::{ballots, lists, manage};
use crate::replies::{self, Found};
use crate::schema::{SCHEMA, SCHEMA_VERSION};
use crate::sql::{Fault, Param, Row, Sql};
use crate::store::{self, Memory};

/// BLAKE3 chain over every applied command, its effects and its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateHash(pub [u8; 32]);

/// The part of the state that is kept in memory between commands. The engine loads it when it
/// opens the database and saves it whenever it commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The hash chain so far.
    pub hash: StateHash,
    /// Log time: the largest `at_ms` applied. Never goes back.
    pub clock_ms: i64,
    counters: Counters,
    memory: Memory,
}

/// Last ids given out, and what the chores need to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Id of the newest account.
    pub accounts: i64,
    /// Id of the newest area.
    pub areas: i64,
    /// Number of the newest post, over all areas: posts ever published.
    pub documents: i64,
    /// Events in the outbox.
    pub events: i64,
    /// Replies ever stored.
    pub replies: i64,
    /// The scope whose old replies were last looked through.
    pub reply_sweep: i64,
    /// Removed areas that still have rows.
    pub removed_areas: i64,
    /// Of the store.
    pub store: store::Counters,
}

/// What an applied command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The answer.
    pub result: Result<Reply, Rejection>,
    /// What happened, if anything did.
    pub event: Option<Event>,
    /// True if this is the stored reply of an earlier command with the same request id.
    pub replayed: bool,
}

impl Machine {
    /// Makes the tables if they are missing and reads the machine's own row.
    pub fn load(sql: &mut dyn Sql) -> Result<Self, Fault> {
        let mut machine = Self::default();
        machine.reload(sql)?;
        Ok(machine)
    }

    /// Takes over what the database holds, as after a rollback. Whoever reads the store's memory
    /// goes on with the same one.
    pub fn reload(&mut self, sql: &mut dyn Sql) -> Result<(), Fault> {
        sql.define(SCHEMA)?;
        // Asked for alone: another version's row may have other columns.
        let versions = sql.query("SELECT version FROM machine WHERE id = 1", &[])?;
        if let Some(row) = versions.first()
            && row.int(0)? != SCHEMA_VERSION
        {
            return Err(Fault::Corrupt("the state was written by another version"));
        }
        let loaded = match sql.query(SELECT_MACHINE, &[])?.first() {
            Some(row) => Self::from_row(row)?,
            None => Self::default(),
        };
        let memory = std::mem::take(&mut self.memory);
        // Clients do not know the hash of all that came before.
        let (seed, _) = loaded.hash.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let seed = u64::from_le_bytes(*seed);
        memory.reset(seed, loaded.clock_ms, loaded.counters.store);
        *self = Self { memory, ..loaded };
        Ok(())
    }

    /// Stores what is kept in memory; the engine calls it before it commits.
    pub fn save(&self, sql: &mut dyn Sql) -> Result<(), Fault> {
        self.memory.write(sql, usize::MAX)?;
        let counters = &self.counters;
        let stored = &counters.store;
        let params: [Param<'_>; 16] = [
            SCHEMA_VERSION.into(),
            (&self.hash.0).into(),
            self.clock_ms.into(),
            counters.accounts.into(),
            counters.areas.into(),
            counters.documents.into(),
            counters.events.into(),
            counters.replies.into(),
            counters.reply_sweep.into(),
            counters.removed_areas.into(),
            stored.epoch.into(),
            stored.ids.cast_signed().into(),
            stored.keys.into(),
            stored.tombstones.into(),
            stored.floor.into(),
            stored.garbage.into(),
        ];
        sql.execute(SAVE_MACHINE, &params)?;
        Ok(())
    }

    /// Stores some of what [`Machine::save`] will store, so that it takes less time then; answers
    /// how many rows are left. The transaction must not be committed yet.
    pub fn save_some(&self, sql: &mut dyn Sql, rows: usize) -> Result<usize, Fault> {
        self.memory.write(sql, rows)
    }

    /// What [`Machine::save`] stored has been committed: it need not be stored again.
    pub fn committed(&self) {
        self.memory.committed();
    }

    /// The store's rows in memory, for those who read and wait.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Applies one command.
    ///
    /// After a fault the transaction must be rolled back and the machine loaded again: neither
    /// is in a state that a log explains.
    pub fn apply(&mut self, sql: &mut dyn Sql, command: &Command) -> Result<Outcome, Fault> {
        let stamp = &command.stamp;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash.0);
        hasher.update(&stamp.position.index.to_le_bytes());
        hasher.update(&stamp.position.number.to_le_bytes());
        let mut context = Context {
            sql: Recorder::new(sql, hasher),
            now_ms: self.clock_ms.max(stamp.at_ms),
            caller: Caller::Anonymous,
            counters: self.counters,
            event: None,
            place: Place {
                position: stamp.position,
                term: stamp.term,
                entropy: stamp.entropy,
                keeps_reply: stamp.request.is_some(),
            },
            memory: self.memory.clone(),
            written: 0,
        };
        let outcome = self.run(&mut context, command)?;
        self.clock_ms = context.now_ms;
        self.counters = context.counters;
        self.hash = extended(context.sql.into_hasher(), &outcome.result)?;
        Ok(outcome)
    }

    fn run(&self, context: &mut Context<'_>, command: &Command) -> Result<Outcome, Fault> {
        let result = match prepare(context, command) {
            Ok(Prepared::Replay(result)) => {
                return Ok(Outcome {
                    result,
                    event: None,
                    replayed: true,
                });
            }
            Ok(Prepared::Go(slot)) => {
                let result = self.decide(context, &command.action)?;
                if result.is_ok() {
                    sweep::sweep(context)?;
                    store::sweep(context)?;
                }
                if let (Some(slot), Some(request)) = (slot, &command.stamp.request)
                    && result != Err(Rejection::NotSignedIn)
                {
                    replies::store(context, slot, request, &result)?;
                }
                result
            }
            Err(Stop::Rejected(rejection)) => Err(rejection),
            Err(Stop::Broken(fault)) => return Err(fault),
        };
        let event = match context.event.take() {
            Some(topic) => Some(outbox::append(context, command.stamp.position, topic)?),
            None => None,
        };
        Ok(Outcome {
            result,
            event,
            replayed: false,
        })
    }

    /// Runs the handler, and holds it to "decide first, then write".
    fn decide(
        &self,
        context: &mut Context<'_>,
        action: &Action,
    ) -> Result<Result<Reply, Rejection>, Fault> {
        let decision = dispatch(context, action);
        self.judge(context, decision)
    }

    fn judge(
        &self,
        context: &Context<'_>,
        decision: Step<Reply>,
    ) -> Result<Result<Reply, Rejection>, Fault> {
        match decision {
            Ok(reply) => Ok(Ok(reply)),
            Err(Stop::Broken(fault)) => Err(fault),
            Err(Stop::Rejected(_)) if self.touched(context) => Err(Fault::Corrupt(
                "a command was rejected after it had written",
            )),
            Err(Stop::Rejected(rejection)) => Ok(Err(rejection)),
        }
    }

    fn touched(&self, context: &Context<'_>) -> bool {
        context.sql.writes() > 0 || context.event.is_some() || context.counters != self.counters
    }

    fn from_row(row: &Row) -> Result<Self, Fault> {
        let counters = Counters {
            accounts: row.int(3)?,
            areas: row.int(4)?,
            documents: row.int(5)?,
            events: row.int(6)?,
            replies: row.int(7)?,
            reply_sweep: row.int(8)?,
            removed_areas: row.int(9)?,
            store: store_counters(row, 10)?,
        };
        Ok(Self {
            hash: StateHash(row.hash(1)?),
            clock_ms: row.int(2)?,
            counters,
            memory: Memory::default(),
        })
    }
}

/// Log time and the store's counters as of the last commit, for queries.
pub(crate) fn store_state(sql: &mut dyn Sql) -> Result<(i64, store::Counters), Fault> {
    match sql.query(SELECT_STORE_STATE, &[])?.first() {
        Some(row) => Ok((row.int(0)?, store_counters(row, 1)?)),
        None => Ok(Default::default()),
    }
}

fn store_counters(row: &Row, from: usize) -> Result<store::Counters, Fault> {
    let epoch = u32::try_from(row.int(from)?).map_err(|_| Fault::Corrupt("an epoch"))?;
    Ok(store::Counters {
        epoch,
        ids: row.int(from + 1)?.cast_unsigned(),
        keys: row.int(from + 2)?,
        tombstones: row.int(from + 3)?,
        floor: row.int(from + 4)?,
        garbage: row.int(from + 5)?,
    })
}

const SELECT_STORE_STATE: &str = "
    SELECT clock_ms, store_epoch, store_ids, store_keys, store_tombstones, store_floor,
        store_garbage
    FROM machine WHERE id = 1";

const SELECT_MACHINE: &str = "
    SELECT version, hash, clock_ms, accounts, areas, documents, events, replies, reply_sweep,
        removed_areas, store_epoch, store_ids, store_keys, store_tombstones, store_floor,
        store_garbage
    FROM machine WHERE id = 1";

const SAVE_MACHINE: &str = "
    INSERT INTO machine (id, version, hash, clock_ms, accounts, areas, documents, events, replies,
        reply_sweep, removed_areas, store_epoch, store_ids, store_keys, store_tombstones,
        store_floor, store_garbage)
    VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, hash = excluded.hash,
        clock_ms = excluded.clock_ms, accounts = excluded.accounts, areas = excluded.areas,
        documents = excluded.documents, events = excluded.events, replies = excluded.replies,
        reply_sweep = excluded.reply_sweep, removed_areas = excluded.removed_areas,
        store_epoch = excluded.store_epoch, store_ids = excluded.store_ids,
        store_keys = excluded.store_keys, store_tombstones = excluded.store_tombstones,
        store_floor = excluded.store_floor, store_garbage = excluded.store_garbage";

/// How a command starts.
enum Prepared {
    /// It was applied before: this is its reply.
    Replay(Result<Reply, Rejection>),
    /// It is new; its reply goes there if it has a request id.
    Go(Option<replies::Slot>),
}

/// Finds out who asks and whether the request id has been seen.
///
/// What is rejected here is not stored as the request's reply: nothing was tried, and the client
/// may sign in and send the same request again.
fn prepare(context: &mut Context<'_>, command: &Command) -> Step<Prepared> {
    let (scope, caller) = resolve(context, &command.stamp.actor, &command.action)?;
    let slot = match (&command.stamp.request, scope) {
        (Some(request), Some(scope)) => {
            replies::check(request)?;
            match replies::find(context, scope, request)? {
                Found::Stored(result) => return Ok(Prepared::Replay(result)),
                Found::Free(slot) => Some(slot),
            }
        }
        (Some(_), None) | (None, _) => None,
    };
    context.caller = caller?;
    Ok(Prepared::Go(slot))
}

/// The scope of the actor's request ids, if there is one, and the caller or why there is none.
type Resolved = (Option<i64>, Result<Caller, Rejection>);

fn resolve(context: &mut Context<'_>, actor: &Actor, action: &Action) -> Step<Resolved> {
    // A stale cookie must not keep anybody from signing in.
    let open = matches!(action, Action::Register { .. } | Action::LogIn { .. });
    match actor {
        Actor::System => Ok((Some(replies::SCOPE_SYSTEM), Ok(Caller::System))),
        Actor::Session(token_hash) if !open => Ok(accounts::session_caller(
            &mut context.sql,
            token_hash,
            context.now_ms,
        )?),
        Actor::Anonymous | Actor::Session(_) => {
            Ok((Some(replies::SCOPE_ANONYMOUS), Ok(Caller::Anonymous)))
        }
        Actor::Door => Ok((Some(replies::SCOPE_DOOR), Ok(Caller::Anonymous))),
        Actor::OnBehalf { account, at_ms } => {
            Ok(accounts::behalf_caller(&mut context.sql, *account, *at_ms)?)
        }
    }
}

fn dispatch(context: &mut Context<'_>, action: &Action) -> Step<Reply> {
    match action {
        Action::Register {
            name,
            password_hash,
        } => accounts::register(context, name, password_hash),
        Action::LogIn {
            account,
            password_hash,
            token_hash,
            lifetime_ms,
        } => accounts::log_in(context, *account, password_hash, token_hash, *lifetime_ms),
        Action::LogOut => accounts::log_out(context),
        Action::LogOutEverywhere => accounts::log_out_everywhere(context),
        Action::ChangePassword { old_hash, new_hash } => {
            accounts::change_password(context, old_hash, new_hash)
        }
        Action::SetAdministrator {
            name,
            administrator,
        } => accounts::set_administrator(context, name, *administrator),
        Action::SetFeedToken { token_hash } => accounts::set_feed_token(context, token_hash),
        Action::AddArea { name, description } => areas::add(context, name, description),
        Action::EditArea {
            area,
            name,
            description,
        } => areas::edit(context, *area, name.as_ref(), description.as_deref()),
        Action::RemoveArea { area } => areas::remove(context, *area),
        Action::Subscribe { area } => areas::subscribe(context, *area),
        Action::Unsubscribe { area } => areas::unsubscribe(context, *area),
        Action::Publish { area, title, text } => posts::publish(context, *area, title, text),
        Action::DeletePost { area, post } => posts::delete(context, *area, *post),
        Action::HidePost { area, post, reason } => posts::hide(context, *area, *post, reason),
        Action::Mark { area, which, read } => marks::mark(context, *area, *which, *read),
        Action::Store {
            conditions,
            operations,
        } => store::execute(context, conditions, operations),
        Action::Bootstrap { password_hash } => accounts::bootstrap(context, password_hash),
        Action::CreatePoll { poll } => manage::create(context, poll),
        Action::CastBallot {
            poll,
            choice,
            code_hash,
            voter,
        } => ballots::cast(context, *poll, *choice, code_hash, voter.as_ref()),
        Action::ClosePoll { poll } => manage::close(context, *poll),
        Action::SettlePoll { poll } => manage::settle(context, *poll),
        Action::CountList { poll, items } => lists::count(context, *poll, items),
        Action::PutFile { file, condition } => files::put(context, file, condition),
        Action::RenameFile { private, name, to } => files::rename(context, *private, name, to),
        Action::RemoveFile {
            private,
            name,
            condition,
        } => files::remove(context, *private, name, condition),
        Action::OpenLottery { .. }
        | Action::StoreBets { .. }
        | Action::CloseAgency { .. }
        | Action::DrawLottery { .. } => dispatch_lottery(context, action),
    }
}

fn dispatch_lottery(context: &mut Context<'_>, action: &Action) -> Step<Reply> {
    match action {
        Action::OpenLottery {
            name,
            agencies,
            rule,
        } => lotteries::open(context, name, *agencies, rule),
        Action::StoreBets {
            lottery,
            agency,
            current,
            bets,
        } => lotteries::store_bets(context, *lottery, *agency, *current, bets),
        Action::CloseAgency {
            lottery,
            agency,
            current,
        } => lotteries::close_agency(context, *lottery, *agency, *current),
        Action::DrawLottery {
            lottery,
            disclosure,
        } => lotteries::draw(context, *lottery, disclosure),
        _ => Err(Fault::Corrupt("an action that nobody carries out").into()),
    }
}

fn extended(mut hasher: blake3::Hasher, result: &impl Serialize) -> Result<StateHash, Fault> {
    let mut buffer = [0; HASHED_OUTCOME_BYTES];
    match postcard::to_slice(result, &mut buffer) {
        Ok(bytes) => hasher.update(bytes),
        Err(_) => hasher.update(&replies::encode(result)?),
    };
    Ok(StateHash(*hasher.finalize().as_bytes()))
}

/// Outcomes up to this size are encoded on the stack: all but long reasons of rejections.
const HASHED_OUTCOME_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Machine;
    use crate::command::Rejection;
    use crate::context::{Caller, Context, Place, Recorder, Stop};
    use crate::event::EventId;
    use crate::sql::{Fault, Param, Row, Sql};
    use crate::store::Memory;

    /// A database that agrees to everything and keeps nothing.
    struct Yes;

    impl Sql for Yes {
        fn execute(&mut self, _: &'static str, _: &[Param<'_>]) -> Result<u64, Fault> {
            Ok(1)
        }

        fn query(&mut self, _: &'static str, _: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
            Ok(Vec::new())
        }

        fn define(&mut self, _: &str) -> Result<(), Fault> {
            Ok(())
        }

        fn index_document(&mut self, _: i64, _: &str) -> Result<(), Fault> {
            Ok(())
        }

        fn forget_document(&mut self, _: i64) -> Result<(), Fault> {
            Ok(())
        }

        fn find_documents(
            &mut self,
            _: &[String],
            _: bool,
            _: i64,
            _: u32,
        ) -> Result<Vec<i64>, Fault> {
            Ok(Vec::new())
        }
    }

    fn judged(work: impl FnOnce(&mut Context<'_>)) -> bool {
        let mut database = Yes;
        let machine = Machine::load(&mut database).unwrap();
        let mut context = Context {
            sql: Recorder::new(&mut database, blake3::Hasher::new()),
            now_ms: 0,
            caller: Caller::System,
            counters: machine.counters,
            event: None,
            place: Place {
                position: EventId::default(),
                term: 0,
                entropy: [0; 32],
                keeps_reply: false,
            },
            memory: Memory::default(),
            written: 0,
        };
        work(&mut context);
        match machine.judge(&context, Err(Stop::Rejected(Rejection::LastAdministrator))) {
            Ok(result) => result == Err(Rejection::LastAdministrator),
            Err(_) => false,
        }
    }

    #[test]
    fn a_rejection_after_a_write_is_a_fault() {
        assert!(judged(|_| ()));
        assert!(judged(|context| drop(context.sql.query("SELECT 1", &[]))));
        assert!(!judged(|context| drop(context.sql.execute("DELETE", &[]))));
        assert!(!judged(|context| drop(context.sql.index_document(1, "a"))));
        assert!(!judged(|context| drop(context.sql.forget_document(1))));
        assert!(!judged(|context| context.counters.areas += 1));
    }
}
