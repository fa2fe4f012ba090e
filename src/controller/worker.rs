//! One reconcile of one object, from start to end: finalizer, reconcile, status, events, finalizer. Talks to the API server, and through the port to
//! CloudFront.
//!
//! In: the object from the cache. Out: when to requeue it. CloudFront is not called before the finalizer is stored.
//!
//! Each layer calls the next:
//!
//! | Layer | What it adds |
//! |---|---|
//! | `task::run` | waits for the gate; a task and a span of its own; counts in metrics; turns the result into the time of the requeue, even after a panic |
//! | `reconcile_newest_version` | starts over with a newer version of the object, up to three versions |
//! | `try_version` | the finalizer (`hold`), what is remembered of the object, and what becomes of the outcome (`store`) |
//! | `queued::reconcile_queued` | takes the newest version in the cache until the first call; class and place in the call queue |
//! | `reconcile::reconcile` | repeats the attempt after an outdated `ETag` or a refused Create; reports |
//! | `reconcile::attempt` | reads, plans, confirms the object, and makes the change; reads again if the reads have become too old |

mod class;
mod context;
mod hold;
mod leave;
mod queued;
mod step;
mod store;
mod task;
#[cfg(test)]
pub(in crate::controller) mod tests;

use std::sync::Arc;

use kube::{Api, ResourceExt};

pub use self::{
    class::LastTry,
    context::{API_REQUESTS_AT_ONCE, Context},
    task::{after_error, panic_text, run},
};
use self::{
    hold::{hold, release},
    queued::{Reconciled, reconcile_queued},
    step::{Finished, Step},
    store::{log, publish, store_status},
};
use super::{freshness_check::ObjectVersion, metrics::ReconcileResult};
use crate::{api::ConnectionGroup, cloudfront::queue::Reservation, network::api_failure, reconcile::Finalizer};

/// What can end a reconcile before its outcome is stored.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The API server refused a request or could not be reached.
    #[error("the API server could not be asked or did not accept: {}", api_failure(.0))]
    Kubernetes(#[from] Box<kube::Error>),
    /// A bug; the object is retried, the others continue.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// Its task ended early: the process is about to exit.
    #[error("it was cut off")]
    CutOff,
}

/// How many versions of its object a reconcile tries before it makes way for others.
const VERSIONS: usize = 3;

/// Reconciles the object, and starts over with a newer version of it if a change has to be withheld for one.
async fn reconcile_newest_version(
    object: &Arc<ConnectionGroup>,
    context: &Context,
    reservation: &Arc<Reservation>,
) -> Result<Finished, WorkerError> {
    let mut version = ObjectVersion::cached(Arc::clone(object));
    for _ in 0..VERSIONS {
        match try_version(version, context, reservation).await? {
            Step::Ended(ended) => return Ok(ended),
            Step::Newer(newer) => version = newer,
        }
    }
    // An edit triggers a reconcile of its own.
    Ok(Finished::to_be_rechecked(ReconcileResult::Requeue))
}

/// Reconciles one version of the object. If our finalizer is missing, only adds it, which makes a newer version. Otherwise reconciles, then stores the outcome
/// or, once nothing is left to do, removes the finalizer instead.
async fn try_version(
    version: ObjectVersion,
    context: &Context,
    reservation: &Arc<Reservation>,
) -> Result<Step, WorkerError> {
    let object = &*version.object;
    let api = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    if let Some(step) = hold(&version, &api, context).await? {
        return Ok(step);
    }
    let tracked = context.objects.track(&object.uid().unwrap_or_default());
    let mut tracked = tracked.lock().await;
    if tracked.released {
        return Ok(Step::Ended(Finished::DONE));
    }
    if version.is_behind(tracked.generation) {
        let renewed = version.renewed(&api, context).await;
        return Ok(renewed.map_or_else(|why| Step::withheld(why, None), Step::Newer));
    }
    let reconciled = Box::pin(reconcile_queued(&version, &api, context, &mut tracked, reservation)).await;
    let Some(reconciled) = reconciled else { return Ok(Step::Ended(Finished::ABANDONED)) };
    if let Some(why) = reconciled.outcome.withheld {
        return Ok(Step::withheld(why, reconciled.newer));
    }
    reservation.end();
    let Reconciled { version, outcome, .. } = &reconciled;
    tracked.tried(&version.object, outcome);
    if outcome.finalizer == Finalizer::Release {
        return release(&reconciled, &api, context, &mut tracked, reservation).await;
    }
    log(outcome);
    let stored = store_status(&api, &version.object, &outcome.status, &mut tracked, context).await;
    publish(&version.object, outcome, context).await;
    stored?;
    tracked.unstored = 0;
    Ok(Step::Ended(Finished::with(outcome)))
}
