//! Free ports of the loopback interface. Talks to the network stack.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::error::{Error, Result};
use crate::process::tail;

/// How often a start is tried when somebody else was quicker to take the port.
pub(crate) const ATTEMPTS: usize = 5;

/// A port that is free now. It may be taken before its user binds it; who passes it on looks at `was_taken` and tries another.
pub fn free() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::io("find a free port on", "127.0.0.1".as_ref()))
}

/// Whether a child that ended did so because its port was taken.
pub(crate) fn was_taken(log: &Path) -> bool {
    let tail = tail(log).to_lowercase();
    tail.contains("address already in use") || tail.contains("address in use")
}
