//! One connection pool to the API server: through a proxy if there is one, over TLS, with limits. In: a kube configuration and the network. Out: kube's stack of
//! services, for a client to be built on. Talks to the API server.
//!
//! kube can build this itself, but compares `NO_PROXY` with the proxy instead of the API server, and neither keeps idle connections alive nor closes them.

use std::time::Duration;

use axum::http::{Request, Response, Uri};
use hyper::{
    body::Incoming,
    rt::{Read, Write},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::{
        legacy::{
            self,
            connect::{Connection, HttpConnector, proxy::Tunnel},
        },
        proxy::matcher::Intercept,
    },
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Config,
    client::{Body, ClientBuilder, ConfigExt},
};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, util::BoxService};

use super::{RunError, cluster::Cluster};
use crate::network::{self, IDLE, Network, Route, Trusted};

/// How often a connection without traffic shows NATs and firewalls that it is alive, such as that of a watch of objects that nobody changes.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The name that messages use for the proxy of a kubeconfig.
const PROXY_URL: &str = "the kubeconfig's proxy-url";

/// Requests to the API server, as kube sends them.
type ApiService = BoxService<Request<Body>, Response<Incoming>, BoxError>;

/// Where the API server is, and how to reach it.
#[derive(Clone)]
pub struct ApiServer {
    /// Address, credentials and limits. Its proxy is `proxy`.
    pub config: Config,
    proxy: Option<Intercept>,
    route: Route,
}

impl ApiServer {
    /// The way to the API server of `cluster`. A Pod reaches it directly; with a kubeconfig, its `proxy-url` is used, or else the proxy of the environment.
    ///
    /// # Errors
    /// The `proxy-url` cannot be used.
    pub fn reached_by(cluster: Cluster, network: &Network) -> Result<Self, RunError> {
        let Cluster { config, proxy_url, .. } = cluster;
        let proxy = match proxy_url {
            _ if is_in_pod(&config) => None,
            Some(own) => network::at(PROXY_URL, &own, &config.cluster_url).map_err(RunError::Proxy)?,
            None => network.proxies.of(&config.cluster_url),
        };
        let trusted = trusted(&config, proxy.as_ref(), network.system_trust());
        let route = Route::to(&config.cluster_url, proxy.as_ref(), trusted);
        Ok(Self { config, proxy, route })
    }

    /// Without a proxy.
    #[cfg(test)]
    pub fn directly(config: Config) -> Self {
        let route = Route::to(&config.cluster_url, None, Trusted::only("nothing"));
        Self { config, proxy: None, route }
    }

    /// The stack of services for a client.
    pub fn client_builder(&self) -> Result<ClientBuilder<ApiService>, RunError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        match &self.proxy {
            None => self.stack(tcp),
            Some(proxy) if proxy.uri().scheme_str() == Some("https") => {
                let builder = HttpsConnectorBuilder::new().with_native_roots().map_err(RunError::Certificates)?;
                self.stack(tunnel(proxy, builder.https_only().enable_http1().wrap_connector(tcp)))
            }
            Some(proxy) => self.stack(tunnel(proxy, tcp)),
        }
        .map_err(|error| RunError::Client(Box::new(error)))
    }

    /// What kube builds from a configuration, on this connector.
    fn stack<C>(&self, connector: C) -> Result<ClientBuilder<ApiService>, kube::Error>
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Connection + Read + Write + Send + Unpin + 'static,
        C::Future: Send + 'static,
        C::Error: Into<BoxError>,
    {
        let (config, route) = (&self.config, self.route.clone());
        let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(connector)?);
        connector.set_connect_timeout(config.connect_timeout);
        connector.set_read_timeout(config.read_timeout);
        connector.set_write_timeout(config.write_timeout);
        connector.set_reset_reader_on_write(config.reset_reader_on_write);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build::<_, Body>(connector);
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .layer(config.extra_headers_layer()?)
            .map_err(move |error: legacy::Error| BoxError::from(route.failed(&error)))
            .service(client);
        Ok(ClientBuilder::new(service.boxed(), config.default_namespace.clone()))
    }
}

/// Whether this is the configuration of a Pod with a ServiceAccount: only that has such a file.
pub fn is_in_pod(config: &Config) -> bool {
    config.root_cert_file.is_some()
}

/// Which authorities vouch for the API server, and for a proxy that is itself reached over TLS.
fn trusted(config: &Config, proxy: Option<&Intercept>, system: &Trusted) -> Trusted {
    let own = match config {
        _ if is_in_pod(config) => "the authority of the Pod's ServiceAccount",
        Config { root_cert: Some(_), .. } => "the authority of the kubeconfig",
        Config { .. } => return system.clone(),
    };
    match proxy {
        Some(proxy) if proxy.uri().scheme_str() == Some("https") => system.besides(own, "the API server"),
        _ => Trusted::only(own),
    }
}

fn tunnel<C>(proxy: &Intercept, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.uri().clone(), connector);
    match proxy.basic_auth() {
        Some(authorization) => tunnel.with_auth(authorization.clone()),
        None => tunnel,
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router};
    use serde_json::json;
    use testbed::Proxy;
    use tokio::{
        net::TcpListener,
        time::{sleep, timeout},
    };

    use super::*;

    /// A server that answers every request as `/version`, behind a relay, and a client for it.
    async fn relayed() -> (Proxy, kube::Client) {
        let version = json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "",
            "platform": "",
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || Json(version))).await });
        let server = ApiServer::directly(Config::new(format!("http://{}", relay.address()).parse().unwrap()));
        let client = server.client_builder().unwrap().build();
        client.apiserver_version().await.unwrap();
        (relay, client)
    }

    #[tokio::test]
    async fn no_request_is_sent_on_a_connection_that_a_nat_has_forgotten() {
        let (nat, client) = relayed().await;
        nat.forget_idle(IDLE + Duration::from_secs(1));
        sleep(IDLE + Duration::from_secs(2)).await;
        timeout(Duration::from_secs(5), client.apiserver_version()).await.unwrap().unwrap();
        assert_eq!(nat.accepted(), 2);
    }

    #[tokio::test]
    async fn a_connection_without_traffic_is_kept_alive() {
        let (relay, _client) = relayed().await;
        let remote = format!("0100007F:{:04X}", relay.address().port());
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let ours = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let timers = ours.filter(|fields| fields[2] == remote).map(|fields| fields[5]).collect::<Vec<_>>();
        assert!(
            !timers.is_empty() && timers.iter().all(|timer| timer.starts_with("02:")),
            "keepalive timer: {timers:?}"
        );
    }

    /// The proxy to the API server with these values of `HTTPS_PROXY` and `NO_PROXY`, and this `proxy-url`.
    fn proxy(https: &str, no: &str, proxy_url: &str, in_pod: bool) -> Option<String> {
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some(https.to_owned()),
            "NO_PROXY" => Some(no.to_owned()),
            _ => None,
        };
        let network = Network::with(network::Proxies::from_environment(variable).unwrap());
        let mut config = Config::new("https://10.0.0.1:6443".parse().unwrap());
        config.root_cert_file = in_pod.then(|| "/ca.crt".into());
        let proxy_url = Some(proxy_url.to_owned()).filter(|url| !url.is_empty());
        let server = ApiServer::reached_by(Cluster { config, context: None, proxy_url }, &network).unwrap();
        server.proxy.map(|proxy| proxy.uri().to_string())
    }

    #[test]
    fn a_pod_reaches_the_api_server_directly_and_others_as_kubectl_does() {
        let (env, own) = ("http://u:p@proxy:3128", "https://own:3129");
        let (through, through_own) = (Some("http://proxy:3128/".to_owned()), Some("https://own:3129/".to_owned()));
        assert_eq!(proxy(env, "", env, true), None);
        assert_eq!(proxy(env, "", "", false), through);
        assert_eq!(proxy(env, "10.0.0.0/8", "", false), None);
        assert_eq!(proxy(env, "*", "", false), None);
        assert_eq!(
            proxy(env, "10.0.0.0/8", env, false),
            through,
            "NO_PROXY does not apply to the kubeconfig's own proxy"
        );
        assert_eq!(proxy(env, "proxy", "", false), through, "NO_PROXY is about the API server, not about the proxy");
        assert_eq!(proxy(env, "10.0.0.0/8", own, false), through_own);
        assert_eq!(proxy("", "", own, false), through_own);
        assert_eq!(proxy("", "", "", false), None);
    }
}
