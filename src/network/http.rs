//! HTTP clients on the connections of the AWS SDK, through the proxies of the environment. In: what to trust. Out: the client of AWS, and that of a collector.
//! Talks to whatever they are asked to call.

use std::{error::Error, sync::Arc, time::Duration};

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpClient},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use axum::{
    body::Bytes,
    http::{Request, Response},
};
use tokio::time::timeout;

use super::{IDLE, Network};

/// Why there is no answer.
type BoxError = Box<dyn Error + Send + Sync>;

/// A client for small requests and answers.
#[derive(Clone, Debug)]
pub struct SmallClient {
    connector: Arc<Connector>,
    patience: Duration,
}

impl Network {
    /// The client of AWS: of CloudFront, and of the services that give out credentials.
    #[must_use]
    pub fn aws_client(&self) -> SharedHttpClient {
        let (tls, proxy) = (self.aws.clone(), self.proxy_config());
        // The SDK's own client is made in the same way: a builder for connections takes a proxy, the builder for clients does not.
        Builder::new().build_with_connector_fn(move |settings, components| {
            connector(tls.clone(), proxy.clone(), settings, components)
        })
    }

    /// A client for everything else, with the authorities of this machine. One request and its answer may take so long.
    #[must_use]
    pub fn small_client(&self, patience: Duration) -> SmallClient {
        let connector = connector(self.system.clone(), self.proxy_config(), None, None);
        SmallClient { connector: Arc::new(connector), patience }
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

impl SmallClient {
    /// Sends a request, and reads the answer.
    ///
    /// # Errors
    /// There is no complete answer; with all causes, because the first one says little.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        timeout(self.patience, async {
            let sent = self.connector.call(request.map(SdkBody::from).try_into()?).await;
            let answer = sent.map_err(|error| with_causes(&error))?;
            let (parts, body) = answer.try_into_http1x()?.into_parts();
            Ok(Response::from_parts(parts, ByteStream::new(body).collect().await?.into_bytes()))
        })
        .await?
    }
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
