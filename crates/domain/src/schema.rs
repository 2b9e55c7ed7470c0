//! The tables. Written for SQLite and PostgreSQL alike, see [`crate::sql`].
//!
//! ```text
//!   accounts ──< sessions              areas ──< posts ──> full-text index (document)
//!      │                                 │  ╲──< tombstones
//!      ├──< replies (request ids)        ├──< subscriptions >── accounts
//!      └────────────────────────────────<┴──< read_ranges   >── accounts
//!   machine (one row)      outbox (events)      store (its rows: see store/rows.rs)
//!
//!   lotteries ──< lottery_agencies ──< lottery_winners (written by the draw, many in a row)
//!        ╲──< lottery_batches (a row for each batch) ──> lottery_blocks (Merkle, 1 for 1,024)
//!   polls ──< poll_options (with the tally)   ──< poll_voters >── accounts   ──< ballots
//!   files ──< file_chunks (hashes, many in a row)   ──< file_tags      file_usage (1 an owner)
//! ```
//!
//! Tables whose key is all there is to look for are `WITHOUT ROWID`: one tree instead of two. Posts
//! are kept in order of publication, which packs their pages full, and found by area and id
//! through one narrow index. A removed area has no `name_key`, which frees its name.

/// What [`crate::Machine::load`] expects to find; another number is another version's data.
pub const SCHEMA_VERSION: i64 = 2;

/// Makes every table that is missing.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS machine (
    id BIGINT PRIMARY KEY,
    version BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    clock_ms BIGINT NOT NULL,
    accounts BIGINT NOT NULL,
    areas BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    events BIGINT NOT NULL,
    replies BIGINT NOT NULL,
    reply_sweep BIGINT NOT NULL,
    removed_areas BIGINT NOT NULL,
    store_epoch BIGINT NOT NULL,
    store_ids BIGINT NOT NULL,
    store_keys BIGINT NOT NULL,
    store_tombstones BIGINT NOT NULL,
    store_floor BIGINT NOT NULL,
    store_garbage BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS accounts (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    administrator BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    feed_token BYTEA
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS accounts_by_name ON accounts (name_key);
CREATE UNIQUE INDEX IF NOT EXISTS accounts_by_feed ON accounts (feed_token);

CREATE TABLE IF NOT EXISTS sessions (
    token_hash BYTEA PRIMARY KEY,
    account BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    revoked BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_account ON sessions (account, expires_at_ms);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at_ms);

CREATE TABLE IF NOT EXISTS replies (
    scope BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    request_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    at_ms BIGINT NOT NULL,
    outcome BYTEA NOT NULL,
    PRIMARY KEY (scope, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS replies_by_key ON replies (scope, request_key);

CREATE TABLE IF NOT EXISTS outbox (
    log_index BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    topic BYTEA NOT NULL,
    PRIMARY KEY (log_index, number)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS outbox_floor (
    id BIGINT PRIMARY KEY,
    log_index BIGINT NOT NULL,
    number BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS areas (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT,
    description TEXT NOT NULL,
    newest_post BIGINT NOT NULL,
    live_posts BIGINT NOT NULL,
    last_post_at_ms BIGINT,
    removed BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS areas_by_name ON areas (name_key);

CREATE TABLE IF NOT EXISTS subscriptions (
    area BIGINT NOT NULL,
    account BIGINT NOT NULL,
    PRIMARY KEY (area, account)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS posts (
    document INTEGER PRIMARY KEY,
    area BIGINT NOT NULL,
    id BIGINT NOT NULL,
    author BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    state BIGINT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS posts_by_area ON posts (area, id);

CREATE TABLE IF NOT EXISTS tombstones (
    area BIGINT NOT NULL,
    post BIGINT NOT NULL,
    PRIMARY KEY (area, post)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS read_ranges (
    area BIGINT NOT NULL,
    account BIGINT NOT NULL,
    low BIGINT NOT NULL,
    high BIGINT NOT NULL,
    PRIMARY KEY (area, account, low)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS store (
    name BYTEA PRIMARY KEY,
    value BYTEA NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lotteries (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    agencies BIGINT NOT NULL,
    rule BYTEA NOT NULL,
    opened_at_ms BIGINT NOT NULL,
    open_agencies BIGINT NOT NULL,
    bets BIGINT NOT NULL,
    batches BIGINT NOT NULL,
    frontier BYTEA NOT NULL,
    drawn_at_ms BIGINT,
    number BIGINT,
    winners BIGINT,
    secret BYTEA,
    source_value TEXT
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lottery_agencies (
    lottery BIGINT NOT NULL,
    agency BIGINT NOT NULL,
    bets BIGINT NOT NULL,
    winners BIGINT NOT NULL,
    closed_at_ms BIGINT,
    PRIMARY KEY (lottery, agency)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lottery_batches (
    lottery BIGINT NOT NULL,
    leaf BIGINT NOT NULL,
    agency BIGINT NOT NULL,
    first_bet BIGINT NOT NULL,
    bets BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (lottery, leaf)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lottery_blocks (
    lottery BIGINT NOT NULL,
    block BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (lottery, block)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lottery_winners (
    lottery BIGINT NOT NULL,
    agency BIGINT NOT NULL,
    first_winner BIGINT NOT NULL,
    winners BIGINT NOT NULL,
    documents TEXT NOT NULL,
    PRIMARY KEY (lottery, agency, first_winner)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS polls (
    id BIGINT PRIMARY KEY,
    author BIGINT NOT NULL,
    question TEXT NOT NULL,
    options BIGINT NOT NULL,
    voters BIGINT NOT NULL,
    live BIGINT NOT NULL,
    open_ballot BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    opens_at_ms BIGINT NOT NULL,
    closes_at_ms BIGINT,
    closed_at_ms BIGINT,
    quorum_percent BIGINT,
    quorum_weight BIGINT,
    majority BIGINT NOT NULL,
    listed_voters BIGINT NOT NULL,
    listed_weight BIGINT NOT NULL,
    running BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS polls_by_running ON polls (running, closes_at_ms);
CREATE INDEX IF NOT EXISTS polls_by_author ON polls (author, running);

CREATE TABLE IF NOT EXISTS poll_options (
    poll BIGINT NOT NULL,
    number BIGINT NOT NULL,
    label TEXT NOT NULL,
    ballots BIGINT NOT NULL,
    weight BIGINT NOT NULL,
    changed_at_ms BIGINT NOT NULL,
    PRIMARY KEY (poll, number)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS poll_lists (
    poll BIGINT PRIMARY KEY,
    list TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS poll_lists_by_list ON poll_lists (list);

CREATE TABLE IF NOT EXISTS poll_voters (
    poll BIGINT NOT NULL,
    account BIGINT NOT NULL,
    weight BIGINT NOT NULL,
    PRIMARY KEY (poll, account)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS ballots (
    poll BIGINT NOT NULL,
    voter BYTEA NOT NULL,
    account BIGINT,
    choice BIGINT NOT NULL,
    weight BIGINT NOT NULL,
    code_hash BYTEA NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (poll, voter)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS files (
    id BIGINT PRIMARY KEY,
    scope BIGINT NOT NULL,
    name TEXT NOT NULL,
    owner BIGINT NOT NULL,
    area BIGINT,
    media_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    root BYTEA NOT NULL,
    copies BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    changed_at_ms BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS files_by_name ON files (scope, name);
CREATE INDEX IF NOT EXISTS files_by_owner ON files (owner, id);

CREATE TABLE IF NOT EXISTS file_chunks (
    file BIGINT NOT NULL,
    block BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (file, block)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS file_tags (
    tag TEXT NOT NULL,
    file BIGINT NOT NULL,
    PRIMARY KEY (tag, file)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_tags_by_file ON file_tags (file);

CREATE TABLE IF NOT EXISTS file_usage (
    owner BIGINT PRIMARY KEY,
    files BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    newest BIGINT NOT NULL,
    changes BIGINT NOT NULL
) WITHOUT ROWID;
";
