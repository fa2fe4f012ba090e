//! HTTP clients on the connections of the AWS SDK, through the proxies of the environment. In: what to trust. Out: the client of AWS, and that of a collector.
//! Talks to whatever they are asked to call.

use std::{error::Error, sync::Arc, time::Duration};

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use axum::{
    body::Bytes,
    http::{Request, Response, Uri},
};
use tokio::time::timeout;

use super::{IDLE, Network, Proxies, Route, Trust, Trusted, root_cause, route::TOO_LATE};

/// Why there is no answer.
type BoxError = Box<dyn Error + Send + Sync>;

/// A client for small requests and answers.
#[derive(Clone, Debug)]
pub struct SmallClient {
    connector: Arc<Naming<Connector>>,
    patience: Duration,
}

/// Tells which server was not reached, and through which proxy.
#[derive(Clone, Debug)]
struct Naming<T> {
    inner: T,
    proxies: Arc<Proxies>,
    trusted: Trusted,
}

impl Network {
    /// The client of AWS: of CloudFront, and of the services that give out credentials.
    #[must_use]
    pub fn aws_client(&self) -> SharedHttpClient {
        let (tls, proxy) = (self.aws.tls.clone(), self.proxy_config());
        // The SDK's own client is made in the same way: a builder for connections takes a proxy, the builder for clients does not.
        let client = Builder::new().build_with_connector_fn(move |settings, components| {
            connector(tls.clone(), proxy.clone(), settings, components)
        });
        SharedHttpClient::new(self.naming(client, &self.aws))
    }

    /// A client for everything else, with the authorities of this machine. One request and its answer may take so long.
    #[must_use]
    pub fn small_client(&self, patience: Duration) -> SmallClient {
        let connector = connector(self.system.tls.clone(), self.proxy_config(), None, None);
        SmallClient { connector: Arc::new(self.naming(connector, &self.system)), patience }
    }

    fn naming<T>(&self, inner: T, trust: &Trust) -> Naming<T> {
        Naming { inner, proxies: Arc::clone(&self.proxies), trusted: trust.named.clone() }
    }

    fn proxy_config(&self) -> ProxyConfig {
        if self.proxies.off { ProxyConfig::disabled() } else { ProxyConfig::from_env() }
    }
}

fn connector(
    tls: TlsContext,
    proxy: ProxyConfig,
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let mut builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(tls);
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder.pool_idle_timeout(IDLE).proxy_config(proxy).build()
}

impl HttpClient for Naming<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let Self { inner, proxies, trusted } = self.clone();
        SharedHttpConnector::new(Naming { inner: inner.http_connector(settings, components), proxies, trusted })
    }
}

impl<T> Naming<T> {
    fn route(&self, server: &Uri) -> Route {
        Route::to(server, self.proxies.of(server).as_ref(), self.trusted.clone())
    }
}

impl<T: HttpConnector> HttpConnector for Naming<T> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let route = self.route(&request.uri().parse().unwrap_or_default());
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| named(&route, &error)) })
    }
}

/// An error of the same kind, which the SDK decides by.
fn named(route: &Route, error: &ConnectorError) -> ConnectorError {
    if error.is_timeout() {
        return ConnectorError::timeout(route.silent(TOO_LATE).into());
    }
    let not_reached = route.failed(error).into();
    if error.is_io() {
        ConnectorError::io(not_reached)
    } else if error.is_user() {
        ConnectorError::user(not_reached)
    } else {
        ConnectorError::other(not_reached, error.as_other())
    }
}

impl SmallClient {
    /// Sends a request, and reads the answer.
    ///
    /// # Errors
    /// There is no complete answer; the text says plainly why.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let route = self.connector.route(request.uri());
        let sent = timeout(self.patience, async {
            let sent = self.connector.call(request.map(SdkBody::from).try_into()?).await;
            let answer = sent.map_err(|error| root_cause(&error))?;
            let (parts, body) = answer.try_into_http1x()?.into_parts();
            Ok(Response::from_parts(parts, ByteStream::new(body).collect().await?.into_bytes()))
        });
        sent.await.map_err(|_| route.silent(TOO_LATE))?
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_never_answers_is_named() {
        // Whether rustls has a provider already does not matter here.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = silent.local_addr().unwrap();
        let network = Network::with(Proxies::from_environment(|_| None).unwrap());
        let request = Request::get(format!("http://{server}/v1/traces")).body(Bytes::new()).unwrap();
        let error = network.small_client(Duration::from_millis(100)).send(request).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{server}: no answer in time"));
    }
}
