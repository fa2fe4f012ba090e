//! The CloudFront simulator as a child process. In: its switches. Out: its endpoint. Starts it and reads its log.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::admin::AdminClient;
use crate::error::Result;
use crate::process::{Launch, Process};
use crate::{binaries, random, wait};

/// The line it prints when it is ready, up to the address.
const LISTENING: &str = "listening on ";
/// Below cargo's target folder: the operations that were ever called at any simulator of any run; `make test` begins and reads it.
const SEEN: &str = "operations-seen.txt";
const START_DEADLINE: Duration = Duration::from_mins(2);

/// A running simulator; its state exists only as long as it runs.
#[derive(Debug)]
pub struct Simulator {
    /// The process, to be frozen or killed.
    pub process: Process,
    /// The path by which a test reads and changes the account outside the API. It belongs to the tokio runtime of `start`'s caller.
    pub admin: AdminClient,
    endpoint: String,
}

impl Simulator {
    /// Starts one on a free port, with command-line switches; its log goes to `folder`.
    pub async fn start<A: Into<OsString>>(folder: &Path, switches: impl IntoIterator<Item = A>) -> Result<Self> {
        let name = format!("simulator-{}", random::hex::<3>()?);
        let program = binaries::find("cloudfront-simulator")?;
        let seen = tools::target_folder()?.join(SEEN);
        let launch = Launch::new(name, program, folder)
            .args(["--addr", "127.0.0.1:0", "--seen-file"])
            .args([seen.into_os_string()])
            .args(switches);
        let log = launch.log();
        let mut process = Process::start(&launch)?;
        let mut endpoint = String::new();
        wait::until_ready(&mut process, START_DEADLINE, async || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(LISTENING));
            line.unwrap_or_default().trim().clone_into(&mut endpoint);
            if endpoint.is_empty() { Err(format!("no line `{LISTENING}...`")) } else { Ok(()) }
        })
        .await?;
        Ok(Self { process, admin: AdminClient::new(&endpoint)?, endpoint })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
