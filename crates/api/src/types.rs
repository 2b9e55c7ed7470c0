//! The JSON of the REST API: every body that is sent or answered.
//!
//! Requests refuse fields they do not know; answers may grow fields, so a client ignores those it
//! does not know. Times are RFC 3339 strings in UTC (`2026-03-01T18:30:00.123Z`). Ids are whole
//! numbers from 1. `{area}` in a path is an area's id or its percent-encoded name; `{lottery}` is
//! an id or, in readings, `current`: the lottery that was opened last.
//!
//! | route | request | answer |
//! |---|---|---|
//! | `POST /v1/accounts` | [`Credentials`] | 201 [`Account`] |
//! | `GET /v1/accounts?after=&limit=` (administrators) | | [`Accounts`] |
//! | `PUT /v1/accounts/current/password` | [`PasswordChange`] | 204 |
//! | `PUT`, `DELETE /v1/accounts/{name}/administrator` (administrators) | | 204 |
//! | `POST /v1/sessions` | [`Credentials`] | 201 [`Session`] |
//! | `GET /v1/sessions/current` | | [`CurrentSession`] |
//! | `DELETE /v1/sessions/current` (log out), `DELETE /v1/sessions` (everywhere) | | 204 |
//! | `GET /v1/areas` | | [`Areas`] |
//! | `POST /v1/areas` (administrators) | [`NewArea`] | 201 [`AreaMade`] |
//! | `GET /v1/areas/{area}` | | [`Area`] |
//! | `PATCH`, `DELETE /v1/areas/{area}` (administrators) | [`AreaEdit`], none | 204 |
//! | `PUT`, `DELETE /v1/areas/{area}/subscription` | | 204 |
//! | `GET /v1/subscriptions` | | [`Subscriptions`] |
//! | `GET /v1/areas/{area}/posts?unread=&after=&before=&order=&limit=` | | [`Posts`] |
//! | `POST /v1/areas/{area}/posts` | [`NewPost`] | 201 [`PostMade`] |
//! | `GET /v1/areas/{area}/posts/{id}` | | [`Post`] |
//! | `DELETE /v1/areas/{area}/posts/{id}` (its author) | | 204 |
//! | `POST /v1/areas/{area}/posts/{id}/hide` (administrators) | [`Hide`] | 204 |
//! | `POST /v1/areas/{area}/read` | [`Mark`] | [`Unread`] |
//! | `GET /v1/search?q=&before=&limit=` | | [`Found`] |
//! | `GET /v1/events?area=&poll=&kind=&after=` | | a stream of [`Event`] (SSE) |
//! | `GET /v1/polls?before=&limit=` | | [`Polls`] |
//! | `POST /v1/polls` | [`NewPoll`] | 201 [`PollMade`] |
//! | `GET /v1/polls/{poll}` | | [`Poll`] |
//! | `PUT /v1/polls/{poll}/ballot` | [`CastBallot`] | [`BallotCast`] |
//! | `POST /v1/polls/{poll}/close` (its author, administrators) | | 204 |
//! | `GET /v1/polls/{poll}/result` | | [`PollResult`], or CSV |
//! | `GET /v1/polls/{poll}/record?from=&limit=` | | [`PollRecord`], or CSV |
//! | `GET /v1/polls/{poll}/proof?code=` | | [`BallotProof`] |
//! | `POST /v1/feed` | | 201 [`Feed`] |
//! | `GET /v1/areas/{area}/atom` | | Atom, for a session |
//! | `GET /feeds/{token}/all.atom`, `/feeds/{token}/areas/{area}.atom` | | Atom, for the token |
//! | `GET /v1/keys/{key}` | | raw bytes |
//! | `PUT`, `DELETE /v1/keys/{key}` | raw bytes, none | [`KeyVersion`] |
//! | `GET /v1/journals?after=&limit=` | | [`Journals`] |
//! | `GET /v1/journals/{name}?from=&limit=`, `?tail=` | | [`Journal`] |
//! | `POST /v1/journals/{name}` | raw bytes | 201 [`JournalAppended`] |
//! | `GET /v1/journals/{name}/{index}` | | [`JournalEntryShown`] |
//! | `POST /v1/journals/{name}/trim` | [`JournalTrim`] | [`JournalTrimmed`] |
//! | `GET /v1/files?match=&tag=&owner=&before=&limit=` | | [`Files`] |
//! | `PUT /v1/files/{name}?private=&area=&tag=&copies=` | raw bytes | 201 or 200 [`FilePut`] |
//! | `GET /v1/files/{name}?private=` | | raw bytes, or a range of them |
//! | `DELETE /v1/files/{name}?private=` (its owner, administrators) | | 204 |
//! | `PATCH /v1/files/{name}?private=` (its owner, administrators) | [`FileRename`] | 204 |
//! | `GET /v1/files/{name}/info?private=` | | [`File`] |
//! | `GET /v1/files/{name}/chunks?private=&from=` | | [`FileChunks`] |
//! | `GET /v1/usage/files` | | [`FilesUsage`] |
//! | `GET /v1/lotteries?before=&limit=` | | [`Lotteries`] |
//! | `POST /v1/lotteries` (administrators) | [`NewLottery`] | 201 [`LotteryMade`] |
//! | `GET /v1/lotteries/{lottery}` | | [`LotteryShown`] |
//! | `POST /v1/lotteries/{lottery}/bets` (administrators) | [`NewBets`] | 201 [`BetsStored`] |
//! | `POST /v1/lotteries/{lottery}/agencies/{agency}/close` (administrators) | | [`AgencyClosed`] |
//! | `POST /v1/lotteries/{lottery}/draw` (administrators) | [`NewDraw`] | [`DrawMade`] |
//! | `GET /v1/lotteries/{lottery}/agencies/{agency}/winners?after=` | | [`Winners`] |
//! | `GET /v1/lotteries/{lottery}/record?from=&limit=&bets=` | | [`Record`] |
//! | `GET /v1/lotteries/{lottery}/receipts/{leaf}` | | [`Receipt`] |
//! | `GET /v1/route/areas/{area}` | | [`Route`] |
//! | `GET /v1/cluster` | | [`Cluster`] |
//! | `GET /v1/cluster/elections` | | [`Elections`] |
//! | `POST /v1/cluster/token` (administrators) | | 201 [`JoinToken`] |
//! | `DELETE /v1/cluster/nodes/{name}` (administrators) | | 204 |
//! | `POST /v1/cluster/nodes/{name}/rebuild` (administrators) | [`Rebuild`] | 202 [`Rebuilding`] |
//! | `GET /v1/drills` (administrators; of the node that is asked) | | [`Drills`] |
//! | `POST /v1/drills` (administrators) | [`NewDrill`] | 201 [`Drill`] |
//! | `DELETE /v1/drills/current` (administrators) | | 204 |
//! | `GET /v1/version` | | [`Version`] |
//! | `GET /health/live`, `/health/ready` | | [`Health`]; 503 when it is not |
//! | `GET /metrics`, `/v1/openapi.json` | | Prometheus text, OpenAPI 3.1 |
//!
//! Every error is a [`Problem`]. All but registering, logging in, the cluster's, the health and the
//! version routes need a session: `Authorization: Bearer <token>`. A poll for anyone does without.
//!
//! Headers, in [`headers`]: every answer names the state it was made from; a request may say how
//! fresh the answer must be, and makes a write exactly-once with an `Idempotency-Key`.

mod accounts;
mod cluster;
mod drills;
mod files;
mod journals;
mod lotteries;
mod news;
mod polls;
mod problem;

pub use accounts::{Account, Accounts, Credentials, CurrentSession, PasswordChange, Session};
pub use cluster::{
    Cluster, Doors, Election, ElectionCause, ElectionEvent, Elections, Health, JoinToken,
    KeyVersion, Node, NodeRole, Rebuild, Rebuilding, Route, RouteNode, Version,
};
pub use drills::{Drill, DrillFault, Drills, NewDrill};
pub use files::{
    File, FileChunk, FileChunks, FileLimits, FilePut, FileRename, FileUsage, Files, FilesUsage,
};
pub use journals::{
    Journal, JournalAppended, JournalEntry, JournalEntryShown, JournalField, JournalName,
    JournalTrim, JournalTrimmed, Journals,
};
pub use lotteries::{
    Agency, AgencyClosed, Batch, Bet, BetsStored, Draw, DrawMade, Hex32, Lotteries, Lottery,
    LotteryMade, LotteryShown, LotteryState, NewBets, NewDraw, NewLottery, NotHex32, Receipt,
    Record, Winners,
};
pub use news::{
    Area, AreaEdit, AreaMade, Areas, Event, Feed, Found, FoundPost, Hide, Mark, NewArea, NewPost,
    Post, PostMade, PostState, Posts, Subscriptions, Unread,
};
pub use polls::{
    BallotCast, BallotProof, BallotReceipt, CastBallot, Count, ListedVoter, NewPoll, OwnBallot,
    Poll, PollMade, PollMajority, PollRecord, PollResult, PollState, PollVoters, Polls, Tally,
};
pub use problem::{FieldError, Problem};

/// The names of the headers that the API adds to HTTP's own, in lower case.
pub mod headers {
    /// Log index of the answer: of the write, or of the newest entry a read saw. A client that
    /// sends the largest one it has seen never reads an older state, on any node.
    pub const INDEX: &str = "consorcio-index";
    /// Raft term of the node that served.
    pub const TERM: &str = "consorcio-term";
    /// Name of the node that served.
    pub const NODE: &str = "consorcio-node";
    /// How old the state may be, in milliseconds; 0 for writes and linearizable reads.
    pub const AGE_MS: &str = "consorcio-age-ms";
    /// In a request, `linearizable`, `session` or `stale`; also as `?consistency=`.
    pub const CONSISTENCY: &str = "consorcio-consistency";
    /// In a request, the id of the cluster that is meant (`id` of `GET /v1/cluster`): a node
    /// of another one refuses the request with 421.
    pub const CLUSTER: &str = "consorcio-cluster";
    /// In a request, 1 to 128 visible ASCII characters: the same id never acts twice.
    pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
    /// `true` on an answer that an earlier request with the same id already got.
    pub const REPLAYED: &str = "idempotency-replayed";
    /// In a request that puts a file, the BLAKE3 that all its bytes must have, 64 hexadecimal
    /// digits: others are refused.
    pub const ROOT: &str = "consorcio-root";
}
