//! Kubernetes around the reconcile: watch, run passes, carry their outcomes out, serve health and metrics. Talks to the API server.
//!
//! In: checked arguments. Out: runs until told to stop; then takes no new work, finishes the calls in flight and leaves.

mod controllers;
mod events;
mod finalizer;
mod http;
mod metrics;
mod objects;
mod pass;
mod status;
mod stream;

use std::{future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, channel::mpsc};
use jiff::Timestamp;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{net::TcpListener, sync::watch, time::Instant};

use self::{controllers::Watch, events::Recorder, http::Served, metrics::Metrics, objects::Objects, pass::Context};
use crate::{
    cli::RunArgs,
    clock::{Clock, Moment},
    cloudfront::{
        budget::{Budget, Lane},
        fence::Fence,
        sdk::{Endpoint, Sdk},
    },
    orphans::Scope,
    reconcile::Policy,
    sweep::{self, Lists},
};

/// What keeps the operator from starting, or from going on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
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
    /// A part that must never end has ended.
    #[error("{0} has ended, which it never should: the process ends so that it is started anew")]
    Died(&'static str),
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
/// What keeps it from starting, or from going on.
pub async fn run(args: RunArgs, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), RunError> {
    let client = client(&args).await?;
    let listener = TcpListener::bind(args.http_addr)
        .await
        .map_err(|source| RunError::HttpAddr { addr: args.http_addr, source })?;
    let policy = policy(&args);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock(Instant::now()));
    let patience = args.sweep_interval_active.saturating_mul(3);
    let budget = Arc::new(Budget::new(args.aws_rate, args.aws_burst, patience));
    let metrics = Arc::new(Metrics::new(args.concurrency));
    let fence = Fence::default();
    fence.open();
    let port = Sdk::connect(&endpoint(&args), Arc::clone(&budget), Arc::clone(&metrics) as _, fence).await;
    let (publish, lists) = watch::channel(Lists::default());
    let (objects, watches) = watches(&args, &client);
    let stop = stop.shared();

    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone()),
        client,
        port: port.clone(),
        policy: policy.clone(),
        clock: Arc::clone(&clock),
        lists: lists.clone(),
        objects: Arc::clone(&objects),
        metrics: Arc::clone(&metrics),
        gate: gate(lists.clone(), stop.clone()).boxed().shared(),
    });
    let served =
        Served { metrics, objects: Arc::clone(&objects), budget, lists: lists.clone(), clock: Arc::clone(&clock) };
    let serve = tokio::spawn(http::serve(listener, served));
    let scope = Scope { owner_id: args.owner_id.clone(), namespaces: args.namespaces() };
    let background = port.in_lane(Lane::Background);
    let sweep = sweep::run(background, policy, scope, clock, Arc::clone(&objects) as _, publish);
    let stopped = stop.clone();
    let sweeps = tokio::spawn(async {
        tokio::select! {
            // A list that is cut off here harms nothing, and none is begun while passes are finished.
            () = stopped => std::future::pending().await,
            () = sweep => {}
        }
    });
    let passes = controllers::run(watches, args.concurrency, &context, stop);
    let filled = objects.sync();
    let passes = async { tokio::join!(passes, filled) };
    // Without its sweeps the operator would be blind, and without health it could not say so: better to start anew.
    tokio::select! {
        _ = passes => {
            tracing::info!("stopped");
            Ok(())
        }
        _ = sweeps => Err(RunError::Died("the sweep")),
        _ = serve => Err(RunError::Died("the server of health and metrics")),
    }
}

/// Whether passes may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// They may.
    Open,
    /// The process is to end: no new work.
    Stopping,
}

/// Opens with the first complete list, so that a start does not read objects one by one; after some seconds without it all the same.
async fn gate(mut lists: watch::Receiver<Lists>, stop: impl Future<Output = ()>) -> Gate {
    let first = tokio::time::timeout(FIRST_LIST_PATIENCE, lists.wait_for(|lists| lists.snapshot.is_some()));
    tokio::select! {
        () = stop => Gate::Stopping,
        first = first => {
            if first.is_err() {
                tracing::warn!("the account's groups could not be listed yet: objects are read one by one");
            }
            Gate::Open
        }
    }
}

fn watches(args: &RunArgs, client: &Client) -> (Arc<Objects>, Vec<Watch>) {
    let namespaces = args.namespaces();
    let apis = if namespaces.is_empty() {
        vec![Api::all(client.clone())]
    } else {
        namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    };
    let mut objects = Objects::default();
    let watches = apis.into_iter().map(|api| {
        let (store, stream) = stream::watch(api);
        let (wake, woken) = mpsc::unbounded();
        objects.add(store.clone(), wake);
        Watch { store, stream: stream.boxed(), woken }
    });
    let watches = watches.collect();
    (Arc::new(objects), watches)
}

async fn client(args: &RunArgs) -> Result<Client, RunError> {
    let boxed = |error: kube::config::KubeconfigError| RunError::Kubeconfig(Box::new(error));
    let config = match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(boxed)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(boxed)?
        }
        None => Config::infer().await.map_err(|error| RunError::Kubeconfig(Box::new(error)))?,
    };
    Client::try_from(config).map_err(|error| RunError::Client(Box::new(error)))
}

fn endpoint(args: &RunArgs) -> Endpoint {
    Endpoint {
        region: args.aws_region.clone(),
        url: args.aws_endpoint_url.clone(),
        call_timeout: args.aws_call_timeout,
    }
}

fn policy(args: &RunArgs) -> Policy {
    Policy {
        owner_id: args.owner_id.clone(),
        allow_adoption: args.allow_adoption,
        sweep_interval: args.sweep_interval,
        sweep_interval_active: args.sweep_interval_active,
        deep_check_interval: args.deep_check_interval,
        settle_window: args.create_settle_window,
    }
}
