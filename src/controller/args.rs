//! Flags of `run`. In: arguments and `CONNECTION_GROUP_OPERATOR_*` variables. Out: checked [`RunArgs`], or a sentence that names the flag. Flag beats
//! environment variable beats default. Pure.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, error::ErrorKind};

use crate::{
    api::{LEGACY_FINALIZER, finalizer},
    cloudfront::sdk::Endpoint,
    flag_values::{EndpointUrl, duration},
    leadership::LeaderElectionArgs,
    reconcile::{Settings, ownership::Installation},
    telemetry::{FLAGS_OF_TELEMETRY, LogArgs, REFUSED_VARIABLES},
};

/// The headings of `--help`, in this order; with those of the leader election and of telemetry, each flag stands below one.
const INSTALLATION: &str = "Installation";
const KUBERNETES: &str = "Kubernetes";
const CLOUDFRONT: &str = "CloudFront API";
const RECONCILES: &str = "Reconciles";
const SERVERS: &str = "Metrics and health";

/// Flags of `run`.
#[derive(Args, Debug, Clone)]
#[command(next_line_help = true)]
pub struct RunArgs {
    /// Name of this installation, unique among all that share the AWS account; part of the owner tag, so keep it when the cluster is rebuilt
    #[arg(long, help_heading = INSTALLATION, env = "CONNECTION_GROUP_OPERATOR_OWNER_ID", value_parser = owner_id)]
    pub owner_id: String,

    /// Namespace whose uid is the identity of this installation; it distinguishes a cluster from its clones
    #[arg(long, help_heading = INSTALLATION, env = "CONNECTION_GROUP_OPERATOR_IDENTITY_NAMESPACE", default_value = "kube-system", value_parser = namespace)]
    pub identity_namespace: String,

    /// Identity of another installation with the same owner id, whose groups this one takes over [default: none]
    #[arg(long, help_heading = INSTALLATION, env = "CONNECTION_GROUP_OPERATOR_TAKE_OVER_INSTALLATION", value_parser = installation)]
    pub take_over_installation: Option<Installation>,

    /// Namespace to watch; repeat the flag or separate by commas for several [default: all namespaces]
    #[arg(long = "watch-namespace", help_heading = KUBERNETES, env = "CONNECTION_GROUP_OPERATOR_WATCH_NAMESPACE", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// Kubeconfig file [default: KUBECONFIG, ~/.kube/config, or the Pod's ServiceAccount]
    #[arg(long, help_heading = KUBERNETES)]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current context]; refused where there is no kubeconfig, as in a Pod that uses its ServiceAccount
    #[arg(long, help_heading = KUBERNETES, env = "CONNECTION_GROUP_OPERATOR_CONTEXT")]
    pub context: Option<String>,

    /// AWS region: that of STS. CloudFront's calls are signed for its region in the same partition: us-east-1 for all public regions
    #[arg(long, help_heading = CLOUDFRONT, env = "CONNECTION_GROUP_OPERATOR_AWS_REGION", default_value = "us-east-1")]
    pub aws_region: String,

    /// CloudFront endpoint to use instead of AWS's own, for example a simulator
    #[arg(long, help_heading = CLOUDFRONT, env = "CONNECTION_GROUP_OPERATOR_AWS_ENDPOINT_URL", hide_env_values = true)]
    pub aws_endpoint_url: Option<EndpointUrl>,

    /// Allow --aws-endpoint-url to be plain http
    #[arg(long, help_heading = CLOUDFRONT, env = "CONNECTION_GROUP_OPERATOR_ALLOW_INSECURE_ENDPOINT")]
    pub allow_insecure_endpoint: bool,

    /// CloudFront calls per second, over all objects; may be a fraction
    #[arg(long, help_heading = CLOUDFRONT, env = "CONNECTION_GROUP_OPERATOR_AWS_RATE", default_value = "2", value_parser = rate, allow_hyphen_values = true)]
    pub aws_rate: f64,

    /// CloudFront calls that may be made in a burst after a quiet time
    #[arg(long, help_heading = CLOUDFRONT, env = "CONNECTION_GROUP_OPERATOR_AWS_BURST", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub aws_burst: u32,

    /// Maximum time to wait for the answer to one CloudFront call
    #[arg(long, help_heading = CLOUDFRONT, env = "CONNECTION_GROUP_OPERATOR_AWS_CALL_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub aws_call_timeout: Duration,

    /// Consistency window: how long a request to create a group may still take effect after it was sent; deletions and adoptions wait that long. Tags are expected to be visible within a minute, whatever it is
    #[arg(long, help_heading = RECONCILES, env = "CONNECTION_GROUP_OPERATOR_CONSISTENCY_WINDOW", default_value = "60s", value_parser = duration)]
    pub consistency_window: Duration,

    /// Time between two inventories (lists of all connection groups), while everything is in sync
    #[arg(long, help_heading = RECONCILES, env = "CONNECTION_GROUP_OPERATOR_INVENTORY_INTERVAL", default_value = "60s", value_parser = duration)]
    pub inventory_interval: Duration,

    /// Time between two inventories, while any group is being rolled out or deleted
    #[arg(long, help_heading = RECONCILES, env = "CONNECTION_GROUP_OPERATOR_INVENTORY_INTERVAL_ACTIVE", default_value = "10s", value_parser = duration)]
    pub inventory_interval_active: Duration,

    /// Time between two full reads of one group (the resync), which find what the inventory does not show: tags and IPv6
    #[arg(long, help_heading = RECONCILES, env = "CONNECTION_GROUP_OPERATOR_RESYNC_INTERVAL", default_value = "6h", value_parser = duration)]
    pub resync_interval: Duration,

    /// Allow objects to adopt existing groups without an owner, according to their spec.adoptionPolicy
    #[arg(long, help_heading = RECONCILES, env = "CONNECTION_GROUP_OPERATOR_ALLOW_ADOPTION")]
    pub allow_adoption: bool,

    /// Which of several replicas acts.
    #[command(flatten)]
    pub leader_election: LeaderElectionArgs,

    /// Address of /metrics
    #[arg(long, help_heading = SERVERS, env = "CONNECTION_GROUP_OPERATOR_METRICS_ADDR", default_value = "[::]:8080")]
    pub metrics_addr: SocketAddr,

    /// Address of /livez, /healthz and /readyz
    #[arg(long, help_heading = SERVERS, env = "CONNECTION_GROUP_OPERATOR_HEALTH_ADDR", default_value = "[::]:8081")]
    pub health_addr: SocketAddr,

    /// Add metrics with the namespace and name of each object as labels; one series for each object and condition
    #[arg(long, help_heading = SERVERS, env = "CONNECTION_GROUP_OPERATOR_METRICS_PER_OBJECT")]
    pub metrics_per_object: bool,

    /// The log lines.
    #[command(flatten)]
    pub log: LogArgs,

    /// Send traces to the OTLP/HTTP collector at this URL, to which /v1/traces is added [default: no traces]
    #[arg(long, help_heading = FLAGS_OF_TELEMETRY, env = "CONNECTION_GROUP_OPERATOR_OTLP_ENDPOINT", hide_env_values = true)]
    pub otlp_endpoint: Option<EndpointUrl>,
}

/// Variables by which the AWS SDK itself can be sent to another endpoint, the stronger one first.
pub const SDK_ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_CLOUDFRONT", "AWS_ENDPOINT_URL"];

impl RunArgs {
    /// Where CloudFront is.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            region: self.aws_region.clone(),
            url: self.aws_endpoint_url.as_ref().map(|url| url.as_str().to_owned()),
            call_timeout: self.aws_call_timeout,
        }
    }

    /// The administrator's settings for reconciles, in the installation with that identity.
    #[must_use]
    pub fn settings(&self, installation: Installation) -> Settings {
        let predecessor = self.take_over_installation.clone().filter(|predecessor| {
            let is_another = *predecessor != installation;
            if !is_another {
                tracing::warn!(
                    "--take-over-installation names this installation itself: there is nothing to take over; remove \
                     the flag"
                );
            }
            is_another
        });
        Settings {
            owner_id: self.owner_id.clone(),
            installation,
            predecessor,
            allow_adoption: self.allow_adoption,
            inventory_interval: self.inventory_interval,
            inventory_interval_active: self.inventory_interval_active,
            resync_interval: self.resync_interval,
            consistency_window: self.consistency_window,
        }
    }

    /// The namespaces to watch; all, if none is named.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.watch_namespaces.iter().filter(|namespace| !namespace.is_empty()).cloned().collect()
    }

    /// The CloudFront endpoint that replaces AWS's own, if any, and the flag or variable that sets it. `environment` looks up a variable.
    pub fn endpoint_in_force(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Option<(&'static str, EndpointUrl)> {
        let from_flag = self.aws_endpoint_url.clone().map(|url| ("--aws-endpoint-url", url));
        from_flag.or_else(|| SDK_ENDPOINT_VARIABLES.iter().find_map(|name| Some((*name, environment(name)?.into()))))
    }

    /// Checks what one flag alone cannot know. `environment` looks up a variable.
    ///
    /// # Errors
    /// A sentence that names the flag or the variable.
    pub fn check(&self, environment: impl Fn(&str) -> Option<String>) -> Result<(), clap::Error> {
        let refuse = |text: String| Err(clap::Error::raw(ErrorKind::ValueValidation, text + "\n"));
        if let Some((source, url)) = self.endpoint_in_force(&environment) {
            if url.as_str().starts_with("http://") && !self.allow_insecure_endpoint {
                return refuse(format!(
                    "{source} is plain http ({url}): use https, or add --allow-insecure-endpoint if the endpoint is a simulator"
                ));
            }
            if !url.is_http() {
                return refuse(format!("{source} must start with https:// and have a host (it is '{url}')"));
            }
        }
        if let Some(url) = self.otlp_endpoint.as_ref().filter(|url| !url.is_http()) {
            return refuse(format!(
                "--otlp-endpoint must be a URL with a host that starts with http:// or https:// (it is '{url}')"
            ));
        }
        let is_set = |name: &&&str| environment(name).is_some_and(|value| !value.is_empty());
        if let Some(name) = self.otlp_endpoint.as_ref().and_then(|_| REFUSED_VARIABLES.iter().find(is_set)) {
            return refuse(format!(
                "{name} is not supported with --otlp-endpoint: unset it. Name the collector's authority in SSL_CERT_FILE; for a collector that asks for a client \
                 certificate, run one without in between"
            ));
        }
        if self.consistency_window < self.aws_call_timeout {
            return refuse(format!(
                "--consistency-window ({}) must not be shorter than --aws-call-timeout ({})",
                humantime::format_duration(self.consistency_window),
                humantime::format_duration(self.aws_call_timeout),
            ));
        }
        if let Err(sentence) = self.leader_election.check() {
            return refuse(sentence);
        }
        if self.inventory_interval_active > self.inventory_interval {
            return refuse(format!(
                "--inventory-interval-active ({}) must not be longer than --inventory-interval ({})",
                humantime::format_duration(self.inventory_interval_active),
                humantime::format_duration(self.inventory_interval),
            ));
        }
        Ok(())
    }
}

fn owner_id(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !fits {
        return Err(
            "must be 1 to 63 letters, digits, '-', '_' or '.', and start and end with a letter or digit".to_owned()
        );
    }
    if finalizer(text) == LEGACY_FINALIZER {
        return Err(format!(
            "must not be '{text}': older versions used the finalizer {LEGACY_FINALIZER} for every owner id"
        ));
    }
    Ok(text.to_owned())
}

fn namespace(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fits {
        return Ok(text.to_owned());
    }
    Err("must be the name of a namespace: 1 to 63 lower-case letters, digits or '-', such as kube-system".to_owned())
}

fn installation(text: &str) -> Result<Installation, String> {
    let is_uid = text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
        });
    if is_uid {
        return Ok(Installation::new(text));
    }
    Err(format!(
        "must be the identity of an installation as the tag {} of its groups shows it, such as 1f0c7a52-6e0d-4f0b-9a53-0d4c2f1b8e77",
        Installation::KEY
    ))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("must be a number above 0: calls per second, such as 2 or 0.5".to_owned()),
    }
}
