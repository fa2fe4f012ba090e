//! Leader election: which of several replicas acts. Talks to the API server.
//!
//! In: the name of a Lease that all replicas share. Out: the right to act, on the [`Fence`], for as long as the Lease is known to be ours.
//!
//! The rules are client-go's (`tools/leaderelection`), so that a Lease looks familiar. Most important: replicas never compare their wall clocks. A standby
//! takes the Lease when it has itself observed no renewal for the lease duration that the holder set. The holder's own right to act ends earlier than that,
//! counted from before the renewal was sent.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams, core::Status};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{args::LeaderElectionArgs, fence::Fence};
use crate::network::api_failure;

/// Why this process must no longer act.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another process holds the Lease.
    #[error("'{0}' holds the Lease now")]
    Taken(String),
    /// The Lease could not be renewed in time.
    #[error("the Lease could not be renewed for {}", humantime::format_duration(*.0))]
    NotRenewed(Duration),
}

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    args: LeaderElectionArgs,
    /// Identifies this process, and no other that ever ran.
    identity: String,
    fence: Fence,
    claim: LeaseClaim,
    watched: Option<Watched>,
    /// The failure that was logged last, so that it is not logged again with each retry.
    logged: Option<String>,
}

/// What this process knows about its own claim to the Lease. It is correct at every await point, so that the election may be dropped at any time and the
/// Lease can still be released.
enum LeaseClaim {
    /// The Lease is not ours, and no write of ours in flight can make it ours.
    None,
    /// The Lease is ours, as the API server last stored it.
    Held(Box<Lease>),
    /// A write of ours was not answered: it may have been stored, or may still be stored.
    InDoubt,
}

/// The last known content of the Lease, and since when it has been unchanged.
struct Watched {
    uid: Option<String>,
    spec: LeaseSpec,
    since: Instant,
}

/// The result of one try to acquire or renew the Lease.
enum Role {
    Leader { until: Instant },
    Standby { leader: String },
}

/// Maximum time to release the Lease on shutdown; otherwise it expires, and a standby takes over a little later.
pub const RELEASE_PATIENCE: Duration = Duration::from_secs(5);

impl Election {
    /// Sends no request yet. `client` must neither retry by itself nor be blocked by `fence`.
    #[must_use]
    pub fn new(client: Client, args: &LeaderElectionArgs, fence: Fence) -> Self {
        let namespace = args.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| env!("CARGO_PKG_NAME").to_owned());
        Self {
            api: Api::namespaced(client, &namespace),
            args: args.clone(),
            identity: format!("{host}_{:016x}", fastrand::u64(..)),
            fence,
            claim: LeaseClaim::None,
            watched: None,
            logged: None,
        }
    }

    /// Waits until this process is the leader. The fence is then open until the returned time; [`Election::keep`] extends it.
    pub async fn win(&mut self) -> Instant {
        let mut seen = None;
        loop {
            match self.acquire_or_renew().await {
                Role::Leader { until } => {
                    tracing::info!(lease = self.args.lease, identity = self.identity, "leading");
                    return until;
                }
                Role::Standby { leader } if seen.as_ref() != Some(&leader) => {
                    tracing::info!(lease = self.args.lease, identity = self.identity, leader, "standing by");
                    seen = Some(leader);
                }
                Role::Standby { .. } => {}
            }
            sleep(self.args.retry_period).await;
        }
    }

    /// Renews until the Lease is lost. The fence is closed by then.
    pub async fn keep(&mut self, mut until: Instant) -> Lost {
        loop {
            sleep(self.args.retry_period).await;
            match timeout_at(until, self.acquire_or_renew()).await {
                Ok(Role::Leader { until: later }) => until = later,
                Ok(Role::Standby { leader }) => {
                    self.fence.close();
                    return Lost::Taken(leader);
                }
                Err(_) => return Lost::NotRenewed(self.args.renew_deadline),
            }
        }
    }

    /// Closes the fence, and releases the Lease if it is or may be ours, so that a standby need not wait until it expires.
    pub async fn release(&mut self) {
        self.fence.close();
        if matches!(self.claim, LeaseClaim::None) {
            return;
        }
        match timeout(RELEASE_PATIENCE, self.hand_on()).await {
            Ok(Ok(())) => tracing::info!(lease = self.args.lease, "the Lease is released"),
            Ok(Err(error)) => {
                let error = api_failure(&error);
                tracing::warn!(lease = self.args.lease, error, "the Lease was not released; it expires");
            }
            Err(_) => tracing::warn!(lease = self.args.lease, "the Lease was not released in time; it expires"),
        }
    }

    /// Stores the Lease without a holder, unless another process holds it. Each try begins with the stored Lease, because an interrupted renewal may have
    /// been stored after all; a renewal that arrives later finds another version, and is refused.
    async fn hand_on(&mut self) -> Result<(), kube::Error> {
        loop {
            let stored = match std::mem::replace(&mut self.claim, LeaseClaim::InDoubt) {
                LeaseClaim::Held(lease) => Some(*lease),
                LeaseClaim::None | LeaseClaim::InDoubt => self.api.get_opt(&self.args.lease).await?,
            };
            let existed = stored.is_some();
            if stored.as_ref().is_some_and(|lease| !self.is_holder(lease)) {
                self.claim = LeaseClaim::None;
                return Ok(());
            }
            match self.write(stored, Self::released).await {
                Ok(_) => {
                    self.claim = LeaseClaim::None;
                    return Ok(());
                }
                // Someone else wrote or deleted it in between.
                Err(kube::Error::Api(status)) if is_overtaken(&status) || (existed && status.is_not_found()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Name of the Lease.
    #[must_use]
    pub fn lease(&self) -> &str {
        &self.args.lease
    }

    /// Tries until there is an answer.
    async fn acquire_or_renew(&mut self) -> Role {
        // Half of the deadline, so that an answer that never comes leaves time for a second try.
        let patience = self.args.renew_deadline / 2;
        loop {
            match timeout(patience, self.try_acquire_or_renew()).await {
                Ok(Ok(role)) => {
                    self.logged = None;
                    return role;
                }
                // Someone else wrote in between: read again.
                Ok(Err(kube::Error::Api(status))) if is_overtaken(&status) => {}
                Ok(Err(error)) => self.log(api_failure(&error)),
                Err(_) => self.log(format!("no answer within {}", humantime::format_duration(patience))),
            }
            sleep(self.args.retry_period).await;
        }
    }

    fn log(&mut self, failure: String) {
        if self.logged.as_ref() != Some(&failure) {
            tracing::warn!(
                lease = self.args.lease,
                error = failure,
                "cannot access the Lease: check connectivity and RBAC (get, create, update on leases); the operator retries"
            );
            self.logged = Some(failure);
        }
    }

    async fn try_acquire_or_renew(&mut self) -> Result<Role, kube::Error> {
        let stored = match &self.claim {
            LeaseClaim::Held(lease) => Some((**lease).clone()),
            LeaseClaim::None | LeaseClaim::InDoubt => self.api.get_opt(&self.args.lease).await?,
        };
        if let Some(leader) = self.rival(stored.as_ref(), Instant::now()) {
            self.claim = LeaseClaim::None;
            return Ok(Role::Standby { leader });
        }
        let until = Instant::now() + self.args.renew_deadline;
        let if_refused = match std::mem::replace(&mut self.claim, LeaseClaim::InDoubt) {
            LeaseClaim::None => LeaseClaim::None,
            // Another client changed the Lease in between. That does not tell who holds it.
            LeaseClaim::Held(_) | LeaseClaim::InDoubt => LeaseClaim::InDoubt,
        };
        match self.write(stored, Self::claimed).await {
            Ok(lease) => self.claim = LeaseClaim::Held(Box::new(lease)),
            Err(error) => {
                if matches!(&error, kube::Error::Api(status) if (400..500).contains(&status.code)) {
                    self.claim = if_refused;
                }
                return Err(error);
            }
        }
        self.fence.extend(until);
        Ok(Role::Leader { until })
    }

    /// Replaces this version of the Lease, or creates the Lease if there is none.
    async fn write(
        &self,
        stored: Option<Lease>,
        change: impl FnOnce(&Self, Lease) -> Lease,
    ) -> Result<Lease, kube::Error> {
        let post = PostParams::default();
        match stored {
            Some(lease) => self.api.replace(&self.args.lease, &post, &change(self, lease)).await,
            None => self.api.create(&post, &change(self, Lease::default())).await,
        }
    }

    fn is_holder(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.identity)
    }

    /// Who else may be acting: the holder, until the Lease has been observed unchanged for its lease duration. A Lease that someone deleted, or recreated
    /// without a holder, counts as unchanged.
    fn rival(&mut self, stored: Option<&Lease>, now: Instant) -> Option<String> {
        let news = stored.and_then(|lease| Some((&lease.metadata.uid, lease.spec.as_ref()?)));
        if let Some((uid, spec)) = news {
            let is_news = self.watched.as_ref().is_none_or(|watched| {
                let is_same_object = watched.uid == *uid;
                watched.spec != *spec && (is_same_object || holder(spec).is_some())
            });
            if is_news {
                self.watched = Some(Watched { uid: uid.clone(), spec: spec.clone(), since: now });
            }
        }
        let Watched { uid: _, spec, since } = self.watched.as_ref()?;
        let holder = holder(spec).filter(|holder| **holder != self.identity)?;
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
        (now.duration_since(*since) < Duration::from_secs(seconds)).then(|| holder.clone())
    }

    /// The Lease with no holder.
    fn released(&self, mut lease: Lease) -> Lease {
        lease.metadata.name = Some(self.args.lease.clone());
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        lease
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

/// Whether a write was refused because someone else wrote first.
fn is_overtaken(status: &Status) -> bool {
    status.is_conflict() || status.is_already_exists()
}

fn holder(spec: &LeaseSpec) -> Option<&String> {
    spec.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
