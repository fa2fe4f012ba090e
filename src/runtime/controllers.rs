//! The controllers, one for each watch. In: watches and what passes share. Out: passes, until told to stop; then those under way are finished.
//! Talks to the API server through the watches.

use std::{future::Future, sync::Arc};

use futures::{
    FutureExt, StreamExt, TryStreamExt, channel::mpsc::UnboundedReceiver, future::join_all, stream::BoxStream,
};
use kube::runtime::{Controller, controller, reflector::ObjectRef, watcher};

use super::{
    pass::{self, Context, PassError},
    scope::Scope,
};
use crate::api::ConnectionGroup;

/// One watch.
pub struct Watch {
    /// What it covers.
    pub scope: Arc<Scope>,
    /// Objects whose intent changed.
    pub stream: BoxStream<'static, Result<ConnectionGroup, watcher::Error>>,
    /// Objects that somebody wants looked at.
    pub woken: UnboundedReceiver<ObjectRef<ConnectionGroup>>,
}

/// kube's word for no limit.
const UNLIMITED: u16 = 0;

/// Runs passes until `stop` is ready and the passes under way have ended.
pub async fn run<S>(watches: Vec<Watch>, context: &Arc<Context>, stop: S)
where
    S: Future<Output = ()> + Clone + Send + Sync + 'static,
{
    join_all(watches.into_iter().map(|watch| one(watch, context, stop.clone()))).await;
}

async fn one<S>(watch: Watch, context: &Arc<Context>, stop: S)
where
    S: Future<Output = ()> + Clone + Send + Sync + 'static,
{
    let Watch { scope, stream, woken } = watch;
    let store = scope.store();
    let due = |object: ObjectRef<ConnectionGroup>, context: &Context| {
        context.objects.changed(&object);
        context.metrics.queue.add(object);
    };
    let heard = Arc::clone(context);
    let stream = stream.inspect_ok(move |object| due(ObjectRef::from_obj(object), &heard));
    let heard = Arc::clone(context);
    let woken = woken.inspect(move |object| due(object.clone(), &heard));
    let passes = Controller::for_stream(stream, store.clone())
        // Passes are cheap: the call queue decides whose call is next, and the API server has a limit of its own.
        .with_config(controller::Config::default().concurrency(UNLIMITED))
        .reconcile_on(woken)
        .graceful_shutdown_on(stop.clone())
        .run(pass::run, pass::after_error, Arc::clone(context))
        .for_each(|ended| {
            hear(&ended, &scope, context);
            std::future::ready(())
        });
    // kube starts no pass before the cache is filled, and while it waits for that it does not end either.
    let stopped_before_the_first_pass = async {
        stop.await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = passes => {}
        () = stopped_before_the_first_pass => {}
    }
}

type Ended = Result<(ObjectRef<ConnectionGroup>, controller::Action), controller::Error<PassError, watcher::Error>>;

fn hear(ended: &Ended, scope: &Scope, context: &Context) {
    match ended {
        // The pass itself has logged what it did, or why it could not.
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Expected when an object is gone before its turn (kube#1167).
        Err(controller::Error::ObjectNotFound(object)) => {
            context.objects.forget_the_gone();
            let namespace = object.namespace.as_deref().unwrap_or_default();
            context.metrics.queue.forget(&ObjectRef::new(&object.name).within(namespace));
            tracing::debug!(%object, "the object is gone");
        }
        Err(controller::Error::QueueError(error)) => {
            context.metrics.watch_failed(reason_of(error));
            tracing::warn!(%error, scope = scope.name(), "the watch of ConnectionGroup objects was interrupted; it is restarted");
        }
        Err(error) => tracing::warn!(%error, "the controller was interrupted; it goes on"),
    }
}

/// The label for a watch that could not begin or go on. It is tried again in each case.
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
