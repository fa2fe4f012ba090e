//! The collector of traces, if there is one: whether it takes them. One request without any, which changes nothing.

use super::Finding;
use crate::{controller::RunArgs, network::Network, telemetry};

/// Asks the collector of `--otlp-endpoint`.
pub async fn check(args: &RunArgs, network: &Network) -> Option<Finding> {
    const SUBJECT: &str = "collector of traces";
    let collector = args.otlp_endpoint.as_ref()?;
    Some(match telemetry::try_collector(collector, network).await {
        Ok(()) => Finding::ok(SUBJECT, format!("{collector} takes traces")),
        Err(cause) => Finding::failed(
            SUBJECT,
            format!("{collector} takes no traces: {cause}"),
            "Correct --otlp-endpoint (tracing.otlpEndpoint in the chart), or check the network between this process and the collector; without it, the operator works all \
             the same",
        ),
    })
}
