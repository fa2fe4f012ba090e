//! How far a reconcile gets with one version of its object: it ends, or it starts over with a newer version. In: the outcome, or why a change was withheld.
//! Out: a [`Step`], with the time of the next reconcile. Does no I/O but logging.

use std::time::Duration;

use crate::{
    api,
    cloudfront::ErrorClass,
    controller::{fresh::Version, metrics::Ended},
    reconcile::{
        Outcome, due,
        freshness::{RECHECK, Withheld},
    },
};

/// How a reconcile with one version of its object ended.
pub enum Step {
    /// So did the whole reconcile.
    Ended(Finished),
    /// There is a newer version to start over with.
    Newer(Version),
}

/// A reconcile that has ended.
pub struct Finished {
    /// How.
    pub how: Ended,
    /// When the next reconcile is due; `None` if only a change requires one.
    pub next: Option<Duration>,
}

impl Finished {
    /// Nothing was changed and there is nothing to report: the process is shutting down, or the object was released or left the cache before its turn.
    pub const ABANDONED: Self = Self { how: Ended::Later, next: None };

    /// Nothing is left to do for this object.
    pub const DONE: Self = Self { how: Ended::Settled, next: None };

    /// With this outcome, which was stored.
    pub fn with(outcome: &Outcome) -> Self {
        Self { how: how(outcome), next: due::after(outcome) }
    }

    /// Without an outcome: what stood in its way is looked at again soon.
    pub const fn to_be_rechecked(how: Ended) -> Self {
        Self { how, next: Some(RECHECK) }
    }
}

fn how(outcome: &Outcome) -> Ended {
    let is_true = |type_| api::is_true(&outcome.status.conditions, type_);
    match outcome.error.as_ref().map(|error| error.class) {
        _ if is_true("Stalled") => Ended::Stalled,
        Some(ErrorClass::TimedOut) => Ended::TimedOut,
        Some(_) => Ended::Failed,
        None if outcome.requeue.is_zero() => Ended::Again,
        None if is_true("Reconciling") => Ended::Later,
        None => Ended::Settled,
    }
}

impl Step {
    /// After a change that was withheld, for a newer version if there is one.
    pub fn withheld(why: Withheld, newer: Option<Version>) -> Self {
        match (why, newer) {
            (Withheld::Changed, Some(newer)) => Self::Newer(newer),
            (Withheld::Gone, _) => Self::Ended(Finished::DONE),
            (Withheld::ReadsTooOld, _) => {
                let next_in = RECHECK.as_secs();
                tracing::warn!(
                    "the change was not made: each time, the object could be confirmed only when what had been read at CloudFront was too old; it is tried again in {next_in} s"
                );
                Self::Ended(Finished::to_be_rechecked(Ended::Later))
            }
            (Withheld::Changed | Withheld::Unreadable, _) => Self::Ended(Finished::to_be_rechecked(Ended::Later)),
        }
    }
}
