//! One reconcile as a task of kube's controller: in a span, counted in the metrics, and requeued however it ends, even if it panics.
//!
//! In: the object that is due. Out: when to requeue it. No reconcile begins before the gate is open, or for an object that the cache of the leader does not
//! show.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use kube::{
    ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, field::Empty};

use super::{Context, WorkerError, reconcile_newest_version, step::Finished};
use crate::{
    api::ConnectionGroup,
    cloudfront::queue::Class,
    controller::{
        gate::Gate,
        metrics::{Metrics, ReconcileResult},
    },
    reconcile::backoff::Backoff,
    telemetry::record_trace_id,
};

/// A task that is aborted when its handle is dropped.
struct Attached<T>(JoinHandle<T>);

impl<T> Drop for Attached<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs one reconcile in its own task: kube polls all reconciles whenever one of them makes progress, and hundreds may wait for their turn to call
/// CloudFront.
///
/// # Errors
/// Why the outcome was not stored.
pub async fn run(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, WorkerError> {
    if context.gate.clone().await == Gate::Stopping || context.fence.is_draining() {
        return Ok(Action::await_change());
    }
    let mut task = Attached(tokio::spawn(Box::pin(counted(object, context))));
    (&mut task.0).await.unwrap_or(Err(WorkerError::CutOff))
}

/// One reconcile, in its span, counted in the metrics.
async fn counted(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, WorkerError> {
    let (metrics, key) = (&context.metrics, ObjectRef::from_obj(&*object));
    metrics.workqueue.open();
    let Some(object) = as_it_is_now(&object, &key, &context) else {
        metrics.workqueue.forget(&key);
        return Ok(Action::await_change());
    };
    let span = span_of(&object, metrics);
    record_trace_id(&span);
    // It joins the call queue with its first call; its class is known by then.
    let reservation = Arc::new(context.account.queue.reserve(Class::Background));
    metrics.workqueue.started(&key, &reservation);
    let reconcile = Box::pin(reconcile_newest_version(&object, &context, &reservation));
    let caught = AssertUnwindSafe(reconcile).catch_unwind().instrument(span.clone()).await;
    let ended = caught.unwrap_or_else(|panic| {
        metrics.panicked();
        Err(WorkerError::Panicked(panic_text(panic.as_ref())))
    });
    if let Err(error) = &ended {
        span.in_scope(|| tracing::error!(%error, "the reconcile failed and is retried"));
    }
    metrics.reconcile_ended(&key, ended.as_ref().map_or(ReconcileResult::Failed, |ended| ended.result));
    ended.map(|finished| requeue(&finished, key, metrics))
}

/// The object as the cache shows it now: it may have changed while it waited, which may be weeks on a standby. `None` if it is gone, or if the cache was filled
/// before this process became leader; then the object is woken once it is listed anew.
fn as_it_is_now(
    object: &ConnectionGroup,
    key: &ObjectRef<ConnectionGroup>,
    context: &Context,
) -> Option<Arc<ConnectionGroup>> {
    let scope = context.objects.scope_of(object)?;
    if scope.is_listed_for(key) { context.objects.current(object) } else { None }
}

/// It has the most severe level, so that log lines of every level show these fields.
fn span_of(object: &ConnectionGroup, metrics: &Metrics) -> Span {
    tracing::error_span!(
        "reconcile",
        namespace = object.namespace(),
        name = object.name_any(),
        generation = object.metadata.generation,
        reconcile_id = metrics.next_reconcile_id(),
        aws_request_id = Empty,
        trace_id = Empty,
    )
}

/// When to requeue an object after a reconcile whose outcome was stored, or that had none.
fn requeue(finished: &Finished, key: ObjectRef<ConnectionGroup>, metrics: &Metrics) -> Action {
    let Some(delay) = finished.next else { return Action::await_change() };
    match finished.result {
        ReconcileResult::Failed | ReconcileResult::TimedOut => metrics.workqueue.retry_after(key, delay),
        ReconcileResult::Success
        | ReconcileResult::Requeue
        | ReconcileResult::RequeueAfter
        | ReconcileResult::Stalled => metrics.workqueue.add_after(key, delay),
    }
    Action::requeue(delay)
}

/// When to retry after a failed reconcile: kube calls this after every error.
#[expect(clippy::needless_pass_by_value, reason = "kube's Controller hands these over")]
pub fn after_error(object: Arc<ConnectionGroup>, _: &WorkerError, context: Arc<Context>) -> Action {
    let uid = object.uid().unwrap_or_default();
    let tracked = context.objects.track(&uid);
    // Reconciles of one object never overlap, and this one has ended, so the lock is free.
    let failures = tracked.try_lock().map_or(0, |mut tracked| {
        tracked.unstored = tracked.unstored.saturating_add(1);
        tracked.unstored - 1
    });
    let delay = Backoff::Quick.delay(failures, &uid);
    context.metrics.workqueue.retry_after(ObjectRef::from_obj(&*object), delay);
    Action::requeue(delay)
}

/// The message of a panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
