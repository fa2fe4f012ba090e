//! The controllers, one for each watch. In: watches, and what reconciles share. Out: reconciles, until told to stop; then those in progress are finished.
//! Talks to the API server through the watches.

use std::{future::Future, sync::Arc};

use futures::{
    FutureExt, StreamExt, TryStreamExt, channel::mpsc::UnboundedReceiver, future::join_all, stream::BoxStream,
};
use kube::runtime::{Controller, controller, reflector::ObjectRef, watcher};

use super::{
    scope::Scope,
    worker::{self, Context, WorkerError},
};
use crate::{api::ConnectionGroup, network::api_failure};

/// One watch.
pub struct Watch {
    /// What it covers.
    pub scope: Arc<Scope>,
    /// Objects whose intent changed.
    pub stream: BoxStream<'static, Result<ConnectionGroup, watcher::Error>>,
    /// Objects for which a reconcile was requested.
    pub woken: UnboundedReceiver<ObjectRef<ConnectionGroup>>,
}

/// kube's value for no limit.
const UNLIMITED: u16 = 0;

/// Runs reconciles until `stop` is ready and the reconciles in progress have ended.
pub async fn run<S>(watches: Vec<Watch>, context: &Arc<Context>, stop: S)
where
    S: Future<Output = ()> + Clone + Send + Sync + 'static,
{
    join_all(watches.into_iter().map(|watch| run_one(watch, context, stop.clone()))).await;
}

async fn run_one<S>(watch: Watch, context: &Arc<Context>, stop: S)
where
    S: Future<Output = ()> + Clone + Send + Sync + 'static,
{
    let Watch { scope, stream, woken } = watch;
    let store = scope.store();
    let due = |object: ObjectRef<ConnectionGroup>, context: &Context| {
        context.objects.changed(&object);
        context.metrics.workqueue.add(object);
    };
    let shared = Arc::clone(context);
    let stream = stream.inspect_ok(move |object| due(ObjectRef::from_obj(object), &shared));
    let shared = Arc::clone(context);
    let woken = woken.inspect(move |object| due(object.clone(), &shared));
    let reconciles = Controller::for_stream(stream, store.clone())
        // Reconciles are cheap: the call queue decides whose CloudFront call is next, and requests to the API server have their own limit.
        .with_config(controller::Config::default().concurrency(UNLIMITED))
        .reconcile_on(woken)
        .graceful_shutdown_on(stop.clone())
        .run(worker::run, worker::after_error, Arc::clone(context))
        .for_each(|ended| {
            record(&ended, &scope, context);
            std::future::ready(())
        });
    // kube starts no reconcile before the cache is filled, and does not stop while it waits for that.
    let stopped_before_the_first_pass = async {
        stop.await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = reconciles => {}
        () = stopped_before_the_first_pass => {}
    }
}

type ControllerResult =
    Result<(ObjectRef<ConnectionGroup>, controller::Action), controller::Error<WorkerError, watcher::Error>>;

fn record(ended: &ControllerResult, scope: &Scope, context: &Context) {
    match ended {
        // The reconcile itself has logged what it did, or why it failed.
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Expected when an object is gone before its turn (kube#1167).
        Err(controller::Error::ObjectNotFound(object)) => {
            context.objects.forget_the_gone();
            let namespace = object.namespace.as_deref().unwrap_or_default();
            context.metrics.workqueue.forget(&ObjectRef::new(&object.name).within(namespace));
            tracing::debug!(%object, "the object is gone");
        }
        Err(controller::Error::QueueError(error)) => {
            context.metrics.watch_failed(reason_of(error));
            tracing::warn!(
                error = failure(error),
                scope = scope.name(),
                "the watch of ConnectionGroup objects was interrupted; it is restarted"
            );
            scope.interrupted();
        }
        Err(error) => tracing::warn!(%error, "the controller was interrupted; it goes on"),
    }
}

/// Why a watch failed.
fn failure(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => api_failure(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// The metric label for a watch that could not start or continue. It is retried in each case.
fn reason_of(error: &watcher::Error) -> &'static str {
    let code = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(answer))
        | watcher::Error::WatchStartFailed(kube::Error::Api(answer)) => answer.code,
        _ => return "Interrupted",
    };
    match code {
        404 => "NotServed",
        401 | 403 => "Forbidden",
        _ => "Interrupted",
    }
}
