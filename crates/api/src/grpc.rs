//! The gRPC API: the messages, clients and servers that are made of `proto/consorcio/v1`.
//!
//! The Protobuf files say what each call does. What holds for all of them:
//!
//! **Metadata**, with the names of HTTP's headers ([`crate::types::headers`]). A request may bring
//!
//! | name | what |
//! |---|---|
//! | `authorization` | `Bearer` and the token of a session |
//! | `idempotency-key` | 1 to 128 visible ASCII characters: the same id never acts twice |
//! | `consorcio-consistency` | how fresh an answer must be: `linearizable`, `session` or `stale` |
//! | `consorcio-index` | the largest log index that the client has seen; it never reads less |
//! | `consorcio-cluster` | the cluster that is meant: a node of another one refuses |
//! | `grpc-timeout` | how long the client waits, which the node then does not outlast |
//!
//! and every answer brings `consorcio-index`, `consorcio-term` and `consorcio-node`: which state it
//! was made from. `idempotency-replayed: true` says that an earlier request with the same id did
//! it.
//!
//! **Errors** have the code that gRPC has for them, and details (`grpc-status-details-bin`):
//! `google.rpc.ErrorInfo` with the domain `consorcio` and a reason, which is the name of the
//! problem in the REST API (`not-found` for `/problems/not-found`); `google.rpc.BadRequest` with
//! the fields that are not valid; `google.rpc.RetryInfo` with when to try again. A write whose
//! deadline passed has the reason `outcome-unknown`: it may have happened, and is sent again under
//! the same id.

/// The package `consorcio.v1`.
pub mod v1 {
    tonic::include_proto!("consorcio.v1");
}

/// The package as a `google.protobuf.FileDescriptorSet`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("consorcio.v1");
