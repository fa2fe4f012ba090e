//! One pass over one object: finalizer, reconcile, status, events, finalizer. Talks to the API server, and through the port to CloudFront.
//!
//! In: the object from the cache. Out: when to come back. Nothing is asked of CloudFront before the finalizer is stored.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use tokio::sync::{Semaphore, watch};
use tracing::{Instrument, field::Empty};

use super::{
    Gate,
    events::Recorder,
    finalizer,
    metrics::{Ended, Metrics},
    objects::{Objects, Remembered},
    schema, status,
};
use crate::{
    api::{self, ConnectionGroup, ConnectionGroupStatus, FINALIZER},
    clock::Clock,
    cloudfront::{ErrorClass, budget::Lane, sdk::Sdk},
    reconcile::{Finalizer, Known, Outcome, Policy, Surroundings, backoff::Pace, observe::Look, reconcile},
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
    /// The administrator's decisions.
    pub policy: Policy,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the sweeps brought.
    pub lists: watch::Receiver<Lists>,
    /// Caches and memories.
    pub objects: Arc<Objects>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// What the first passes wait for.
    pub gate: Shared<BoxFuture<'static, Gate>>,
    /// How many passes may be under way, over all watches: each watch has a limit of its own besides.
    pub turns: Semaphore,
}

/// What can end a pass before its outcome is stored.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The API server refused or could not be reached.
    #[error("the API server could not be asked or did not accept: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// A bug; the object is tried again, the others go on.
    #[error("the pass panicked: {0}")]
    Panicked(String),
}

/// Runs one pass, inside its span, and counts it.
///
/// # Errors
/// What kept the outcome from being stored.
pub async fn run(object: Arc<ConnectionGroup>, context: Arc<Context>) -> Result<Action, PassError> {
    // Never closed, so there is always a turn in the end.
    let _turn = context.turns.acquire().await;
    if context.gate.clone().await == Gate::Stopping {
        return Ok(Action::await_change());
    }
    let (metrics, key) = (&context.metrics, ObjectRef::from_obj(&*object));
    metrics.queue.open();
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
    metrics.queue.started(&key);
    let caught = AssertUnwindSafe(Box::pin(one(&object, &context))).catch_unwind().instrument(span.clone()).await;
    let ended = caught.unwrap_or_else(|panic| {
        metrics.panicked();
        Err(PassError::Panicked(panic_text(panic.as_ref())))
    });
    if let Err(error) = &ended {
        span.in_scope(|| tracing::error!(%error, "the pass failed and is tried again"));
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
    let delay = Pace::Quick.delay(failures, &uid);
    context.metrics.queue.retry_after(ObjectRef::from_obj(&*object), delay);
    Action::requeue(delay)
}

struct PassEnded {
    how: Ended,
    /// When the next pass is due; `None` if only a change calls for one.
    next: Option<Duration>,
}

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

async fn one(object: &ConnectionGroup, context: &Context) -> Result<PassEnded, PassError> {
    let uid = object.uid().unwrap_or_default();
    let api = Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default());
    let ours = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if object.meta().deletion_timestamp.is_some() && !ours {
        context.objects.forget(&uid);
        return Ok(DONE);
    }
    if !ours && !finalizer::add(&api, object).await? {
        return Ok(DONE);
    }

    let remembered = context.objects.remember(&uid);
    let mut remembered = remembered.lock().await;
    if remembered.released {
        return Ok(DONE);
    }
    let outcome = Box::pin(look(object, context, &mut remembered)).await;
    remembered.status = Some(outcome.status.clone());

    match outcome.finalizer {
        Finalizer::Keep => {
            let stored = store_status(&api, object, &outcome.status, &mut remembered, context).await;
            tell(object, &outcome, context).await;
            stored?;
        }
        Finalizer::Release => {
            finalizer::remove(&api, object).await?;
            remembered.released = true;
            context.metrics.released(object, context.clock.wall());
            tell(object, &outcome, context).await;
            // This object is remembered until the cache no longer shows it; here go those that were let go before.
            context.objects.forget_the_gone();
            return Ok(DONE);
        }
    }
    remembered.failures = 0;
    Ok(PassEnded { how: how(&outcome), next: Some(outcome.requeue.max(LEAST_PAUSE)) })
}

/// Writes the status unless both the cache and the last accepted write show it already: either may lag behind the other.
async fn store_status(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    next: &ConnectionGroupStatus,
    remembered: &mut Remembered,
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
        let Some(stored) = status::write(api, object, &next).await? else { return Ok(()) };
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
        context.recorder.publish(&regarding, event).await;
    }
}

/// Between two passes that follow at once; keeps a defect from becoming a busy loop.
const LEAST_PAUSE: Duration = Duration::from_millis(5);

async fn look(object: &ConnectionGroup, context: &Context, remembered: &mut Remembered) -> Outcome {
    let mut object = object.clone();
    if remembered.status.is_some() {
        object.status.clone_from(&remembered.status);
    }
    // At random: were it the same in each process, and none lived for long, some objects would never have their turn.
    let (now, interval) = (context.clock.moment(), context.policy.deep_check_interval);
    remembered.memory.deep_check_at.get_or_insert_with(|| now + interval.mul_f64(fastrand::f64()));
    let lists = context.lists.borrow().clone();
    let mut around = Surroundings {
        port: &context.port,
        policy: &context.policy,
        snapshot: lists.snapshot.as_deref(),
        list_trouble: lists.trouble.as_ref(),
        clock: context.clock.as_ref(),
    };
    let background = context.port.in_lane(Lane::Background);
    let known = Known::of(&object, &remembered.memory, &around);
    // Nobody waits for a look at what is in sync, unless they asked for it; anything else, a group that somebody switched off among it, is urgent.
    if known.is_in_sync(around.snapshot) && known.look != Look::Afresh {
        around.port = &background;
    }
    let outcome = Box::pin(reconcile(&object, &mut remembered.memory, &around)).await;
    for event in &outcome.events {
        tracing::info!(reason = event.reason.as_str(), action = event.action, "{}", event.note);
    }
    if let Some(error) = &outcome.error {
        let retry_in = humantime::format_duration(outcome.requeue).to_string();
        tracing::warn!(%error, aws_request_id = error.request_id, retry_in, "CloudFront did not do as asked");
    }
    outcome
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use axum::{Router, extract::Request, http::header::CONTENT_TYPE};
    use futures::channel::mpsc;
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use kube::runtime::{reflector, watcher};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        api::{ConnectionGroupSpec, Mode},
        cloudfront::{budget::Budget, fence::Fence},
        runtime::term::Term,
    };

    /// An API server that has no objection; the requests it got.
    async fn agreeable() -> (Client, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&asked);
        let answer = move |request: Request| async move {
            heard.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
            ([(CONTENT_TYPE, "application/json")], r#"{"metadata":{"name":"edge"},"spec":{}}"#)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        (Client::try_from(kube::Config::new(url)).unwrap(), asked)
    }

    /// What passes share; the cache shows this object, whatever becomes of it.
    fn context(client: Client, shown: &ConnectionGroup) -> Context {
        let (cache, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Apply(shown.clone()));
        let mut objects = Objects::default();
        objects.add(cache, mpsc::unbounded().0);
        let aws = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
        let metrics = Arc::new(Metrics::new(1, false));
        let budget = Arc::new(Budget::new(1.0, 1, Duration::ZERO));
        let (second, clock) = (Duration::from_secs(1), Arc::new(Term::default()));
        Context {
            recorder: Recorder::new(client.clone()),
            client,
            port: Sdk::configured(&aws.build(), second, budget, Arc::clone(&metrics) as _, Fence::default()),
            policy: Policy {
                owner_id: "prod".to_owned(),
                allow_adoption: false,
                sweep_interval: second,
                sweep_interval_active: second,
                deep_check_interval: second,
                settle_window: second,
            },
            clock,
            lists: watch::channel(Lists::default()).1,
            objects: Arc::new(objects),
            metrics,
            gate: std::future::ready(Gate::Open).boxed().shared(),
            turns: Semaphore::new(1),
        }
    }

    #[tokio::test]
    async fn an_object_that_was_let_go_is_done_with_although_the_cache_still_shows_it() {
        let spec = ConnectionGroupSpec { mode: Mode::Observe, ..ConnectionGroupSpec::default() };
        let mut object = ConnectionGroup::new("edge", spec);
        object.metadata.namespace = Some("platform".to_owned());
        object.metadata.uid = Some("uid-1".to_owned());
        object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let (client, asked) = agreeable().await;
        let context = context(client, &object);
        for _ in 0..2 {
            assert_eq!(Box::pin(one(&object, &context)).await.unwrap().next, None);
        }
        let group = "/apis/cloudfront.kube-operators.dev/v1alpha1/namespaces/platform/connectiongroups/edge";
        let events = "/apis/events.k8s.io/v1/namespaces/platform/events";
        assert_eq!(*asked.lock().unwrap(), [format!("PATCH {group}"), format!("POST {events}")]);
    }
}
