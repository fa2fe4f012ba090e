//! One pass over one object: finalizer, reconcile, status, events, finalizer. Talks to the API server, and through the port to CloudFront.
//!
//! In: the object from the cache. Out: when to come back. Nothing is asked of CloudFront before the finalizer is stored.

#[cfg(test)]
pub(in crate::runtime) mod agreeable;
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
    api::{self, ConnectionGroup, ConnectionGroupStatus},
    clock::{Clock, Moment},
    cloudfront::{
        ErrorClass,
        fence::Fence,
        queue::{CallQueue, Class, Reservation},
        sdk::Sdk,
    },
    due::{self, LEAST_PAUSE},
    reconcile::{
        Event, Finalizer, Inputs, ObjectState, ObjectView, Outcome, Policy, Severity,
        backoff::{self, Backoff},
        freshness::{Evidence, RECHECK, Withheld},
        reconcile, with_last_status,
    },
    sweep::Lists,
    telemetry::tell_trace_id,
};

/// What every pass shares.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// Kubernetes events.
    pub recorder: Recorder,
    /// CloudFront.
    pub port: Sdk,
    /// Decides whose call is next.
    pub queue: CallQueue,
    /// The administrator's decisions.
    pub policy: Policy,
    /// The finalizer of this installation.
    pub finalizer: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the sweeps brought.
    pub lists: watch::Receiver<Lists>,
    /// Caches and memories.
    pub objects: Arc<Objects>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Whether passes may still begin.
    pub fence: Fence,
    /// What the first passes wait for.
    pub gate: Shared<BoxFuture<'static, Gate>>,
    /// Limits the requests to the API server that are under way at once: their answers may be a megabyte each.
    pub api_turns: Semaphore,
}

/// Requests of passes to the API server that may be under way at once.
pub const API_REQUESTS_AT_ONCE: usize = 8;

impl Context {
    /// Never closed, so there is always a turn in the end.
    pub async fn api_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.api_turns.acquire().await.ok()
    }
}

/// What can end a pass before its outcome is stored.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The API server refused or could not be reached.
    #[error("the API server could not be asked or did not accept: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// A bug; the object is tried again, the others go on.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// Its task ended early: the process is about to end.
    #[error("it was cut off")]
    CutOff,
}

/// A task that ends with its handle.
struct Attached<T>(JoinHandle<T>);

impl<T> Drop for Attached<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs one pass, in a task of its own: kube polls all passes whenever one of them moves, and hundreds may wait for their turn to call CloudFront.
///
/// # Errors
/// What kept the outcome from being stored.
pub async fn run(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, PassError> {
    if context.gate.clone().await == Gate::Stopping || context.fence.is_draining() {
        return Ok(Action::await_change());
    }
    let mut task = Attached(tokio::spawn(Box::pin(counted(object, context))));
    (&mut task.0).await.unwrap_or(Err(PassError::CutOff))
}

/// One pass, inside its span, counted.
async fn counted(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, PassError> {
    let (metrics, key) = (&context.metrics, ObjectRef::from_obj(&*object));
    metrics.queue.open();
    // Nothing rests on a cache that was filled before this process led.
    if !context.objects.scope_of(&object).is_some_and(|scope| scope.is_listed_for(&key)) {
        metrics.queue.forget(&key);
        return Ok(Action::await_change());
    }
    // While it waited, on a standby perhaps for weeks, the object may have changed.
    let Some(object) = context.objects.current(&object) else {
        metrics.queue.forget(&key);
        return Ok(Action::await_change());
    };
    // As severe as can be, so that log lines of every level show these fields.
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
    // It joins the call queue with its first call; what it asks for is known by then.
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

/// When to try again after a pass that failed: kube asks after every error.
#[expect(clippy::needless_pass_by_value, reason = "kube's Controller hands these over")]
pub fn after_error(object: Arc<ConnectionGroup>, _: &PassError, context: Arc<Context>) -> Action {
    let uid = object.uid().unwrap_or_default();
    let remembered = context.objects.remember(&uid);
    // Passes of one object never overlap, and this one has ended: the lock is free.
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
    /// When the next pass is due; `None` if only a change calls for one.
    next: Option<Duration>,
}

/// The process is to end before anything was changed: there is nothing to report, and the next process begins anew.
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

/// How often a pass starts over with a newer version of its object before it makes way for others.
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

/// How a pass with one version of its object ended.
enum With {
    Ended(PassEnded),
    /// There is a newer version.
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
        // Nothing may be added to an object that is being deleted.
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
            // The answer is the object as it is now.
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
            // The policies that let it go may have been edited since.
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
            // This object is remembered until the cache no longer shows it; here go those that were let go before.
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

/// Leaves an object to the installation that holds it, and says so once. It is seen again now and then, as that finalizer may be taken off.
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
        let (reason, action) = (api::Reason::ForeignFinalizer, "Reconcile");
        let event = Event { severity: Severity::Warning, reason, action, note };
        let _turn = context.api_turn().await;
        context.recorder.publish(&object.object_ref(&()), &event).await;
        remembered.left_to = Some(theirs.to_owned());
    }
    PassEnded { how: Ended::Settled, next: Some(context.policy.sweep_interval.saturating_mul(5)) }
}

/// Writes the status unless both the cache and the last accepted write show it already: either may lag behind the other.
async fn store_status(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    next: &ConnectionGroupStatus,
    remembered: &mut Tracked,
    context: &Context,
) -> Result<(), PassError> {
    let previous = remembered.written.as_ref().or(object.status.as_ref());
    let previous = previous.map(|status| status.conditions.clone()).unwrap_or_default();
    // Twice where the first answer shows what the schema lacks: the condition that tells of it has to be stored, too.
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
    /// A newer one, which the change that is withheld has to start over with.
    newer: Option<Version>,
}

/// Reconciles; none if the process is to end before a call was begun, or if the next pass has to take the object up from its beginning.
///
/// Until its first call nothing has happened. What changes before is taken up, at the place in the queue that is held already.
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

/// Returns when the object, or what the last list shows of it, has changed. Never, once the first call may have been made.
async fn changed_before_its_turn(news: &News<'_>, reservation: &Reservation) {
    news.come().await;
    if reservation.has_begun() {
        std::future::pending::<()>().await;
    }
}

/// Whether it is the same object, and what keeps it from going is as it was.
fn is_held_alike(current: &ConnectionGroup, before: &ConnectionGroup) -> bool {
    current.metadata.uid == before.metadata.uid && current.metadata.finalizers == before.metadata.finalizers
}

/// The outcome of a reconcile of the object as it is now, and the version to start over with, if so; none if a call of it was not begun, because the
/// process is to end.
async fn reconcile_in_turn(
    version: &Version,
    api: &Api<ConnectionGroup>,
    context: &Context,
    remembered: &mut Tracked,
    reservation: &Arc<Reservation>,
) -> Option<(Outcome, Option<Version>)> {
    let object = with_last_status(ConnectionGroup::clone(&version.object), remembered.status.as_ref());
    plan_resync(&mut remembered.memory, context.clock.moment(), context.policy.deep_check_interval);
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

/// The first full read by this process. At random: were it the same in each process, and none lived for long, some objects would never have
/// their turn.
fn plan_resync(memory: &mut ObjectState, now: Moment, interval: Duration) {
    memory.resync_at.get_or_insert_with(|| now + interval.mul_f64(fastrand::f64()));
}

/// What a panic says.
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
    fn the_first_deep_check_of_an_object_comes_at_random_within_one_interval_and_is_planned_once() {
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
