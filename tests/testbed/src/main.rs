//! The command line of the test bed: `testbed tools | up | demo`. In: arguments. Out: what the subcommand prints, and its exit code.

mod demo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testbed::ControlPlane;

/// A Kubernetes control plane, the CloudFront simulator and the operator on one machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build etcd, Kubernetes' servers, kubectl and Helm unless they are built, and print the folder that holds them
    Tools,
    /// Show the life cycle of one connection group with kubectl; on a terminal, leave everything running until Ctrl-C
    Demo,
    /// Start a control plane and nothing else, print how to reach it, and keep it until Ctrl-C
    Up,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Tools => tools().map_err(|error| error.to_string()),
        Command::Demo => demo::run().await,
        Command::Up => up().await.map_err(|error| error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tools() -> testbed::Result<()> {
    let tools = testbed::tools::ensure()?;
    println!("{}", tools.folder().display());
    Ok(())
}

async fn up() -> testbed::Result<()> {
    let control_plane = ControlPlane::start().await?;
    println!("export KUBECONFIG={}", control_plane.kubeconfig().display());
    println!("{} get namespaces", control_plane.tools().kubectl().display());
    // If the handler cannot be installed, the signal ends this process, and the guards end the rest.
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
