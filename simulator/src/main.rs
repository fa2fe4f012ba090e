//! The binary: arguments in, a listening server out. Talks to its clients over HTTP; ends on SIGTERM or Ctrl-C.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use cloudfront_simulator::cli::Cli;
use cloudfront_simulator::server::{Simulator, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cloudfront-simulator: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), String> {
    let address = cli.address()?;
    let failed = |error: std::io::Error| format!("cannot listen on {address}: {error}");
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    // Whoever started this may have stopped reading; that is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "listening on http://{bound}");

    let mut simulator = Simulator::new(cli.switches, cli.latency.into());
    if let Some(path) = &cli.seen_file {
        let file = OpenOptions::new().create(true).append(true).open(path);
        simulator = simulator.telling(file.map_err(|error| format!("cannot write to {}: {error}", path.display()))?);
    }
    let simulator = Arc::new(simulator);
    let stop = async {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    };
    serve(listener, simulator, stop).await;
    Ok(())
}
