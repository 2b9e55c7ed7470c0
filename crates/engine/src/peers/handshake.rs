//! The first frames of a connection: who is there, and is it one of us.

use std::io;

use bytes::Bytes;
use openraft_rt::{AsyncRuntime, Instant as _};
use rand::Rng as _;

use super::wire::{self, Hello, Purpose, Refusal, VERSION, Welcome};
use crate::env::{Env, FrameReceiver, FrameSender, Transport};
use crate::identity::Identity;
use crate::links::{Links, Through};
use crate::types::NodeId;

/// The two halves of a connection that has shaken hands.
pub type Halves<E> = (
    Through<<<E as Env>::Transport as Transport>::Sender, <E as Env>::Runtime>,
    Through<<<E as Env>::Transport as Transport>::Receiver, <E as Env>::Runtime>,
);

/// The same before anybody has said who they are.
pub type Accepted<E> = (
    <<E as Env>::Transport as Transport>::Sender,
    <<E as Env>::Transport as Transport>::Receiver,
);

/// Connects to `address` and proves who we are; `to` is whom we want there.
pub async fn connect<E: Env>(
    env: &E,
    identity: &Identity,
    links: &Links,
    address: &str,
    to: Option<NodeId>,
    purpose: Purpose,
) -> io::Result<Halves<E>> {
    links
        .pass::<E::Runtime>(to, <E::Runtime as AsyncRuntime>::Instant::now())
        .await;
    let (sender, receiver) = env.transport().connect(address).await?;
    let (mut sender, mut receiver) = (
        Through::new(sender, to, links),
        Through::new(receiver, to, links),
    );
    let hello = Hello {
        version: VERSION,
        cluster: identity.cluster,
        from: identity.id,
        to,
        purpose,
        challenge: random::<E>(),
    };
    sender.send(wire::encode(&hello)).await?;
    match read(&mut receiver).await? {
        Welcome::Accepted {
            proof: theirs,
            challenge,
        } => {
            if theirs != proof(identity, b"accept", &hello, &challenge) {
                return Err(denied());
            }
            let ours = proof(identity, b"connect", &hello, &challenge);
            sender.send(Bytes::copy_from_slice(&ours)).await?;
            Ok((sender, receiver))
        }
        Welcome::Refused(refusal) => Err(io::Error::new(io::ErrorKind::ConnectionRefused, refusal)),
    }
}

/// Answers a connection's first frames; gives what the peer said of itself.
pub async fn accept<E: Env>(
    identity: &Identity,
    links: &Links,
    (sender, mut receiver): Accepted<E>,
) -> io::Result<(Hello, Halves<E>)> {
    let hello: Hello = read(&mut receiver).await?;
    let from = Some(hello.from);
    let (mut sender, mut receiver) = (
        Through::new(sender, from, links),
        Through::new(receiver, from, links),
    );
    if let Some(refusal) = refusal(identity, &hello) {
        sender
            .send(wire::encode(&Welcome::Refused(refusal.clone())))
            .await?;
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, refusal));
    }
    let challenge = random::<E>();
    let ours = proof(identity, b"accept", &hello, &challenge);
    sender
        .send(wire::encode(&Welcome::Accepted {
            proof: ours,
            challenge,
        }))
        .await?;
    let theirs = receiver
        .receive()
        .await?
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    if theirs[..] != proof(identity, b"connect", &hello, &challenge) {
        return Err(denied());
    }
    Ok((hello, (sender, receiver)))
}

/// What the peer gave as its reason, if an error came of that.
pub fn refusal_in(error: &io::Error) -> Option<&Refusal> {
    error.get_ref()?.downcast_ref()
}

fn refusal(identity: &Identity, hello: &Hello) -> Option<Refusal> {
    if hello.version != VERSION {
        Some(Refusal::Version(VERSION))
    } else if hello.cluster != identity.cluster {
        Some(Refusal::Cluster)
    } else if hello.to.is_some_and(|wanted| wanted != identity.id) {
        Some(Refusal::Node)
    } else {
        None
    }
}

/// Keyed BLAKE3 over all that was said: nothing can be replayed on another connection, and a proof
/// of one side is none of the other.
fn proof(identity: &Identity, side: &[u8], hello: &Hello, challenge: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&identity.secret);
    hasher.update(side);
    hasher.update(&wire::encode(hello));
    hasher.update(challenge);
    *hasher.finalize().as_bytes()
}

async fn read<T: serde::de::DeserializeOwned>(receiver: &mut impl FrameReceiver) -> io::Result<T> {
    let frame = receiver
        .receive()
        .await?
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    wire::decode(&frame).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn random<E: Env>() -> [u8; 32] {
    let mut bytes = [0; 32];
    E::Runtime::thread_rng().fill_bytes(&mut bytes);
    bytes
}

/// True if an error says that the two ends do not have the same secret.
pub fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn denied() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "the peer does not know the cluster's secret",
    )
}
