//! Runs a script's lines against a database.

use std::error::Error;

use domain::accounts::{FindCredentials, ListAccounts, Standing, WhoIs, WhoseFeed};
use domain::names::{AreaName, Name};
use domain::news::queries::{
    AreaRef, CountAll, GetArea, GetPost, ListAreas, ListEvents, ListPosts, Page, Search,
};
use domain::store::{Ask, Condition, ListChanged, ListRemoved, Operation, Read, StoreReply};
use domain::{Action, Actor, Command, EventId, Machine, Query, RequestId, Sql, Stamp};
use goldenscript::Context;

use crate::dump;
use crate::files;
use crate::keys;
use crate::lottery;
use crate::polls;
use crate::script::{Line, Posts};
use crate::show::{self, START_MS};

type Answer = Result<String, Box<dyn Error>>;

/// A database and the clock of the leader of the day.
pub struct Story<'d> {
    sql: &'d mut dyn Sql,
    machine: Machine,
    index: u64,
    now_ms: i64,
    said_ago_ms: i64,
    /// What the next block is conditional on.
    watched: Vec<Condition>,
}

impl<'d> Story<'d> {
    /// Begins in an empty database.
    pub fn begin(sql: &'d mut dyn Sql) -> Self {
        let machine = Machine::load(sql).unwrap();
        Self {
            sql,
            machine,
            index: 0,
            now_ms: START_MS,
            said_ago_ms: 0,
            watched: Vec::new(),
        }
    }

    /// Applies an action a second after the last one. A rejection must leave everything else as
    /// it was, and what the machine remembers must be what it would load.
    fn act(&mut self, actor: Actor, request: Option<RequestId>, action: Action) -> Answer {
        let before = dump::contents(self.sql);
        let outcome = self.apply(actor, request, action)?;
        if outcome.result.is_err() || outcome.replayed {
            assert_eq!(before, dump::contents(self.sql), "a rejection left a trace");
        }
        assert_eq!(self.machine, Machine::load(self.sql)?);
        Ok(show::outcome(&outcome))
    }

    fn apply(
        &mut self,
        actor: Actor,
        request: Option<RequestId>,
        action: Action,
    ) -> Result<domain::Outcome, Box<dyn Error>> {
        self.index += 1;
        self.now_ms += 1_000;
        let position = EventId {
            index: self.index,
            number: 0,
        };
        let stamp = Stamp {
            position,
            term: 1,
            at_ms: self.now_ms,
            actor,
            request,
            entropy: [0; 32],
        };
        let outcome = self.machine.apply(self.sql, &Command { stamp, action })?;
        self.machine.save(self.sql)?;
        self.machine.committed();
        Ok(outcome)
    }

    fn ask<Q: Query>(&mut self, query: Q) -> Result<Q::Answer, Box<dyn Error>> {
        Ok(query.run(self.sql)?)
    }

    fn actor(&mut self, prefix: Option<&str>) -> Result<Actor, Box<dyn Error>> {
        Ok(match prefix {
            None => Actor::Anonymous,
            Some("system") => Actor::System,
            Some("door") => Actor::Door,
            Some(name) => match name.strip_prefix("as_") {
                Some(member) => Actor::OnBehalf {
                    account: self.account(member)?.unwrap_or(0),
                    at_ms: self.now_ms - self.said_ago_ms,
                },
                None => Actor::Session(token(name)),
            },
        })
    }

    fn account(&mut self, name: &str) -> Result<Option<i64>, Box<dyn Error>> {
        let found = self.ask(FindCredentials {
            name: Name::parse(name)?,
        })?;
        Ok(found.map(|found| found.account))
    }

    /// The account behind the prefix, 0 if there is none.
    fn viewer(&mut self, prefix: Option<&str>) -> Result<i64, Box<dyn Error>> {
        let token_hash = token(prefix.unwrap_or_default());
        match self.ask(WhoIs {
            token_hash,
            now_ms: self.now_ms,
        })? {
            Standing::SignedIn(member) => Ok(member.account),
            Standing::Expired | Standing::Unknown => Ok(0),
        }
    }

    /// The id that a script means: digits are one, a name is looked up.
    fn area(&mut self, text: &str) -> Result<i64, Box<dyn Error>> {
        match AreaRef::parse(text) {
            AreaRef::Id(id) => Ok(id),
            area @ AreaRef::Name(_) => {
                let area = self.ask(GetArea { viewer: 0, area })?;
                Ok(area.ok_or(format!("there is no area {text}"))?.id)
            }
        }
    }

    /// The action of a line, if it is one.
    fn action(&mut self, line: &Line) -> Result<Option<Action>, Box<dyn Error>> {
        if let Some(action) = self.account_action(line)?.or(lottery::action(line)?) {
            return Ok(Some(action));
        }
        if let Some(action) = polls::action(line, self.now_ms)?.or(files::action(line)?) {
            return Ok(Some(action));
        }
        Ok(Some(match line {
            Line::AddArea { name, description } => Action::AddArea {
                name: AreaName::parse(name)?,
                description: sized(description.as_deref().unwrap_or_default()),
            },
            Line::EditArea {
                area,
                name,
                description,
            } => Action::EditArea {
                area: self.area(area)?,
                name: name.as_deref().map(AreaName::parse).transpose()?,
                description: description.as_deref().map(sized),
            },
            Line::RemoveArea(area) => Action::RemoveArea {
                area: self.area(area)?,
            },
            Line::Subscribe(area) => Action::Subscribe {
                area: self.area(area)?,
            },
            Line::Unsubscribe(area) => Action::Unsubscribe {
                area: self.area(area)?,
            },
            Line::Publish { area, title, text } => Action::Publish {
                area: self.area(area)?,
                title: sized(title),
                text: sized(text),
            },
            Line::DeletePost { area, post } => Action::DeletePost {
                area: self.area(area)?,
                post: *post,
            },
            Line::HidePost { area, post, reason } => Action::HidePost {
                area: self.area(area)?,
                post: *post,
                reason: sized(reason),
            },
            Line::MarkRead {
                area,
                which: Posts(which),
            } => Action::Mark {
                area: self.area(area)?,
                which: *which,
                read: true,
            },
            Line::MarkUnread {
                area,
                which: Posts(which),
            } => Action::Mark {
                area: self.area(area)?,
                which: *which,
                read: false,
            },
            Line::Do(words) => Action::Store {
                conditions: Vec::new(),
                operations: vec![keys::operation(words)?],
            },
            Line::Block(operations) => Action::Store {
                conditions: std::mem::take(&mut self.watched),
                operations: keys::operations(operations)?,
            },
            _ => return Ok(None),
        }))
    }

    fn account_action(&mut self, line: &Line) -> Result<Option<Action>, Box<dyn Error>> {
        Ok(Some(match line {
            Line::Bootstrap(password) => Action::Bootstrap {
                password_hash: hashed(password),
            },
            Line::Register { name, password } => Action::Register {
                name: Name::parse(name)?,
                password_hash: hashed(password),
            },
            Line::Login {
                name,
                password,
                session,
                lifetime,
            } => Action::LogIn {
                account: self.account(name)?.unwrap_or(0),
                password_hash: hashed(password),
                token_hash: token(session.as_ref().unwrap_or(&name.to_lowercase())),
                lifetime_ms: lifetime.map_or(86_400_000, |span| span.0),
            },
            Line::Logout => Action::LogOut,
            Line::LogoutEverywhere => Action::LogOutEverywhere,
            Line::ChangePassword { old, new } => Action::ChangePassword {
                old_hash: hashed(old),
                new_hash: hashed(new),
            },
            Line::MakeAdministrator(name) => Action::SetAdministrator {
                name: Name::parse(name)?,
                administrator: true,
            },
            Line::UnmakeAdministrator(name) => Action::SetAdministrator {
                name: Name::parse(name)?,
                administrator: false,
            },
            Line::SetFeedToken(secret) => Action::SetFeedToken {
                token_hash: token(secret),
            },
            _ => return Ok(None),
        }))
    }

    fn question(&mut self, line: &Line, prefix: Option<&str>) -> Answer {
        let viewer = self.viewer(prefix)?;
        if let Some(answer) = polls::answer(self.sql, line, viewer, self.now_ms)? {
            return Ok(answer);
        }
        if let Some(answer) = files::answer(self.sql, line, viewer)? {
            return Ok(answer);
        }
        Ok(match line.clone() {
            Line::Areas => show::list(
                &self.ask(ListAreas {
                    viewer,
                    subscribed_only: false,
                })?,
                show::area,
            ),
            Line::Subscriptions => show::list(
                &self.ask(ListAreas {
                    viewer,
                    subscribed_only: true,
                })?,
                show::area,
            ),
            Line::Area(area) => {
                let area = AreaRef::parse(&area);
                show::maybe(&self.ask(GetArea { viewer, area })?, show::area)
            }
            Line::Posts {
                area,
                unread,
                after,
                before,
                limit,
            } => {
                let page = match (after, before) {
                    (_, Some(before)) => Page::Before(before),
                    (after, None) => Page::After(after.unwrap_or(0)),
                };
                let query = ListPosts {
                    viewer,
                    area: AreaRef::parse(&area),
                    unread_only: unread,
                    page,
                    limit: limit.unwrap_or(50),
                };
                show::maybe(&self.ask(query)?, show::posts)
            }
            Line::Post { area, post } => {
                let area = AreaRef::parse(&area);
                show::maybe(&self.ask(GetPost { viewer, area, post })?, show::post)
            }
            Line::Search {
                text,
                before,
                limit,
            } => {
                let before = before.unwrap_or(i64::MAX);
                let limit = limit.unwrap_or(20);
                show::found(&self.ask(Search {
                    viewer,
                    text,
                    before,
                    limit,
                })?)
            }
            _ => return self.other_question(line, prefix),
        })
    }

    fn other_question(&mut self, line: &Line, prefix: Option<&str>) -> Answer {
        Ok(match line.clone() {
            Line::Whoami => {
                let token_hash = token(prefix.unwrap_or_default());
                show::standing(&self.ask(WhoIs {
                    token_hash,
                    now_ms: self.now_ms,
                })?)
            }
            Line::Credentials(name) => {
                let name = Name::parse(&name)?;
                show::maybe(&self.ask(FindCredentials { name })?, show::credentials)
            }
            Line::WhoseFeed(secret) => {
                let token_hash = token(&secret);
                show::maybe(&self.ask(WhoseFeed { token_hash })?, show::member)
            }
            Line::Accounts { after, limit } => {
                let limit = limit.unwrap_or(100);
                show::list(&self.ask(ListAccounts { after, limit })?, show::account)
            }
            Line::Events { after, limit } => {
                let after = after.map_or(Ok(EventId::default()), |after| after.parse())?;
                show::events(&self.ask(ListEvents {
                    after,
                    limit: limit.unwrap_or(100),
                })?)
            }
            Line::Ask(words) => self.look(&words)?,
            Line::Changed { prefix, since } => {
                let (prefix, since) = (prefix.into(), domain::store::version_at(at(since))?);
                let (after, now_ms) = (None, self.now_ms);
                keys::changed(&self.ask(ListChanged {
                    prefix,
                    since,
                    after,
                    now_ms,
                })?)
            }
            Line::Removed { prefix, since } => {
                let (prefix, since) = (prefix.into(), domain::store::version_at(at(since))?);
                let after = None;
                keys::removed(&self.ask(ListRemoved {
                    prefix,
                    since,
                    after,
                })?)
            }
            Line::Counts => show::counts(&self.ask(CountAll)?),
            _ => match lottery::question(self.sql, line)? {
                Some(answer) => answer,
                None => return self.world(line),
            },
        })
    }

    /// Runs a read against the database, and against memory, which must know no better.
    fn look(&mut self, words: &[String]) -> Answer {
        let Operation::Read(read) = keys::operation(words)? else {
            return Err("this changes something".into());
        };
        let ask = Ask {
            reads: vec![read],
            now_ms: self.now_ms,
        };
        let memory = self.machine.memory().clone();
        let through = memory.look_through(&ask, 0, || Ok(&mut *self.sql))?;
        let here = memory.look_up(&ask.reads, self.now_ms, 0);
        let answers = self.ask(ask)?;
        if let Some(through) = through {
            assert_eq!(through.answers, answers, "memory and database differ");
        }
        if let Some(here) = here {
            assert_eq!(here.answers, answers, "memory differs");
        }
        Ok(keys::answers(&answers))
    }

    fn world(&mut self, line: &Line) -> Answer {
        match line {
            Line::Watch(watched) => {
                for key in watched {
                    let key: bytes::Bytes = key.clone().into();
                    let read = Read::Version { key: key.clone() };
                    let answers = self.ask(Ask {
                        reads: vec![read],
                        now_ms: self.now_ms,
                    })?;
                    let [Ok(StoreReply::Integer(version))] = answers[..] else {
                        return Err("a version is a number".into());
                    };
                    self.watched.push(Condition { key, version });
                }
            }
            Line::Wait(span) => self.now_ms += span.0,
            Line::SaidAgo(span) => self.said_ago_ms = span.0,
            Line::ManyAreas(count) => {
                for number in 1..=*count {
                    let name = AreaName::parse(&format!("Piso {number}"))?;
                    let action = Action::AddArea {
                        name,
                        description: String::new(),
                    };
                    self.apply(Actor::System, None, action)?.result.unwrap();
                }
            }
            Line::ManyPolls { author, count } => {
                for number in 1..=*count {
                    let action = polls::sample(number);
                    let actor = Actor::Session(token(author));
                    self.apply(actor, None, action)?.result.unwrap();
                }
            }
            Line::ManyBets {
                lottery,
                agency,
                count,
            } => {
                for number in 0..*count {
                    let action = lottery::one_bet(*lottery, *agency, number);
                    self.apply(Actor::System, None, action)?.result.unwrap();
                }
            }
            Line::Remains(area) => return self.remains(*area),
            Line::State => {
                let hash = blake3::Hash::from_bytes(self.machine.hash.0).to_hex();
                let stored = blake3::hash(dump::everything(self.sql).as_bytes()).to_hex();
                return Ok(format!("state {} stored {}\n", &hash[..16], &stored[..16]));
            }
            _ => return Err("not a line of the script".into()),
        }
        Ok(String::new())
    }

    fn remains(&mut self, area: i64) -> Answer {
        let mut text = String::new();
        for (what, count) in [
            ("areas", "SELECT COUNT(*) FROM areas WHERE id = ?1"),
            ("posts", "SELECT COUNT(*) FROM posts WHERE area = ?1"),
            (
                "tombstones",
                "SELECT COUNT(*) FROM tombstones WHERE area = ?1",
            ),
            (
                "subscriptions",
                "SELECT COUNT(*) FROM subscriptions WHERE area = ?1",
            ),
            ("ranges", "SELECT COUNT(*) FROM read_ranges WHERE area = ?1"),
        ] {
            text.push_str(&format!(
                "{what} {} ",
                self.sql.query(count, &[area.into()])?[0].int(0)?
            ));
        }
        Ok(text.trim_end().to_owned() + "\n")
    }
}

impl goldenscript::Runner for Story<'_> {
    type Command = Line;

    fn run(&mut self, line: &Line, context: &Context) -> Answer {
        let prefix = context.prefix.as_deref();
        match self.action(line)? {
            Some(action) => {
                let actor = self.actor(prefix)?;
                let request = context.tags.first().map(|key| RequestId {
                    key: key.clone(),
                    fingerprint: fingerprint(line),
                });
                self.act(actor, request, action)
            }
            None => self.question(line, prefix),
        }
    }
}

fn at(index: u64) -> EventId {
    EventId { index, number: 0 }
}

/// Stands for Argon2id, which belongs to the front door. `raw:` is a front door that forgot.
fn hashed(password: &str) -> String {
    match password.strip_prefix("raw:") {
        Some(raw) => raw.to_owned(),
        None => format!("$test${}", sized(password)),
    }
}

pub fn token(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

fn fingerprint(line: &Line) -> [u8; 16] {
    let hash = blake3::hash(format!("{line:?}").as_bytes());
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// `{300}` is 300 times `x`; anything else is itself.
pub fn sized(text: &str) -> String {
    let length = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    match length.and_then(|length| length.parse().ok()) {
        Some(length) => "x".repeat(length),
        None => text.to_owned(),
    }
}
