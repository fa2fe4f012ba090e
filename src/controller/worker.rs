//! One reconcile of one object, from start to end: finalizer, reconcile, status, events, finalizer. Talks to the API server, and through the port to
//! CloudFront.
//!
//! In: the object from the cache. Out: when to requeue it. CloudFront is not called before the finalizer is stored.

#[cfg(test)]
pub(in crate::controller) mod agreeable;
mod class;
mod leave;
mod store;
mod turn;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
    time::Instant,
};
use tracing::{Instrument, field::Empty};

pub use self::class::LastTry;
use self::{
    leave::leave,
    store::{publish, store_status},
    turn::{Reconciled, in_turn},
};
use super::{
    Gate,
    events::Recorder,
    finalizer::{self, Holder, Removed},
    fresh::{Fresh, Version},
    metrics::{Ended, Metrics},
    objects::Objects,
};
use crate::{
    account::Account,
    api::{self, ConnectionGroup},
    clock::Clock,
    cloudfront::{
        ErrorClass,
        queue::{Class, Reservation},
    },
    leadership::fence::Fence,
    reconcile::{
        Finalizer, Outcome, Policy,
        backoff::Backoff,
        due,
        freshness::{Evidence, RECHECK, Withheld},
    },
    telemetry::record_trace_id,
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
    pub policy: Policy,
    /// The finalizer of this installation.
    pub finalizer: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The caches, and what is remembered of each object.
    pub objects: Arc<Objects>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Whether reconciles may still begin.
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

/// What can end a reconcile before its outcome is stored.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The API server refused a request or could not be reached.
    #[error("the API server could not be asked or did not accept: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// A bug; the object is retried, the others continue.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// Its task ended early: the process is about to exit.
    #[error("it was cut off")]
    CutOff,
}

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
    // A cache that was filled before this process became leader must not be used.
    if !context.objects.scope_of(&object).is_some_and(|scope| scope.is_listed_for(&key)) {
        metrics.workqueue.forget(&key);
        return Ok(Action::await_change());
    }
    // The object may have changed while it waited, which may be weeks on a standby.
    let Some(object) = context.objects.current(&object) else {
        metrics.workqueue.forget(&key);
        return Ok(Action::await_change());
    };
    // The span has the most severe level, so that log lines of every level show these fields.
    let span = tracing::error_span!(
        "reconcile",
        namespace = object.namespace(),
        name = object.name_any(),
        generation = object.metadata.generation,
        reconcile_id = metrics.next_reconcile_id(),
        aws_request_id = Empty,
        trace_id = Empty,
    );
    record_trace_id(&span);
    // It joins the call queue with its first call; its class is known by then.
    let reservation = Arc::new(context.account.queue.reserve(Class::Rest));
    metrics.workqueue.started(&key, &reservation);
    let reconcile = Box::pin(newest_version(&object, &context, &reservation));
    let caught = AssertUnwindSafe(reconcile).catch_unwind().instrument(span.clone()).await;
    let ended = caught.unwrap_or_else(|panic| {
        metrics.panicked();
        Err(WorkerError::Panicked(panic_text(panic.as_ref())))
    });
    if let Err(error) = &ended {
        span.in_scope(|| tracing::error!(%error, "the reconcile failed and is retried"));
    }
    metrics.reconcile_ended(&key, ended.as_ref().map_or(Ended::Failed, |ended| ended.how));
    let Finished { how, next } = ended?;
    Ok(match next {
        None => Action::await_change(),
        Some(delay) => {
            match how {
                Ended::Failed | Ended::TimedOut => metrics.workqueue.retry_after(key, delay),
                Ended::Settled | Ended::Again | Ended::Later | Ended::Stalled => {
                    metrics.workqueue.add_after(key, delay)
                }
            }
            Action::requeue(delay)
        }
    })
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

struct Finished {
    how: Ended,
    /// When the next reconcile is due; `None` if only a change requires one.
    next: Option<Duration>,
}

/// Nothing was changed and there is nothing to report: the process is shutting down, or the object was released or left the cache before its turn.
const ABANDONED: Finished = Finished { how: Ended::Later, next: None };

/// Nothing is left to do for this object.
const DONE: Finished = Finished { how: Ended::Settled, next: None };

fn how(outcome: &Outcome) -> Ended {
    let is_true = |type_| api::is_true(&outcome.status.conditions, type_);
    match outcome.error.as_ref().map(|error| error.class) {
        _ if is_true("Stalled") => Ended::Stalled,
        Some(ErrorClass::TimedOut) => Ended::TimedOut,
        Some(_) => Ended::Failed,
        None if outcome.requeue.is_zero() => Ended::Again,
        None if is_true("Reconciling") => Ended::Later,
        None => Ended::Settled,
    }
}

/// How many versions of its object a reconcile tries before it makes way for others.
const VERSIONS: usize = 3;

/// Reconciles the object, and starts over with a newer version of it if a change has to be withheld for one.
async fn newest_version(
    object: &Arc<ConnectionGroup>,
    context: &Context,
    reservation: &Arc<Reservation>,
) -> Result<Finished, WorkerError> {
    let mut version = Version::cached(Arc::clone(object));
    for _ in 0..VERSIONS {
        match one_version(version, context, reservation).await? {
            Step::Ended(ended) => return Ok(ended),
            Step::Newer(newer) => version = newer,
        }
    }
    // An edit triggers a reconcile of its own.
    Ok(Finished { how: Ended::Again, next: Some(RECHECK) })
}

/// How a reconcile with one version of its object ended.
enum Step {
    Ended(Finished),
    /// There is a newer version to start over with.
    Newer(Version),
}

/// Reconciles one version of the object: adds the finalizer, reconciles, stores the outcome, and removes the finalizer once nothing is left to do.
async fn one_version(version: Version, context: &Context, reservation: &Arc<Reservation>) -> Result<Step, WorkerError> {
    let object = &*version.object;
    let uid = object.uid().unwrap_or_default();
    let api = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    if let Some(step) = hold(&version, &api, context).await? {
        return Ok(step);
    }
    let tracked = context.objects.track(&uid);
    let mut tracked = tracked.lock().await;
    if tracked.released {
        return Ok(Step::Ended(DONE));
    }
    if version.is_behind(tracked.generation) {
        let renewed = version.renewed(&api, context).await;
        return Ok(renewed.map_or_else(|why| withheld(why, None), Step::Newer));
    }
    let reconciled = Box::pin(in_turn(&version, &api, context, &mut tracked, reservation)).await;
    let Some(Reconciled { version, outcome, newer }) = reconciled else { return Ok(Step::Ended(ABANDONED)) };
    if let Some(why) = outcome.withheld {
        return Ok(withheld(why, newer));
    }
    reservation.end();
    let object = &*version.object;
    tracked.generation = object.metadata.generation;
    tracked.status = Some(outcome.status.clone());
    tracked.tried(&outcome);

    match outcome.finalizer {
        Finalizer::Keep => {
            let stored = store_status(&api, object, &outcome.status, &mut tracked, context).await;
            publish(object, &outcome, context).await;
            stored?;
        }
        Finalizer::Release => {
            // The policies that allow the release may have been edited in the meantime.
            let port = context.account.cloudfront.within(Arc::clone(reservation));
            let view = Fresh::new(&api, &version, context, &port);
            if let Err(why) = view.check(Evidence::RecentEvent).await {
                return Ok(withheld(why, view.newer()));
            }
            let turn = context.api_turn().await;
            let asked = Instant::now();
            if let Removed::EditedMeanwhile(current) = finalizer::remove(&api, object, &context.finalizer).await? {
                return Ok(Step::Newer(Version::read(*current, asked)));
            }
            drop(turn);
            tracked.released = true;
            context.metrics.released(object, context.clock.wall());
            publish(object, &outcome, context).await;
            // This object is remembered until the cache no longer shows it; objects that were released earlier are forgotten here.
            context.objects.forget_the_gone();
            return Ok(Step::Ended(DONE));
        }
    }
    tracked.unstored = 0;
    Ok(Step::Ended(Finished { how: how(&outcome), next: due::after(&outcome) }))
}

/// Makes sure that the object carries our finalizer. Returns a step if this reconcile of the version ends here.
async fn hold(version: &Version, api: &Api<ConnectionGroup>, context: &Context) -> Result<Option<Step>, WorkerError> {
    let object = &*version.object;
    let uid = object.uid().unwrap_or_default();
    let deleting = object.meta().deletion_timestamp.is_some();
    match finalizer::holder(object.finalizers(), &context.finalizer) {
        Holder::Us => Ok(None),
        Holder::Another(theirs) => Ok(Some(Step::Ended(leave(object, &theirs, context).await))),
        // No finalizer may be added to an object that is being deleted.
        Holder::Former if deleting => Ok(None),
        Holder::Nobody if deleting => {
            context.objects.forget(&uid);
            Ok(Some(Step::Ended(DONE)))
        }
        Holder::Nobody | Holder::Former => {
            let turn = context.api_turn().await;
            let asked = Instant::now();
            let stored = finalizer::add(api, object, &context.finalizer).await?;
            drop(turn);
            if stored.is_none() {
                context.objects.forget(&uid);
            }
            // The answer contains the object as it is now.
            Ok(Some(stored.map_or(Step::Ended(DONE), |stored| Step::Newer(Version::read(stored, asked)))))
        }
    }
}

fn withheld(why: Withheld, newer: Option<Version>) -> Step {
    match (why, newer) {
        (Withheld::Changed, Some(newer)) => Step::Newer(newer),
        (Withheld::Gone, _) => Step::Ended(DONE),
        (Withheld::ReadsTooOld, _) => {
            let next_in = RECHECK.as_secs();
            tracing::warn!(
                "the change was not made: each time, the object could be confirmed only when what had been read at CloudFront was too old; it is tried again in {next_in} s"
            );
            Step::Ended(Finished { how: Ended::Later, next: Some(RECHECK) })
        }
        (Withheld::Changed | Withheld::Unreadable, _) => {
            Step::Ended(Finished { how: Ended::Later, next: Some(RECHECK) })
        }
    }
}

/// The message of a panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
