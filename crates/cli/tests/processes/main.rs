//! The program as real processes: started, killed, paused, restarted, and counted afterwards.
//!
//! One cluster runs at a time, because they share the machine. Set `CONSORCIO_TEST_KILLS` to kill
//! more often than the few times that fit into an ordinary run, and `CONSORCIO_TEST_OTHER_BUILD` to
//! the program of another build to upgrade from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agencies;
mod chaos;
mod classic;
mod commands;
mod disk;
mod drills;
mod elections;
mod faults;
mod field;
mod files;
mod full_disk;
mod grpc;
mod harness;
mod kills;
mod load;
mod lottery;
mod members;
mod network;
mod pause;
mod polls;
mod program;
mod proxies;
mod proxy;
mod queue;
mod rebuild;
mod ring;
mod simulate;
mod up;
