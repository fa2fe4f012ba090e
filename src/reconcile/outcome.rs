//! What a reconcile leaves to the controller: status, finalizer, events, and the time of the next reconcile. Pure data.

use std::time::Duration;

use super::{
    ObjectView,
    freshness::{RECHECK, Withheld},
};
use crate::{
    api::{ConnectionGroupStatus, Drift, EventReason, Member},
    cloudfront::ApiError,
};

/// What the runtime has to do after a reconcile.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The status to store, if it differs.
    pub status: ConnectionGroupStatus,
    /// Whether the finalizer is removed.
    pub finalizer: Finalizer,
    /// Time until the next reconcile, unless something triggers one earlier. If the change was withheld, the controller decides in its place
    /// (`worker/step.rs`).
    pub requeue: Duration,
    /// Events to emit.
    pub events: Vec<Event>,
    /// Out-of-band changes that this reconcile is the first to see.
    pub drift: Vec<Drift>,
    /// The member of the configuration that CloudFront refused, if any.
    pub refused: Option<Member>,
    /// The failed call that ended the reconcile, if any.
    pub error: Option<ApiError>,
    /// Why the planned change was withheld, if it was. The status then stays as it was.
    pub withheld: Option<Withheld>,
}

impl Outcome {
    /// The outcome of a reconcile whose planned change was withheld: status stays as it was. Its `requeue` is for a caller without `worker/step.rs`, such as the
    /// model check.
    pub(super) fn withheld(why: Withheld, view: &ObjectView<'_>) -> Self {
        let requeue = match why {
            Withheld::Changed | Withheld::Gone => Duration::ZERO,
            Withheld::Unreadable | Withheld::ReadsTooOld => RECHECK,
        };
        Self {
            status: view.status.clone(),
            finalizer: Finalizer::Keep,
            requeue,
            events: Vec::new(),
            drift: Vec::new(),
            refused: None,
            error: None,
            withheld: Some(why),
        }
    }
}

/// Whether the finalizer is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finalizer {
    /// The finalizer stays.
    Keep,
    /// The finalizer is removed, and the object is released.
    Release,
}

/// An event to emit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Normal or a warning.
    pub severity: Severity,
    /// What happened, as a single word.
    pub reason: EventReason,
    /// What was done or tried.
    pub action: &'static str,
    /// The message for people.
    pub note: String,
}

/// Severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Success, or a requested change.
    Normal,
    /// Someone may have to act.
    Warning,
}
