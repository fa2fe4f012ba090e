//! How far a reconcile gets with one version of its object: it ends, or it starts over with a newer version. In: the outcome, or why a change was withheld.
//! Out: a [`Step`], with the time of the next reconcile. Does no I/O but logging.

use std::time::Duration;

use crate::{
    api,
    cloudfront::ErrorClass,
    controller::{freshness_check::ObjectVersion, metrics::ReconcileResult},
    reconcile::{
        Outcome, due,
        freshness::{RECHECK, Withheld},
    },
};

/// How a reconcile with one version of its object ended.
pub enum Step {
    /// The whole reconcile has ended.
    Ended(Finished),
    /// There is a newer version to start over with.
    Newer(ObjectVersion),
}

/// A reconcile that has ended.
pub struct Finished {
    /// How it ended, for the metrics.
    pub result: ReconcileResult,
    /// When the next reconcile is due; `None` if only a change requires one.
    pub next: Option<Duration>,
}

impl Finished {
    /// Nothing was changed and there is nothing to report: the process is shutting down, or the object was released or left the cache before its turn.
    pub const ABANDONED: Self = Self { result: ReconcileResult::RequeueAfter, next: None };

    /// Nothing is left to do for this object.
    pub const DONE: Self = Self { result: ReconcileResult::Success, next: None };

    /// With this outcome, which was stored.
    pub fn with(outcome: &Outcome) -> Self {
        Self { result: result_of(outcome), next: due::after(outcome) }
    }

    /// Without an outcome: what stood in its way is looked at again soon.
    pub const fn to_be_rechecked(result: ReconcileResult) -> Self {
        Self { result, next: Some(RECHECK) }
    }
}

fn result_of(outcome: &Outcome) -> ReconcileResult {
    let is_true = |type_| api::is_true(&outcome.status.conditions, type_);
    match outcome.error.as_ref().map(|error| error.class) {
        _ if is_true("Stalled") => ReconcileResult::Stalled,
        Some(ErrorClass::TimedOut) => ReconcileResult::TimedOut,
        Some(_) => ReconcileResult::Failed,
        None if outcome.requeue.is_zero() => ReconcileResult::Requeue,
        None if is_true("Reconciling") => ReconcileResult::RequeueAfter,
        None => ReconcileResult::Success,
    }
}

impl Step {
    /// After a change that was withheld, for a newer version if there is one.
    pub fn withheld(why: Withheld, newer: Option<ObjectVersion>) -> Self {
        match (why, newer) {
            (Withheld::Changed, Some(newer)) => Self::Newer(newer),
            (Withheld::Gone, _) => Self::Ended(Finished::DONE),
            (Withheld::ReadsTooOld, _) => {
                let next_in = RECHECK.as_secs();
                tracing::warn!(
                    "the change was not made: each time, the object could be confirmed only when what had been read at CloudFront was too old; it is tried again in {next_in} s"
                );
                Self::Ended(Finished::to_be_rechecked(ReconcileResult::RequeueAfter))
            }
            (Withheld::Changed | Withheld::Unreadable, _) => {
                Self::Ended(Finished::to_be_rechecked(ReconcileResult::RequeueAfter))
            }
        }
    }
}
