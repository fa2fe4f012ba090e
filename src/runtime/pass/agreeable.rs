//! Passes at an API server that has no objection, played by this process: over an object that was let go, and one after the other.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use axum::{Router, extract::Request, http::header::CONTENT_TYPE};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::runtime::watcher;
use tokio::net::TcpListener;

use super::*;
use crate::{
    api::{ConnectionGroupSpec, Mode, finalizer},
    cloudfront::budget::Budget,
    reconcile::ownership::Installation,
    runtime::{scope::Scope, term::Term},
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
    let (scope, mut feed) = Scope::new(None);
    for event in [watcher::Event::Init, watcher::Event::InitApply(shown.clone()), watcher::Event::InitDone] {
        feed.writer.apply_watcher_event(&event);
        scope.saw(&event);
    }
    let aws = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let metrics = Arc::new(Metrics::new(1, false));
    let budget = Arc::new(Budget::new(1.0, 1, Duration::ZERO));
    let nothing_there = Snapshot { began: Moment::after_start(Duration::from_millis(1)), groups: BTreeMap::new() };
    let fence = Fence::default();
    let (second, clock) = (Duration::from_secs(1), Arc::new(Term::default()));
    Context {
        recorder: Recorder::new(client.clone()),
        client,
        port: Sdk::configured(&aws.build(), second, budget, Arc::clone(&metrics) as _, fence.clone()),
        policy: Policy {
            owner_id: "prod".to_owned(),
            installation: Installation::new("uid-here"),
            predecessor: None,
            allow_adoption: false,
            sweep_interval: second,
            sweep_interval_active: second,
            deep_check_interval: second,
            settle_window: Duration::ZERO,
        },
        finalizer: finalizer("prod"),
        clock,
        lists: watch::channel(Lists { snapshot: Some(Arc::new(nothing_there)), ..Lists::default() }).1,
        objects: Arc::new(Objects::new(vec![scope])),
        metrics,
        fence,
        gate: std::future::ready(Gate::Open).boxed().shared(),
        turns: Semaphore::new(1),
    }
}

/// In mode Observe and being deleted, and the list shows no group of its name, so that nothing is asked of CloudFront.
fn leaving() -> ConnectionGroup {
    let spec = ConnectionGroupSpec { mode: Mode::Observe, ..ConnectionGroupSpec::default() };
    let mut object = ConnectionGroup::new("edge", spec);
    object.metadata.namespace = Some("platform".to_owned());
    object.metadata.uid = Some("uid-1".to_owned());
    object.metadata.finalizers = Some(vec![finalizer("prod")]);
    object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    object
}

#[tokio::test]
async fn whichever_watch_it_comes_from_a_pass_waits_for_its_turn_before_anything_else() {
    let object = leaving();
    let (client, asked) = agreeable().await;
    let begun = Arc::<AtomicBool>::default();
    let first_step = Arc::clone(&begun);
    let gate = async move {
        first_step.store(true, Ordering::SeqCst);
        Gate::Open
    };
    let context = Arc::new(Context { gate: gate.boxed().shared(), ..context(client, &object) });
    let other = context.turns.acquire().await.unwrap();
    let mut pass = Box::pin(run(Arc::new(object), Arc::clone(&context)));
    assert!(futures::poll!(&mut pass).is_pending() && !begun.load(Ordering::SeqCst));
    drop(other);
    pass.await.unwrap();
    assert!(!asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_object_that_was_let_go_is_done_with_although_the_cache_still_shows_it() {
    let object = leaving();
    let (client, asked) = agreeable().await;
    let context = context(client, &object);
    for _ in 0..2 {
        assert_eq!(Box::pin(one(Arc::new(object.clone()), &context)).await.unwrap().next, None);
    }
    let group = "/apis/cloudfront.kube-operators.dev/v1alpha1/namespaces/platform/connectiongroups/edge";
    let events = "/apis/events.k8s.io/v1/namespaces/platform/events";
    assert_eq!(*asked.lock().unwrap(), [format!("PATCH {group}"), format!("POST {events}")]);
}
