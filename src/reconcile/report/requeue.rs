//! When the next reconcile is due after a report. Reads the clock, and plans the full resync in the object state.

use std::time::Duration;

use super::{Next, Report, Seen};
use crate::{
    api::Standing,
    cloudfront::Deployment,
    reconcile::{
        Inputs, ObjectView,
        backoff::{Backoff, jitter},
        object_state::ObjectState,
    },
};

/// Maximum time until a new tenant of a group that is disabled for its deletion is noticed; the tenant has no traffic until then.
const TENANTS_RECHECK: Duration = Duration::from_secs(30);

/// How long until the next reconcile, unless something triggers one earlier.
pub fn requeue<C>(report: &Report, view: &ObjectView<'_>, state: &mut ObjectState, inputs: &Inputs<'_, C>) -> Duration {
    let (settings, now) = (inputs.settings, inputs.clock.moment());
    let was_due = state.resync_due() <= now;
    let was_read = report.error.is_none() && report.next != Next::ReadAgain;
    if was_read && (was_due || matches!(report.seen, Seen::Group(_))) {
        let interval = settings.resync_interval;
        state.resync_at = Some(now + interval.mul_f64(0.9 + 0.2 * jitter(&(&view.uid, now))));
    }
    match report.next {
        Next::Now => Duration::ZERO,
        Next::After(pause) => pause,
        Next::ReadAgain => Backoff::Soon.delay(state.rereads, &view.uid),
        Next::WithTheInventory => settings.inventory_interval_active,
        Next::Tenants => TENANTS_RECHECK.min(settings.inventory_interval_active.saturating_mul(3)),
        // A new tenant has no traffic until it is noticed.
        Next::Backoff(pace) if view.deleting && view.may_be_off_against_the_spec() => {
            let left = state.usage_unknown_for(now).map(|time| settings.consistency_window.saturating_sub(time));
            let longest = left.filter(|left| !left.is_zero()).map_or(TENANTS_RECHECK, |left| left.min(TENANTS_RECHECK));
            pace.delay(state.failures, &view.uid).min(longest)
        }
        Next::Backoff(_) if report.error.is_some() && bug!(FailureIsFinal) => Duration::MAX,
        Next::Backoff(pace) => pace.delay(state.failures, &view.uid),
        Next::Resync => {
            let due = state.resync_due().since(now).max(Duration::from_secs(1));
            // Without inventories nothing else would trigger this object. With them, such a reconcile costs no call.
            let alone = match report.standing {
                Some((Standing::Reconciling, _)) => settings.inventory_interval_active.saturating_mul(3),
                None if matches!(view.deployment(), Some(Deployment::Pending(_))) => {
                    settings.inventory_interval_active.saturating_mul(3)
                }
                _ => settings.inventory_interval.saturating_mul(5),
            };
            due.min(alone)
        }
    }
}
