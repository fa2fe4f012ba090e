//! How a metric is created: named, described and registered in one step. Gauges that show a state are not kept but computed at each scrape, so that no series
//! outlives what it shows, and concurrent scrapes share nothing. Pure.

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// Buckets for durations from milliseconds to minutes.
const SECONDS: [f64; 15] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

pub fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

pub fn int_gauge(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

pub fn seconds(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    histogram(registry, name, help, labels, &SECONDS)
}

pub fn histogram(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(registry, HistogramVec::new(options, labels))
}

/// A gauge for `computed`, with its series: values of the labels, and the value. Without any, the metric is absent.
pub fn gauge<'a, const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
    series: impl IntoIterator<Item = ([&'a str; N], f64)>,
) -> GaugeVec {
    let gauge = valid(GaugeVec::new(Opts::new(name, help), &labels));
    for (values, value) in series {
        gauge.with_label_values(&values).set(value);
    }
    gauge
}

/// A count as the value of a gauge.
pub fn many(n: usize) -> f64 {
    u32::try_from(n).unwrap_or(u32::MAX).into()
}

/// Registers gauges that are computed at each scrape.
pub fn computed(registry: &Registry, gauges: impl Fn() -> Vec<GaugeVec> + Send + Sync + 'static) {
    let described = gauges().iter().flat_map(Collector::desc).cloned().collect();
    register(registry, Computed { described, gauges });
}

struct Computed<F> {
    described: Vec<Desc>,
    gauges: F,
}

impl<F: Fn() -> Vec<GaugeVec> + Send + Sync> Collector for Computed<F> {
    fn desc(&self) -> Vec<&Desc> {
        self.described.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.gauges)().iter().flat_map(Collector::collect).collect()
    }
}

fn registered<T: Collector + Clone + 'static>(registry: &Registry, metric: Result<T, prometheus::Error>) -> T {
    let metric = valid(metric);
    register(registry, metric.clone());
    metric
}

/// The library refuses a metric only if a constant is misspelt, which every start and every test would show.
#[expect(clippy::expect_used, reason = "names and labels are constants")]
fn valid<T>(metric: Result<T, prometheus::Error>) -> T {
    metric.expect("a metric's name and labels are valid")
}

#[expect(clippy::expect_used, reason = "names are constants")]
fn register(registry: &Registry, metrics: impl Collector + 'static) {
    registry.register(Box::new(metrics)).expect("no two metrics share a name");
}
