//! The leadership term of this process. In: the moment at which it becomes leader. Out: a clock that starts then. Does no I/O.
//!
//! What other processes did before is unknown, so everything that is measured (how old an inventory is, how long a Create may still take effect) counts from
//! the start of the term.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{sync::SetOnce, time::Instant};

use crate::clock::{Clock, Moment};

/// Begins once, and ends only with the process.
#[derive(Clone, Default)]
pub struct Term(Arc<SetOnce<Instant>>);

impl Term {
    /// Begins the term: from now on this process acts.
    pub fn begin(&self) {
        // A term that has already begun continues.
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
