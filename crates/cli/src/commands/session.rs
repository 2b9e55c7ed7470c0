//! A command's view of the cluster: the client, who is signed in, and where the answer goes.

use std::time::Duration;

use api::Client;
use api::client::Consistency;
use api::types::Session as Opened;

use super::logins::{Login, Logins};
use super::output::Output;
use super::{Common, Freshness};
use crate::failure::{Exit, Failure, Outcome};

/// Learning the other nodes for next time must not hold up this command's end.
const LEARN_TIMEOUT: Duration = Duration::from_millis(500);

/// A command's view of the cluster.
pub struct Session {
    pub client: Client,
    pub out: Output,
    logins: Logins,
    login: Login,
    /// What the file says, to write it only when something changed.
    kept: Login,
}

impl Session {
    /// Opens what is remembered about the cluster, if anything. Nothing is sent yet.
    pub fn open(common: &Common) -> Outcome<Self> {
        let logins = Logins::of_user();
        let servers: Vec<String> = common.server.iter().map(|url| canonical(url)).collect();
        let found = logins.find(&servers)?;
        let unknown = Login {
            servers: servers.clone(),
            ..Login::default()
        };
        let kept = found.filter(|_| !common.new_cluster).unwrap_or(unknown);
        let mut nodes = servers;
        nodes.extend(kept.servers.iter().chain(&kept.members).cloned());
        let builder = nodes
            .into_iter()
            .fold(Client::builder(), |builder, url| builder.endpoint(url));
        let mut client = builder
            .index(kept.index)
            .cluster(kept.cluster.clone())
            .deadline(common.timeout())
            .build()?;
        if let Some(id) = &common.request_id {
            client = client.with_request_id(id.as_str());
        }
        if let Some(freshness) = common.consistency {
            client = client.with_consistency(freshness.into());
        }
        if let Some(token) = &kept.token {
            client = client.with_token(token.as_str());
        }
        let out = Output::new(common.json);
        Ok(Session {
            client,
            out,
            logins,
            login: kept.clone(),
            kept,
        })
    }

    /// Who is signed in, as far as is remembered.
    pub fn name(&self) -> Option<&str> {
        self.login.name.as_deref()
    }

    /// Signs in with a session that was opened.
    pub fn signed_in(&mut self, opened: &Opened) {
        self.client = self.client.with_token(opened.token.as_str());
        self.login.token = Some(opened.token.clone());
        self.login.name = Some(opened.name.clone());
    }

    /// Forgets the session.
    pub fn signed_out(&mut self) {
        self.client = self.client.without_token();
        self.login.token = None;
        self.login.name = None;
    }

    /// Remembers what this command learnt for the next one.
    pub async fn keep(mut self) -> Outcome {
        if self.client.index() == 0 {
            // No node answered: there is nothing to remember, and nobody to learn from.
            return Ok(());
        }
        self.login.index = self.client.index();
        let known = !self.login.members.is_empty() && self.login.cluster.is_some();
        if !known || self.login.token != self.kept.token {
            // Not knowing the others is no reason to fail what has been done.
            let _ = self
                .client
                .with_deadline(LEARN_TIMEOUT)
                .learn_members()
                .await;
        }
        self.login.members = self.client.endpoints();
        self.login.cluster = self.client.cluster_id().map(str::to_owned);
        if self.login == self.kept {
            Ok(())
        } else {
            self.logins.keep(self.login)
        }
    }
}

impl From<Freshness> for Consistency {
    fn from(freshness: Freshness) -> Self {
        match freshness {
            Freshness::Linearizable => Consistency::Linearizable,
            Freshness::Session => Consistency::Session,
            Freshness::Stale => Consistency::Stale,
        }
    }
}

/// The URL in the form in which it is remembered; a missing scheme is added.
fn canonical(url: &str) -> String {
    let url = url.trim().trim_end_matches('/');
    if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    }
}

/// Adds to a refusal what to do about it.
pub fn hint(failure: Failure, signed_in: bool) -> Failure {
    match failure.exit {
        Exit::Denied if !signed_in => Failure {
            message: format!(
                "{}: sign in with `consorcio account login NAME`",
                failure.message
            ),
            ..failure
        },
        Exit::OtherCluster => Failure {
            message: format!(
                "{}. If its data were lost, stop it and join it anew; if a new cluster is meant, \
                 add --new-cluster once",
                failure.message
            ),
            ..failure
        },
        _ => failure,
    }
}
