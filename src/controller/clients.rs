//! Clients of the API server: one for reconciles, one for each watch, one for the Lease. Each request has a limit, so that an API server that hangs, or a
//! connection that froze, blocks nobody for long.
//!
//! In: arguments and the configuration of the cluster. Out: clients, or a [`RunError`].

use std::{sync::Arc, time::Duration};

use axum::http::{Method, Request, Response};
use futures::StreamExt;
use kube::{Api, Client, client::Body};
use tower::{filter::FilterLayer, timeout::TimeoutLayer, util::MapResponseLayer};

use super::{RunArgs, RunError, connection::ApiServer, controllers::Watch, objects::Objects, scope::Scope, stream};
use crate::leadership::{
    fence::{Fence, NotSent},
    lease::Election,
};

/// The watches of the scopes in the arguments, each on its own connection, and the objects that they feed.
pub fn watches(args: &RunArgs, server: &ApiServer) -> Result<(Arc<Objects>, Vec<Watch>), RunError> {
    let namespaces = args.namespaces();
    let scopes = if namespaces.is_empty() { vec![None] } else { namespaces.into_iter().map(Some).collect() };
    let watches = scopes.into_iter().map(|namespace| {
        let (scope, feed) = Scope::new(namespace.clone());
        let client = watch_client(server.clone(), &scope)?;
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

/// Maximum wait for the API server to begin its answer, including the answer to the request that starts a watch. Reconciles are retried.
const API_PATIENCE: Duration = Duration::from_secs(30);

/// Maximum silence within an answer to a reconcile; an idle connection does not last longer either.
const API_SILENCE: Duration = Duration::from_secs(30);

/// Maximum silence on the connection of a watch: a little longer than the API server lets a watch last.
const WATCH_SILENCE: Duration = Duration::from_mins(1);

/// Maximum wait for a new connection.
const API_CONNECT: Duration = Duration::from_secs(10);

/// A client for one watch only: the watch has its own connection, and the API server's answers show whether the objects can be read.
fn watch_client(mut server: ApiServer, scope: &Arc<Scope>) -> Result<Client, RunError> {
    let config = &mut server.config;
    config.connect_timeout = Some(API_CONNECT);
    config.read_timeout = Some(WATCH_SILENCE);
    config.reset_reader_on_write = true;
    let scope = Arc::clone(scope);
    let record_status = MapResponseLayer::new(move |response: Response<_>| {
        scope.answered(response.status());
        response
    });
    let builder = server.client_builder()?;
    Ok(builder.with_layer(&record_status).with_layer(&TimeoutLayer::new(API_PATIENCE)).build())
}

/// A client that writes only while `fence` is open; it may read at any time. A request that is not answered fails: otherwise an API server that hangs, or a
/// connection that was silently dropped on the way, would block reconciles and watches forever.
pub fn client(mut server: ApiServer, fence: &Fence) -> Result<Client, RunError> {
    let config = &mut server.config;
    config.connect_timeout = Some(API_CONNECT);
    config.read_timeout = Some(API_SILENCE);
    config.reset_reader_on_write = true;
    let fence = fence.clone();
    let guard = FilterLayer::new(move |request: Request<Body>| {
        if *request.method() == Method::GET || fence.is_open() { Ok(request) } else { Err(NotSent::NotLeading) }
    });
    let builder = server.client_builder()?;
    Ok(builder.with_layer(&TimeoutLayer::new(API_PATIENCE)).with_layer(&guard).build())
}

/// The Lease has its own connection, so that no other request delays it; only the election decides about retries.
pub fn election(args: &RunArgs, server: &ApiServer, fence: &Fence) -> Result<Option<Election>, RunError> {
    if !args.leader_election.enabled {
        return Ok(None);
    }
    let client = server.client_builder()?.build();
    Ok(Some(Election::new(client, &args.leader_election, fence.clone())))
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, extract, response::IntoResponse};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        Config,
        api::{ListParams, Patch, PatchParams},
    };
    use serde_json::json;
    use tokio::{net::TcpListener, sync::mpsc, time::Instant};

    use super::*;

    /// A fake API server that begins each answer of this kind and then stays silent; also the time and the query of each such request.
    async fn frozen(watches: bool) -> (ApiServer, mpsc::UnboundedReceiver<(Instant, String)>) {
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
        (ApiServer::directly(Config::new(url)), requests)
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_or_a_watch_that_froze_is_restarted_within_about_a_minute_and_a_watch_not_before_its_end() {
        for watches in [false, true] {
            let (config, mut requests) = frozen(watches).await;
            let (scope, feed) = Scope::new(None);
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
        Api::namespaced(client(ApiServer::directly(Config::new(url.parse().unwrap())), fence).unwrap(), "default")
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
    async fn a_process_that_does_not_lead_may_read_but_not_write() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let maps = maps(&server, &Fence::default());
        let refused = maps.patch_status("edge", &PatchParams::default(), &Patch::Merge(())).await.unwrap_err();
        assert!(format!("{refused:?}").contains("NotLeading"), "{refused:?}");
        let list = ListParams::default();
        tokio::select! {
            accepted = server.accept() => assert!(accepted.is_ok()),
            _ = maps.list(&list) => unreachable!("the server never answers"),
        }
    }
}
