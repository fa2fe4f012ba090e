//! A fake API server in this process: no network, and no waits except those of the code under test.

use axum::http::{Method, Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// A client of a fake API server with these answers: (method, body that was sent) -> (status, body of the answer).
pub fn client(answer: impl Fn(&Method, Value) -> (u16, Value) + Clone + Send + Sync + 'static) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let sent = serde_json::from_slice(&body.collect_bytes().await?).unwrap_or_default();
            let (status, answered) = answer(&head.method, sent);
            let body = Body::from(answered.to_string().into_bytes());
            Ok::<_, kube::Error>(Response::builder().status(status).body(body).unwrap())
        }
    });
    Client::new(service, "default")
}

/// The answer to a change of an object that someone else has changed in the meantime.
pub fn conflict() -> (u16, Value) {
    let status =
        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "code": 409 });
    (409, status)
}
