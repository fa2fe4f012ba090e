//! The command line: `run` and `crd`. In: arguments and `CONNECTION_GROUP_OPERATOR_*` variables. Out: checked [`RunArgs`], or a sentence that
//! names the flag. Flag beats environment variable beats default. Pure.

mod endpoint_url;

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

pub use self::endpoint_url::EndpointUrl;
use crate::{
    api::{FORMER_FINALIZER, finalizer},
    reconcile::ownership::Installation,
};

/// Keeps Amazon CloudFront connection groups as their `ConnectionGroup` objects say.
#[derive(Parser, Debug)]
#[command(name = "connection-group-operator", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Watch `ConnectionGroup` objects and keep CloudFront matching them.
    Run(Box<RunArgs>),
    /// Print the `CustomResourceDefinition` as YAML, for `kubectl apply --server-side -f -`.
    Crd,
}

/// Flags of `run`.
#[derive(Args, Debug, Clone)]
#[command(next_line_help = true)]
pub struct RunArgs {
    /// Name of this installation, unique among all that share the AWS account; part of the owner tag, so keep it when the cluster is rebuilt
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_OWNER_ID", value_parser = owner_id)]
    pub owner_id: String,

    /// Namespace whose uid is the identity of this installation; it distinguishes a cluster from its clones
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_IDENTITY_NAMESPACE", default_value = "kube-system", value_parser = namespace)]
    pub identity_namespace: String,

    /// Identity of another installation with the same owner id, whose groups this one takes over [default: none]
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_TAKE_OVER_INSTALLATION", value_parser = installation)]
    pub take_over_installation: Option<Installation>,

    /// Namespace to watch; repeat the flag or separate by commas for several [default: all namespaces]
    #[arg(long = "watch-namespace", env = "CONNECTION_GROUP_OPERATOR_WATCH_NAMESPACE", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// Kubeconfig file [default: KUBECONFIG, ~/.kube/config, or the Pod's ServiceAccount]
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,

    /// AWS region to sign requests for; CloudFront's is us-east-1
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_AWS_REGION", default_value = "us-east-1")]
    pub aws_region: String,

    /// CloudFront endpoint to use instead of AWS's own, for example a simulator
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_AWS_ENDPOINT_URL", hide_env_values = true)]
    pub aws_endpoint_url: Option<EndpointUrl>,

    /// Allow --aws-endpoint-url to be plain http
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_ALLOW_INSECURE_ENDPOINT")]
    pub allow_insecure_endpoint: bool,

    /// CloudFront calls per second, over all objects; may be a fraction
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_AWS_RATE", default_value = "2", value_parser = rate, allow_hyphen_values = true)]
    pub aws_rate: f64,

    /// CloudFront calls that may be made in a burst after a quiet time
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_AWS_BURST", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub aws_burst: u32,

    /// Maximum time to wait for the answer to one CloudFront call
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_AWS_CALL_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub aws_call_timeout: Duration,

    /// Settle window: how long a request to create a group may still take effect after it was sent, and tags may take to show; deletions and adoptions wait that long
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_CREATE_SETTLE_WINDOW", default_value = "60s", value_parser = duration)]
    pub create_settle_window: Duration,

    /// Time between two lists of all connection groups (the inventory), while everything is in sync
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_SWEEP_INTERVAL", default_value = "60s", value_parser = duration)]
    pub sweep_interval: Duration,

    /// Time between two lists of all connection groups, while any group is being rolled out or deleted
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_SWEEP_INTERVAL_ACTIVE", default_value = "10s", value_parser = duration)]
    pub sweep_interval_active: Duration,

    /// Time between two full reads of one group (the resync), which find what lists do not show: tags and IPv6
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_DEEP_CHECK_INTERVAL", default_value = "6h", value_parser = duration)]
    pub deep_check_interval: Duration,

    /// Allow objects to adopt existing groups without an owner, according to their spec.adoptionPolicy
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_ALLOW_ADOPTION")]
    pub allow_adoption: bool,

    /// Format of the log lines on standard output
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,

    /// Lowest severity to log
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_LOG_LEVEL", default_value = "info")]
    pub log_level: LogLevel,

    /// Which of several replicas acts.
    #[command(flatten)]
    pub leader_election: LeaderElectionArgs,

    /// Address of /metrics
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_METRICS_ADDR", default_value = "0.0.0.0:8080")]
    pub metrics_addr: SocketAddr,

    /// Address of /livez, /healthz and /readyz
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_HEALTH_ADDR", default_value = "0.0.0.0:8081")]
    pub health_addr: SocketAddr,

    /// Add metrics with the namespace and name of each object as labels; one series for each object and condition
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_METRICS_PER_OBJECT")]
    pub metrics_per_object: bool,

    /// Send traces to the OTLP/HTTP collector at this URL, to which /v1/traces is added [default: no traces]
    #[arg(long, env = "CONNECTION_GROUP_OPERATOR_OTLP_ENDPOINT", hide_env_values = true, value_parser = EndpointUrl::http)]
    pub otlp_endpoint: Option<EndpointUrl>,
}

/// Flags of the leader election.
#[derive(Args, Debug, Clone)]
#[group(id = "leader-election-flags")]
pub struct LeaderElectionArgs {
    /// Act only while holding a Lease, so that several replicas can run; the others stand by
    #[arg(id = "leader-election", long = "leader-election", env = "CONNECTION_GROUP_OPERATOR_LEADER_ELECTION")]
    pub enabled: bool,

    /// Name of the Lease
    #[arg(
        id = "leader-election-lease",
        long = "leader-election-lease",
        env = "CONNECTION_GROUP_OPERATOR_LEADER_ELECTION_LEASE",
        default_value = "connection-group-operator"
    )]
    pub lease: String,

    /// Namespace of the Lease [default: the Pod's, or that of the kubeconfig's context]
    #[arg(
        id = "leader-election-namespace",
        long = "leader-election-namespace",
        env = "CONNECTION_GROUP_OPERATOR_LEADER_ELECTION_NAMESPACE"
    )]
    pub namespace: Option<String>,

    /// How long standbys wait for a leader that does not renew the Lease before one of them takes over; whole seconds
    #[arg(
        id = "leader-election-lease-duration",
        long = "leader-election-lease-duration",
        env = "CONNECTION_GROUP_OPERATOR_LEADER_ELECTION_LEASE_DURATION",
        default_value = "15s",
        value_parser = whole_seconds
    )]
    pub lease_duration: Duration,

    /// How long a leader that cannot renew the Lease keeps acting before it exits
    #[arg(
        id = "leader-election-renew-deadline",
        long = "leader-election-renew-deadline",
        env = "CONNECTION_GROUP_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE",
        default_value = "10s",
        value_parser = duration
    )]
    pub renew_deadline: Duration,

    /// Interval at which the leader renews the Lease and standbys check it
    #[arg(
        id = "leader-election-retry-period",
        long = "leader-election-retry-period",
        env = "CONNECTION_GROUP_OPERATOR_LEADER_ELECTION_RETRY_PERIOD",
        default_value = "1s",
        value_parser = duration
    )]
    pub retry_period: Duration,
}

impl LeaderElectionArgs {
    /// A leader must have given up before a standby takes over, and must have had more than one try.
    fn check(&self) -> Result<(), String> {
        for (shorter, longer) in [
            (
                ("--leader-election-renew-deadline", self.renew_deadline),
                ("--leader-election-lease-duration", self.lease_duration),
            ),
            (
                ("--leader-election-retry-period", self.retry_period),
                ("--leader-election-renew-deadline", self.renew_deadline),
            ),
        ] {
            if shorter.1 >= longer.1 {
                let [short, long] = [shorter.1, longer.1].map(humantime::format_duration);
                return Err(format!("{} ({short}) must be shorter than {} ({long})", shorter.0, longer.0));
            }
        }
        Ok(())
    }
}

/// Format of log lines.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Severity of log lines.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The name as on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Variables by which the AWS SDK itself can be sent to another endpoint, the stronger one first.
pub const SDK_ENDPOINT_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_CLOUDFRONT", "AWS_ENDPOINT_URL"];

impl RunArgs {
    /// The namespaces to watch; all, if none is named.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.watch_namespaces.iter().filter(|namespace| !namespace.is_empty()).cloned().collect()
    }

    /// Checks what one flag alone cannot know. `environment` looks up a variable.
    ///
    /// # Errors
    /// A sentence that names the flag or the variable.
    pub fn check(&self, environment: impl Fn(&str) -> Option<String>) -> Result<(), clap::Error> {
        let refuse = |text: String| Err(clap::Error::raw(ErrorKind::ValueValidation, text + "\n"));
        let from_flag = self.aws_endpoint_url.clone().map(|url| ("--aws-endpoint-url", url));
        let from_sdk = || SDK_ENDPOINT_VARIABLES.iter().find_map(|name| Some((*name, environment(name)?.into())));
        if let Some((source, url)) = from_flag.or_else(from_sdk) {
            if url.as_str().starts_with("http://") && !self.allow_insecure_endpoint {
                return refuse(format!(
                    "{source} is plain http ({url}): use https, or add --allow-insecure-endpoint if the endpoint is a simulator"
                ));
            }
            if !url.as_str().starts_with("http://") && !url.as_str().starts_with("https://") {
                return refuse(format!("{source} must start with https:// (it is '{url}')"));
            }
        }
        if self.create_settle_window < self.aws_call_timeout {
            return refuse(format!(
                "--create-settle-window ({}) must not be shorter than --aws-call-timeout ({})",
                humantime::format_duration(self.create_settle_window),
                humantime::format_duration(self.aws_call_timeout),
            ));
        }
        if let Err(sentence) = self.leader_election.check() {
            return refuse(sentence);
        }
        if self.sweep_interval_active > self.sweep_interval {
            return refuse(format!(
                "--sweep-interval-active ({}) must not be longer than --sweep-interval ({})",
                humantime::format_duration(self.sweep_interval_active),
                humantime::format_duration(self.sweep_interval),
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
    if finalizer(text) == FORMER_FINALIZER {
        return Err(format!(
            "must not be '{text}': older versions used the finalizer {FORMER_FINALIZER} for every owner id"
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

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_millis(100) => Ok(duration),
        Ok(_) => Err("must be at least 100ms".to_owned()),
        Err(_) => Err("must be a duration such as 10s, 1m30s or 6h".to_owned()),
    }
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        duration if duration.subsec_nanos() == 0 => Ok(duration),
        _ => Err("must be whole seconds, such as 15s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<RunArgs, clap::Error> {
        let words = ["connection-group-operator", "run"].iter().chain(args);
        match Cli::try_parse_from(words)?.command {
            Command::Run(args) => args.check(|_| None).map(|()| *args),
            Command::Crd => unreachable!("the words say run"),
        }
    }

    #[test]
    fn every_bad_value_is_refused_with_a_sentence_that_names_the_flag() {
        for (args, flag, says) in [
            (&["--aws-rate", "0"][..], "--aws-rate", "above 0"),
            (&["--aws-rate", "-1"], "--aws-rate", "above 0"),
            (&["--aws-rate", "inf"], "--aws-rate", "above 0"),
            (&["--aws-burst", "0"], "--aws-burst", "1..=10000"),
            (&["--identity-namespace", "Kube"], "--identity-namespace", "name of a namespace"),
            (&["--identity-namespace", ""], "--identity-namespace", "name of a namespace"),
            (
                &["--take-over-installation", "prod-eu"],
                "--take-over-installation",
                "cloudfront.kube-operators.dev/installation",
            ),
            (&["--take-over-installation", ""], "--take-over-installation", "such as 1f0c7a52"),
            (&["--sweep-interval", "60"], "--sweep-interval", "such as 10s"),
            (&["--sweep-interval", "0s"], "--sweep-interval", "at least 100ms"),
            (&["--sweep-interval", "5s"], "--sweep-interval-active", "not be longer"),
            (&["--create-settle-window", "10s"], "--create-settle-window", "not be shorter than --aws-call-timeout"),
            (&["--leader-election-lease-duration", "1500ms"], "--leader-election-lease-duration", "whole seconds"),
            (&["--leader-election-renew-deadline", "15s"], "--leader-election-renew-deadline", "shorter than"),
            (&["--leader-election-retry-period", "1m"], "--leader-election-retry-period", "shorter than"),
            (&["--log-format", "xml"], "--log-format", "possible values: json, text"),
            (&["--metrics-addr", "8080"], "--metrics-addr", "invalid socket address"),
            (&["--health-addr", "8081"], "--health-addr", "invalid socket address"),
            (&["--otlp-endpoint", "collector:4318"], "--otlp-endpoint", "http:// or https://"),
            (&["--otlp-endpoint", "http://"], "--otlp-endpoint", "http:// or https://"),
            (&["--aws-endpoint-url", "http://127.0.0.1:1"], "--aws-endpoint-url", "--allow-insecure-endpoint"),
            (&["--aws-endpoint-url", "ftp://x"], "--aws-endpoint-url", "https://"),
        ] {
            let words = ["--owner-id", "o"].iter().chain(args).copied().collect::<Vec<_>>();
            let text = run(&words).expect_err(&format!("{args:?} must be refused")).to_string();
            assert!(text.contains(flag) && text.contains(says), "{args:?}: {text}");
        }
    }

    #[test]
    fn the_owner_id_is_required_and_fits_into_a_tag() {
        assert!(run(&[]).unwrap_err().to_string().contains("--owner-id"));
        for bad in ["", "a/b", "-a", "a-", "a.", "a_", "a b", "connection-group", &"x".repeat(64)] {
            assert!(run(&["--owner-id", bad]).unwrap_err().to_string().contains("--owner-id"), "{bad}");
        }
        assert_eq!(run(&["--owner-id", "prod.eu-1"]).unwrap().owner_id, "prod.eu-1");
    }

    #[test]
    fn durations_and_rates_are_written_as_people_write_them() {
        let args =
            run(&["--owner-id", "o", "--sweep-interval", "1m30s", "--deep-check-interval", "6h", "--aws-rate", "0.5"]);
        let args = args.unwrap();
        assert_eq!(args.sweep_interval, Duration::from_secs(90));
        assert_eq!(args.deep_check_interval, Duration::from_hours(6));
        assert!((args.aws_rate - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn an_endpoint_that_only_the_sdk_would_see_is_held_to_the_same_rule() {
        let args = run(&["--owner-id", "o"]).unwrap();
        let plain = |name: &str| (name == "AWS_ENDPOINT_URL").then(|| "http://evil".to_owned());
        let text = args.check(plain).unwrap_err().to_string();
        assert!(text.contains("AWS_ENDPOINT_URL") && text.contains("https"), "{text}");
    }

    #[test]
    fn every_flag_has_a_variable_and_a_line_of_help() {
        use clap::CommandFactory;
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        for arg in run.get_arguments().filter(|arg| !["help", "version", "kubeconfig"].contains(&arg.get_id().as_str()))
        {
            let flag = arg.get_long().unwrap();
            let variable = format!("CONNECTION_GROUP_OPERATOR_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(variable.as_str()));
            assert!(arg.get_help().is_some(), "{flag} has no help");
        }
    }
}
