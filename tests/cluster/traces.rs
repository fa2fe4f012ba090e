//! Traces: what reaches a collector, and that nothing fails if there is none.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::{Router, body::Bytes, extract::State, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use serde_json::json;
use testbed::{Operator, OperatorBuilder, Result, wait_until};

use crate::{journal, steps, steps::PATIENCE};

const SECRET_KEY: &str = "canary-secret-access-key-0123456789";
const TOKEN: &str = "canary-session-token-0123456789";

/// A collector of traces, in this process.
struct Collector {
    endpoint: String,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it has an address"));
        let app = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { endpoint, received }
    }

    /// Messages of the same type, concatenated, decode as one in which their lists are joined.
    fn spans(&self) -> Vec<Span> {
        let bytes = self.received.lock().unwrap().clone();
        let request = ExportTraceServiceRequest::decode(&*bytes).expect("it is OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    async fn has(&self, what: &str, met: impl Fn(&[Span]) -> bool) -> Result<Vec<Span>> {
        wait_until(PATIENCE, what, async || {
            let spans = self.spans();
            let names = spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>().join(", ");
            if met(&spans) { Ok(spans) } else { Err(names) }
        })
        .await
    }
}

async fn take(State(received): State<Arc<Mutex<Vec<u8>>>>, body: Bytes) {
    received.lock().unwrap().extend(body);
}

fn traced(operator: OperatorBuilder, endpoint: &str, delay: &str) -> OperatorBuilder {
    operator.args(["--otlp-endpoint", endpoint]).env("OTEL_BSP_SCHEDULE_DELAY", delay)
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn trace_id(span: &Span) -> String {
    let bytes = span.trace_id.as_slice().try_into().expect("sixteen bytes");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

const CREATE: &str = "CloudFront.CreateConnectionGroup";

fn the_create(spans: &[Span]) -> Option<&Span> {
    spans.iter().find(|span| span.name == CREATE)
}

/// The span above another.
fn parent<'a>(spans: &'a [Span], child: &Span) -> Option<&'a Span> {
    spans.iter().find(|span| span.trace_id == child.trace_id && span.span_id == child.parent_span_id)
}

#[tokio::test]
async fn a_reconcile_is_a_trace_with_its_calls_below_it_and_its_id_in_the_log() -> Result<()> {
    let (bed, collector) = (steps::bed().await?, Collector::start().await);
    let operator = traced(steps::calm_operator(&bed), &collector.endpoint, "100")
        .args(["--log-level=trace"])
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .start()
        .await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let whole = |spans: &[Span]| the_create(spans).is_some_and(|create| parent(spans, create).is_some());
    let spans = collector.has("the Create below its reconcile", whole).await?;

    let create = the_create(&spans).expect("it was waited for");
    let pass = parent(&spans, create).expect("it was waited for");
    assert_eq!((pass.name.as_str(), pass.parent_span_id.as_slice()), ("reconcile", &[][..]), "the root");
    assert_eq!(
        (attribute(pass, "name"), attribute(pass, "namespace")),
        (Some("edge".into()), Some(bed.namespace.clone()))
    );
    assert_eq!(create.kind(), SpanKind::Client);
    assert_eq!(attribute(create, "http.response.status_code").as_deref(), Some("201"));
    let calls = steps::calls_but_lists(&bed, 0).await?;
    let [call] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(attribute(create, "aws.request_id"), Some(call.request_id.clone()));

    let roots = spans.iter().filter(|span| span.parent_span_id.is_empty()).map(|span| span.name.as_str());
    assert!(
        roots.clone().all(|name| ["reconcile", "inventory", "orphans"].contains(&name)),
        "{:?}",
        roots.collect::<Vec<_>>()
    );

    let lines = journal::lines(&operator);
    let created = lines.iter().find(|line| line["reason"] == "Created").expect("the Create is reported");
    assert_eq!(created["trace_id"], json!(trace_id(create)), "{created}");

    let sent = String::from_utf8_lossy(&collector.received.lock().unwrap()).into_owned();
    assert!(!sent.contains(SECRET_KEY) && !sent.contains(TOKEN));
    Ok(())
}

#[tokio::test]
async fn a_call_that_failed_is_marked_with_its_error() -> Result<()> {
    let (bed, collector) = (steps::bed().await?, Collector::start().await);
    bed.simulator.admin.throttle(cloudfront_simulator::admin::Operation::CreateConnectionGroup, 1).await?;
    let _operator = traced(steps::operator(&bed), &collector.endpoint, "100").start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let spans = collector.has("the Create", |spans| the_create(spans).is_some()).await?;
    let create = the_create(&spans).expect("it was waited for");
    assert_eq!(attribute(create, "error.type").as_deref(), Some("Throttling"));
    assert_eq!(create.status.as_ref().map(|status| status.code), Some(2), "STATUS_CODE_ERROR");
    Ok(())
}

#[tokio::test]
async fn spans_that_wait_to_be_sent_are_sent_at_sigterm() -> Result<()> {
    let (bed, collector) = (steps::bed().await?, Collector::start().await);
    let mut operator = traced(steps::operator(&bed), &collector.endpoint, "600000").start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    assert_eq!(the_create(&collector.spans()), None, "it waits");
    assert!(operator.terminate(PATIENCE).await?.success());
    assert!(the_create(&collector.spans()).is_some());
    Ok(())
}

async fn works_and_ends(endpoint: &str) -> Result<(Operator, Duration)> {
    let bed = steps::bed().await?;
    let mut operator = traced(steps::hasty_operator(&bed), endpoint, "100").start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    journal::says(&operator, "takes no traces").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    let asked = Instant::now();
    assert!(operator.terminate(PATIENCE).await?.success());
    Ok((operator, asked.elapsed()))
}

#[tokio::test]
async fn a_missing_collector_harms_nothing_and_is_reported_once() -> Result<()> {
    let (operator, _) = works_and_ends(&format!("http://127.0.0.1:{}", testbed::free_port()?)).await?;
    assert_eq!(journal::text(&operator).matches("takes no traces").count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_collector_that_never_answers_delays_the_shutdown_by_seconds_only() -> Result<()> {
    // Connections are accepted by the kernel, and never read.
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("it has an address"));
    let (_, took) = works_and_ends(&endpoint).await?;
    assert!(took < Duration::from_secs(15), "{took:?}");
    Ok(())
}
