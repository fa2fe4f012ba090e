//! An object that another installation holds by its finalizer: this one leaves it alone. Emits one event.

use kube::{Resource, ResourceExt};

use super::{Context, step::Finished};
use crate::{
    api::{ConnectionGroup, EventReason},
    controller::metrics::ReconcileResult,
    reconcile::{Event, Severity},
};

/// Leaves an object to the installation that holds it, and reports that once. It is checked again periodically, because that finalizer may be removed.
pub async fn leave(object: &ConnectionGroup, theirs: &str, context: &Context) -> Finished {
    let tracked = context.objects.track(&object.uid().unwrap_or_default());
    let mut tracked = tracked.lock().await;
    if tracked.left_to.as_deref() != Some(theirs) {
        let then = if object.metadata.deletion_timestamp.is_some() {
            "Kubernetes then deletes the object, and its group stays at CloudFront"
        } else {
            "this installation then manages the object"
        };
        let note = format!(
            "This object carries {theirs}, the finalizer of another installation of the operator; this installation's finalizer is {}. This installation \
             leaves the object alone: it neither reads nor changes its group, and writes no status. If the other installation is gone for good, remove its \
             finalizer; {then}.",
            context.finalizer
        );
        tracing::warn!("{note}");
        let (reason, action) = (EventReason::ForeignFinalizer, "Reconcile");
        let event = Event { severity: Severity::Warning, reason, action, note };
        let _turn = context.api_turn().await;
        context.recorder.publish(&object.object_ref(&()), &event).await;
        tracked.left_to = Some(theirs.to_owned());
    }
    Finished { result: ReconcileResult::Success, next: Some(context.settings.inventory_interval.saturating_mul(5)) }
}
