//! The entry point: parses arguments, sets up telemetry and runs the operator.

use std::process::ExitCode;

use clap::Parser;
use connection_group_operator::{
    api, check,
    cli::{Cli, Command},
    controller::{self, RunArgs},
    network::Network,
    telemetry,
};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Crd => print_crd(),
        Command::Run(args) => {
            if let Err(error) = args.check(|name| std::env::var(name).ok()) {
                error.exit();
            }
            start(*args)
        }
        Command::Check(args) => {
            if let Err(error) = args.check(|name| std::env::var(name).ok()) {
                error.exit();
            }
            check_once(&args)
        }
    }
}

fn print_crd() -> ExitCode {
    match serde_saphyr::to_string(&api::crd()) {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the CRD cannot be written as YAML: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn check_once(args: &RunArgs) -> ExitCode {
    // As in `start`.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let network = match Network::from_environment().await {
        Ok(network) => network,
        Err(error) => return cannot_start(&error),
    };
    if Box::pin(check::run(args, &network)).await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[tokio::main]
async fn start(args: RunArgs) -> ExitCode {
    // Several crates use rustls, which panics if it has to guess a provider. Installing one fails only if one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let network = match Network::from_environment().await {
        Ok(network) => network,
        Err(error) => return cannot_start(&error),
    };
    let telemetry = match telemetry::init(&args.log, args.otlp_endpoint.as_ref(), &network) {
        Ok(telemetry) => telemetry,
        Err(error) => return cannot_start(&error),
    };
    let code = match Box::pin(controller::run(args, &network, stop_signal())).await {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(%error, "ended");
            eprintln!("connection-group-operator: {error}");
            ExitCode::FAILURE
        }
    };
    telemetry.flush().await;
    code
}

fn cannot_start(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("connection-group-operator cannot start: {error}");
    ExitCode::FAILURE
}

async fn stop_signal() {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        tracing::error!("cannot listen for signals: the process does not stop gracefully");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: no new change is started; calls in flight are finished"),
        _ = interrupt.recv() => tracing::info!("SIGINT: no new change is started; calls in flight are finished"),
    }
}
