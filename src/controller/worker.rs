//! One reconcile of one object, from start to end: finalizer, reconcile, status, events, finalizer. Talks to the API server, and through the port to
//! CloudFront.
//!
//! In: the object from the cache. Out: when to requeue it. CloudFront is not called before the finalizer is stored.

#[cfg(test)]
pub(in crate::controller) mod agreeable;
mod class;

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
    sync::{Semaphore, SemaphorePermit, watch},
    task::JoinHandle,
    time::Instant,
};
use tracing::{Instrument, field::Empty};

pub use self::class::LastTry;
use self::class::class_of;
use super::{
    Gate,
    events::Recorder,
    finalizer::{self, Holder},
    fresh::{Fresh, Version},
    metrics::{Ended, Metrics},
    objects::{News, Objects, Tracked},
    schema, status,
};
use crate::{
    account::inventory::Lists,
    api::{self, ConnectionGroup, ConnectionGroupStatus},
    clock::{Clock, Moment},
    cloudfront::{
        ErrorClass,
        queue::{CallQueue, Class, Reservation},
        sdk::Sdk,
    },
    leadership::fence::Fence,
    reconcile::due::{self, LEAST_PAUSE},
    reconcile::{
        Event, Finalizer, Inputs, ObjectState, ObjectView, Outcome, Policy, Severity,
        backoff::{self, Backoff},
        freshness::{Evidence, RECHECK, Withheld},
        reconcile, with_last_status,
    },
    telemetry::tell_trace_id,
};

/// What all reconciles share.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// Kubernetes events.
    pub recorder: Recorder,
    /// CloudFront.
    pub port: Sdk,
    /// Decides whose call is next.
    pub queue: CallQueue,
    /// The administrator's settings.
    pub policy: Policy,
    /// The finalizer of this installation.
    pub finalizer: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the last inventories showed.
    pub lists: watch::Receiver<Lists>,
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
pub enum PassError {
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
pub async fn run(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, PassError> {
    if context.gate.clone().await == Gate::Stopping || context.fence.is_draining() {
        return Ok(Action::await_change());
    }
    let mut task = Attached(tokio::spawn(Box::pin(counted(object, context))));
    (&mut task.0).await.unwrap_or(Err(PassError::CutOff))
}

/// One reconcile, in its span, counted in the metrics.
async fn counted(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, PassError> {
    let (metrics, key) = (&context.metrics, ObjectRef::from_obj(&*object));
    metrics.queue.open();
    // A cache that was filled before this process became leader must not be used.
    if !context.objects.scope_of(&object).is_some_and(|scope| scope.is_listed_for(&key)) {
        metrics.queue.forget(&key);
        return Ok(Action::await_change());
    }
    // The object may have changed while it waited, which may be weeks on a standby.
    let Some(object) = context.objects.current(&object) else {
        metrics.queue.forget(&key);
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
    tell_trace_id(&span);
    // It joins the call queue with its first call; its class is known by then.
    let reservation = Arc::new(context.queue.reserve(Class::Rest));
    metrics.queue.started(&key, &reservation);
    let pass = Box::pin(one(&object, &context, &reservation));
    let caught = AssertUnwindSafe(pass).catch_unwind().instrument(span.clone()).await;
    let ended = caught.unwrap_or_else(|panic| {
        metrics.panicked();
        Err(PassError::Panicked(panic_text(panic.as_ref())))
    });
    if let Err(error) = &ended {
        span.in_scope(|| tracing::error!(%error, "the reconcile failed and is retried"));
    }
    metrics.pass_ended(&key, ended.as_ref().map_or(Ended::Failed, |ended| ended.how));
    let PassEnded { how, next } = ended?;
    Ok(match next {
        None => Action::await_change(),
        Some(delay) => {
            match how {
                Ended::Failed | Ended::TimedOut => metrics.queue.retry_after(key, delay),
                Ended::Settled | Ended::Again | Ended::Later | Ended::Stalled => metrics.queue.add_after(key, delay),
            }
            Action::requeue(delay)
        }
    })
}

/// When to retry after a failed reconcile: kube calls this after every error.
#[expect(clippy::needless_pass_by_value, reason = "kube's Controller hands these over")]
pub fn after_error(object: Arc<ConnectionGroup>, _: &PassError, context: Arc<Context>) -> Action {
    let uid = object.uid().unwrap_or_default();
    let remembered = context.objects.remember(&uid);
    // Reconciles of one object never overlap, and this one has ended, so the lock is free.
    let failures = remembered.try_lock().map_or(0, |mut remembered| {
        remembered.failures = remembered.failures.saturating_add(1);
        remembered.failures - 1
    });
    let delay = Backoff::Quick.delay(failures, &uid);
    context.metrics.queue.retry_after(ObjectRef::from_obj(&*object), delay);
    Action::requeue(delay)
}

struct PassEnded {
    how: Ended,
    /// When the next reconcile is due; `None` if only a change requires one.
    next: Option<Duration>,
}

/// The process is shutting down and nothing was changed: there is nothing to report, and the next process starts over.
const ABANDONED: PassEnded = PassEnded { how: Ended::Later, next: None };

/// Nothing is left to do for this object.
const DONE: PassEnded = PassEnded { how: Ended::Settled, next: None };

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

async fn one(
    object: &Arc<ConnectionGroup>,
    context: &Context,
    reservation: &Arc<Reservation>,
) -> Result<PassEnded, PassError> {
    let mut version = Version::cached(Arc::clone(object));
    for _ in 0..VERSIONS {
        match with(version, context, reservation).await? {
            With::Ended(ended) => return Ok(ended),
            With::Newer(newer) => version = newer,
        }
    }
    Ok(PassEnded { how: Ended::Again, next: Some(LEAST_PAUSE) })
}

/// How a reconcile with one version of its object ended.
enum With {
    Ended(PassEnded),
    /// There is a newer version to start over with.
    Newer(Version),
}

async fn with(version: Version, context: &Context, reservation: &Arc<Reservation>) -> Result<With, PassError> {
    let object = &*version.object;
    let uid = object.uid().unwrap_or_default();
    let api = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let deleting = object.meta().deletion_timestamp.is_some();
    match finalizer::holder(object.finalizers(), &context.finalizer) {
        Holder::Us => {}
        Holder::Another(theirs) => return Ok(With::Ended(leave(object, &theirs, context).await)),
        // No finalizer may be added to an object that is being deleted.
        Holder::Former if deleting => {}
        Holder::Nobody if deleting => {
            context.objects.forget(&uid);
            return Ok(With::Ended(DONE));
        }
        Holder::Nobody | Holder::Former => {
            let turn = context.api_turn().await;
            let asked = Instant::now();
            let stored = finalizer::add(&api, object, &context.finalizer).await?;
            drop(turn);
            if stored.is_none() {
                context.objects.forget(&uid);
            }
            // The answer contains the object as it is now.
            return Ok(stored.map_or(With::Ended(DONE), |stored| With::Newer(Version::read(stored, asked))));
        }
    }

    let remembered = context.objects.remember(&uid);
    let mut remembered = remembered.lock().await;
    if remembered.released {
        return Ok(With::Ended(DONE));
    }
    let looked = Box::pin(look(&version, &api, context, &mut remembered, reservation)).await;
    let Some(Looked { version, outcome, newer }) = looked else { return Ok(With::Ended(ABANDONED)) };
    if let Some(why) = outcome.withheld {
        return Ok(withheld(why, newer));
    }
    reservation.end();
    let object = &*version.object;
    remembered.status = Some(outcome.status.clone());
    remembered.tried(&outcome);

    match outcome.finalizer {
        Finalizer::Keep => {
            let stored = store_status(&api, object, &outcome.status, &mut remembered, context).await;
            tell(object, &outcome, context).await;
            stored?;
        }
        Finalizer::Release => {
            // The policies that allow the release may have been edited in the meantime.
            let port = context.port.within(Arc::clone(reservation));
            let view = Fresh::new(&api, &version, context, &port);
            if let Err(why) = view.check(Evidence::RecentEvent).await {
                return Ok(withheld(why, view.newer()));
            }
            let turn = context.api_turn().await;
            finalizer::remove(&api, object, &context.finalizer).await?;
            drop(turn);
            remembered.released = true;
            context.metrics.released(object, context.clock.wall());
            tell(object, &outcome, context).await;
            // This object is remembered until the cache no longer shows it; objects that were released earlier are forgotten here.
            context.objects.forget_the_gone();
            return Ok(With::Ended(DONE));
        }
    }
    remembered.failures = 0;
    Ok(With::Ended(PassEnded { how: how(&outcome), next: due::after(&outcome) }))
}

fn withheld(why: Withheld, newer: Option<Version>) -> With {
    match (why, newer) {
        (Withheld::Changed, Some(newer)) => With::Newer(newer),
        (Withheld::Gone, _) => With::Ended(DONE),
        (Withheld::Late, _) => {
            let next_in = RECHECK.as_secs();
            tracing::warn!(
                "the change was not made: each time, the object could be confirmed only when what had been read at CloudFront was too old; it is tried again in {next_in} s"
            );
            With::Ended(PassEnded { how: Ended::Later, next: Some(RECHECK) })
        }
        (Withheld::Changed | Withheld::Unreadable, _) => {
            With::Ended(PassEnded { how: Ended::Later, next: Some(RECHECK) })
        }
    }
}

/// Leaves an object to the installation that holds it, and reports that once. It is checked again periodically, because that finalizer may be removed.
async fn leave(object: &ConnectionGroup, theirs: &str, context: &Context) -> PassEnded {
    let remembered = context.objects.remember(&object.uid().unwrap_or_default());
    let mut remembered = remembered.lock().await;
    if remembered.left_to.as_deref() != Some(theirs) {
        let then = if object.metadata.deletion_timestamp.is_some() {
            "the object then goes, and its group stays at CloudFront"
        } else {
            "this one then manages the object"
        };
        let note = format!(
            "This object carries the finalizer {theirs} of another installation of the operator; the one of this installation is {}. It is left to the \
             other one: this operator neither reads nor changes its group, and writes no status. If that installation is gone for good, remove its finalizer; {then}.",
            context.finalizer
        );
        tracing::warn!("{note}");
        let (reason, action) = (api::EventReason::ForeignFinalizer, "Reconcile");
        let event = Event { severity: Severity::Warning, reason, action, note };
        let _turn = context.api_turn().await;
        context.recorder.publish(&object.object_ref(&()), &event).await;
        remembered.left_to = Some(theirs.to_owned());
    }
    PassEnded { how: Ended::Settled, next: Some(context.policy.inventory_interval.saturating_mul(5)) }
}

/// Writes the status unless both the cache and the last accepted write already show it: either may lag behind the other.
async fn store_status(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    next: &ConnectionGroupStatus,
    remembered: &mut Tracked,
    context: &Context,
) -> Result<(), PassError> {
    let previous = remembered.written.as_ref().or(object.status.as_ref());
    let previous = previous.map(|status| status.conditions.clone()).unwrap_or_default();
    // Written twice if the first answer shows that the schema lacks fields: the condition that reports them has to be stored, too.
    loop {
        let next = schema::mark(next, &remembered.dropped, &previous, context.clock.wall());
        let cached = object.status.as_ref() == Some(&next);
        let accepted = remembered.written.as_ref().is_none_or(|written| *written == next);
        if cached && accepted {
            return Ok(());
        }
        let turn = context.api_turn().await;
        let Some(stored) = status::write(api, object, &next).await? else { return Ok(()) };
        drop(turn);
        let dropped = schema::dropped(&next, &stored);
        let known = dropped == remembered.dropped;
        remembered.written = Some(next);
        remembered.dropped = dropped;
        if known {
            break;
        }
        schema::tell(&remembered.dropped);
    }
    let conditions = remembered.written.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    context.metrics.stored(&previous, conditions);
    Ok(())
}

async fn tell(object: &ConnectionGroup, outcome: &Outcome, context: &Context) {
    context.metrics.heard(outcome);
    let regarding = object.object_ref(&());
    for event in &outcome.events {
        let _turn = context.api_turn().await;
        context.recorder.publish(&regarding, event).await;
    }
}

/// The outcome of a reconcile.
struct Looked {
    /// The object as it was reconciled.
    version: Version,
    outcome: Outcome,
    /// A newer version, with which a withheld change has to start over.
    newer: Option<Version>,
}

/// Reconciles; `None` if the process is shutting down and a call was not started, or if the next reconcile of the object has to start from the beginning.
///
/// Nothing has happened before the first call, so changes until then are picked up, and the place in the call queue is kept.
async fn look(
    version: &Version,
    api: &Api<ConnectionGroup>,
    context: &Context,
    remembered: &mut Tracked,
    reservation: &Arc<Reservation>,
) -> Option<Looked> {
    let news = context.objects.news_of(&version.object);
    let mut version = version.clone();
    loop {
        let ended = tokio::select! {
            biased;
            ended = Box::pin(reconcile_in_turn(&version, api, context, remembered, reservation)) => Some(ended?),
            () = changed_before_its_turn(&news, reservation) => None,
        };
        if let Some((outcome, newer)) = ended {
            return Some(Looked { version, outcome, newer });
        }
        let object = &version.object;
        let current = context.objects.current(object).filter(|current| is_held_alike(current, object))?;
        version = Version::cached(current);
    }
}

/// Returns when the object has changed, or when the inventory shows that it is out of date. Never returns once the first call may have been made.
async fn changed_before_its_turn(news: &News<'_>, reservation: &Reservation) {
    news.come().await;
    if reservation.has_begun() {
        std::future::pending::<()>().await;
    }
}

/// Whether it is the same object, with the same finalizers.
fn is_held_alike(current: &ConnectionGroup, before: &ConnectionGroup) -> bool {
    current.metadata.uid == before.metadata.uid && current.metadata.finalizers == before.metadata.finalizers
}

/// The outcome of a reconcile of this version, and a newer version to start over with, if there is one; `None` if a call was not started because the process
/// is shutting down.
async fn reconcile_in_turn(
    version: &Version,
    api: &Api<ConnectionGroup>,
    context: &Context,
    remembered: &mut Tracked,
    reservation: &Arc<Reservation>,
) -> Option<(Outcome, Option<Version>)> {
    let object = with_last_status(ConnectionGroup::clone(&version.object), remembered.status.as_ref());
    plan_resync(&mut remembered.memory, context.clock.moment(), context.policy.resync_interval);
    let lists = context.lists.borrow().clone();
    let port = context.port.within(Arc::clone(reservation));
    let fresh = Fresh::new(api, version, context, &port);
    let inputs = Inputs {
        port: &port,
        policy: &context.policy,
        snapshot: lists.snapshot.as_deref(),
        list_error: lists.trouble.as_ref(),
        clock: context.clock.as_ref(),
        freshness: &fresh,
    };
    let view = ObjectView::of(&object, &remembered.memory, &inputs);
    let class = class_of(&object, &view, inputs.snapshot, remembered.last_try);
    reservation.ask_for(class, remembered.waits_for(class));
    let outcome = tokio::select! {
        outcome = Box::pin(reconcile(&object, &mut remembered.memory, &inputs)) => outcome,
        () = port.abandoned() => return None,
    };
    for event in &outcome.events {
        tracing::info!(reason = event.reason.as_str(), action = event.action, "{}", event.note);
    }
    if let Some(error) = &outcome.error {
        let retry_in = backoff::in_words(outcome.requeue);
        tracing::warn!(%error, aws_request_id = error.request_id, retry_in, "CloudFront call failed");
    }
    Some((outcome, fresh.newer()))
}

/// Plans the first full resync by this process, at a random time: if the time were the same in each process and none lived long, some objects would never
/// have their turn.
fn plan_resync(memory: &mut ObjectState, now: Moment, interval: Duration) {
    memory.resync_at.get_or_insert_with(|| now + interval.mul_f64(fastrand::f64()));
}

/// The message of a panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_hours(6);
    const NOW: Moment = Moment::after_start(Duration::from_hours(1));

    #[test]
    fn the_first_resync_of_an_object_comes_at_random_within_one_interval_and_is_planned_once() {
        let planned = [(); 200].map(|()| {
            let mut memory = ObjectState::default();
            plan_resync(&mut memory, NOW, INTERVAL);
            let first = memory.resync_due();
            plan_resync(&mut memory, NOW + INTERVAL, INTERVAL);
            assert_eq!(memory.resync_due(), first, "it is not put off");
            first
        });
        assert!(planned.iter().all(|due| *due >= NOW && *due <= NOW + INTERVAL), "{planned:?}");
        for quarter in 0..4 {
            let (from, to) = (NOW + INTERVAL * quarter / 4, NOW + INTERVAL * (quarter + 1) / 4);
            assert!(planned.iter().any(|due| *due >= from && *due < to), "quarter {quarter}: {planned:?}");
        }
    }
}
