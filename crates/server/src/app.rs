//! Between the front doors and the engine: who asks, how fresh the answer must be, and the few
//! steps that need more than one command or query.

mod accounts;
mod feeds;
mod files;
mod freshness;
mod hits;
mod polls;
mod store;

pub(crate) use accounts::NewSession;
pub(crate) use feeds::{Entry, FeedOf};
pub(crate) use files::{FileRef, PutFile};
pub(crate) use freshness::Freshness;
pub(crate) use hits::Seen;
pub(crate) use polls::Vote;
pub(crate) use store::{answers, is_too_large, odd, shorten};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::accounts::{Member, Standing, WhoIs};
use domain::news::queries::{Area, AreaRef, GetArea};
use domain::{Action, Actor, Outcome, Proposal, Query, Rejection, Reply, RequestId};
use engine::{Engine, Position, Served, WriteError};
use http::HeaderMap;
use http::header::HOST;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::attempts::Attempts;
use crate::config::Config;
use crate::drills::Drills;
use crate::events::Hub;
use crate::files::Traffic;
use crate::metrics::Metrics;
use crate::password::Passwords;
use crate::polls::Records;
use crate::problem::{Trouble, forbidden_to_members, named, session_expired};
use crate::sessions::Sessions;
use crate::token::Token;

/// Everything a handler needs. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub engine: Engine,
    pub config: Config,
    pub passwords: Passwords,
    pub attempts: Attempts,
    pub hub: Hub,
    pub agent: Agent,
    pub metrics: Metrics,
    pub records: Records,
    pub drills: Drills,
    pub traffic: Traffic,
    pub sessions: Sessions,
    /// Cancelled when the node stops taking requests.
    pub stopping: CancellationToken,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What every request brings besides its own content.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The session, not looked up yet.
    pub token: Option<Token>,
    /// The largest log index the client has seen.
    pub seen: Option<u64>,
    /// What it asked for, if it did.
    pub freshness: Option<Freshness>,
    /// Makes its write exactly-once.
    pub request: Option<RequestId>,
    /// Where it comes from, for the limits on guessing and registering.
    pub address: IpAddr,
}

/// An accepted command's answer.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub reply: Reply,
    pub position: Position,
    /// True if an earlier request with the same id did it.
    pub replayed: bool,
}

impl Written {
    fn of(
        served: Served<Outcome>,
        refused: impl FnOnce(Rejection) -> Trouble,
    ) -> Result<Self, Trouble> {
        let Served {
            value: outcome,
            position,
        } = served;
        let refused = |rejection| refused(rejection).refused_at(position.clone());
        Ok(Written {
            reply: outcome.result.map_err(refused)?,
            position,
            replayed: outcome.replayed,
        })
    }
}

impl Caller {
    /// The session's token, or 401.
    pub fn token(&self) -> Result<Token, Trouble> {
        self.token.ok_or_else(Trouble::not_signed_in)
    }

    fn actor(&self) -> Actor {
        self.token
            .map_or(Actor::Anonymous, |token| Actor::Session(token.hash))
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(engine: Engine, config: Config, hub: Hub) -> Result<Self, Trouble> {
        let limits = &config.limits;
        Ok(App(Arc::new(Inner {
            passwords: Passwords::new(config.password_cost, limits)?,
            attempts: Attempts::new(limits),
            agent: Agent::default(),
            metrics: Metrics::new(),
            records: Records::default(),
            drills: Drills::default(),
            traffic: Traffic::default(),
            sessions: Sessions::default(),
            stopping: CancellationToken::new(),
            engine,
            config,
            hub,
        })))
    }

    /// Has a command applied for the caller, who must be signed in.
    pub async fn write(&self, caller: &Caller, action: Action) -> Result<Written, Trouble> {
        caller.token()?;
        self.write_unsigned(caller, action).await
    }

    /// Has a command applied for anybody.
    async fn write_unsigned(&self, caller: &Caller, action: Action) -> Result<Written, Trouble> {
        let named = named(&action);
        let served = self.propose(caller, action).await?;
        Written::of(served, |rejection| match rejection {
            Rejection::NotSignedIn if caller.token.is_some() => Trouble::session_over(),
            rejection => Trouble::rejected(rejection, &named),
        })
    }

    /// Has a command applied for anybody; answers what the rules said to it.
    async fn propose(
        &self,
        caller: &Caller,
        action: Action,
    ) -> Result<Served<Outcome>, WriteError> {
        let proposal = Proposal {
            actor: caller.actor(),
            request: caller.request.clone(),
            action,
        };
        self.engine.write(proposal).await
    }

    /// Asks for the caller, who must be signed in: who that is and the answer come from the same
    /// view of the state.
    pub async fn ask<F, Q>(
        &self,
        caller: &Caller,
        question: F,
    ) -> Result<Served<(Member, Q::Answer)>, Trouble>
    where
        F: Fn(&Member) -> Q + Clone + Send + 'static,
        Q: Query,
    {
        let token = caller.token()?;
        let query = AsMember {
            who: who_is(token),
            question,
        };
        let Served { value, position } = self.read(caller, query).await?;
        Ok(Served {
            value: value.map_err(no_standing)?,
            position,
        })
    }

    /// Who the caller is; an outright `Unknown` or `Expired` session is an error.
    pub async fn member(&self, caller: &Caller) -> Result<Served<Member>, Trouble> {
        let token = caller.token()?;
        let Served { value, position } = self.read(caller, who_is(token)).await?;
        match value {
            Standing::SignedIn(member) => Ok(Served {
                value: member,
                position,
            }),
            other => Err(no_standing(other)),
        }
    }

    /// The id of the area that a path names, which must exist if it is named by its name.
    pub async fn area_id(&self, caller: &Caller, area: &AreaRef) -> Result<i64, Trouble> {
        let id = match area {
            AreaRef::Id(id) => *id,
            AreaRef::Name(_) => self.area(caller, area).await?.value.1.id,
        };
        self.agent.count(id);
        Ok(id)
    }

    /// The caller, who must administer: for what the engine is asked instead of the rules.
    pub async fn administrator(&self, caller: &Caller) -> Result<Served<Member>, Trouble> {
        let member = self.member(caller).await?;
        match member.value.administrator {
            true => Ok(member),
            false => Err(forbidden_to_members()),
        }
    }

    /// The base URL to show: the one that was set, or the one that the request was sent to.
    pub fn public_url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.config.public_url {
            return url.clone();
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        format!("http://{}", host.unwrap_or("localhost"))
    }

    /// The area that a path names.
    pub async fn area(
        &self,
        caller: &Caller,
        area: &AreaRef,
    ) -> Result<Served<(Member, Area)>, Trouble> {
        let which = area.clone();
        let question = move |me: &Member| GetArea {
            viewer: me.account,
            area: which.clone(),
        };
        let Served {
            value: (member, found),
            position,
        } = self.ask(caller, question).await?;
        let area = found.ok_or_else(|| Trouble::no_area(area))?;
        Ok(Served {
            value: (member, area),
            position,
        })
    }
}

/// Runs a query for whoever holds a session.
#[derive(Clone)]
struct AsMember<F> {
    who: WhoIs,
    question: F,
}

impl<F, Q> Query for AsMember<F>
where
    F: Fn(&Member) -> Q + Send + 'static,
    Q: Query,
{
    type Answer = Result<(Member, Q::Answer), Standing>;

    fn run(&self, sql: &mut dyn domain::Sql) -> Result<Self::Answer, domain::Fault> {
        match self.who.run(sql)? {
            Standing::SignedIn(member) => {
                let answer = (self.question)(&member).run(sql)?;
                Ok(Ok((member, answer)))
            }
            other => Ok(Err(other)),
        }
    }
}

fn who_is(token: Token) -> WhoIs {
    WhoIs {
        token_hash: token.hash,
        now_ms: now_ms(),
    }
}

/// Why a session that does not count is worth nothing.
pub(crate) fn no_standing(standing: Standing) -> Trouble {
    match standing {
        Standing::Expired => session_expired(),
        Standing::SignedIn(_) | Standing::Unknown => Trouble::session_over(),
    }
}

/// An answer that does not belong to its question: a bug.
pub(crate) fn odd_reply(reply: &Reply) -> Trouble {
    Trouble::internal(format_args!("a command was answered with {reply:?}"))
}

/// The wall clock in milliseconds since 1970 (UTC).
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
