//! Whole clusters of the production code, tormented from a seed.
//!
//! `CONSORCIO_SIM_SEEDS` raises the number of seeds; `CONSORCIO_SIM_SEED` runs one of them again;
//! `CONSORCIO_SIM_LOG=info` prints what its nodes say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boundaries;
mod bugs;
mod chunks;
mod drills;
mod fitness;
mod leaders;
mod members;
mod readiness;
mod seeds;
mod snapshots;
mod storms;
