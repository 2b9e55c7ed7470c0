//! shim
#![allow(missing_docs, unused, dead_code)]
use bytes::Bytes;
use domain::store::*;
use engine::*;
pub struct TouchedKey {
    pub key: Bytes,
    pub version: i64,
}
pub struct Message {
    pub channel: Bytes,
    pub message: Bytes,
}
pub struct Touched {
    pub keys: Vec<TouchedKey>,
    pub messages: Vec<Message>,
    pub missed: bool,
}
pub struct KeyWatch;
impl KeyWatch {
    pub async fn next(&mut self) -> Result<Option<std::sync::Arc<Touched>>, Missed> {
        Ok(None)
    }
}
pub trait Shim {
    fn watch_keys(&self) -> KeyWatch {
        KeyWatch
    }
    fn store_now(&self, _: u64, _: &[Read]) -> Option<Served<Vec<Answer>>> {
        None
    }
    fn store(
        &self,
        _: Consistency,
        _: Vec<Read>,
    ) -> impl Future<Output = Result<Served<Vec<Answer>>, ReadError>> + Send {
        async { Err(ReadError::NoLeader) }
    }
}
impl Shim for Engine {}
pub fn act(_: Vec<Condition>, _: Vec<Operation>) -> domain::Action {
    domain::Action::LogOut
}
pub fn rep(_: domain::Reply) -> Option<Executed> {
    None
}
