//! What all reconciles share. In: the parts of the process. Out: access to them, and a turn for each request to the API server. Does no I/O.

use std::sync::Arc;

use futures::future::{BoxFuture, Shared};
use kube::Client;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    account::Account,
    clock::Clock,
    controller::{events::Recorder, gate::Gate, metrics::Metrics, objects::Objects},
    leadership::fence::Fence,
    reconcile::Settings,
};

/// What all reconciles share.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// Kubernetes events.
    pub recorder: Recorder,
    /// The AWS account.
    pub account: Account,
    /// The administrator's settings.
    pub settings: Settings,
    /// The finalizer of this installation.
    pub finalizer: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The caches, and what is remembered of each object.
    pub objects: Arc<Objects>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Stops every call to CloudFront, and every write to the API server, unless this process may act. No reconcile begins once it drains.
    pub fence: Fence,
    /// What the first reconciles wait for.
    pub gate: Shared<BoxFuture<'static, Gate>>,
    /// Limits the concurrent requests to the API server, because each answer may be a megabyte.
    pub api_turns: Semaphore,
}

/// Maximum number of concurrent requests of reconciles to the API server.
pub const API_REQUESTS_AT_ONCE: usize = 8;

impl Context {
    /// Waits for a turn. The semaphore is never closed, so there is always a turn in the end.
    pub async fn api_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.api_turns.acquire().await.ok()
    }
}
