//! Log lines on standard output, and optional traces. In: format, level, collector. Out: a global subscriber, and a [`Telemetry`] to flush at the end.
//! Secrets stay out at every level: debug lines and spans of other crates, which may contain headers and tokens, are never printed or sent.

mod args;
mod lines;
#[cfg(test)]
pub(crate) mod testing;
mod traces;

use tracing::Span;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use self::{lines::JsonLines, traces::Traces};
use crate::{flag_values::EndpointUrl, network::Network};

pub use self::{
    args::{FLAGS_OF_TELEMETRY, LogArgs, LogFormat, LogLevel},
    traces::{FLUSH_PATIENCE, REFUSED_VARIABLES, TracesError, try_collector},
};

/// What is left to do at the end.
pub struct Telemetry(Option<Traces>);

/// Installs the subscriber; later calls change nothing. Needs tokio's runtime, on which traces are sent.
///
/// # Errors
/// Traces are wanted but cannot be sent to any collector.
pub fn init(log: &LogArgs, collector: Option<&EndpointUrl>, network: &Network) -> Result<Telemetry, TracesError> {
    let traces = collector.map(|collector| Traces::to(collector, network)).transpose()?;
    let layers = vec![Some(lines(log.log_format, log.log_level)), traces.as_ref().map(Traces::layer)];
    let layers = layers.into_iter().flatten().collect::<Vec<_>>();
    if tracing_subscriber::registry().with(layers).try_init().is_err() {
        tracing::debug!("a subscriber is installed already");
    }
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, panic = panic.payload_as_str(), "panicked: this is a defect, please report it");
    }));
    Ok(Telemetry(traces))
}

impl Telemetry {
    /// Sends the pending traces, as far as that is possible in a few seconds.
    pub async fn flush(self) {
        if let Some(traces) = self.0 {
            traces.flush().await;
        }
    }
}

/// Adds the trace's id to the log lines of its root span, in a field `trace_id` that the span has left empty.
pub fn record_trace_id(root: &Span) {
    if let Some(id) = traces::trace_id(root) {
        root.record("trace_id", id);
    }
}

fn lines(format: LogFormat, level: LogLevel) -> Box<dyn Layer<Registry> + Send + Sync> {
    let filter = EnvFilter::new(directives(level));
    match format {
        LogFormat::Json => fmt::layer().json().event_format(JsonLines).with_filter(filter).boxed(),
        LogFormat::Text => fmt::layer().with_ansi(false).with_filter(filter).boxed(),
    }
}

fn directives(level: LogLevel) -> String {
    format!("warn,connection_group_operator={}", level.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_opens_only_our_own_lines() {
        assert_eq!(directives(LogLevel::Trace), "warn,connection_group_operator=trace");
    }
}
