//! Metrics in the Prometheus text format. Talks to nobody; names follow controller-runtime and the AWS controllers, so that dashboards work.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};

use crate::{
    cloudfront::{ApiError, ErrorClass, Operation, sdk::Meter},
    reconcile::Event,
};

const CONTROLLER: &str = "connectiongroup";

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    passes: IntCounterVec,
    pass_errors: IntCounterVec,
    panics: IntCounterVec,
    pass_seconds: HistogramVec,
    active: IntGauge,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    throttled: IntCounterVec,
    events: IntCounterVec,
    objects: GaugeVec,
    sweep_age: Gauge,
    sweep_groups: IntGauge,
    orphans: IntGauge,
    budget_rate: Gauge,
    reconcile_id: AtomicU64,
    scrape: Mutex<()>,
}

/// What is only known when somebody asks.
pub struct AtScrape<'a> {
    /// Condition `Ready` of each object: status and reason.
    pub objects: Vec<(&'a str, &'a str)>,
    /// Seconds since the newest complete list was begun, and how many groups it shows.
    pub list: Option<(Duration, usize)>,
    /// Groups with our owner tag that no object names.
    pub orphans: usize,
    /// Calls per second that the budget allows.
    pub budget_rate: f64,
}

/// A pass under way.
pub struct Timer(Instant);

impl Metrics {
    /// All metrics, at zero.
    /// `concurrency` is how many passes may run at once.
    pub fn new(concurrency: u16) -> Self {
        let registry = Registry::new();
        let metrics = Self {
            passes: counter("controller_runtime_reconcile_total", "Reconciles, by result.", &["controller", "result"]),
            pass_errors: counter(
                "controller_runtime_reconcile_errors_total",
                "Reconciles that ended in an error.",
                &["controller"],
            ),
            panics: counter("controller_runtime_reconcile_panics_total", "Reconciles that panicked.", &["controller"]),
            pass_seconds: histogram(
                "controller_runtime_reconcile_time_seconds",
                "Duration of reconciles, waiting for the call budget included.",
                &["controller"],
            ),
            active: gauge("controller_runtime_active_workers", "Reconciles under way."),
            calls: counter(
                "aws_api_calls_total",
                "CloudFront calls, each one attempt, by operation and error code.",
                &["service", "operation", "error_code"],
            ),
            call_seconds: histogram(
                "aws_api_call_duration_seconds",
                "Duration of CloudFront calls, without the wait for the budget.",
                &["service", "operation"],
            ),
            throttled: counter(
                "aws_api_calls_throttled_total",
                "CloudFront calls that were throttled.",
                &["service", "operation"],
            ),
            events: counter(
                "connection_group_operator_events_total",
                "What the operator did or found, by reason.",
                &["reason"],
            ),
            objects: family(GaugeVec::new(
                Opts::new("connection_group_operator_objects", "ConnectionGroup objects by their Ready condition."),
                &["ready", "reason"],
            )),
            sweep_age: family(Gauge::new(
                "connection_group_operator_sweep_age_seconds",
                "Time since the newest complete list of the account's groups was begun; +Inf without one.",
            )),
            sweep_groups: gauge(
                "connection_group_operator_sweep_groups",
                "Connection groups in the newest complete list.",
            ),
            orphans: gauge(
                "connection_group_operator_orphans",
                "Connection groups that carry our owner tag although no object names them.",
            ),
            budget_rate: family(Gauge::new(
                "connection_group_operator_budget_calls_per_second",
                "CloudFront calls per second that the budget allows at this time.",
            )),
            reconcile_id: AtomicU64::new(0),
            scrape: Mutex::new(()),
            registry,
        };
        let allowed =
            gauge("controller_runtime_max_concurrent_reconciles", "Reconciles that may be under way at the same time.");
        allowed.set(concurrency.into());
        let build = family(GaugeVec::new(
            Opts::new("connection_group_operator_build_info", "The version that runs; always 1."),
            &["version"],
        ));
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        for collector in [
            boxed(&metrics.passes),
            boxed(&metrics.pass_errors),
            boxed(&metrics.panics),
            boxed(&metrics.pass_seconds),
            boxed(&metrics.active),
            boxed(&allowed),
            boxed(&metrics.calls),
            boxed(&metrics.call_seconds),
            boxed(&metrics.throttled),
            boxed(&metrics.events),
            boxed(&metrics.objects),
            boxed(&metrics.sweep_age),
            boxed(&metrics.sweep_groups),
            boxed(&metrics.orphans),
            boxed(&metrics.budget_rate),
            boxed(&build),
        ] {
            register(&metrics.registry, collector);
        }
        for result in [SUCCESS, ERROR] {
            metrics.passes.with_label_values(&[CONTROLLER, result]);
        }
        metrics.pass_errors.with_label_values(&[CONTROLLER]);
        metrics.panics.with_label_values(&[CONTROLLER]);
        metrics
    }

    /// An id for log lines, unique in this process.
    pub fn next_reconcile_id(&self) -> u64 {
        self.reconcile_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A pass begins.
    pub fn pass_started(&self) -> Timer {
        self.active.inc();
        Timer(Instant::now())
    }

    /// A pass has ended; `Ok(Some)` is trouble at CloudFront, `Err` trouble at the API server.
    pub fn pass_ended(&self, Timer(started): Timer, ended: Result<Option<&ApiError>, ()>) {
        self.active.dec();
        self.pass_seconds.with_label_values(&[CONTROLLER]).observe(started.elapsed().as_secs_f64());
        let failed = !matches!(ended, Ok(None));
        self.passes.with_label_values(&[CONTROLLER, if failed { ERROR } else { SUCCESS }]).inc();
        if failed {
            self.pass_errors.with_label_values(&[CONTROLLER]).inc();
        }
    }

    /// A pass panicked.
    pub fn panicked(&self) {
        self.panics.with_label_values(&[CONTROLLER]).inc();
    }

    /// A pass had something to tell.
    pub fn heard(&self, events: &[Event]) {
        for event in events {
            self.events.with_label_values(&[event.reason.as_str()]).inc();
        }
    }

    /// All metrics as text.
    pub fn text(&self, now: &AtScrape<'_>) -> String {
        // Two scrapes at once must not count the objects twice.
        let _turn = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.objects.reset();
        for (ready, reason) in &now.objects {
            self.objects.with_label_values(&[*ready, *reason]).inc();
        }
        self.sweep_age.set(now.list.map_or(f64::INFINITY, |(age, _)| age.as_secs_f64()));
        self.sweep_groups.set(now.list.map_or(0, |(_, groups)| i64::try_from(groups).unwrap_or(i64::MAX)));
        self.orphans.set(i64::try_from(now.orphans).unwrap_or(i64::MAX));
        self.budget_rate.set(now.budget_rate);
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics could not be encoded");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Meter for Metrics {
    fn call_ended(&self, operation: Operation, duration: Duration, error: Option<&ApiError>) {
        let operation = operation.as_str();
        let code = error.map_or("", |error| error.code.as_deref().unwrap_or(NO_CODE));
        self.calls.with_label_values(&[SERVICE, operation, code]).inc();
        self.call_seconds.with_label_values(&[SERVICE, operation]).observe(duration.as_secs_f64());
        if error.is_some_and(|error| error.class == ErrorClass::Throttled) {
            self.throttled.with_label_values(&[SERVICE, operation]).inc();
        }
    }
}

const SERVICE: &str = "CloudFront";
const NO_CODE: &str = "NoAnswer";
const SUCCESS: &str = "success";
const ERROR: &str = "error";

/// A metric that the library refuses is a misspelt constant of this file, which every start and every test would show.
#[expect(clippy::expect_used, reason = "names and labels are constants")]
fn family<T>(metric: Result<T, prometheus::Error>) -> T {
    metric.expect("a metric's name and labels are valid")
}

#[expect(clippy::expect_used, reason = "names are constants")]
fn register(registry: &Registry, collector: Box<dyn Collector>) {
    registry.register(collector).expect("no two metrics share a name");
}

fn boxed<T: Collector + Clone + 'static>(metric: &T) -> Box<dyn Collector> {
    Box::new(metric.clone())
}

fn counter(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    family(IntCounterVec::new(Opts::new(name, help), labels))
}

fn histogram(name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    family(HistogramVec::new(HistogramOpts::new(name, help), labels))
}

fn gauge(name: &str, help: &str) -> IntGauge {
    family(IntGauge::new(name, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> AtScrape<'static> {
        AtScrape { objects: Vec::new(), list: None, orphans: 0, budget_rate: 2.0 }
    }

    #[test]
    fn an_operator_that_never_listed_says_so() {
        assert!(Metrics::new(8).text(&quiet()).contains("connection_group_operator_sweep_age_seconds inf"));
    }

    #[test]
    fn objects_are_counted_by_state_and_a_state_that_is_empty_again_is_gone() {
        let metrics = Metrics::new(8);
        let some = AtScrape { objects: vec![("True", "Deployed"), ("True", "Deployed")], ..quiet() };
        let line = "connection_group_operator_objects{ready=\"True\",reason=\"Deployed\"} 2";
        assert!(metrics.text(&some).contains(line));
        assert!(!metrics.text(&quiet()).contains("reason=\"Deployed\""));
    }

    #[test]
    fn a_throttled_call_is_counted_by_operation_and_code() {
        let metrics = Metrics::new(8);
        let operation = Operation::UpdateConnectionGroup;
        let error = ApiError::new(operation, ErrorClass::Throttled, Some("Throttling".into()), "Rate exceeded", None);
        metrics.call_ended(operation, Duration::from_millis(3), Some(&error));
        let text = metrics.text(&quiet());
        let call = "aws_api_calls_total{error_code=\"Throttling\",operation=\"UpdateConnectionGroup\",service=\"CloudFront\"} 1";
        assert!(text.contains(call), "{text}");
        assert!(
            text.contains(
                "aws_api_calls_throttled_total{operation=\"UpdateConnectionGroup\",service=\"CloudFront\"} 1"
            )
        );
    }

    #[test]
    fn a_pass_counts_as_an_error_whether_cloudfront_or_kubernetes_failed() {
        let metrics = Metrics::new(8);
        metrics.pass_ended(metrics.pass_started(), Ok(None));
        metrics.pass_ended(metrics.pass_started(), Err(()));
        let text = metrics.text(&quiet());
        assert!(text.contains("reconcile_total{controller=\"connectiongroup\",result=\"success\"} 1"));
        assert!(text.contains("reconcile_errors_total{controller=\"connectiongroup\"} 1"));
        assert!(text.contains("controller_runtime_active_workers 0"));
    }
}
