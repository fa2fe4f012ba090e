//! Traces, sent to an OTLP/HTTP collector. In: its address. Out: a layer that records our own spans. Talks to the collector, in the background: what it does
//! not accept is dropped, and nothing waits for it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::{Request, Response};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracerProvider, SpanExporter as _},
};
use tokio::runtime::Handle;
use tracing::{Span, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, Registry, filter::Targets};

use crate::{
    flag_values::EndpointUrl,
    network::{Network, SmallClient},
};

const NAME: &str = env!("CARGO_PKG_NAME");
const PATH: &str = "/v1/traces";

/// Variables of OpenTelemetry's own that are refused: the requests to the collector have the certificates of this machine, and none of the client.
pub const REFUSED_VARIABLES: [&str; 6] = [
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
];

/// How long one request to the collector may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);

/// How long the process may wait for the collector at its end.
pub const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A setting of OpenTelemetry's own, an environment variable, is invalid.
    #[error("--otlp-endpoint cannot be used: {0}")]
    Settings(#[from] ExporterBuildError),
}

/// The exporter to the collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Traces for the collector at `endpoint`, whether or not it is reachable.
    pub fn to(endpoint: &EndpointUrl, network: &Network) -> Result<Self, TracesError> {
        let exporter = exporter(endpoint, Collector::new(network))?;
        let resource = Resource::builder().with_service_name(NAME);
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.with_attribute(version).build());
        Ok(Self(provider.build()))
    }

    /// Records our spans and what is logged in them. Spans of other crates might contain secrets, and would be parents of `reconcile`.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours)
            .boxed()
    }

    /// Sends the pending traces; gives up after some seconds.
    pub async fn flush(self) {
        let flushed = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_PATIENCE)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Sends a request without any traces.
///
/// # Errors
/// Why the collector did not take it.
pub async fn try_collector(endpoint: &EndpointUrl, network: &Network) -> Result<(), String> {
    let collector = Collector::new(network);
    let failure = Arc::clone(&collector.failure);
    let sent = exporter(endpoint, collector).map_err(|error| error.to_string())?.export(Vec::new()).await;
    let told = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    // The exporter hides the cause.
    told.map_or_else(|| sent.map_err(|error| error.to_string()), Err)
}

fn exporter(endpoint: &EndpointUrl, collector: Collector) -> Result<SpanExporter, ExporterBuildError> {
    let traces = format!("{}{PATH}", endpoint.as_str().trim_end_matches('/'));
    SpanExporter::builder().with_http().with_http_client(collector).with_endpoint(traces).build()
}

/// The id of the trace that a span belongs to, if traces are sent.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// The client of the collector. Batches are sent from their own thread, but hyper needs tokio, so the requests are made on its runtime.
struct Collector {
    client: SmallClient,
    runtime: Handle,
    /// Why it took nothing the last time, if so.
    failure: Arc<Mutex<Option<String>>>,
}

impl Collector {
    fn new(network: &Network) -> Self {
        let client = network.small_client(REQUEST_PATIENCE);
        Self { client, runtime: Handle::current(), failure: Arc::default() }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let (client, last) = (self.client.clone(), Arc::clone(&self.failure));
        let sent = self.runtime.spawn(async move {
            let answer = client.send(request).await;
            let failure = match &answer {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(format!("it answers {}", answer.status())),
                Err(error) => Some(error.to_string()),
            };
            record(&last, failure);
            answer
        });
        Box::pin(async move { sent.await? })
    }
}

/// Logs once that the collector accepts nothing, and once that it does again.
fn record(last: &Mutex<Option<String>>, failure: Option<String>) {
    let before = std::mem::replace(&mut *last.lock().unwrap_or_else(PoisonError::into_inner), failure.clone());
    match (before, failure) {
        (None, Some(error)) => {
            tracing::warn!(error, "the collector of --otlp-endpoint takes no traces; they are dropped");
        }
        (Some(_), None) => tracing::info!("the collector of --otlp-endpoint takes traces again"),
        (None, None) | (Some(_), Some(_)) => {}
    }
}
