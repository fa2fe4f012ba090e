//! `/metrics` on one listener; `/livez`, `/healthz` and `/readyz` on another. In: listeners. Out: answers until dropped. Health never depends on AWS.
//!
//! Live means: this server answers, the controllers make progress, and no call to CloudFront hangs. A request that panics ends only its own connection.

use std::{
    future::IntoFuture,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::{RunError, heartbeat::Heartbeat, metrics::Metrics, objects::Objects};

/// What is served.
pub struct Served {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// The scopes; ready means that at least one of them can be read.
    pub objects: Arc<Objects>,
    /// Whether the controllers make progress.
    pub heartbeat: Arc<Heartbeat>,
}

/// Where it is served.
pub struct Listeners {
    /// For `/metrics`.
    pub metrics: TcpListener,
    /// For `/livez`, `/healthz` and `/readyz`.
    pub health: TcpListener,
}

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on the address of a flag. `[::]` means all addresses of both families, or those of IPv4 on a machine without IPv6.
pub fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    or_ipv4(address, bind).map_err(|source| RunError::Listen { flag, address, source })
}

fn or_ipv4<T>(address: SocketAddr, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match bind(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))
        }
        bound => bound,
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Otherwise a setting of the kernel decides.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether the kernel has no IPv6, or has it switched off.
fn is_without_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Serves until dropped.
pub async fn serve(listeners: Listeners, served: Served) {
    let served = Arc::new(served);
    let metrics = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&served));
    let health = Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(served);
    let ended = tokio::select! {
        ended = axum::serve(listeners.metrics, metrics).into_future() => ended,
        ended = axum::serve(listeners.health, health).into_future() => ended,
    };
    if let Err(error) = ended {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

async fn alive(State(served): State<Arc<Served>>) -> impl IntoResponse {
    match served.heartbeat.stuck() {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(stuck) => (StatusCode::SERVICE_UNAVAILABLE, stuck.to_string()),
    }
}

async fn ready(State(served): State<Arc<Served>>) -> impl IntoResponse {
    let views = served.objects.views();
    let blind = views.iter().filter_map(|(scope, blind)| {
        let place = if scope == "*" { "all namespaces".to_owned() } else { format!("namespace '{scope}'") };
        blind.map(|blind| format!("\nConnectionGroup objects in {place} cannot be read: {blind}"))
    });
    let blind = blind.collect::<Vec<_>>();
    // With one readable scope there is work to do; the answer names the others.
    if blind.len() < views.len() {
        (StatusCode::OK, format!("ok{}", blind.concat()))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready{}", blind.concat()))
    }
}

async fn metrics(State(served): State<Arc<Served>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], served.metrics.text())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::watcher;

    use super::*;
    use crate::{
        controller::{metrics::testing, scope::Scope},
        leadership::fence::Fence,
    };

    fn served(scopes: Vec<Arc<Scope>>) -> State<Arc<Served>> {
        State(Arc::new(Served {
            metrics: Arc::new(testing::metrics()),
            objects: Arc::new(Objects::new(scopes)),
            heartbeat: Arc::new(Heartbeat::new(Fence::default(), Duration::from_secs(30))),
        }))
    }

    #[test]
    fn without_ipv6_it_listens_on_ipv4_instead_unless_the_address_is_a_certain_one() {
        let kernel = |address: SocketAddr| {
            if address.is_ipv6() { Err(io::Error::from_raw_os_error(97)) } else { Ok(address.to_string()) }
        };
        assert_eq!(or_ipv4("[::]:8081".parse().unwrap(), kernel).unwrap(), "0.0.0.0:8081");
        assert!(or_ipv4("[::1]:8081".parse().unwrap(), kernel).is_err());
        let taken = |_| Err::<(), _>(io::Error::from(io::ErrorKind::AddrInUse));
        assert_eq!(or_ipv4("[::]:8081".parse().unwrap(), taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test(start_paused = true)]
    async fn controllers_that_hang_are_not_alive() {
        let served = served(Vec::new());
        assert_eq!(alive(served.clone()).await.into_response().status(), 200);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(alive(served).await.into_response().status(), 503);
    }

    async fn readiness(served: &State<Arc<Served>>) -> (StatusCode, String) {
        let answer = ready(served.clone()).await.into_response();
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_once_one_namespace_can_be_read_and_names_those_that_cannot() {
        let (first, _feed) = Scope::new(Some("first".into()));
        let (second, _other) = Scope::new(Some("second".into()));
        let served = served(vec![Arc::clone(&first), Arc::clone(&second)]);
        let (status, text) = readiness(&served).await;
        assert!(status == 503 && text.contains("'first'") && text.contains("'second'"), "{text}");
        first.saw(&watcher::Event::InitDone);
        second.answered(StatusCode::FORBIDDEN);
        let (status, text) = readiness(&served).await;
        let expected = "ok\nConnectionGroup objects in namespace 'second' cannot be read: the API server does not let this operator list and watch";
        assert!(status == 200 && text.starts_with(expected), "{text}");
        second.answered(StatusCode::OK);
        second.saw(&watcher::Event::InitDone);
        assert_eq!(readiness(&served).await, (StatusCode::OK, "ok".to_owned()));
    }
}
