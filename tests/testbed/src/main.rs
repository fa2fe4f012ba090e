//! The command line of the test bed: `testbed up | demo`. In: arguments. Out: what the subcommand prints, and its exit code.

mod demo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testbed::{ControlPlane, Tool};

/// A Kubernetes control plane, the CloudFront simulator and the operator on one machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the life cycle of one connection group with kubectl; on a terminal, leave everything running until Ctrl-C
    Demo {
        /// A context of your kubeconfig: that cluster is used instead of a new control plane, with the kubectl in PATH; nothing is left there
        #[arg(long)]
        context: Option<String>,
    },
    /// Start a control plane and nothing else, print how to reach it, and keep it until Ctrl-C
    Up,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { context } => demo::run(context.as_deref()).await,
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

async fn up() -> testbed::Result<()> {
    let control_plane = ControlPlane::start().await?;
    println!("export KUBECONFIG={}", control_plane.kubeconfig().display());
    println!("{} get namespaces", control_plane.tools().path(Tool::Kubectl).display());
    // If the handler cannot be installed, the signal ends this process, and the guards end the rest.
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
