//! The Redis front door: the replicated store for every program that speaks to Redis.

pub mod resp;
