//! `make bench`: the operator measured from outside, as a user sees it. Starts processes; talks to all of them.
//!
//! In: the release binaries; optionally, names of sections (`cargo bench --bench operator -- latency`). Out: a table on standard output: what was
//! measured, the same of the incumbent (ACK cloudfront-controller v1.7.1, on a machine of this size), and what is aimed at. Nothing is asserted:
//! a figure depends on the machine. It takes about six minutes.

mod fleet;
mod latency;
mod life;
mod scene;
mod table;
mod thousand;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build, whose figures mean nothing: run `make bench`");
        return ExitCode::FAILURE;
    }
    // Cargo adds `--bench`.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    match measure(|section| wanted.is_empty() || wanted.iter().any(|name| name == section)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(is_wanted: impl Fn(&str) -> bool) -> testbed::Result<()> {
    table::head();
    if is_wanted("size") {
        table::row("release binary, stripped", table::megabytes(scene::binary_size()?), "66 MB", "image <= 16 MB");
    }
    // First, and long: a fresh API server has work of its own to do at the start.
    if is_wanted("life") {
        life::one().await?;
    }
    if is_wanted("latency") {
        latency::no_delay().await?;
        latency::with_delay().await?;
    }
    if is_wanted("fleet") {
        fleet::unlimited().await?;
        fleet::limited().await?;
    }
    if is_wanted("thousand") {
        thousand::run().await?;
    }
    table::foot();
    Ok(())
}
