//! An HTTP relay in front of the API server. In: a control plane. Out: a kubeconfig that leads through the relay, the requests that passed it, and lists
//! that it answers from memory. Talks to kube-apiserver as the admin.

use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{self, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use testbed::{ControlPlane, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running relay; it ends when it is dropped.
pub struct Relay {
    shared: Arc<Shared>,
    kubeconfig: PathBuf,
    serving: JoinHandle<()>,
}

struct Shared {
    client: kube::Client,
    log: Mutex<Vec<(Method, Uri)>>,
    /// The bodies of replayed lists, by request; empty while nothing is replayed.
    lists: Mutex<Vec<(String, Vec<u8>)>>,
    replays: watch::Sender<bool>,
}

impl Relay {
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let server = format!("http://{}", listener.local_addr().expect("it has an address"));
        let shared = Arc::new(Shared {
            client: control_plane.client().await?,
            log: Mutex::default(),
            lists: Mutex::default(),
            replays: watch::Sender::new(false),
        });
        let app = Router::new().fallback(relay).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, app).into_future().await;
        });
        let kubeconfig = control_plane.folder().join(format!("relay-{}.kubeconfig", server.replace(['/', ':'], "-")));
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "relay", "cluster": { "server": server } }],
            "users": [{ "name": "nobody", "user": {} }],
            "contexts": [{ "name": "relay", "context": { "cluster": "relay", "user": "nobody" } }],
            "current-context": "relay",
        });
        std::fs::write(&kubeconfig, content.to_string()).expect("the run's folder can be written to");
        Ok(Self { shared, kubeconfig, serving })
    }

    /// A kubeconfig that leads through it.
    pub fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }

    /// How often single `ConnectionGroup` objects were read so far.
    pub fn reads(&self) -> usize {
        let single = |uri: &Uri| uri.path().split("/connectiongroups/").nth(1).is_some();
        lock(&self.shared.log).iter().filter(|(method, uri)| *method == Method::GET && single(uri)).count()
    }

    /// Lists are answered as they were the last time, and watches do not start.
    pub fn replay(&self) {
        self.shared.replays.send_replace(true);
    }

    /// Lists and watches are answered normally.
    pub fn replay_no_more(&self) {
        self.shared.replays.send_replace(false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn relay(State(shared): State<Arc<Shared>>, request: extract::Request) -> Response {
    lock(&shared.log).push((request.method().clone(), request.uri().clone()));
    let asked = request.uri().to_string();
    let of_many = *request.method() == Method::GET && request.uri().path().ends_with("/connectiongroups");
    let watches = of_many && asked.contains("watch=true");
    if of_many && *shared.replays.borrow() {
        if watches {
            let _ = shared.replays.subscribe().wait_for(|replays| !replays).await;
        } else if let Some((_, body)) = lock(&shared.lists).iter().find(|(known, _)| *known == asked) {
            return ([(CONTENT_TYPE, "application/json")], body.clone()).into_response();
        }
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return StatusCode::BAD_REQUEST.into_response() };
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let answer = match shared.client.send(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    if !of_many || watches {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => {
            let mut lists = lock(&shared.lists);
            lists.retain(|(known, _)| *known != asked);
            lists.push((asked, body.to_vec()));
            // Without the headers that describe how the body was sent.
            (parts.status, [(CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
