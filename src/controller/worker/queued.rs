//! Reconciles one object when its turn at the call queue comes, with the newest version of the object until the first call. Talks to CloudFront through the
//! port, and to the API server where a change needs the object confirmed.

use std::{sync::Arc, time::Duration};

use kube::Api;

use super::{Context, class::class_of};
use crate::{
    api::ConnectionGroup,
    clock::Moment,
    cloudfront::queue::Reservation,
    controller::{
        freshness_check::{FreshnessCheck, ObjectVersion},
        objects::{ObjectChanges, Tracked},
    },
    reconcile::{Inputs, ObjectState, ObjectView, Outcome, reconcile, with_last_status},
};

/// A reconcile that has ended.
pub struct Reconciled {
    /// The object as it was reconciled.
    pub version: ObjectVersion,
    /// The outcome.
    pub outcome: Outcome,
    /// A newer version, with which a withheld change has to start over.
    pub newer: Option<ObjectVersion>,
}

/// Reconciles; `None` if the process is shutting down and a call was not started, or if the next reconcile of the object has to start from the beginning.
///
/// Nothing has happened before the first call, so changes until then are picked up, and the place in the call queue is kept.
pub async fn reconcile_queued(
    version: &ObjectVersion,
    api: &Api<ConnectionGroup>,
    context: &Context,
    tracked: &mut Tracked,
    reservation: &Arc<Reservation>,
) -> Option<Reconciled> {
    let changes = context.objects.changes_of(&version.object);
    let mut version = version.clone();
    loop {
        let ended = tokio::select! {
            biased;
            ended = Box::pin(reconcile_version(&version, api, context, tracked, reservation)) => Some(ended?),
            () = changed_before_its_turn(&changes, reservation) => None,
        };
        if let Some((outcome, newer)) = ended {
            return Some(Reconciled { version, outcome, newer });
        }
        let object = &version.object;
        let current = context.objects.current(object).filter(|current| is_held_alike(current, object))?;
        // An event may be older than a version that was read.
        if current.metadata.generation >= object.metadata.generation {
            version = ObjectVersion::cached(current);
        }
    }
}

/// Returns when the object has changed, or when the inventory shows that it is out of date. Never returns once the first call may have been made.
async fn changed_before_its_turn(changes: &ObjectChanges<'_>, reservation: &Reservation) {
    changes.next().await;
    if reservation.has_begun() {
        std::future::pending::<()>().await;
    }
}

/// Whether it is the same object, with the same finalizers.
fn is_held_alike(current: &ConnectionGroup, before: &ConnectionGroup) -> bool {
    current.metadata.uid == before.metadata.uid && current.metadata.finalizers == before.metadata.finalizers
}

/// The outcome of a reconcile of this version, and a newer version to start over with, if there is one; `None` if a call was not started because the process
/// is shutting down.
async fn reconcile_version(
    version: &ObjectVersion,
    api: &Api<ConnectionGroup>,
    context: &Context,
    tracked: &mut Tracked,
    reservation: &Arc<Reservation>,
) -> Option<(Outcome, Option<ObjectVersion>)> {
    let object = with_last_status(ConnectionGroup::clone(&version.object), tracked.status.as_ref());
    plan_resync(&mut tracked.state, context.clock.moment(), context.settings.resync_interval);
    let inventory = context.account.inventory.borrow().clone();
    let port = context.account.cloudfront.within(Arc::clone(reservation));
    let freshness = FreshnessCheck::new(api, version, context, &port);
    let inputs = Inputs {
        port: &port,
        settings: &context.settings,
        snapshot: inventory.snapshot.as_deref(),
        inventory_error: inventory.error.as_ref(),
        clock: context.clock.as_ref(),
        freshness: &freshness,
    };
    let view = ObjectView::of(&object, &tracked.state, &inputs);
    let class = class_of(&object, &view, inputs.snapshot, tracked.last_try);
    reservation.ask_for(class, tracked.waits_for(class));
    let outcome = tokio::select! {
        outcome = Box::pin(reconcile(&object, &mut tracked.state, &inputs)) => outcome,
        () = port.abandoned() => return None,
    };
    Some((outcome, freshness.newer()))
}

/// Plans the first full resync by this process, at a random time: with a fixed time, frequent restarts could starve some objects.
fn plan_resync(state: &mut ObjectState, now: Moment, interval: Duration) {
    state.resync_at.get_or_insert_with(|| now + interval.mul_f64(fastrand::f64()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_hours(6);
    const NOW: Moment = Moment::after_start(Duration::from_hours(1));

    #[test]
    fn the_first_resync_of_an_object_is_due_at_random_within_one_interval_and_is_planned_once() {
        let planned = [(); 200].map(|()| {
            let mut state = ObjectState::default();
            plan_resync(&mut state, NOW, INTERVAL);
            let first = state.resync_due();
            plan_resync(&mut state, NOW + INTERVAL, INTERVAL);
            assert_eq!(state.resync_due(), first, "it is not postponed");
            first
        });
        assert!(planned.iter().all(|due| *due >= NOW && *due <= NOW + INTERVAL), "{planned:?}");
        for quarter in 0..4 {
            let (from, to) = (NOW + INTERVAL * quarter / 4, NOW + INTERVAL * (quarter + 1) / 4);
            assert!(planned.iter().any(|due| *due >= from && *due < to), "quarter {quarter}: {planned:?}");
        }
    }
}
