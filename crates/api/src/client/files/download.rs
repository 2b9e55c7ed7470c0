//! Reading a file, or the rest of one.

use std::time::Duration;

use bytes::Bytes;
use http::header::{IF_MATCH, RANGE};
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::{FileName, tag};
use crate::client::endpoints::Base;
use crate::client::send::{Verdict, judge, read_json};
use crate::client::transport::{Streaming, next_chunk, refusal};
use crate::client::{Client, Error};
use crate::types::File;

/// A node that sends nothing for this long is left for another.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// The first bytes come as late as this: a node may have to look for them on others.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Nodes that broke off in a row before a reader gives up.
const BROKEN_MAX: u32 = 10;

/// The bytes of one version of a file, from whichever node has them. See [`Client::read_file`].
#[derive(Debug)]
pub struct FileReader {
    client: Client,
    file: FileName,
    about: File,
    offset: u64,
    open: Option<(Base, Incoming)>,
    broken: u32,
}

impl Client {
    /// Reads a file from `offset` on, in the version that `about` tells of. Nothing is asked before
    /// the first [`FileReader::next`].
    pub fn read_file(&self, file: FileName, about: File, offset: u64) -> FileReader {
        FileReader {
            client: self.clone(),
            file,
            about,
            offset,
            open: None,
            broken: 0,
        }
    }
}

impl FileReader {
    /// The next bytes, or `None` at the end. A lost node is replaced by another, which goes on
    /// where the last one broke off. A version that was replaced meanwhile is refused.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.offset < self.about.size_bytes.cast_unsigned() {
            if self.open.is_none() {
                self.open = Some(self.connect().await?);
            }
            let Some((base, body)) = &mut self.open else {
                continue;
            };
            if let Ok(Some(Ok(bytes))) = timeout(SILENCE_MAX, next_chunk(body)).await {
                self.offset += bytes.len() as u64;
                self.broken = 0;
                return Ok(Some(bytes));
            }
            let failed = Instant::now();
            self.client.endpoints_now().failed(base, None, failed);
            self.open = None;
            self.broken += 1;
            if self.broken >= BROKEN_MAX {
                return Err(self.client.unreachable("the file breaks off".to_owned()));
            }
        }
        Ok(None)
    }

    async fn connect(&self) -> Result<(Base, Incoming), Error> {
        let deadline = Instant::now() + self.client.deadline;
        let mut reason = String::new();
        let mut problem = None;
        while let Some(base) = self.client.next_node(&[], deadline).await {
            let mut request = self
                .client
                .request(&self.file.call(Method::GET), &base, None)?;
            let range = format!("bytes={}-", self.offset);
            let headers = request.headers_mut();
            headers.extend(HeaderValue::try_from(range).map(|range| (RANGE, range)));
            let version = HeaderValue::try_from(tag(&self.about.root));
            headers.extend(version.map(|version| (IF_MATCH, version)));
            let come = self.client.shared.transport.stream(request, HEAD_TIMEOUT);
            let after = match come.await {
                Ok(streaming) if streaming.status == StatusCode::PARTIAL_CONTENT => {
                    self.client.endpoints_now().worked(&base, Instant::now());
                    return Ok((base, streaming.body));
                }
                Ok(streaming) => {
                    let (after, told) = self.refused(&base, streaming).await?;
                    problem = told.or(problem);
                    after
                }
                Err(why) => {
                    reason = why;
                    None
                }
            };
            let now = Instant::now();
            self.client.endpoints_now().failed(&base, after, now);
        }
        match problem {
            Some(problem) => Err(Error::Unavailable(Box::new(problem))),
            None => Err(self.client.unreachable(reason)),
        }
    }

    /// What a node says that does not send the file: when to come back, and why.
    async fn refused(
        &self,
        base: &Base,
        streaming: Streaming,
    ) -> Result<(Option<Duration>, Option<crate::types::Problem>), Error> {
        let answer = refusal(streaming).await;
        match judge(&answer) {
            Verdict::Later(after) | Verdict::Unknown(after) => {
                Ok((after, serde_json::from_slice(&answer.body).ok()))
            }
            Verdict::Done | Verdict::Refused => {
                Err(Error::Refused(Box::new(read_json(base, &answer.body)?)))
            }
        }
    }
}
