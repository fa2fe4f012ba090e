//! The first log line: the version, the API server, and every setting in force, as a field of its own. Pure, except for the log. A value that may hold a secret
//! has a type that hides it, such as [`EndpointUrl`].

use std::time::Duration;

use humantime::format_duration;
use tracing::field::display;

use super::{RunArgs, cluster::Cluster};
use crate::{flag_values::EndpointUrl, leadership::LeaderElectionArgs, telemetry::LogArgs};

/// Logs it. `cluster`: `None` if none can be found, which is an error of its own.
pub fn log(args: &RunArgs, cluster: Option<&Cluster>, environment: impl Fn(&str) -> Option<String>) {
    let aws_endpoint_url = args.endpoint_in_force(environment).map(|(_, url)| display(url));
    // No `..`: each flag has a field here.
    let RunArgs {
        owner_id,
        identity_namespace,
        take_over_installation,
        watch_namespaces: _,
        kubeconfig,
        context: _,
        aws_region,
        aws_endpoint_url: _,
        allow_insecure_endpoint,
        aws_rate,
        aws_burst,
        aws_call_timeout,
        consistency_window,
        inventory_interval,
        inventory_interval_active,
        resync_interval,
        allow_adoption,
        log: LogArgs { log_format, log_level },
        leader_election: LeaderElectionArgs { enabled, lease, namespace, lease_duration, renew_deadline, retry_period },
        metrics_addr,
        health_addr,
        metrics_per_object,
        otlp_endpoint,
    } = args;
    let namespaces = args.namespaces().into_iter().collect::<Vec<_>>().join(",");
    let lease_namespace = namespace.as_deref().or_else(|| cluster.map(|it| it.config.default_namespace.as_str()));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        api_server = cluster.map(|it| display(EndpointUrl::from(it.config.cluster_url.to_string()))),
        context = cluster.and_then(|it| it.context.as_deref()),
        kubeconfig = kubeconfig.as_ref().map(|path| display(path.display())),
        owner_id,
        identity_namespace,
        take_over_installation = take_over_installation.as_ref().map(display),
        watch_namespace = if namespaces.is_empty() { "all" } else { namespaces.as_str() },
        aws_region,
        aws_endpoint_url,
        allow_insecure_endpoint,
        aws_rate,
        aws_burst,
        aws_call_timeout = time(*aws_call_timeout),
        consistency_window = time(*consistency_window),
        inventory_interval = time(*inventory_interval),
        inventory_interval_active = time(*inventory_interval_active),
        resync_interval = time(*resync_interval),
        allow_adoption,
        leader_election = enabled,
        leader_election_lease = lease,
        leader_election_namespace = lease_namespace,
        leader_election_lease_duration = time(*lease_duration),
        leader_election_renew_deadline = time(*renew_deadline),
        leader_election_retry_period = time(*retry_period),
        log_format = log_format.as_str(),
        log_level = log_level.as_str(),
        metrics_addr = %metrics_addr,
        health_addr = %health_addr,
        metrics_per_object,
        otlp_endpoint = otlp_endpoint.as_ref().map(display),
        "starting"
    );
}

/// As people write it.
fn time(duration: Duration) -> String {
    format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::testing::logged;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RunArgs,
    }

    fn first_line(flags: &[&str], environment: impl Fn(&str) -> Option<String>) -> Value {
        let args = Line::parse_from(["run", "--owner-id=o"].iter().chain(flags)).args;
        serde_json::from_str(&logged(|| log(&args, None, environment))).unwrap()
    }

    #[test]
    fn each_flag_is_a_field_of_its_name_and_a_duration_is_as_people_write_it() {
        let line = first_line(
            &[
                "--kubeconfig=/tmp/config",
                "--take-over-installation=1f0c7a52-6e0d-4f0b-9a53-0d4c2f1b8e77",
                "--aws-endpoint-url=https://cloudfront.example",
                "--leader-election-namespace=operators",
                "--otlp-endpoint=http://collector:4318",
                "--inventory-interval=90s",
            ],
            |_| None,
        );
        for arg in Line::command().get_arguments().filter_map(|arg| arg.get_long()) {
            let field = arg.replace('-', "_");
            // The context in force is that of the cluster.
            assert!(field == "context" || !line[&field].is_null(), "{field}: {line}");
        }
        for (field, value) in [
            ("message", json!("starting")),
            ("owner_id", json!("o")),
            ("watch_namespace", json!("all")),
            ("inventory_interval", json!("1m 30s")),
            ("resync_interval", json!("6h")),
            ("aws_rate", json!(2.0)),
            ("allow_adoption", json!(false)),
            ("log_format", json!("json")),
            ("metrics_addr", json!("[::]:8080")),
        ] {
            assert_eq!(line[field], value, "{field}");
        }
    }

    #[test]
    fn the_endpoint_in_force_is_shown_wherever_it_is_set_and_no_url_shows_its_secrets() {
        let secret = "https://me:canary@cloudfront.example/?token=canary";
        let variable = |name: &str| (name == "AWS_ENDPOINT_URL").then(|| secret.to_owned());
        let flag = format!("--aws-endpoint-url={secret}");
        for line in [
            first_line(&["--otlp-endpoint=http://collector/?token=canary"], variable),
            first_line(&[&flag], |_| Some("https://weaker.example".to_owned())),
        ] {
            assert_eq!(line["aws_endpoint_url"], "https://***@cloudfront.example/?***");
            assert!(!line.to_string().contains("canary"), "{line}");
        }
    }
}
