//! Putting a file.

use http::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request};
use tokio::time::Instant;

use super::{Content, FileBody, FileName, tag};
use crate::client::call::Call;
use crate::client::endpoints::Base;
use crate::client::send::{History, read_json};
use crate::client::{Client, Error};
use crate::types::{FilePut, Hex32, headers};

/// A file whose nodes are lost is sent again at most so often: it may be long.
const TRIES_MAX: usize = 10;

/// A file to be put.
#[derive(Clone, Debug)]
pub struct PutFile {
    /// Which.
    pub file: FileName,
    /// What kind of file it is, `text/plain` for example.
    pub media_type: String,
    /// The area it belongs to: an id or a name.
    pub area: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Copies of each chunk, instead of the cluster's default.
    pub copies: Option<u32>,
    /// What must be there before.
    pub if_there: IfThere,
    /// What its BLAKE3 is, to be compared by the node.
    pub root: Option<Hex32>,
}

/// What must be there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfThere {
    /// Whatever there is.
    #[default]
    Replace,
    /// Nothing of that name.
    Refuse,
    /// This version.
    Only(Hex32),
}

impl PutFile {
    fn call(&self) -> Call {
        let copies = self.copies.map(|copies| copies.to_string());
        let call = self.file.call(Method::PUT);
        let call = call.query("area", self.area.as_deref());
        let call = call.query("copies", copies.as_deref());
        let tags = self.tags.iter();
        tags.fold(call, |call, tag| call.query("tag", Some(tag)))
    }

    fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let text = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| Error::Invalid {
                field: "the media type",
                reason: "is not text/plain or the like".to_owned(),
            })
        };
        let mut pairs = vec![(CONTENT_TYPE, text(&self.media_type)?)];
        match &self.if_there {
            IfThere::Replace => {}
            IfThere::Refuse => pairs.push((IF_NONE_MATCH, HeaderValue::from_static("*"))),
            IfThere::Only(root) => pairs.push((IF_MATCH, text(&tag(root))?)),
        }
        if let Some(root) = &self.root {
            let name = HeaderName::from_static(headers::ROOT);
            pairs.push((name, text(&root.to_string())?));
        }
        Ok(pairs)
    }
}

impl Client {
    /// Puts a file. A lost node is replaced by another, which gets the file from its beginning;
    /// `progress` is told how many bytes of the present try are on their way.
    pub async fn put_file(
        &self,
        put: &PutFile,
        content: &Content,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<FilePut, Error> {
        let call = put.call();
        let id = self.id_for(&call);
        let mut history = History::default();
        let mut deadline = Instant::now() + self.deadline;
        let mut tries = 0;
        while tries < TRIES_MAX && history.strangers < self.endpoints_now().bases().len() {
            let Some(base) = self.next_node(&[], deadline).await else {
                break;
            };
            let request = self.put_request(put, &call, &base, content, id.as_deref());
            let request = request.await?;
            let sent = request.body().sent();
            let exchange = self.shared.transport.upload(request, progress).await;
            if let Some(result) = self.weigh(&base, exchange, &mut history) {
                return read_json(&base, &result?.body);
            }
            // Somebody takes it, if slowly: the next one has as much time again.
            if sent.load(std::sync::atomic::Ordering::Relaxed) > 0 {
                tries += 1;
                deadline = Instant::now() + self.deadline;
            }
        }
        Err(self.give_up(&call, id, history))
    }

    async fn put_request(
        &self,
        put: &PutFile,
        call: &Call,
        base: &Base,
        content: &Content,
        id: Option<&str>,
    ) -> Result<Request<FileBody>, Error> {
        let body = content.open().await.map_err(|error| Error::Invalid {
            field: "the file",
            reason: format!("cannot be read: {error}"),
        })?;
        let mut request = self.request(call, base, id)?.map(|_| body);
        request.headers_mut().extend(put.headers()?);
        Ok(request)
    }
}
