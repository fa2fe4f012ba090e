//! Kubernetes around the reconcile: watches objects, runs reconciles, applies their outcomes, serves health and metrics. Talks to the API server.
//!
//! In: validated arguments. Out: runs until told to stop; then it starts no further change, finishes the calls in flight and exits.

mod args;
mod background;
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

use axum::http::{Method, Request, Response};
use futures::{FutureExt, StreamExt};
use kube::{
    Api, Client, Config,
    client::{Body, ClientBuilder},
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};
use tower::{filter::FilterLayer, timeout::TimeoutLayer, util::MapResponseLayer};

pub use self::args::RunArgs;
use self::{
    background::{Background, Died, How},
    controllers::Watch,
    events::Recorder,
    heartbeat::Heartbeat,
    http::{Listeners, Served},
    metrics::{Leading, Metrics, Sources},
    objects::Objects,
    scope::Scope as Watched,
    worker::{API_REQUESTS_AT_ONCE, Context},
};
use crate::{
    account::inventory::{self, Lists},
    account::orphans::Scope,
    api::finalizer,
    clock::Clock,
    cloudfront::{
        queue::CallQueue,
        sdk::{Endpoint, Sdk},
    },
    leadership::{
        fence::{Fence, Refused},
        lease::{Election, Lost},
        term::Term,
    },
    reconcile::{Policy, ownership::Installation},
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
    let config = config(&args).await?;
    let client = client(config.clone(), &fence)?;
    let listeners = Listeners {
        metrics: listen("--metrics-addr", args.metrics_addr).await?,
        health: listen("--health-addr", args.health_addr).await?,
    };
    let term = Term::default();
    let clock: Arc<dyn Clock> = Arc::new(term.clone());
    let queue = CallQueue::new(args.aws_rate, args.aws_burst);
    let (publish, lists) = watch::channel(Lists::default());
    let (objects, watches) = watches(&args, &config)?;
    let metrics = Arc::new(Metrics::new(Sources {
        objects: Arc::clone(&objects),
        per_object: args.metrics_per_object,
        lists: lists.clone(),
        calls: queue.clone(),
        clock: Arc::clone(&clock),
    }));
    let port = Sdk::connect(&endpoint(&args), queue.clone(), Arc::clone(&metrics) as _, fence.clone()).await;
    let draining = {
        let fence = fence.clone();
        async move { fence.draining().await }.boxed().shared()
    };
    let mut background = Background::default();
    background.spawn("the reporter of orphans", orphan_events::tell(lists.clone(), client.clone()));
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
    let policy = policy(&args, installation);
    let context = Arc::new(Context {
        recorder: Recorder::new(client.clone()),
        client,
        port: port.clone(),
        queue: queue.clone(),
        policy: policy.clone(),
        finalizer: finalizer(&args.owner_id),
        clock: Arc::clone(&clock),
        lists: lists.clone(),
        objects: Arc::clone(&objects),
        metrics: Arc::clone(&metrics),
        fence: fence.clone(),
        api_turns: Semaphore::new(API_REQUESTS_AT_ONCE),
        gate: gate(term.clone(), lists.clone(), draining.clone()).boxed().shared(),
    });
    let scope = scope(&policy);
    let (for_lists, for_orphans) = (port.clone(), port.in_background());
    let for_one_list = move || {
        let port = for_lists.clone();
        async move { port.for_one_list().await }
    };
    let inventory = inventory::run(for_one_list, for_orphans, policy, scope, clock, Arc::clone(&objects) as _, publish);
    let (begun, drained) = (term.clone(), draining.clone());
    background.spawn("the inventory", async move {
        tokio::select! {
            // A List that is interrupted here does no harm, and none is started while reconciles finish.
            () = drained => pending().await,
            () = begun.begun().then(|()| inventory) => {}
        }
    });
    let passes = heartbeat.beside(controllers::run(watches, &context, draining));
    let mut election = election(&args, config, &fence)?;
    let ended = {
        let passes = passes.shared();
        let mut leading = pin!(lead(election.as_mut(), &objects, &fence, &term, &metrics));
        let ended = tokio::select! {
            biased;
            () = &mut stop => Ok(()),
            lost = &mut leading => return Err(RunError::LeaseLost(lost)),
            died = background.ended() => Err(RunError::Died(died)),
            () = passes.clone() => Err(RunError::Died(Died { task: "the controllers", how: How::Returned })),
        };
        // For every reason to end: if the answer to a change is lost, the next process has to find out about that change.
        fence.drain();
        tokio::select! {
            lost = &mut leading => return ended.and(Err(RunError::LeaseLost(lost))),
            finished = timeout(shutdown::drain_patience(args.aws_call_timeout), passes) => if finished.is_err() {
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

fn watches(args: &RunArgs, config: &Config) -> Result<(Arc<Objects>, Vec<Watch>), RunError> {
    let namespaces = args.namespaces();
    let scopes = if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    let watches = scopes.into_iter().map(|namespace| {
        let (scope, feed) = Watched::new(namespace.clone());
        let client = watch_client(config.clone(), &scope)?;
        let api = match namespace {
            Some(namespace) => Api::namespaced(client, &namespace),
            None => Api::all(client),
        };
        let stream = stream::watch(api, feed.writer, &scope).boxed();
        Ok(Watch { scope, stream, woken: feed.woken })
    });
    let watches = watches.collect::<Result<Vec<_>, RunError>>()?;
    let scopes = watches.iter().map(|watch| Arc::clone(&watch.scope)).collect();
    Ok((Arc::new(Objects::new(scopes)), watches))
}

async fn config(args: &RunArgs) -> Result<Config, RunError> {
    let boxed = |error: kube::config::KubeconfigError| RunError::Kubeconfig(Box::new(error));
    match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(boxed)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(boxed)
        }
        None => Config::infer().await.map_err(|error| RunError::Kubeconfig(Box::new(error))),
    }
}

/// Maximum wait for the API server to begin its answer, including the answer to the request that starts a watch. Reconciles are retried.
const API_PATIENCE: Duration = Duration::from_secs(30);

/// Maximum silence within an answer to a reconcile; an idle connection does not last longer either.
const API_SILENCE: Duration = Duration::from_secs(30);

/// Maximum silence on the connection of a watch: a little longer than the API server lets a watch last.
const WATCH_SILENCE: Duration = Duration::from_mins(1);

/// Maximum wait for a new connection.
const API_CONNECT: Duration = Duration::from_secs(10);

/// A client for one watch only: the watch has its own connection, and the API server's answers show whether the objects can be read.
fn watch_client(mut config: Config, scope: &Arc<Watched>) -> Result<Client, RunError> {
    config.connect_timeout = Some(API_CONNECT);
    config.read_timeout = Some(WATCH_SILENCE);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let scope = Arc::clone(scope);
    let hear = MapResponseLayer::new(move |response: Response<_>| {
        scope.answered(response.status());
        response
    });
    let builder = ClientBuilder::try_from(config).map_err(|error| RunError::Client(Box::new(error)))?;
    Ok(builder.with_layer(&hear).with_layer(&TimeoutLayer::new(API_PATIENCE)).build())
}

/// A client that writes only while `fence` is open; it may read at any time. A request that is not answered fails: otherwise an API server that hangs, or a
/// connection that was silently dropped on the way, would block reconciles and watches forever.
fn client(mut config: Config, fence: &Fence) -> Result<Client, RunError> {
    config.connect_timeout = Some(API_CONNECT);
    config.read_timeout = Some(API_SILENCE);
    config.reset_reader_on_write = true;
    // kube's own retries would bypass the fence, and take longer than a reconcile may.
    config.default_retry = false;
    let fence = fence.clone();
    let guard = FilterLayer::new(move |request: Request<Body>| {
        if *request.method() == Method::GET || fence.is_open() { Ok(request) } else { Err(Refused::NotLeading) }
    });
    let builder = ClientBuilder::try_from(config).map_err(|error| RunError::Client(Box::new(error)))?;
    Ok(builder.with_layer(&TimeoutLayer::new(API_PATIENCE)).with_layer(&guard).build())
}

/// The Lease has its own connection, so that no other request delays it; only the election decides about retries.
fn election(args: &RunArgs, mut config: Config, fence: &Fence) -> Result<Option<Election>, RunError> {
    if !args.leader_election.enabled {
        return Ok(None);
    }
    config.default_retry = false;
    let client = Client::try_from(config).map_err(|error| RunError::Client(Box::new(error)))?;
    Ok(Some(Election::new(client, &args.leader_election, fence.clone())))
}

fn endpoint(args: &RunArgs) -> Endpoint {
    Endpoint {
        region: args.aws_region.clone(),
        url: args.aws_endpoint_url.as_ref().map(|url| url.as_str().to_owned()),
        call_timeout: args.aws_call_timeout,
    }
}

fn policy(args: &RunArgs, installation: Installation) -> Policy {
    let predecessor = args.take_over_installation.clone().filter(|predecessor| {
        let is_another = *predecessor != installation;
        if !is_another {
            tracing::warn!("--take-over-installation names this installation itself: there is nothing to take over; remove the flag");
        }
        is_another
    });
    Policy {
        owner_id: args.owner_id.clone(),
        installation,
        predecessor,
        allow_adoption: args.allow_adoption,
        inventory_interval: args.inventory_interval,
        inventory_interval_active: args.inventory_interval_active,
        resync_interval: args.resync_interval,
        consistency_window: args.consistency_window,
    }
}

fn scope(policy: &Policy) -> Scope {
    Scope {
        owner_id: policy.owner_id.clone(),
        installations: policy.predecessor.iter().chain([&policy.installation]).cloned().collect(),
        consistency_window: policy.consistency_window,
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, extract, response::IntoResponse};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{ListParams, Patch, PatchParams};
    use serde_json::json;
    use tokio::{sync::mpsc, time::Instant};

    use super::*;

    /// A fake API server that begins each answer of this kind and then stays silent; also the time and the query of each such request.
    async fn frozen(watches: bool) -> (Config, mpsc::UnboundedReceiver<(Instant, String)>) {
        let (asked, requests) = mpsc::unbounded_channel();
        let answer = move |request: extract::Request| async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            if query.contains("watch=true") != watches {
                return Json(json!({ "metadata": { "resourceVersion": "1" }, "items": [] })).into_response();
            }
            // The receiver is gone once the test has seen enough.
            let _ = asked.send((Instant::now(), query));
            let silence = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
            axum::body::Body::from_stream(silence).into_response()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        (Config::new(url), requests)
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_or_a_watch_that_froze_is_begun_anew_within_about_a_minute_and_a_watch_not_before_its_end() {
        for watches in [false, true] {
            let (config, mut requests) = frozen(watches).await;
            let (scope, feed) = Watched::new(None);
            let stream = stream::watch(Api::all(watch_client(config, &scope).unwrap()), feed.writer, &scope);
            tokio::spawn(stream.for_each(|_| std::future::ready(())));
            let (mut before, mut query) = requests.recv().await.unwrap();
            let mut longest = Duration::ZERO;
            for _ in 0..3 {
                let (at, again) = requests.recv().await.unwrap();
                longest = longest.max(at - before);
                (before, query) = (at, again);
            }
            assert!(longest <= Duration::from_secs(75), "watches: {watches}, {longest:?}");
            if watches {
                let seconds = query.split('&').find_map(|part| part.strip_prefix("timeoutSeconds=")).unwrap();
                let ends = Duration::from_secs(seconds.parse().unwrap());
                assert!(ends < longest, "the API server ends it after {ends:?}; given up after {longest:?}");
            }
        }
    }

    fn maps(server: &TcpListener, fence: &Fence) -> Api<ConfigMap> {
        let url = format!("http://{}", server.local_addr().unwrap());
        Api::namespaced(client(Config::new(url.parse().unwrap()), fence).unwrap(), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_never_answered_fails() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fence = Fence::default();
        fence.open();
        let (maps, start) = (maps(&server, &fence), Instant::now());
        maps.patch_status("edge", &PatchParams::default(), &Patch::Merge(())).await.unwrap_err();
        maps.list(&ListParams::default()).await.unwrap_err();
        assert!(start.elapsed() <= API_PATIENCE * 3, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_process_that_does_not_lead_may_read_and_not_write() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let maps = maps(&server, &Fence::default());
        let refused = maps.patch_status("edge", &PatchParams::default(), &Patch::Merge(())).await.unwrap_err();
        assert!(format!("{refused:?}").contains("NotLeading"), "{refused:?}");
        let list = ListParams::default();
        tokio::select! {
            accepted = server.accept() => assert!(accepted.is_ok()),
            _ = maps.list(&list) => unreachable!("nobody answers"),
        }
    }
}
