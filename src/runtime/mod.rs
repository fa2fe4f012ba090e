//! Kubernetes around the reconcile: watch, run passes, carry their outcomes out, serve health and metrics. Talks to the API server.
//!
//! In: checked arguments. Out: runs until told to stop; then takes no new work, finishes the calls in flight and leaves.

mod events;
mod finalizer;
mod http;
mod metrics;
mod objects;
mod pass;
mod status;
mod stream;

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, channel::mpsc, stream::FuturesUnordered};
use jiff::Timestamp;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{Controller, controller, reflector::ObjectRef},
};
use tokio::{net::TcpListener, sync::watch, time::Instant};

use self::{events::Recorder, metrics::Metrics, objects::Objects, pass::Context};
use crate::{
    api::ConnectionGroup,
    cli::RunArgs,
    clock::{Clock, Moment},
    cloudfront::{
        budget::{Budget, Lane},
        sdk::{Endpoint, Sdk},
    },
    orphans::Scope,
    reconcile::Policy,
    sweep::{self, Lists},
};

/// What keeps the operator from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kubeconfig cannot be used.
    #[error("no usable Kubernetes configuration (--kubeconfig, KUBECONFIG or the Pod's ServiceAccount): {0}")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client cannot be built.
    #[error("no Kubernetes client can be built from the configuration: {0}")]
    Client(#[source] Box<kube::Error>),
    /// The address is taken or not ours.
    #[error("--http-addr {addr} cannot be listened on: {source}")]
    HttpAddr {
        /// The address that was asked for.
        addr: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// The process's clock.
struct SystemClock(Instant);

impl Clock for SystemClock {
    fn moment(&self) -> Moment {
        Moment::after_start(self.0.elapsed())
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// How long the first list may hold up the first pass.
const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(10);

/// Runs until `stop` is ready, and then until the passes under way have ended.
///
/// # Errors
/// What keeps it from starting; once started, it stays up.
pub async fn run(args: RunArgs, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), StartError> {
    let client = client(&args).await?;
    let listener = TcpListener::bind(args.http_addr)
        .await
        .map_err(|source| StartError::HttpAddr { addr: args.http_addr, source })?;

    let policy = policy(&args);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock(Instant::now()));
    let patience = args.sweep_interval_active.saturating_mul(3);
    let budget = Arc::new(Budget::new(args.aws_rate, args.aws_burst, patience));
    let metrics = Arc::new(Metrics::new());
    let endpoint = Endpoint {
        region: args.aws_region.clone(),
        url: args.aws_endpoint_url.clone(),
        call_timeout: args.aws_call_timeout,
    };
    let port = Sdk::connect(&endpoint, Arc::clone(&budget), Arc::clone(&metrics) as _).await;

    let (publish, lists) = watch::channel(Lists::default());
    let mut objects = Objects::default();
    let streams = scopes(&args).into_iter().map(|scope| {
        let (store, stream) = stream::watch(
            scope.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), &namespace)),
        );
        let (wake, woken) = mpsc::unbounded();
        objects.add(store.clone(), wake);
        (store, stream, woken)
    });
    let streams = streams.collect::<Vec<_>>();
    let objects = Arc::new(objects);
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone()),
        client,
        port: port.clone(),
        policy: policy.clone(),
        clock: Arc::clone(&clock),
        lists: lists.clone(),
        objects: Arc::clone(&objects),
        metrics: Arc::clone(&metrics),
    });

    metrics.set_concurrency(args.concurrency);
    let serve = tokio::spawn(http::serve(
        listener,
        http::Served {
            metrics,
            objects: Arc::clone(&objects),
            budget,
            lists: lists.clone(),
            clock: Arc::clone(&clock),
        },
    ));
    let scope =
        Scope { owner_id: policy.owner_id.clone(), namespaces: args.watch_namespaces.iter().cloned().collect() };
    let sweeps = tokio::spawn(sweep::run(port.in_lane(Lane::Background), policy, scope, clock, objects, publish));

    let stop = stop.shared();
    let mut first_list = lists;
    tokio::select! {
        _ = tokio::time::timeout(FIRST_LIST_PATIENCE, first_list.changed()) => {}
        () = stop.clone() => {}
    }
    let mut controllers = FuturesUnordered::new();
    for (store, stream, woken) in streams {
        let config = controller::Config::default().concurrency(args.concurrency);
        controllers.push(
            Controller::for_stream(stream, store)
                .with_config(config)
                .reconcile_on(woken)
                .graceful_shutdown_on(stop.clone())
                .run(pass::run, pass::after_error, Arc::clone(&context))
                .for_each(|ended| {
                    log_end(&ended);
                    std::future::ready(())
                }),
        );
    }
    while controllers.next().await.is_some() {}

    sweeps.abort();
    serve.abort();
    tracing::info!("stopped");
    Ok(())
}

type Ended = Result<
    (ObjectRef<ConnectionGroup>, controller::Action),
    controller::Error<pass::PassError, kube::runtime::watcher::Error>,
>;

fn log_end(ended: &Ended) {
    match ended {
        // The pass itself has logged what it did, or why it could not.
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Expected when an object is gone before its turn (kube#1167).
        Err(controller::Error::ObjectNotFound(object)) => tracing::debug!(%object, "the object is gone"),
        Err(error) => tracing::warn!(%error, "the watch of ConnectionGroup objects was interrupted; it is resumed"),
    }
}

async fn client(args: &RunArgs) -> Result<Client, StartError> {
    let boxed = |error: kube::config::KubeconfigError| StartError::Kubeconfig(Box::new(error));
    let config = match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(boxed)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(boxed)?
        }
        None => Config::infer().await.map_err(|error| StartError::Kubeconfig(Box::new(error)))?,
    };
    Client::try_from(config).map_err(|error| StartError::Client(Box::new(error)))
}

fn policy(args: &RunArgs) -> Policy {
    Policy {
        owner_id: args.owner_id.clone(),
        allow_adoption: args.allow_adoption,
        sweep_interval: args.sweep_interval,
        sweep_interval_active: args.sweep_interval_active,
        deep_check_interval: args.deep_check_interval,
        settle_window: args.aws_call_timeout.saturating_mul(2),
    }
}

/// One watch for all namespaces, or one for each that was named.
fn scopes(args: &RunArgs) -> Vec<Option<String>> {
    let named = args.watch_namespaces.iter().filter(|namespace| !namespace.is_empty()).collect::<BTreeSet<_>>();
    if named.is_empty() { vec![None] } else { named.into_iter().cloned().map(Some).collect() }
}
