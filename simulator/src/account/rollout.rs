//! How a change gets everywhere. Pure.

use crate::model::DeploymentStatus;
use crate::switches::Switches;
use crate::time::{Millis, Timestamp};

/// The way of one change, from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rollout {
    deployed_at: Timestamp,
    /// It counts as deployed for so long, as in progress for so long again, and as deployed from then on.
    flap: Millis,
}

impl Rollout {
    pub fn begin(now: Timestamp, switches: &Switches) -> Self {
        Self { deployed_at: now.after(switches.propagation), flap: switches.status_flap }
    }

    pub fn status(self, at: Timestamp) -> DeploymentStatus {
        let relapse = self.deployed_at.after(self.flap);
        if at < self.deployed_at || (relapse..relapse.after(self.flap)).contains(&at) {
            DeploymentStatus::InProgress
        } else {
            DeploymentStatus::Deployed
        }
    }

    /// Whether it is over, with its relapse.
    pub fn is_over(self, now: Timestamp) -> bool {
        now >= self.deployed_at.after(self.flap).after(self.flap)
    }

    pub fn end(&mut self, now: Timestamp) {
        if !self.is_over(now) {
            *self = Self { deployed_at: now, flap: Millis(0) };
        }
    }
}
