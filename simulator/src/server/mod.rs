//! The HTTP server: a thin coat over [`Account`](crate::Account). Talks to its clients over HTTP, and reads the clock.

mod admin;
mod call;
mod faults;
mod simulator;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

pub use simulator::Simulator;

use crate::wire::Answer;

const ADMIN: &str = "/_admin/";
const BODY_LIMIT: usize = 1 << 20;

/// Answers on `listener` until `stop` is done. Calls that are under way then are not waited for.
pub async fn serve(listener: TcpListener, simulator: Arc<Simulator>, stop: impl Future<Output = ()>) {
    let admin = admin::router(Arc::clone(&simulator));
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, Arc::clone(&simulator), admin.clone()));
                }
                // Out of file descriptors, most likely: one may be free again soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// Serves one connection. How it ends is the client's affair.
async fn converse(stream: TcpStream, simulator: Arc<Simulator>, admin: Router) {
    let service = service_fn(|request| respond(request, Arc::clone(&simulator), admin.clone()));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The one way to make hyper close a connection without an answer.
#[derive(Debug)]
struct ConnectionClosed;

impl fmt::Display for ConnectionClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for ConnectionClosed {}

impl From<Infallible> for ConnectionClosed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn respond(
    request: Request<Incoming>,
    simulator: Arc<Simulator>,
    admin: Router,
) -> Result<Response<Body>, ConnectionClosed> {
    if request.uri().path().starts_with(ADMIN) {
        return Ok(admin.oneshot(request.map(Body::new)).await?);
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), BODY_LIMIT).await.map_err(|_| ConnectionClosed)?;
    // A task of its own: the call goes on when its client goes away, as it does at AWS.
    let answer = tokio::spawn(async move { call::answer(&simulator, &parts, &body).await });
    match answer.await {
        Ok(Some(answer)) => Ok(http_response(answer)),
        Ok(None) | Err(_) => Err(ConnectionClosed),
    }
}

fn http_response(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    if let Some(content_type) = answer.content_type {
        response = response.header("content-type", content_type);
    }
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    // Only an injected raw answer can have an impossible status or header.
    response.body(Body::from(answer.body)).unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(format!("the injected answer is not HTTP: {error}")));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
