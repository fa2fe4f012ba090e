//! Which of several replicas acts. Talks to the API server.
//!
//! In: the name of a Lease that all replicas share. Out: the right to act, on the [`Fence`], for as long as the Lease is known to be ours.
//!
//! The rules are client-go's (`tools/leaderelection`), so that a Lease reads as people know it. What matters most: replicas never compare their
//! wall clocks. A standby takes the Lease when it has itself seen nobody renew it for as long as its holder asked for, and the holder's own right
//! ends earlier than that, counted from before the renewal was sent.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{cli::LeaderElectionArgs, cloudfront::fence::Fence};

/// Why this process must not act any longer.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Somebody else has it.
    #[error("'{0}' holds the Lease now")]
    Taken(String),
    /// The API server could not be asked in time.
    #[error("the Lease could not be renewed for {}", humantime::format_duration(*.0))]
    NotRenewed(Duration),
}

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    args: LeaderElectionArgs,
    /// This process, and no other that ever ran.
    identity: String,
    fence: Fence,
    /// The Lease as the API server last stored it for us.
    held: Option<Lease>,
    watched: Option<Watched>,
    /// The trouble that was told last; the same is not told each second.
    told: Option<String>,
}

/// What the Lease last said, and since when it has said nothing newer.
struct Watched {
    spec: LeaseSpec,
    since: Instant,
}

/// What one look at the Lease says.
enum Standing {
    Leader { until: Instant },
    Standby { leader: String },
}

/// Handing on is worth no longer a wait: without it a standby takes over a little later.
const RELEASE_PATIENCE: Duration = Duration::from_secs(5);

impl Election {
    /// Nothing is asked yet. `client` must neither retry by itself nor be held up by `fence`.
    pub fn new(client: Client, args: &LeaderElectionArgs, fence: Fence) -> Self {
        let namespace = args.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| env!("CARGO_PKG_NAME").to_owned());
        Self {
            api: Api::namespaced(client, &namespace),
            args: args.clone(),
            identity: format!("{host}_{:016x}", fastrand::u64(..)),
            fence,
            held: None,
            watched: None,
            told: None,
        }
    }

    /// Waits until this process leads. The fence is then open until the time that is returned; [`Election::keep`] extends it.
    pub async fn win(&mut self) -> Instant {
        let mut seen = None;
        loop {
            match self.look().await {
                Standing::Leader { until } => {
                    tracing::info!(lease = self.args.lease, identity = self.identity, "leading");
                    return until;
                }
                Standing::Standby { leader } if seen.as_ref() != Some(&leader) => {
                    tracing::info!(lease = self.args.lease, identity = self.identity, leader, "standing by");
                    seen = Some(leader);
                }
                Standing::Standby { .. } => {}
            }
            sleep(self.args.retry_period).await;
        }
    }

    /// Renews until the Lease is lost. By then the fence is closed.
    pub async fn keep(&mut self, mut until: Instant) -> Lost {
        loop {
            sleep(self.args.retry_period).await;
            match timeout_at(until, self.look()).await {
                Ok(Standing::Leader { until: later }) => until = later,
                Ok(Standing::Standby { leader }) => {
                    self.fence.close();
                    return Lost::Taken(leader);
                }
                Err(_) => return Lost::NotRenewed(self.args.renew_deadline),
            }
        }
    }

    /// Closes the fence, and hands the Lease on if it is ours, so that a standby need not wait for its end.
    pub async fn release(&mut self) {
        self.fence.close();
        let Some(mut lease) = self.held.take() else { return };
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match timeout(RELEASE_PATIENCE, self.api.replace(&self.args.lease, &PostParams::default(), &lease)).await {
            Ok(Ok(_)) => tracing::info!(lease = self.args.lease, "the Lease is released"),
            Ok(Err(error)) => tracing::warn!(lease = self.args.lease, %error, "the Lease was not released"),
            Err(_) => tracing::warn!(lease = self.args.lease, "the Lease was not released in time"),
        }
    }

    /// Name of the Lease.
    pub fn lease(&self) -> &str {
        &self.args.lease
    }

    /// Asks until there is an answer.
    async fn look(&mut self) -> Standing {
        // Half of the deadline, so that an answer that never comes leaves time for a second try.
        let patience = self.args.renew_deadline / 2;
        loop {
            match timeout(patience, self.ask()).await {
                Ok(Ok(standing)) => {
                    self.told = None;
                    return standing;
                }
                // Somebody else wrote in between: look again.
                Ok(Err(kube::Error::Api(status))) if status.is_conflict() => {}
                Ok(Err(error)) => self.tell(error.to_string()),
                Err(_) => self.tell(format!("no answer within {}", humantime::format_duration(patience))),
            }
            sleep(self.args.retry_period).await;
        }
    }

    fn tell(&mut self, trouble: String) {
        if self.told.as_ref() != Some(&trouble) {
            tracing::warn!(
                lease = self.args.lease,
                error = trouble,
                "the Lease cannot be read or written; it takes an API server that answers, and create, get and update on leases"
            );
            self.told = Some(trouble);
        }
    }

    async fn ask(&mut self) -> Result<Standing, kube::Error> {
        let stored = match self.held.take() {
            Some(lease) => Some(lease),
            None => self.api.get_opt(&self.args.lease).await?,
        };
        if let Some(leader) = self.rival(stored.as_ref().and_then(|lease| lease.spec.as_ref()), Instant::now()) {
            return Ok(Standing::Standby { leader });
        }
        let until = Instant::now() + self.args.renew_deadline;
        let post = PostParams::default();
        self.held = Some(match stored {
            Some(lease) => self.api.replace(&self.args.lease, &post, &self.claimed(lease)).await?,
            None => self.api.create(&post, &self.claimed(Lease::default())).await?,
        });
        self.fence.extend(until);
        Ok(Standing::Leader { until })
    }

    /// Who else may be acting: the holder, until the Lease has been seen unchanged for as long as its holder asked for. A Lease that somebody
    /// deleted binds as if it were unchanged.
    fn rival(&mut self, stored: Option<&LeaseSpec>, now: Instant) -> Option<String> {
        if let Some(spec) = stored
            && self.watched.as_ref().is_none_or(|watched| watched.spec != *spec)
        {
            self.watched = Some(Watched { spec: spec.clone(), since: now });
        }
        let Watched { spec, since } = self.watched.as_ref()?;
        let holder = spec.holder_identity.as_ref().filter(|holder| !holder.is_empty() && **holder != self.identity)?;
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
        (now.duration_since(*since) < Duration::from_secs(seconds)).then(|| holder.clone())
    }

    /// The Lease with this process as its holder.
    fn claimed(&self, mut lease: Lease) -> Lease {
        let now = Some(MicroTime(Timestamp::now()));
        lease.metadata.name = Some(self.args.lease.clone());
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |changes| changes.saturating_add(1)));
            spec.holder_identity = Some(self.identity.clone());
            spec.acquire_time.clone_from(&now);
        }
        spec.lease_duration_seconds = Some(i32::try_from(self.args.lease_duration.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = now;
        lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn election() -> Election {
        let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let args = LeaderElectionArgs {
            enabled: true,
            lease: "lease".into(),
            namespace: None,
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(1),
        };
        Election::new(Client::try_from(nobody).unwrap(), &args, Fence::default())
    }

    fn held_by(holder: &str, renewed: &str) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(renewed.parse().unwrap())),
            ..LeaseSpec::default()
        }
    }

    const LONG_AGO: &str = "2000-01-01T00:00:00Z";
    const FAR_AHEAD: &str = "2100-01-01T00:00:00Z";

    #[tokio::test(start_paused = true)]
    async fn a_holder_leads_until_nothing_new_was_seen_for_its_lease_whatever_its_clock_says() {
        for renewed in [LONG_AGO, FAR_AHEAD] {
            let (mut election, start) = (election(), Instant::now());
            let spec = held_by("other", renewed);
            for (elapsed, rival) in [(0, true), (14, true), (15, false)] {
                let now = start + Duration::from_secs(elapsed);
                assert_eq!(election.rival(Some(&spec), now).is_some(), rival, "{renewed} after {elapsed} s");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_is_seen_counts_anew() {
        let (mut election, start) = (election(), Instant::now());
        assert!(election.rival(Some(&held_by("other", LONG_AGO)), start).is_some());
        let renewed = start + Duration::from_secs(14);
        assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), renewed).is_some());
        assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), renewed + Duration::from_secs(14)).is_some());
        assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), renewed + Duration::from_secs(15)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_ours_released_or_not_there_has_no_rival() {
        let (mut election, now) = (election(), Instant::now());
        assert!(election.rival(None, now).is_none());
        assert!(election.rival(Some(&held_by("", FAR_AHEAD)), now).is_none());
        let ours = held_by(&election.identity.clone(), FAR_AHEAD);
        assert!(election.rival(Some(&ours), now).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_somebody_deleted_binds_until_its_end() {
        let (mut election, start) = (election(), Instant::now());
        assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), start).is_some());
        assert!(election.rival(None, start + Duration::from_secs(14)).is_some());
        assert!(election.rival(None, start + Duration::from_secs(15)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_holder_is_counted_and_a_renewal_is_not() {
        let election = election();
        let taken = election.claimed(Lease { spec: Some(held_by("other", LONG_AGO)), ..Lease::default() });
        let spec = taken.spec.clone().unwrap();
        assert_eq!((spec.holder_identity.as_ref(), spec.lease_transitions), (Some(&election.identity), Some(0)));
        let renewed = election.claimed(taken).spec.unwrap();
        assert_eq!((renewed.lease_transitions, renewed.acquire_time), (Some(0), spec.acquire_time));
    }
}
