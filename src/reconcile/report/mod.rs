//! Turns the result of a reconcile into status, events and the time of the next reconcile. Makes no calls.
//!
//! In: how the reconcile [`Ended`]. Out: an [`Outcome`]. A finding, an effect, a failure, or a change that is left to the next reconcile becomes a
//! [`Report`]; `status`, `events` and `requeue` derive the rest from it. The object state records the report.

mod blocked;
mod contents;
mod effect;
mod events;
mod failure;
mod finding;
mod requeue;
mod states;
mod status;

pub use self::{
    contents::{Field, InSync, Next, Report, Seen},
    status::with_last_status,
};
use self::{
    effect::of_effect,
    events::{events, new_drift},
    failure::of_failure,
    finding::of_finding,
    requeue::requeue,
    status::next_status,
};
use super::{
    Inputs, ObjectView, Outcome,
    desired::Intent,
    error::ReconcileError,
    execute::{Effect, TenantsRead},
    object_state::ObjectState,
    plan::{Change, Finding, RemainingWork},
};
use crate::cloudfront::ApiError;

/// How a reconcile ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There was nothing to change. Also who uses the group, if an unanswered update of ours may have disabled it.
    Found(Finding, Option<TenantsRead>),
    /// A change was made, or CloudFront did not accept it.
    Changed(Effect),
    /// A Create was refused, and the group that already exists needs this change. The next reconcile makes it.
    Discovered(Change),
    /// A call failed.
    Failed(ReconcileError),
}

impl Ended {
    /// Whether an update was made and the spec asks for more.
    #[must_use]
    pub fn leaves_more_to_do(&self) -> bool {
        matches!(self, Self::Changed(Effect::Updated(updated)) if updated.update.left != RemainingWork::Nothing)
    }

    /// The error that ended it, if nothing is known about it beyond its class.
    #[must_use]
    pub fn unexplained_error(&self) -> Option<&ApiError> {
        match self {
            Self::Failed(error) => error.unexplained(),
            Self::Found(..) | Self::Changed(_) | Self::Discovered(_) => None,
        }
    }
}

/// Reports how a reconcile ended.
pub fn report<C>(
    ended: Ended,
    intent: &Intent,
    view: &ObjectView<'_>,
    state: &mut ObjectState,
    inputs: &Inputs<'_, C>,
) -> Outcome {
    let report = match ended {
        Ended::Found(finding, tenants) => {
            of_finding(finding, intent, view, inputs.inventory_error).with_tenants_without_traffic(tenants)
        }
        Ended::Changed(effect) => of_effect(effect, intent, view, state),
        Ended::Discovered(change) => Report::discovered(change, view),
        Ended::Failed(error) => of_failure(error, intent, view, state, inputs),
    };
    let requeue = requeue(&report, view, state, inputs);
    state.record_report(&report);
    let status = next_status(&report, intent, view, inputs);
    let events = events(&report, &status, intent, view);
    let drift = new_drift(&report, view);
    let Report { finalizer, refused_now, error, .. } = report;
    Outcome { status, finalizer, requeue, events, drift, refused: refused_now, error, withheld: None }
}
