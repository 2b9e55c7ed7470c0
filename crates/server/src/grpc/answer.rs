//! From a call to a function of the App, and back: what every method does the same way.

use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use api::types::headers;
use engine::Position;

use super::metadata::Asked;
use crate::app::{Caller, Written};
use crate::http::position_headers;
use crate::problem::Trouble;

/// An answer: a message, and metadata that says which state it was made from.
pub(super) struct Answer<T> {
    position: Option<Position>,
    replayed: bool,
    message: T,
}

/// What a method that streams answers.
pub(super) type Stream<T> = BoxStream<'static, Result<T, Status>>;

impl<T> Answer<T> {
    /// A message that was made from the state at a position.
    pub fn at(position: Position, message: T) -> Self {
        Answer {
            position: Some(position),
            replayed: false,
            message,
        }
    }

    /// A message that tells what the node itself knows.
    pub fn of_node(message: T) -> Self {
        Answer {
            position: None,
            replayed: false,
            message,
        }
    }

    /// Says whether an earlier call with the same id did it.
    pub fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }
}

impl<T: Default> Answer<T> {
    /// It is done, and there is no more to say.
    pub fn done(written: Written) -> Self {
        Answer::at(written.position, T::default()).replayed(written.replayed)
    }
}

impl<T> From<Answer<T>> for Response<T> {
    fn from(answer: Answer<T>) -> Self {
        let mut head = HeaderMap::new();
        if let Some(position) = &answer.position {
            position_headers(&mut head, position);
        }
        if answer.replayed {
            let name = HeaderName::from_static(headers::REPLAYED);
            head.insert(name, HeaderValue::from_static("true"));
        }
        let metadata = MetadataMap::from_headers(head);
        Response::from_parts(metadata, answer.message, http::Extensions::new())
    }
}

/// Who calls, and the message; `content` is what a request id stands for.
pub(super) fn asked<T>(
    request: Request<T>,
    content: impl FnOnce(&T) -> Vec<u8>,
) -> Result<(Caller, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    let asked: Asked = extensions
        .remove()
        .ok_or_else(|| Trouble::internal("a call came past the guard"))?;
    Ok((asked.with(|| content(&message)), message))
}

/// Makes a service of functions of the same names, each of which takes the App, the caller and the
/// message. The content that a request id stands for is the whole message, unless it is said.
macro_rules! service {
    ($service:path {
        $($method:ident: $request:ty => $response:ty $(, once: $content:expr)?;)*
    } $($stream:item)*) => {
        #[tonic::async_trait]
        impl $service for $crate::grpc::services::Door {
            $(async fn $method(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                let content: fn(&$request) -> Vec<u8> =
                    $crate::grpc::answer::content!($request $(, $content)?);
                let (caller, message) = $crate::grpc::answer::asked(request, content)?;
                Ok($method(&self.0, &caller, message).await?.into())
            })*
            $($stream)*
        }
    };
}

/// What a request id stands for.
macro_rules! content {
    ($request:ty) => {
        <$request as prost::Message>::encode_to_vec
    };
    ($request:ty, $content:expr) => {
        $content
    };
}

pub(super) use {content, service};
