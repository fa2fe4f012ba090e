//! Kubernetes around the reconcile: watches objects, runs reconciles, applies their outcomes, serves health and metrics. Talks to the API server.
//!
//! In: validated arguments. Out: runs until told to stop; then it starts no further change, finishes the calls in flight and exits.

mod args;
mod background;
pub(crate) mod clients;
pub(crate) mod cluster;
pub(crate) mod connection;
mod controllers;
mod events;
pub(crate) mod finalizer;
mod freshness_check;
mod gate;
mod gone;
mod heartbeat;
mod http;
mod identity;
mod metrics;
mod objects;
mod orphan_events;
mod outdated;
mod schema;
mod scope;
mod shutdown;
mod slim;
mod starting;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod wiring;
mod worker;

use std::{
    future::{Future, pending},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use tokio::{sync::Semaphore, time::timeout};

pub use self::args::RunArgs;
use self::{
    background::{Background, Died, TaskEnd},
    cluster::Cluster,
    connection::ApiServer,
    events::Recorder,
    gate::gate,
    heartbeat::Heartbeat,
    http::Served,
    metrics::Leading,
    outdated::{Outdated, outdated},
    wiring::Parts,
    worker::{API_REQUESTS_AT_ONCE, Context},
};
use crate::{
    api::finalizer,
    leadership::{
        lease::{Election, Lost},
        term::Term,
    },
    network::{BadProxy, Network, api_failure},
};

/// Why the operator cannot start, or cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig that {name} names cannot be used: {error}")]
    Kubeconfig {
        /// The flag or the variable.
        name: &'static str,
        /// The cause.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The context that was asked for is not there, and the Pod's ServiceAccount has none.
    #[error(
        "--context {context} needs a kubeconfig with this context (--kubeconfig, KUBECONFIG or ~/.kube/config): {error}. To use the Pod's ServiceAccount, \
         remove --context"
    )]
    Context {
        /// The context.
        context: String,
        /// The cause.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no kubeconfig, and this is no Pod.
    #[error(
        "no API server to talk to: KUBECONFIG is not set, ~/.kube/config cannot be used ({kubeconfig}), and neither can the ServiceAccount of a Pod ({in_cluster}). Set \
         --kubeconfig"
    )]
    NoCluster {
        /// What is wrong with the kubeconfig.
        kubeconfig: Box<dyn std::error::Error + Send + Sync>,
        /// What a Pod would have.
        in_cluster: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The client cannot be built.
    #[error("no Kubernetes client can be built from the configuration: {}", api_failure(.0))]
    Client(#[source] Box<kube::Error>),
    /// The proxy to the API server.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// The proxy to the API server is reached over TLS.
    #[error("the certificate of the proxy to the API server cannot be verified: {0}")]
    Certificates(#[source] std::io::Error),
    /// The address is in use or not ours.
    #[error("{flag} {address} cannot be listened on: {source}")]
    Listen {
        /// The flag that sets it.
        flag: &'static str,
        /// The address in the flag.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// Another replica may act now, so this one must not.
    #[error("{0}: the process ends, and stands by once it is started anew")]
    LeaseLost(#[from] Lost),
    /// What was read at the start no longer holds.
    #[error("{0}: the process ends so that it is started anew")]
    Outdated(#[from] Outdated),
    /// A task that must never end has ended.
    #[error("{0}: the process ends so that it is started anew")]
    Died(#[from] Died),
}

/// Runs until `stop` is ready, then lets the reconciles in progress finish and releases the Lease, if there is one.
///
/// # Errors
/// Why it cannot start, or cannot continue.
pub async fn run(
    args: RunArgs,
    network: &Network,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let cluster = Cluster::of(&args).await;
    starting::log(&args, cluster.as_ref().ok(), |name| std::env::var(name).ok());
    let cluster = cluster?;
    let api_server = ApiServer::reached_by(cluster.clone(), network)?;
    let Parts { fence, term, client, listeners, account, publish, objects, watches, metrics } =
        Parts::of(&args, &api_server, network).await?;
    let mut background = Background::default();
    background.spawn("the reporter of orphans", orphan_events::emit(account.inventory.clone(), client.clone()));
    let heartbeat = Arc::new(Heartbeat::new(fence.clone(), args.aws_call_timeout));
    let served =
        Served { metrics: Arc::clone(&metrics), objects: Arc::clone(&objects), heartbeat: Arc::clone(&heartbeat) };
    background.spawn("the server of health and metrics", http::serve(listeners, served));
    let mut stop = pin!(async {
        tokio::select! {
            () = stop => Ok(()),
            outdated = outdated(&args, &cluster, network) => Err(RunError::Outdated(outdated)),
        }
    });
    let installation = tokio::select! {
        stopped = &mut stop => return stopped,
        died = background.ended() => return Err(RunError::Died(died)),
        installation = heartbeat.beside(identity::read(client.clone(), &args.identity_namespace)) => installation,
    };
    let draining = {
        let fence = fence.clone();
        async move { fence.draining().await }.boxed().shared()
    };
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone()),
        client,
        settings: args.settings(installation),
        finalizer: finalizer(&args.owner_id),
        clock: Arc::new(term.clone()),
        objects,
        metrics,
        fence,
        api_turns: Semaphore::new(API_REQUESTS_AT_ONCE),
        gate: gate(term.clone(), account.inventory.clone(), draining.clone()).boxed().shared(),
        account,
    });
    let account = context.account.clone();
    let (clock, objects) = (Arc::clone(&context.clock), Arc::clone(&context.objects));
    let inventories = account.take_inventories(context.settings.clone(), clock, objects, publish);
    let (begun, drained) = (term.clone(), draining.clone());
    background.spawn("the inventory", async move {
        tokio::select! {
            // A List that is interrupted here does no harm, and none is started while reconciles finish.
            () = drained => pending().await,
            () = begun.begun().then(|()| inventories) => {}
        }
    });
    let reconciles = heartbeat.beside(controllers::run(watches, &context, draining));
    let election = clients::election(&args, &api_server, &context.fence)?;
    let patience = shutdown::drain_patience(args.aws_call_timeout);
    lead_until(stop, election, &term, &context, reconciles, background, patience).await
}

/// Competes for the Lease and acts under it until `stop` is ready, with the reason to end, or until something has ended that must not; then lets the reconciles in progress finish for
/// so long, and releases the Lease. A Lease that was lost is not released: another replica may have it.
async fn lead_until(
    mut stop: impl Future<Output = Result<(), RunError>> + Unpin,
    mut election: Option<Election>,
    term: &Term,
    context: &Context,
    reconciles: impl Future<Output = ()>,
    mut background: Background,
    patience: Duration,
) -> Result<(), RunError> {
    let ended = {
        let reconciles = reconciles.shared();
        let mut leading = pin!(lead(election.as_mut(), term, context));
        let ended = tokio::select! {
            biased;
            stopped = &mut stop => stopped,
            lost = &mut leading => return Err(RunError::LeaseLost(lost)),
            died = background.ended() => Err(RunError::Died(died)),
            () = reconciles.clone() => Err(RunError::Died(Died { task: "the controllers", end: TaskEnd::Returned })),
        };
        // For every reason to end: if the answer to a change is lost, the next process has to find out about that change.
        context.fence.drain();
        tokio::select! {
            lost = &mut leading => return ended.and(Err(RunError::LeaseLost(lost))),
            finished = timeout(patience, reconciles) => if finished.is_err() {
                tracing::warn!("some reconciles did not finish in time: the next process reconciles their objects again");
            },
        }
        ended
    };
    if let Some(election) = &mut election {
        election.release().await;
    }
    ended
}

/// Begins the leadership term as soon as this process may act; returns when it no longer may.
///
/// A replica that cannot read objects in any scope does not compete for the Lease: it would block one that can. The winner lists all objects again before it
/// changes anything, because its caches may be stale without any sign of it.
async fn lead(election: Option<&mut Election>, term: &Term, context: &Context) -> Lost {
    let Context { objects, fence, metrics, .. } = context;
    let Some(election) = election else {
        fence.open();
        term.begin();
        return pending().await;
    };
    metrics.leading(election.lease(), Leading::No);
    objects.any_listed().await;
    let until = election.win().await;
    objects.list_anew();
    term.begin();
    metrics.leading(election.lease(), Leading::Yes);
    election.keep(until).await
}
