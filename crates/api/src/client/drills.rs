//! Drills. They are a node's own: ask a client that knows that node alone.

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{Drill, Drills, NewDrill};

impl Client {
    /// The failures that the node was given (administrators only).
    pub async fn drills(&self) -> Result<Drills, Error> {
        self.fetch(Call::get(&["v1", "drills"])).await
    }

    /// Makes something fail at the node (administrators only). It is asked at most once: a node
    /// that was killed and is back would be killed again.
    pub async fn begin_drill(&self, drill: &NewDrill) -> Result<Drill, Error> {
        let call = Call::change(Method::POST, &["v1", "drills"]).once();
        self.fetch(call.json(drill)?).await
    }

    /// Ends what fails at the node, at once (administrators only).
    pub async fn stop_drill(&self) -> Result<(), Error> {
        let call = Call::change(Method::DELETE, &["v1", "drills", "current"]);
        self.done(call.repeatable()).await
    }
}
