//! openraft's own conformance suite, on the log and the state as they run in production.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    missing_docs
)]

use engine::log::{Log, LogOptions};
use engine::production::{Production, TokioRuntime};
use engine::state::State;
use engine::types::Types;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft_rt::AsyncRuntime as _;
use tempfile::TempDir;
use tokio::net::TcpListener;

type C = Types<TokioRuntime>;

struct Builder;

impl StoreBuilder<C, Log<Production>, State<Production>, TempDir> for Builder {
    async fn build(
        &self,
    ) -> Result<(TempDir, Log<Production>, State<Production>), StorageError<C>> {
        let data = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let env = Production::new(listener);
        let dir = engine::log::dir(data.path());
        let options = LogOptions {
            dir,
            segment_bytes: 64 * 1024,
        };
        let log = Log::open(&env, options).await.unwrap();
        let state = State::open(&env, data.path(), &log).await.unwrap();
        Ok((data, log, state))
    }
}

#[test]
fn openraft_accepts_the_storage() {
    let suite = async { Suite::test_all(Builder).await };
    TokioRuntime::run(suite).unwrap();
}
