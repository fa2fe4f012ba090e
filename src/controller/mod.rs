//! Kubernetes around the reconcile: watches objects, runs reconciles, applies their outcomes, serves health and metrics. Talks to the API server.
//!
//! In: validated arguments. Out: runs until told to stop; then it starts no further change, finishes the calls in flight and exits.

mod args;
mod background;
mod clients;
mod controllers;
mod events;
mod finalizer;
mod fresh;
mod gone;
mod heartbeat;
mod http;
mod identity;
mod metrics;
mod objects;
mod orphan_events;
mod schema;
mod scope;
mod shutdown;
mod slim;
mod status;
mod stream;
#[cfg(test)]
mod testing;
mod worker;

use std::{
    future::{Future, pending},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};

pub use self::args::RunArgs;
use self::{
    background::{Background, Died, How},
    events::Recorder,
    heartbeat::Heartbeat,
    http::{Listeners, Served},
    metrics::{Leading, Metrics, Sources},
    objects::Objects,
    worker::{API_REQUESTS_AT_ONCE, Context},
};
use crate::{
    account::{Account, inventory::Lists},
    api::finalizer,
    clock::Clock,
    cloudfront::{queue::CallQueue, sdk::Sdk},
    leadership::{
        fence::Fence,
        lease::{Election, Lost},
        term::Term,
    },
};

/// Why the operator cannot start, or cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kubeconfig cannot be used.
    #[error("no usable Kubernetes configuration (--kubeconfig, KUBECONFIG or the Pod's ServiceAccount): {0}")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client cannot be built.
    #[error("no Kubernetes client can be built from the configuration: {0}")]
    Client(#[source] Box<kube::Error>),
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
    /// A task that must never end has ended.
    #[error("{0}: the process ends so that it is started anew")]
    Died(#[from] Died),
}

/// Maximum time for which the first reconcile waits for the first inventory.
const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(10);

/// Runs until `stop` is ready, then lets the reconciles in progress finish and releases the Lease, if there is one.
///
/// # Errors
/// Why it cannot start, or cannot continue.
pub async fn run(args: RunArgs, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), RunError> {
    let fence = Fence::default();
    let config = clients::config(&args).await?;
    let client = clients::client(config.clone(), &fence)?;
    let listeners = Listeners {
        metrics: listen("--metrics-addr", args.metrics_addr).await?,
        health: listen("--health-addr", args.health_addr).await?,
    };
    let term = Term::default();
    let clock: Arc<dyn Clock> = Arc::new(term.clone());
    let queue = CallQueue::new(args.aws_rate, args.aws_burst);
    let (publish, lists) = watch::channel(Lists::default());
    let (objects, watches) = clients::watches(&args, &config)?;
    let metrics = Arc::new(Metrics::new(Sources {
        objects: Arc::clone(&objects),
        per_object: args.metrics_per_object,
        lists: lists.clone(),
        calls: queue.clone(),
        clock: Arc::clone(&clock),
        leading: if args.leader_election.enabled { Leading::No } else { Leading::Yes },
    }));
    let account = Account {
        cloudfront: Sdk::connect(&args.endpoint(), queue.clone(), Arc::clone(&metrics) as _, fence.clone()).await,
        queue,
        lists,
    };
    let draining = {
        let fence = fence.clone();
        async move { fence.draining().await }.boxed().shared()
    };
    let mut background = Background::default();
    background.spawn("the reporter of orphans", orphan_events::emit(account.lists.clone(), client.clone()));
    let heartbeat = Arc::new(Heartbeat::new(fence.clone(), args.aws_call_timeout));
    let served =
        Served { metrics: Arc::clone(&metrics), objects: Arc::clone(&objects), heartbeat: Arc::clone(&heartbeat) };
    background.spawn("the server of health and metrics", http::serve(listeners, served));
    let mut stop = pin!(stop);
    let installation = tokio::select! {
        () = &mut stop => return Ok(()),
        died = background.ended() => return Err(RunError::Died(died)),
        installation = heartbeat.beside(identity::read(client.clone(), &args.identity_namespace)) => installation,
    };
    let policy = args.policy(installation);
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone()),
        client,
        account: account.clone(),
        policy: policy.clone(),
        finalizer: finalizer(&args.owner_id),
        clock: Arc::clone(&clock),
        objects: Arc::clone(&objects),
        metrics: Arc::clone(&metrics),
        fence: fence.clone(),
        api_turns: Semaphore::new(API_REQUESTS_AT_ONCE),
        gate: gate(term.clone(), account.lists.clone(), draining.clone()).boxed().shared(),
    });
    let inventory = account.take_inventories(policy, clock, Arc::clone(&objects) as _, publish);
    let (begun, drained) = (term.clone(), draining.clone());
    background.spawn("the inventory", async move {
        tokio::select! {
            // A List that is interrupted here does no harm, and none is started while reconciles finish.
            () = drained => pending().await,
            () = begun.begun().then(|()| inventory) => {}
        }
    });
    let reconciles = heartbeat.beside(controllers::run(watches, &context, draining));
    let mut election = clients::election(&args, config, &fence)?;
    let ended = {
        let reconciles = reconciles.shared();
        let mut leading = pin!(lead(election.as_mut(), &objects, &fence, &term, &metrics));
        let ended = tokio::select! {
            biased;
            () = &mut stop => Ok(()),
            lost = &mut leading => return Err(RunError::LeaseLost(lost)),
            died = background.ended() => Err(RunError::Died(died)),
            () = reconciles.clone() => Err(RunError::Died(Died { task: "the controllers", how: How::Returned })),
        };
        // For every reason to end: if the answer to a change is lost, the next process has to find out about that change.
        fence.drain();
        tokio::select! {
            lost = &mut leading => return ended.and(Err(RunError::LeaseLost(lost))),
            finished = timeout(shutdown::drain_patience(args.aws_call_timeout), reconciles) => if finished.is_err() {
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

async fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { flag, address, source })
}

/// Begins the leadership term as soon as this process may act; returns when it no longer may.
///
/// A replica that cannot read objects in any scope does not compete for the Lease: it would block one that can. The winner lists all objects again before it
/// changes anything, because its caches may be stale without any sign of it.
async fn lead(
    election: Option<&mut Election>,
    objects: &Objects,
    fence: &Fence,
    term: &Term,
    metrics: &Metrics,
) -> Lost {
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

/// Whether reconciles may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// They may.
    Open,
    /// The process is shutting down: none begins.
    Stopping,
}

/// Opens with the first complete inventory of the term, so that groups are not read one by one; without one, it opens anyway after `FIRST_LIST_PATIENCE`.
async fn gate(term: Term, mut lists: watch::Receiver<Lists>, stop: impl Future<Output = ()>) -> Gate {
    let first = async {
        term.begun().await;
        timeout(FIRST_LIST_PATIENCE, lists.wait_for(|lists| lists.snapshot.is_some())).await
    };
    tokio::select! {
        biased;
        () = stop => Gate::Stopping,
        first = first => {
            if first.is_err() {
                tracing::warn!("the account's groups could not be listed yet: objects are read one by one");
            }
            Gate::Open
        }
    }
}
