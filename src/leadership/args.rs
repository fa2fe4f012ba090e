//! Flags of the leader election.

use std::time::Duration;

use clap::Args;

use crate::flag_values::{duration, whole_seconds};

/// Flags of the leader election.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Leader election")]
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
    ///
    /// # Errors
    /// A sentence that names both flags.
    pub fn check(&self) -> Result<(), String> {
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
