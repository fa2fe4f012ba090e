//! `/livez`, `/readyz`, `/metrics`. In: a listener. Out: answers until dropped. Liveness and readiness never depend on AWS.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use super::{
    metrics::{AtScrape, Metrics},
    objects::Objects,
};
use crate::{
    api::condition,
    clock::Clock,
    cloudfront::budget::Budget,
    sweep::{Lists, Objects as _},
};

/// What is served.
pub struct Served {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Caches: readiness is that they have been filled.
    pub objects: Arc<Objects>,
    /// The call budget.
    pub budget: Arc<Budget>,
    /// What the sweeps brought.
    pub lists: watch::Receiver<Lists>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, served: Served) {
    let app = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(served));
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(%error, "health and metrics are no longer served");
    }
}

async fn ready(State(served): State<Arc<Served>>) -> impl IntoResponse {
    if served.objects.are_synced() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the ConnectionGroup objects have not been listed yet")
    }
}

async fn metrics(State(served): State<Arc<Served>>) -> impl IntoResponse {
    let all = served.objects.all();
    let ready = all.iter().map(|object| {
        let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        condition(conditions, "Ready").map_or(("Unknown", ""), |ready| (ready.status.as_str(), ready.reason.as_str()))
    });
    let lists = served.lists.borrow().clone();
    let list = lists.snapshot.map(|list| (served.clock.moment().since(list.began), list.groups.len()));
    let now =
        AtScrape { objects: ready.collect(), list, orphans: lists.orphans.len(), budget_rate: served.budget.rate() };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], served.metrics.text(&now))
}
