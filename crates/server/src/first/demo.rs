//! Fills a new cluster with the news of a neighbours' association, so that there is something to
//! look at. Every step has a fixed request id: it may be broken off, started again, and run by
//! several nodes at once.

use domain::accounts::FindCredentials;
use domain::command::Which;
use domain::names::{AreaName, Name};
use domain::news::queries::{AreaRef, GetArea};
use domain::{Action, Actor, Proposal, Rejection, Reply, RequestId};
use engine::Engine;

use super::posts::{AREAS, HIDDEN, MEMBERS, POSTS, SamplePost};
use super::{SetupError, ask, failed, hash, propose};
use crate::app::now_ms;
use crate::config::Config;

/// The password of every member of the demonstration; the sign-in page shows it.
pub(crate) const DEMO_PASSWORD: &str = "vecindario";

/// A member to sign in as.
pub(crate) const DEMO_MEMBER: &str = "marta";

/// Joins last: once she is there, the demonstration is complete.
const LAST_MEMBER: &str = "rosa";

/// Adds the members, areas and posts of the demonstration, unless they have been added before.
///
/// # Errors
///
/// If the node stops meanwhile.
pub async fn demo(engine: &Engine, config: &Config) -> Result<(), SetupError> {
    let complete = FindCredentials {
        name: member_name(LAST_MEMBER)?,
    };
    if ask(engine, complete).await?.is_some() {
        return Ok(());
    }
    let demo = Demo {
        engine,
        password_hash: hash(config, DEMO_PASSWORD).await?,
    };
    for name in MEMBERS {
        demo.register(name).await?;
    }
    for (name, description) in AREAS {
        demo.add_area(name, description).await?;
    }
    for (number, post) in POSTS.iter().enumerate() {
        demo.publish(number, post).await?;
    }
    demo.hide_one().await?;
    demo.read_and_subscribe().await?;
    demo.register(LAST_MEMBER).await
}

struct Demo<'a> {
    engine: &'a Engine,
    password_hash: String,
}

impl Demo<'_> {
    async fn register(&self, name: &str) -> Result<(), SetupError> {
        let password_hash = self.password_hash.clone();
        let action = Action::Register {
            name: member_name(name)?,
            password_hash,
        };
        self.run(Actor::System, &format!("member-{}", ascii(name)), action)
            .await
    }

    async fn add_area(&self, name: &str, description: &str) -> Result<(), SetupError> {
        let parsed = AreaName::parse(name).map_err(|p| SetupError::Failed(p.0.to_owned()))?;
        let action = Action::AddArea {
            name: parsed,
            description: description.to_owned(),
        };
        self.run(Actor::System, &format!("area-{}", ascii(name)), action)
            .await
    }

    async fn publish(&self, number: usize, post: &SamplePost) -> Result<(), SetupError> {
        let Some(area) = self.area(post.area).await? else {
            return Ok(());
        };
        let account = self.account(post.author).await?;
        let actor = Actor::OnBehalf {
            account,
            at_ms: days_ago(post.days_ago, post.at),
        };
        let (title, text) = (post.title.to_owned(), post.text.to_owned());
        self.run(
            actor,
            &format!("post-{number}"),
            Action::Publish { area, title, text },
        )
        .await
    }

    async fn hide_one(&self) -> Result<(), SetupError> {
        let (area, post, reason) = HIDDEN;
        let Some(area) = self.area(area).await? else {
            return Ok(());
        };
        let action = Action::HidePost {
            area,
            post,
            reason: reason.to_owned(),
        };
        self.run(Actor::System, "hide", action).await
    }

    /// Gives the member that visitors sign in as some areas, with some of it read.
    async fn read_and_subscribe(&self) -> Result<(), SetupError> {
        let account = self.account(DEMO_MEMBER).await?;
        let actor = || Actor::OnBehalf {
            account,
            at_ms: now_ms(),
        };
        for (name, _) in &AREAS[..4] {
            let Some(area) = self.area(name).await? else {
                continue;
            };
            let key = ascii(name);
            self.run(
                actor(),
                &format!("subscribe-{key}"),
                Action::Subscribe { area },
            )
            .await?;
            let action = Action::Mark {
                area,
                which: Which::UpTo(3),
                read: true,
            };
            self.run(actor(), &format!("read-{key}"), action).await?;
        }
        Ok(())
    }

    /// The area's id; `None` if an administrator has removed it meanwhile.
    async fn area(&self, name: &str) -> Result<Option<i64>, SetupError> {
        let area = AreaRef::Name(name.to_owned());
        Ok(ask(self.engine, GetArea { viewer: 0, area })
            .await?
            .map(|area| area.id))
    }

    async fn account(&self, name: &str) -> Result<i64, SetupError> {
        let found = ask(
            self.engine,
            FindCredentials {
                name: member_name(name)?,
            },
        )
        .await?;
        let missing = || SetupError::Failed(format!("the demonstration's member {name} is gone"));
        found.map(|account| account.account).ok_or_else(missing)
    }

    /// Runs a step. What is there already, or gone again, is no failure.
    async fn run(&self, actor: Actor, step: &str, action: Action) -> Result<(), SetupError> {
        let request = RequestId {
            key: format!("demo-{step}"),
            fingerprint: [0; 16],
        };
        let outcome: Result<Reply, Rejection> = propose(
            self.engine,
            Proposal {
                actor,
                request: Some(request),
                action,
            },
        )
        .await?;
        match outcome {
            Ok(_) | Err(Rejection::Taken(_) | Rejection::NotFound(_)) => Ok(()),
            Err(other) => Err(failed(other.into())),
        }
    }
}

fn member_name(name: &str) -> Result<Name, SetupError> {
    Name::parse(name).map_err(|problem| SetupError::Failed(problem.0.to_owned()))
}

/// A request id is ASCII.
fn ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// A moment of an earlier day, `(hour, minute)` in UTC.
fn days_ago(days: i64, (hour, minute): (i64, i64)) -> i64 {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let midnight = now_ms() / DAY_MS * DAY_MS;
    midnight - days * DAY_MS + (hour * 60 + minute) * 60 * 1000
}
