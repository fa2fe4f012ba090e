//! An object that another installation holds by its finalizer: this one leaves it alone. Emits one event.

use kube::{Resource, ResourceExt};

use super::{Context, step::Finished};
use crate::{
    api::{ConnectionGroup, EventReason, owner_id},
    controller::metrics::ReconcileResult,
    reconcile::{Event, Severity},
};

/// Leaves an object to the installation that holds it, and reports that once. It is checked again periodically, because that finalizer may be removed.
pub async fn leave(object: &ConnectionGroup, theirs: &str, context: &Context) -> Finished {
    let tracked = context.objects.track(&object.uid().unwrap_or_default());
    let mut tracked = tracked.lock().await;
    if tracked.left_to.as_deref() != Some(theirs) {
        let being_deleted = object.metadata.deletion_timestamp.is_some();
        let note = note(theirs, &context.finalizer, if being_deleted { Wanted::Gone } else { Wanted::Present });
        tracing::warn!("{note}");
        let (reason, action) = (EventReason::ForeignFinalizer, "Reconcile");
        let event = Event { severity: Severity::Warning, reason, action, note };
        let _turn = context.api_turn().await;
        context.recorder.publish(&object.object_ref(&()), &event).await;
        tracked.left_to = Some(theirs.to_owned());
    }
    Finished { result: ReconcileResult::Success, next: Some(context.settings.inventory_interval.saturating_mul(5)) }
}

/// What is wanted of an object.
#[derive(Clone, Copy)]
enum Wanted {
    /// That it stays.
    Present,
    /// That it is deleted.
    Gone,
}

/// The advice begins with what leaves the object as it is.
fn note(theirs: &str, ours: &str, wanted: Wanted) -> String {
    let (owner_id, ours_id) = (owner_id(theirs), owner_id(ours));
    let then = match wanted {
        Wanted::Gone => "Kubernetes then deletes the object, and its group stays at CloudFront",
        Wanted::Present => {
            "this installation then reconciles the object, but changes no group that carries the other installation's owner tag"
        }
    };
    format!(
        "This object carries {theirs}, the finalizer of another installation of the operator; this installation's finalizer is {ours}. This installation \
         leaves the object alone: it neither reads nor changes its group, and writes no status. If the owner id of this installation was changed to {ours_id} by mistake, set \
         --owner-id (ownerId in the chart) back to {owner_id}; change nothing on the object. If {owner_id} was the mistake, or the other installation is gone for good, \
         remove its finalizer; {then}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::finalizer;

    #[test]
    fn before_the_finalizer_is_to_be_removed_it_asks_for_an_owner_id_changed_by_mistake() {
        for (wanted, then) in [(Wanted::Present, "changes no group"), (Wanted::Gone, "its group stays at CloudFront")] {
            let note = note(&finalizer("prod-eu"), &finalizer("prod-us"), wanted);
            let (before, after) = note.split_once("back to prod-eu; change nothing on the object.").unwrap();
            assert!(before.contains("changed to prod-us by mistake") && !before.contains("remove"), "{note}");
            assert!(after.contains("remove its finalizer") && after.contains(then), "{note}");
        }
    }
}
