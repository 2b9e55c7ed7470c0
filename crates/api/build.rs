//! Makes Rust of the Protobuf files, in Rust alone: `protoc` need not be installed.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

/// Where the files are.
const ROOT: &str = "proto";

/// One for each subject.
const FILES: &[&str] = &[
    "consorcio/v1/accounts.proto",
    "consorcio/v1/cluster.proto",
    "consorcio/v1/events.proto",
    "consorcio/v1/journals.proto",
    "consorcio/v1/lotteries.proto",
    "consorcio/v1/news.proto",
    "consorcio/v1/polls.proto",
    "consorcio/v1/store.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let files = protox::compile(FILES, [ROOT])?;
    // What reflection tells, comments left out.
    let mut told = files.clone();
    told.file
        .iter_mut()
        .for_each(|file| file.source_code_info = None);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo says no OUT_DIR")?);
    fs::write(out.join("consorcio.v1.bin"), told.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        .compile_fds(files)?;
    Ok(())
}
