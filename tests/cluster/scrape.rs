//! One answer of /metrics. In: text in the Prometheus format. Out: values by name and labels, and what the metrics are. Pure.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// The answer of /metrics.
#[derive(Debug)]
pub struct Scrape {
    /// Type of each metric.
    pub types: BTreeMap<String, String>,
    samples: Vec<(String, Labels, f64)>,
}

impl Scrape {
    /// Reads the text.
    pub fn of(text: &str) -> Self {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        Self {
            types: types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(),
            samples: text.lines().filter(|line| !line.starts_with('#')).map(sample).collect(),
        }
    }

    /// The sum over the series of that name that have these labels, written `name=value,name=value`; `None` if there is no such series.
    pub fn sum(&self, name: &str, labels: &str) -> Option<f64> {
        let wanted = labels.split(',').filter_map(|label| label.split_once('=')).collect::<Vec<_>>();
        let has = |labels: &Labels| wanted.iter().all(|(key, value)| labels.get(*key).is_some_and(|has| has == value));
        let found = self.samples.iter().filter(|(other, labels, _)| other == name && has(labels));
        found.map(|(.., value)| *value).reduce(|sum, value| sum + value)
    }

    /// The labels of a metric, except those of a histogram's buckets.
    pub fn labels(&self, name: &str) -> BTreeSet<String> {
        let series = ["", "_count"].map(|suffix| format!("{name}{suffix}"));
        let samples = self.samples.iter().filter(|(name, ..)| series.contains(name));
        samples.flat_map(|(_, labels, _)| labels.keys().cloned()).collect()
    }
}

fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("a sample has a value: {line}"));
    let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
    let labels = labels.split("\",").filter_map(|label| label.split_once("=\""));
    let labels = labels.map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned())).collect();
    (name.to_owned(), labels, value.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
}
