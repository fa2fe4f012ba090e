//! Log lines on standard output. In: format and level. Out: a global subscriber. Secrets stay out at every level: other crates' debug lines,
//! which may hold headers and tokens, are never printed.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::cli::{LogFormat, LogLevel};

/// Installs the subscriber; later calls change nothing.
pub fn init(format: LogFormat, level: LogLevel) {
    let filter = EnvFilter::new(directives(level));
    let registry = tracing_subscriber::registry().with(filter);
    let installed = match format {
        LogFormat::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(lines).try_init()
        }
        LogFormat::Text => registry.with(fmt::layer().with_ansi(false)).try_init(),
    };
    if installed.is_err() {
        tracing::debug!("a subscriber is installed already");
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
