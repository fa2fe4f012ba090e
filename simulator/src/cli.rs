//! The command line of the binary: where to listen, and the switches. Pure.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::switches::Switches;
use crate::time::Millis;

/// A CloudFront endpoint for laptops and tests: connection groups, their tags, Anycast IP lists and tenants.
#[derive(Clone, Debug, Parser)]
#[command(name = "cloudfront-simulator", version)]
pub struct Cli {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4568")]
    pub addr: SocketAddr,
    /// Listen on an address that other machines can reach. Nothing is authenticated.
    #[arg(long)]
    pub allow_remote: bool,
    /// Hold back each answer for this long
    #[arg(long, default_value_t = Millis(0))]
    pub latency: Millis,
    /// Append the name of each operation to this file when it is called for the first time; several simulators may share one
    #[arg(long)]
    pub seen_file: Option<PathBuf>,
    /// What AWS does not document
    #[command(flatten, next_help_heading = "What AWS does not document")]
    pub switches: Switches,
}

impl Cli {
    /// Where to listen, unless that is a risk that was not accepted.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub fn address(&self) -> Result<SocketAddr, String> {
        if self.addr.ip().is_loopback() || self.allow_remote {
            return Ok(self.addr);
        }
        Err(format!(
            "{} can be reached by other machines, and the simulator authenticates nobody: \
             listen on 127.0.0.1, or accept this with --allow-remote",
            self.addr
        ))
    }
}
