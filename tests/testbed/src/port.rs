//! Free ports of the loopback interface. Talks to the network stack.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};
use crate::process::tail;

/// How often a start is tried when another process has taken the port first.
pub(crate) const ATTEMPTS: usize = 5;

/// Not the kernel's ephemeral ports, which each outgoing connection gets: they would be taken again before their user binds them.
const PORTS: Range<u16> = 20_000..30_000;

/// A counter, so that this process hands out no port twice; it starts elsewhere in each process.
static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(7919)));

/// A port that is free now, and that only another run of tests may take. A caller that passes it on checks `was_taken` and tries another.
pub fn free() -> Result<u16> {
    let next = || {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(PORTS.end - PORTS.start);
        PORTS.start + u16::try_from(turn).unwrap_or_default()
    };
    let free = PORTS.map(|_| next()).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    free.ok_or_else(|| Error::io("find a free port on", "127.0.0.1".as_ref())(ErrorKind::AddrInUse.into()))
}

/// Whether a child that ended did so because its port was taken.
pub(crate) fn was_taken(log: &Path) -> bool {
    let tail = tail(log).to_lowercase();
    tail.contains("address already in use") || tail.contains("address in use")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_handed_out_twice() {
        let ports = (0..500).map(|_| free().unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(ports.len(), 500);
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }
}
