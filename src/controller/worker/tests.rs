//! Tests of reconciles with a fake API server that accepts everything or never answers: while they wait for CloudFront or for Kubernetes, and for an object
//! that was released.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use axum::{
    Router,
    extract::Request,
    http::{Method, header::CONTENT_TYPE},
};
use futures::FutureExt;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Api, Client,
    runtime::{controller::Action, reflector::ObjectRef, watcher},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::{
    account::{Account, inventory::InventoryState},
    api::{ConnectionGroupSpec, ConnectionGroupStatus, Mode, finalizer},
    clock::{Clock, Moment},
    cloudfront::{
        Operation, Snapshot,
        queue::{CallQueue, Class},
        sdk::Sdk,
    },
    controller::{
        events::Recorder,
        gate::Gate,
        metrics::testing::metrics,
        objects::{Objects, Tracked},
        scope::{Feed, Scope},
    },
    leadership::{fence::Fence, term::Term},
    reconcile::{Settings, ownership::Installation},
    telemetry::testing::told,
};

/// A fake API server that accepts everything, and the requests that it received.
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

/// A scope whose cache shows this object.
pub fn filled(shown: &ConnectionGroup) -> (Arc<Scope>, Feed) {
    let (scope, mut feed) = Scope::new(None);
    for event in [watcher::Event::Init, watcher::Event::InitApply(shown.clone()), watcher::Event::InitDone] {
        feed.writer.apply_watcher_event(&event);
        scope.saw(&event);
    }
    (scope, feed)
}

/// What reconciles share; the cache shows this object, whatever happens to it.
pub fn context(client: Client, shown: &ConnectionGroup) -> Context {
    context_with(CallQueue::new(1.0, 1), client, shown)
}

/// The same with this queue for calls to CloudFront.
fn context_with(queue: CallQueue, client: Client, shown: &ConnectionGroup) -> Context {
    let (scope, _) = filled(shown);
    let aws = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let metrics = Arc::new(metrics());
    let fence = Fence::default();
    let nothing_there = Snapshot { began: Moment::after_start(Duration::from_millis(1)), groups: BTreeMap::new() };
    let (second, clock) = (Duration::from_secs(1), Arc::new(Term::default()));
    Context {
        recorder: Recorder::new(client.clone()),
        client,
        account: Account {
            cloudfront: Sdk::configured(&aws.build(), second, queue.clone(), Arc::clone(&metrics) as _, fence.clone()),
            queue,
            inventory: watch::channel(InventoryState {
                snapshot: Some(Arc::new(nothing_there)),
                ..InventoryState::default()
            })
            .1,
        },
        settings: Settings {
            owner_id: "prod".to_owned(),
            installation: Installation::new("uid-here"),
            predecessor: None,
            allow_adoption: false,
            inventory_interval: second,
            inventory_interval_active: second,
            resync_interval: second,
            consistency_window: Duration::ZERO,
        },
        finalizer: finalizer("prod"),
        clock,
        objects: Arc::new(Objects::new(vec![scope])),
        metrics,
        fence,
        gate: std::future::ready(Gate::Open).boxed().shared(),
        api_turns: Semaphore::new(API_REQUESTS_AT_ONCE),
    }
}

/// An object in mode Observe that is being deleted; the inventory shows no group of its name, so CloudFront is not called.
fn leaving() -> ConnectionGroup {
    let spec = ConnectionGroupSpec { mode: Mode::Observe, ..ConnectionGroupSpec::default() };
    let mut object = ConnectionGroup::new("edge", spec);
    object.metadata.namespace = Some("platform".to_owned());
    object.metadata.uid = Some("uid-1".to_owned());
    object.metadata.finalizers = Some(vec![finalizer("prod")]);
    object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    object
}

/// An object in mode Manage, so that CloudFront is called.
pub fn managed() -> ConnectionGroup {
    let mut object = leaving();
    object.spec.mode = Mode::Manage;
    object.metadata.deletion_timestamp = None;
    object
}

/// A queue whose next turn is a quarter of an hour away.
async fn closed_queue() -> CallQueue {
    let queue = CallQueue::new(0.001, 1);
    queue.reserve(Class::UserRequest).admit(Operation::GetConnectionGroup).await.unwrap();
    queue
}

/// Waits until a reconcile is in the call queue.
async fn until_one_waits(queue: &CallQueue, pass: &mut (impl Future<Output = Result<Action, WorkerError>> + Unpin)) {
    let waits = async {
        while queue.depths().iter().all(|depth| depth.waiting == 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = pass => panic!("it ended: {ended:?}"),
        () = waits => {}
    }
}

#[tokio::test]
async fn a_pass_that_waits_in_the_call_queue_ends_with_the_process_and_writes_nothing() {
    let object = managed();
    let (client, asked) = agreeable().await;
    let queue = closed_queue().await;
    let context = Arc::new(context_with(queue.clone(), client, &object));
    let mut pass = Box::pin(run(Arc::new(object), Arc::clone(&context)));
    until_one_waits(&queue, &mut pass).await;
    context.fence.drain();
    assert_eq!(pass.await.unwrap(), Action::await_change());
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
    assert!(queue.depths().iter().all(|depth| depth.waiting == 0));
}

/// An object whose status records its group as ours and in sync with the spec; the inventory does not show the group, so it has to be read.
fn on_record() -> ConnectionGroup {
    let mut object = managed();
    object.metadata.generation = Some(1);
    object.status = Some(ConnectionGroupStatus {
        observed_generation: 1,
        id: Some("cg_1".to_owned()),
        arn: Some("arn".to_owned()),
        owner: Some("prod/platform/edge".to_owned()),
        installation: Some("uid-here".to_owned()),
        enabled: Some(true),
        ..ConnectionGroupStatus::UNSEEN
    });
    object
}

#[tokio::test]
async fn a_pass_waits_in_the_call_queue_in_the_class_of_what_its_object_asks_for() {
    type Change = fn(&mut ConnectionGroup);
    let table: [(Class, Change); 3] = [
        (Class::SwitchOff, |object| {
            object.spec.enabled = false;
            object.metadata.generation = Some(2);
        }),
        (Class::UserRequest, |object| object.metadata.generation = Some(2)),
        (Class::Progress, |_| {}),
    ];
    let waits_in = async |object: ConnectionGroup, last_try: LastTry| {
        let (client, _) = agreeable().await;
        let queue = closed_queue().await;
        let context = Arc::new(context_with(queue.clone(), client, &object));
        context.objects.track("uid-1").lock().await.last_try = last_try;
        let mut pass = Box::pin(run(Arc::new(object), context));
        until_one_waits(&queue, &mut pass).await;
        queue.depths().into_iter().filter(|depth| depth.waiting > 0).map(|depth| depth.class).collect::<Vec<_>>()
    };
    for (class, change) in table {
        let mut object = on_record();
        change(&mut object);
        assert_eq!(waits_in(object, LastTry::Done).await, [class]);
    }
    assert_eq!(waits_in(on_record(), LastTry::Refused).await, [Class::Background]);
}

#[tokio::test]
async fn what_changes_while_a_pass_waits_in_the_call_queue_is_taken_up_at_once() {
    let object = managed();
    let (client, asked) = agreeable().await;
    let queue = closed_queue().await;
    let (scope, mut feed) = filled(&object);
    let objects = Objects::new(vec![scope]);
    let objects = Arc::new(objects);
    let context = Context { objects: Arc::clone(&objects), ..context_with(queue.clone(), client, &object) };
    let mut pass = Box::pin(run(Arc::new(object.clone()), Arc::new(context)));
    until_one_waits(&queue, &mut pass).await;
    let mut suspended = object.clone();
    suspended.spec.suspend = true;
    feed.writer.apply_watcher_event(&watcher::Event::Apply(suspended));
    objects.changed(&ObjectRef::from_obj(&object));
    pass.await.unwrap();
    let status = "PATCH /apis/cloudfront.kube-operators.dev/v1alpha1/namespaces/platform/connectiongroups/edge/status";
    assert_eq!(asked.lock().unwrap().first().map(String::as_str), Some(status), "it is said to be suspended");
}

/// The same object after an edit that suspends it.
fn suspended(object: &ConnectionGroup) -> ConnectionGroup {
    let mut edited = object.clone();
    edited.spec.suspend = true;
    edited.metadata.generation = object.metadata.generation.map(|generation| generation + 1);
    edited
}

#[tokio::test]
async fn an_object_is_read_if_the_cache_shows_an_older_version_than_the_one_that_was_reconciled_last() {
    let object = on_record();
    let stored = serde_json::to_value(suspended(&object)).unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&asked);
    let client = crate::controller::testing::client(move |method, _| {
        heard.lock().unwrap().push(method.to_string());
        (200, stored.clone())
    });
    let context = context(client, &object);
    context.objects.track("uid-1").lock().await.generation = Some(2);
    let reservation = Arc::new(context.account.queue.reserve(Class::Background));
    let object = Arc::new(object);
    let reconciled = Box::pin(reconcile_newest_version(&object, &context, &reservation));
    let ended = tokio::time::timeout(Duration::from_mins(1), reconciled).await;
    ended.expect("it calls CloudFront for the older version").unwrap();
    assert_eq!(asked.lock().unwrap()[..2], ["GET", "PATCH"], "it is read, and said to be suspended");
}

#[tokio::test]
async fn a_late_event_of_an_older_version_does_not_replace_a_version_that_was_read() {
    let older = on_record();
    let mut read = older.clone();
    read.metadata.generation = Some(3);
    let (client, asked) = agreeable().await;
    let queue = closed_queue().await;
    let (scope, mut feed) = filled(&older);
    let objects = Arc::new(Objects::new(vec![scope]));
    let context = Context { objects: Arc::clone(&objects), ..context_with(queue.clone(), client.clone(), &older) };
    let api = Api::namespaced(client, "platform");
    let (version, mut tracked) = (ObjectVersion::read(read, Instant::now()), Tracked::default());
    let reservation = Arc::new(queue.reserve(Class::Background));
    let waits = async {
        let depth = || queue.depths().iter().map(|depth| depth.waiting).sum::<usize>();
        while depth() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        feed.writer.apply_watcher_event(&watcher::Event::Apply(suspended(&older)));
        objects.changed(&ObjectRef::from_obj(&older));
        tokio::time::sleep(Duration::from_millis(50)).await;
        context.fence.drain();
    };
    let (ended, ()) = tokio::join!(reconcile_queued(&version, &api, &context, &mut tracked, &reservation), waits);
    assert!(ended.is_none(), "it waited for its turn until the process ended");
    assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn however_many_passes_there_are_few_requests_to_the_api_server_are_under_way_at_once() {
    let (client, held) = held_up().await;
    let context = Arc::new(context(client, &leaving()));
    let mut passes = (0..API_REQUESTS_AT_ONCE * 3).map(|n| {
        let mut object = leaving();
        object.metadata.uid = Some(format!("uid-{n}"));
        let context = Arc::clone(&context);
        tokio::spawn(async move {
            let reservation = Arc::new(context.account.queue.reserve(Class::Background));
            reconcile_newest_version(&Arc::new(object), &context, &reservation).await.map(|ended| ended.next)
        })
    });
    let passes = passes.by_ref().collect::<Vec<_>>();
    while held.available_permits() < API_REQUESTS_AT_ONCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(held.available_permits(), API_REQUESTS_AT_ONCE);
    passes.iter().for_each(JoinHandle::abort);
}

/// A fake API server that never answers, and a permit for each request that it holds.
async fn held_up() -> (Client, Arc<Semaphore>) {
    let held = Arc::new(Semaphore::new(0));
    let one_more = Arc::clone(&held);
    let answer = move |_: Request| {
        one_more.add_permits(1);
        std::future::pending::<String>()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    (Client::try_from(kube::Config::new(url)).unwrap(), held)
}

#[tokio::test]
async fn an_object_that_was_let_go_is_done_with_although_the_cache_still_shows_it() {
    let object = Arc::new(leaving());
    let (client, asked) = agreeable().await;
    let context = context(client, &object);
    for _ in 0..2 {
        let reservation = Arc::new(context.account.queue.reserve(Class::Background));
        assert_eq!(Box::pin(reconcile_newest_version(&object, &context, &reservation)).await.unwrap().next, None);
    }
    let group = "/apis/cloudfront.kube-operators.dev/v1alpha1/namespaces/platform/connectiongroups/edge";
    let events = "/apis/events.k8s.io/v1/namespaces/platform/events";
    assert_eq!(*asked.lock().unwrap(), [format!("PATCH {group}"), format!("POST {events}")]);
}

#[test]
fn an_object_is_reported_as_released_only_once_its_finalizer_was_removed() {
    let object = Arc::new(leaving());
    let accepts = Arc::<AtomicBool>::default();
    let (accepted, stored) = (Arc::clone(&accepts), serde_json::to_value(&*object).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let context = {
        let _entered = runtime.enter();
        let answer = move |_: &Method, _| {
            if accepted.load(Ordering::SeqCst) { (200, stored.clone()) } else { (500, serde_json::json!({})) }
        };
        context(crate::controller::testing::client(answer), &object)
    };
    let reports = || {
        let pass = async {
            let reservation = Arc::new(context.account.queue.reserve(Class::Background));
            Box::pin(reconcile_newest_version(&object, &context, &reservation)).await.is_ok()
        };
        let mut ended_well = false;
        let lines = told(|| ended_well = runtime.block_on(pass));
        let lines = lines.iter().filter(|(level, line)| level == "INFO" && line.contains("spec.mode is Observe"));
        let counted =
            context.metrics.text().contains("connection_group_operator_termination_duration_seconds_count 1\n");
        (ended_well, lines.count(), counted)
    };
    assert_eq!(reports(), (false, 0, false), "the API server refuses to remove the finalizer");
    accepts.store(true, Ordering::SeqCst);
    assert_eq!(reports(), (true, 1, true));
    assert_eq!(reports(), (true, 0, true), "nothing is left to report");
}

/// A clock that makes a reconcile panic.
struct Broken;

impl Clock for Broken {
    fn moment(&self) -> Moment {
        panic!("the clock is broken")
    }

    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

#[tokio::test]
async fn a_pass_that_panics_is_counted_and_tried_again() {
    let object = Arc::new(managed());
    let (client, _) = agreeable().await;
    let context = Arc::new(Context { clock: Arc::new(Broken), ..context(client, &object) });
    let error = run(Arc::clone(&object), Arc::clone(&context)).await.unwrap_err();
    assert_eq!(error.to_string(), "it panicked: the clock is broken");
    let text = context.metrics.text();
    assert!(text.contains("controller_runtime_reconcile_panics_total{controller=\"connectiongroup\"} 1\n"), "{text}");
    assert_ne!(after_error(object, &error, context), Action::await_change());
}
