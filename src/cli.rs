//! The command line: `run`, `check` and `crd`. Pure.

use clap::{Parser, Subcommand};

use crate::controller::RunArgs;

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
    /// Check rights, credentials and reachability with the flags of `run`, change nothing, and exit with 0 if all is well.
    Check(Box<RunArgs>),
    /// Print the `CustomResourceDefinition` as YAML, for `kubectl apply --server-side -f -`.
    Crd,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(args: &[&str]) -> Result<RunArgs, clap::Error> {
        let words = ["connection-group-operator", "run"].iter().chain(args);
        match Cli::try_parse_from(words)?.command {
            Command::Run(args) => args.check(|_| None).map(|()| *args),
            Command::Check(_) | Command::Crd => unreachable!("the words say run"),
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
            (&["--inventory-interval", "60"], "--inventory-interval", "such as 10s"),
            (&["--inventory-interval", "0s"], "--inventory-interval", "at least 100ms"),
            (&["--inventory-interval", "5s"], "--inventory-interval-active", "not be longer"),
            (&["--consistency-window", "10s"], "--consistency-window", "not be shorter than --aws-call-timeout"),
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
            run(&["--owner-id", "o", "--inventory-interval", "1m30s", "--resync-interval", "6h", "--aws-rate", "0.5"]);
        let args = args.unwrap();
        assert_eq!(args.inventory_interval, Duration::from_secs(90));
        assert_eq!(args.resync_interval, Duration::from_hours(6));
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
    fn every_flag_is_below_a_heading_of_the_help() {
        use clap::CommandFactory;
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        let without = run.get_arguments().filter(|arg| arg.get_help_heading().is_none());
        assert_eq!(without.map(|arg| arg.get_id().as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
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
