//! Whether a reconcile can do without a full read of its group: the inventory, or our own last write, proves that only the deployment status can have
//! changed.
//!
//! Makes two kinds of reads: the tenants of a group that is being disabled for its deletion, and, in full, the group that a deletion in mode Observe leaves
//! behind.

use super::{Observed, ReadDepth, before_leaving, usage_is_unknown};
use crate::{
    cloudfront::{AnycastIpListId, ApiError, CloudFront, Deployment, Snapshot, Summary, Tenants},
    reconcile::{
        Inputs, ObjectView,
        desired::{DeletionAction, Desired, Intent},
        error::ReconcileError,
        object_state::{Awaits, ObjectState},
    },
};

/// Whether enough is known for the plan.
pub enum Enough {
    /// This is enough.
    Observed(Box<Observed>),
    /// The group is to be read. Its tenants were read already, if some use it.
    MustReadGroup {
        /// The tenants of the group on record.
        tenants: Option<Tenants>,
    },
}

/// What can be observed without a full read of the group. `fresh` is the inventory, if it is recent and shows all our writes.
pub async fn without_reading_the_group<C: CloudFront>(
    intent: &Intent,
    view: &ObjectView<'_>,
    fresh: Option<&Snapshot>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Result<Enough, ReconcileError> {
    let name = &view.name;
    let listed = fresh.and_then(|list| list.groups.get(name));
    match intent {
        Intent::Suspended => return Ok(Enough::Observed(Observed::NotRead.into())),
        Intent::Absent { action: DeletionAction::Leave, .. } => {
            return Ok(Enough::Observed(before_leaving(name, view, state, inputs).await.into()));
        }
        Intent::Protected if serves_as_the_spec_says(view, listed, state, inputs) => {
            let row = listed.filter(|row| view.is_on_record(row)).cloned();
            return Ok(Enough::Observed(row.map_or(Observed::NotRead, Observed::Listed).into()));
        }
        Intent::Protected | Intent::Present(_) | Intent::Mirrored(_) | Intent::Absent { .. } => {}
    }
    let at_rest = match listed.filter(|row| is_unchanged(intent, view, row)) {
        Some(row) => Some(Observed::Listed(row.clone())),
        None => (own_write_is_newest(state, inputs) && status_is_in_sync(intent, view)).then_some(Observed::NotRead),
    };
    let mut tenants = None;
    if let Some(at_rest) = at_rest {
        match tenants_of_the_group_on_record(intent, view, inputs.port).await {
            Ok(Some(read)) if read.any() => tenants = Some(read),
            Ok(_) => return Ok(Enough::Observed(at_rest.into())),
            Err(error) if !usage_is_unknown(state, inputs) => return Err(error.into()),
            Err(_) => {}
        }
    }
    let expects_none = matches!(intent, Intent::Present(_) | Intent::Mirrored(_) | Intent::Protected)
        && view.status.id.is_none()
        && view.depth == ReadDepth::FromInventory;
    if expects_none && fresh.is_some() && listed.is_none() {
        return Ok(Enough::Observed(Observed::NeverThere.into()));
    }
    Ok(Enough::MustReadGroup { tenants })
}

/// Whether a group whose deletion is held back is known to be enabled or disabled as the spec says: our own write is the newest information, or a fresh list
/// shows the version on record.
fn serves_as_the_spec_says<C>(
    view: &ObjectView<'_>,
    listed: Option<&Summary>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> bool {
    let row = listed.filter(|row| view.is_on_record(row));
    let as_asked = Some(view.spec_enabled);
    let is_listed_so = row.is_some_and(|row| row.enabled.or(view.status.enabled) == as_asked);
    view.depth == ReadDepth::FromInventory
        && view.status.enabled == as_asked
        && (is_listed_so || own_write_is_newest(state, inputs))
}

/// Reads who uses a group that is being disabled for its deletion: their traffic is down, and the inventory does not show them.
async fn tenants_of_the_group_on_record<C: CloudFront>(
    intent: &Intent,
    view: &ObjectView<'_>,
    port: &C,
) -> Result<Option<Tenants>, ApiError> {
    match (intent, view.id()) {
        (Intent::Absent { action: DeletionAction::Delete, .. }, Some(id)) => port.tenants(&id).await.map(Some),
        _ => Ok(None),
    }
}

/// Whether this row of the list proves that nothing but the deployment status has changed since the last full read.
fn is_unchanged(intent: &Intent, view: &ObjectView<'_>, row: &Summary) -> bool {
    // A row without a status says nothing about the pending roll-out, so the group itself is read.
    let deployed = view.status.status.as_deref() == Some(Deployment::Deployed.as_str());
    let states_the_rollout = row.deployment.is_some() || deployed || bug!(UnstatedRolloutIsAwaited);
    let in_sync = match intent {
        Intent::Present(desired) => {
            row.enabled == Some(desired.enabled)
                && anycast_list_is_in_sync(desired, row.anycast_ip_list_id.as_ref(), view)
                && status_is_in_sync(intent, view)
        }
        Intent::Mirrored(_) => status_is_in_sync(intent, view),
        Intent::Absent { .. } => {
            row.enabled == Some(false)
                && matches!(row.deployment, Some(Deployment::Pending(_)))
                && status_is_in_sync(intent, view)
        }
        Intent::Suspended | Intent::Protected => false,
    };
    view.is_on_record(row) && states_the_rollout && in_sync
}

/// Whether the attached Anycast list is the one that the spec wants.
fn anycast_list_is_in_sync(desired: &Desired, attached: Option<&AnycastIpListId>, view: &ObjectView<'_>) -> bool {
    let ours = view.status.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    desired.anycast.wanted(attached, ours.as_ref()).as_ref() == attached
}

/// Whether our own last write is the newest information about the group, so that only the next inventory can show anything newer.
fn own_write_is_newest<C>(state: &ObjectState, inputs: &Inputs<'_, C>) -> bool {
    let recent = |write| inputs.clock.moment().since(write) < inputs.settings.inventory_interval;
    let unlisted = inputs.snapshot.is_none_or(|list| !state.is_covered_by(list));
    state.last_write.is_some_and(|write| (recent(write) && unlisted) || bug!(OwnWriteStaysNewest))
}

/// Whether status, from the last full read or our own write, matches the intent for this generation of the spec.
fn status_is_in_sync(intent: &Intent, view: &ObjectView<'_>) -> bool {
    let status = view.status;
    let at_rest = view.depth == ReadDepth::FromInventory && !view.spec_is_new() && status.id.is_some();
    at_rest
        && match intent {
            Intent::Present(desired) => {
                // No `..`: a member that is not compared would never be updated.
                let Desired { name: _, enabled, ipv6_enabled, anycast: _, tags: _, adoption: _ } = desired;
                let attached = status.anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
                status.enabled == Some(*enabled)
                    && status.ipv6_enabled == Some(*ipv6_enabled)
                    && anycast_list_is_in_sync(desired, attached.as_ref(), view)
                    && status.synced_generation == Some(view.generation)
            }
            Intent::Mirrored(_) => status.synced_generation == Some(view.generation),
            Intent::Absent { .. } => {
                view.awaits == Awaits::DisabledGroup
                    && status.status.as_deref() != Some("Deployed")
                    && !view.in_use_unlisted
            }
            Intent::Suspended | Intent::Protected => false,
        }
}
