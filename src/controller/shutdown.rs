//! How long the process may take to shut down. Pure.
//!
//! Calls in flight are answered within their timeout, their results are stored, the Lease is released, and the last traces are sent. The grace period of the
//! Pod must be longer than all of that together: if the process is killed earlier, its Lease has to expire.

use std::time::Duration;

/// Time for what follows the answers to calls in flight: the reads that explain them, and the writes of status and finalizer.
const REPORT_PATIENCE: Duration = Duration::from_secs(15);

/// How long reconciles in progress may take to finish; the next leader reconciles the rest again.
#[must_use]
pub const fn drain_patience(call_timeout: Duration) -> Duration {
    call_timeout.saturating_add(REPORT_PATIENCE)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{controller::RunArgs, leadership::lease::RELEASE_PATIENCE, telemetry::FLUSH_PATIENCE};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        run: RunArgs,
    }

    /// The longest time from the signal to the end of the process.
    fn longest(call_timeout: Duration) -> Duration {
        drain_patience(call_timeout) + RELEASE_PATIENCE + FLUSH_PATIENCE
    }

    /// The chart's top-level value of that name.
    fn value(name: &str) -> u64 {
        let values = include_str!("../../charts/connection-group-operator/values.yaml");
        let line = values.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.expect("the chart has that value").parse().expect("a number of seconds")
    }

    #[test]
    fn the_charts_grace_period_is_longer_than_the_longest_shutdown() {
        let RunArgs { aws_call_timeout, .. } = Flags::parse_from(["run", "--owner-id", "o"]).run;
        let grace_period = Duration::from_secs(value("terminationGracePeriodSeconds"));
        assert!(longest(aws_call_timeout) < grace_period, "{:?}", longest(aws_call_timeout));
    }

    #[test]
    fn the_documents_state_by_how_much_the_grace_period_must_exceed_a_call() {
        let more = format!("plus {}", humantime::format_duration(longest(Duration::ZERO)));
        for (name, text) in [
            ("docs/concepts.md", include_str!("../../docs/concepts.md")),
            ("values.yaml", include_str!("../../charts/connection-group-operator/values.yaml")),
            ("the chart's refusal", include_str!("../../charts/connection-group-operator/templates/_checks.tpl")),
        ] {
            assert!(text.contains(&more), "{name} does not say '{more}'");
        }
    }
}
