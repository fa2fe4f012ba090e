//! The time in which this process acts. In: that it leads. Out: a clock that starts then. Talks to nobody.
//!
//! What others did before is unknown, so all that is measured (how old a list is, how long a Create may still take effect) counts from there.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{sync::SetOnce, time::Instant};

use crate::clock::{Clock, Moment};

/// Begins once, and ends only with the process.
#[derive(Clone, Default)]
pub struct Term(Arc<SetOnce<Instant>>);

impl Term {
    /// From now on this process acts.
    pub fn begin(&self) {
        // A term that has begun goes on.
        let _ = self.0.set(Instant::now());
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        self.0.wait().await;
    }
}

impl Clock for Term {
    fn moment(&self) -> Moment {
        self.0.get().map_or(Moment::START, |began| Moment::after_start(began.elapsed()))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }
}
