//! Tells the store that time passes where nobody else does: keys are swept away with the commands
//! that come after their end, and on a quiet cluster none comes. Whoever watches a key wants to
//! hear of its end even so.

use std::time::Duration;

use domain::{Action, Actor, Proposal};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Between two looks at the time: as late as this a watcher may hear of the end of a key.
const ROUND: Duration = Duration::from_millis(250);

/// Has the leader sweep away keys whose time is over, until the node stops.
pub(crate) async fn sweep(app: App, stopping: CancellationToken) {
    let mut pause = ROUND;
    let rest = async |pause| tokio::time::sleep(pause).await;
    while stopping.run_until_cancelled(rest(pause)).await.is_some() {
        let status = app.engine.status();
        let leads = status.leader.as_deref() == Some(&*status.node);
        pause = match leads && app.engine.has_expired_keys() && pass_time(&app).await {
            // A command sweeps some; there may be more.
            true => Duration::ZERO,
            false => ROUND,
        };
    }
}

/// A command that does nothing but come later than the ones before. True if it was applied.
async fn pass_time(app: &App) -> bool {
    let nothing = Proposal {
        actor: Actor::System,
        request: None,
        action: Action::Store {
            conditions: Vec::new(),
            operations: Vec::new(),
        },
    };
    let passed = app.engine.write(nothing).await;
    if let Err(error) = &passed {
        tracing::debug!(%error, "keys whose time is over could not be swept away yet");
    }
    passed.is_ok()
}
