//! The account's own call limit: a token bucket, off by default. Pure.

use crate::error::ServiceError;
use crate::switches::Switches;
use crate::time::Timestamp;

const TOKEN: u64 = 1000;

/// The error of a call too many.
pub(crate) fn exceeded(switches: &Switches) -> ServiceError {
    ServiceError::new(switches.throttling.code(), "Rate exceeded")
}

/// How much of the burst is used up, in thousandths of a call; empty for as long as the limit is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    used: u64,
    at: Timestamp,
}

impl Bucket {
    pub fn take(&mut self, now: Timestamp, switches: &Switches) -> Result<(), ServiceError> {
        if switches.rate == 0 {
            return Ok(());
        }
        let elapsed = u64::try_from(now.0.saturating_sub(self.at.0)).unwrap_or(0);
        self.used = self.used.saturating_sub(elapsed.saturating_mul(u64::from(switches.rate)));
        self.at = now;
        if self.used + TOKEN > u64::from(switches.burst) * TOKEN {
            return Err(exceeded(switches));
        }
        self.used += TOKEN;
        Ok(())
    }
}
