//! A fake API server for one Lease. In: requests. Out: the answers of a real one, after a configured delay. A request takes effect even if its sender has
//! given up by then.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Method, Request, Response};
use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Client, client::Body};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

/// The server; clones share the Lease.
#[derive(Clone, Default)]
pub struct Server {
    stored: Arc<Mutex<Stored>>,
    before: Duration,
    after: Duration,
}

#[derive(Default)]
struct Stored {
    lease: Option<Lease>,
    version: u64,
    still_until: Option<Instant>,
}

impl Server {
    /// A server that has this Lease.
    pub fn holding(lease: Option<Lease>) -> Self {
        let server = Self::default();
        if let Some(lease) = lease {
            server.store(lease);
        }
        server
    }

    /// Each request takes effect after the time `before`, and is answered the time `after` later.
    pub fn slow(self, before: Duration, after: Duration) -> Self {
        Self { before, after, ..self }
    }

    /// Hangs for that long.
    pub fn stand_still(&self, time: Duration) {
        self.lock().still_until = Some(Instant::now() + time);
    }

    /// Someone else writes the Lease, whatever its version.
    pub fn store(&self, lease: Lease) {
        self.lock().put(lease);
    }

    /// Someone else deletes the Lease.
    pub fn delete(&self) {
        self.lock().lease = None;
    }

    /// The holder of the Lease, if there is one.
    pub fn holder(&self) -> Option<String> {
        let stored = self.lock();
        let holder = stored.lease.as_ref()?.spec.as_ref()?.holder_identity.clone()?;
        Some(holder).filter(|holder| !holder.is_empty())
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        sleep(self.before).await;
        let still = self.lock().still_until;
        if let Some(end) = still {
            sleep_until(end).await;
        }
        let (status, answer) = self.lock().handle(&head.method, &body);
        sleep(self.after).await;
        Response::builder().status(status).body(Body::from(answer.to_string().into_bytes())).unwrap()
    }
}

impl Stored {
    fn handle(&mut self, method: &Method, body: &[u8]) -> (u16, serde_json::Value) {
        let sent = || serde_json::from_slice::<Lease>(body).unwrap();
        match (method, &self.lease) {
            (&Method::GET, Some(lease)) => (200, serde_json::to_value(lease).unwrap()),
            (&Method::POST, None) => (201, self.put(sent())),
            (&Method::POST, Some(_)) => refusal(409, "AlreadyExists"),
            (&Method::PUT, Some(lease)) if lease.metadata.resource_version == sent().metadata.resource_version => {
                (200, self.put(sent()))
            }
            (&Method::PUT, Some(_)) => refusal(409, "Conflict"),
            (&Method::GET | &Method::PUT, None) => refusal(404, "NotFound"),
            (other, _) => panic!("an election sends no {other}"),
        }
    }

    fn put(&mut self, mut lease: Lease) -> serde_json::Value {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        lease.metadata.uid.get_or_insert_with(|| format!("uid-{}", self.version));
        let answer = serde_json::to_value(&lease).unwrap();
        self.lease = Some(lease);
        answer
    }
}

fn refusal(code: u16, reason: &str) -> (u16, serde_json::Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code,
    });
    (code, status)
}

impl tower::Service<Request<Body>> for Server {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        // In its own task, so that it continues when the sender no longer waits.
        let answer = tokio::spawn(async move { server.answer(request).await });
        async { Ok(answer.await.unwrap()) }.boxed()
    }
}
