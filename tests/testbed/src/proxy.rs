//! A TCP proxy that can freeze, delay or drop connections. In: an address to connect to. Out: an address of its own, and control of the connections
//! through it. Does not inspect what it forwards.
//!
//! A frozen connection stays open on both sides, and nothing arrives any more: what a NAT that dropped it, or a node that lost its network,
//! looks like from the other end.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// A running proxy; dropping it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    rules: watch::Sender<Rules>,
    listening: JoinHandle<()>,
}

/// The state of connections, by their number.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    accepted: u64,
    /// All below are frozen.
    frozen: u64,
    /// All below are closed.
    cut: u64,
    /// Whether new connections are dropped as soon as they come.
    dropping: bool,
    /// The delay of everything that arrives.
    delay: Duration,
    /// A connection that was idle for so long is frozen.
    forget_after: Option<Duration>,
}

impl Proxy {
    /// Listens on a free port, and connects to `target` for each connection that comes.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), target).await
    }

    /// The same, on this address of the machine.
    pub async fn start_on(address: IpAddr, target: SocketAddr) -> Result<Self> {
        let failed = |error: std::io::Error| Error::Start { name: "proxy".to_owned(), reason: error.to_string() };
        let listener = TcpListener::bind((address, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let rules = watch::Sender::new(Rules::default());
        let listening = tokio::spawn(listen(listener, target, rules.clone()));
        Ok(Self { address, rules, listening })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.rules.borrow().accepted
    }

    /// Freezes the current connections: nothing arrives any more, and they stay open. New ones work normally.
    pub fn freeze(&self) {
        self.rules.send_modify(|rules| rules.frozen = rules.accepted);
    }

    /// Closes the current connections.
    pub fn cut(&self) {
        self.rules.send_modify(|rules| rules.cut = rules.accepted);
    }

    /// From now on everything arrives with this delay.
    pub fn delay(&self, delay: Duration) {
        self.rules.send_modify(|rules| rules.delay = delay);
    }

    /// From now on, a connection that was idle for so long is frozen, as by a NAT that forgets it.
    pub fn forget_idle(&self, after: Duration) {
        self.rules.send_modify(|rules| rules.forget_after = Some(after));
    }

    /// Closes all connections, and new ones as soon as they come.
    pub fn drop_all(&self) {
        self.rules.send_modify(|rules| (rules.cut, rules.dropping) = (rules.accepted, true));
    }

    /// New connections work normally.
    pub fn let_pass(&self) {
        self.rules.send_modify(|rules| rules.dropping = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, target: SocketAddr, rules: watch::Sender<Rules>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut number = 0;
        rules.send_modify(|rules| {
            number = rules.accepted;
            rules.accepted += 1;
        });
        if !rules.borrow().dropping {
            tokio::spawn(connection(client, target, number, rules.subscribe()));
        }
    }
}

async fn connection(client: TcpStream, target: SocketAddr, number: u64, rules: watch::Receiver<Rules>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut end = rules.clone();
    let used = Mutex::new(Instant::now());
    tokio::select! {
        ((), ()) = async {
            tokio::join!(
                copy(from_client, to_server, number, &used, rules.clone()),
                copy(from_server, to_client, number, &used, rules.clone()),
            )
        } => {}
        _ = end.wait_for(|rules| number < rules.cut) => {}
    }
}

/// Forwards what arrives, until the connection ends. `used` is the time at which something arrived last, from either side.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: u64,
    used: &Mutex<Instant>,
    mut rules: watch::Receiver<Rules>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Rules { delay, forget_after, .. } = *rules.borrow();
        let idle = used.lock().map(|mut used| std::mem::replace(&mut *used, Instant::now()).elapsed());
        if forget_after.is_some_and(|limit| idle.is_ok_and(|idle| idle > limit)) {
            return pending().await;
        }
        tokio::time::sleep(delay).await;
        // Once frozen, a connection stays so.
        let passes = rules.wait_for(|rules| number >= rules.frozen).await.is_ok();
        if !passes || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// An echo server.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn answers(client: &mut TcpStream) -> std::io::Result<u8> {
        client.write_all(b"x").await?;
        client.read_u8().await
    }

    #[tokio::test]
    async fn a_frozen_connection_stays_open_and_silent_and_a_new_one_passes() -> Result<()> {
        let proxy = Proxy::start(echo().await).await?;
        let mut old = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(answers(&mut old).await.unwrap(), b'x');
        proxy.freeze();
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(answers(&mut new).await.unwrap(), b'x');
        timeout(Duration::from_millis(100), answers(&mut old)).await.unwrap_err();
        assert_eq!(proxy.accepted(), 2);
        proxy.cut();
        assert!(old.read_u8().await.is_err(), "now it is closed");
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_that_was_idle_for_too_long_is_frozen_and_a_busy_one_is_not() -> Result<()> {
        let proxy = Proxy::start(echo().await).await?;
        proxy.forget_idle(Duration::from_millis(300));
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        for _ in 0..10 {
            assert_eq!(answers(&mut client).await.unwrap(), b'x');
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        timeout(Duration::from_millis(200), answers(&mut client)).await.unwrap_err();
        Ok(())
    }

    #[tokio::test]
    async fn delayed_data_arrives_late_and_dropped_data_never() -> Result<()> {
        let proxy = Proxy::start(echo().await).await?;
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.delay(Duration::from_millis(100));
        let start = Instant::now();
        answers(&mut client).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(200), "once on each way");
        proxy.drop_all();
        assert!(client.read_u8().await.is_err());
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(refused.read_u8().await.is_err());
        proxy.let_pass();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(answers(&mut client).await.unwrap(), b'x');
        Ok(())
    }
}
