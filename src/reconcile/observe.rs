//! Observes the group through the CloudFront port. Never writes.
//!
//! In: intent, stored status, inventory, object state. Out: [`Observed`]. No call is made where the inventory proves that nothing but the deployment status
//! can have changed since the last full read. Everything that leads to a mutation of an existing group is read in this reconcile.

use std::time::Duration;

use super::{
    Inputs, ObjectView,
    desired::{DeletionAction, Desired, Intent},
    error::ReconcileError,
    object_state::{Awaits, ObjectState},
    ownership::{Installation, Owner, owner},
};
use crate::{
    clock::Moment,
    cloudfront::{
        AnycastIpListId, ApiError, CloudFront, Deployment, Described, ErrorClass, Group, GroupName, Lookup, Snapshot,
        Summary, Tenants,
    },
};

/// What a reconcile observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Nothing was read: the intent needs no read, or only the next inventory can show anything newer than our own last write.
    NotLooked,
    /// A stale read of the group, older than an answered change of ours: it says nothing about the current state.
    Outdated,
    /// Unchanged since the last full read, except for the deployment status.
    Settled(Summary),
    /// The inventory shows no group of that name, and none is on record: no read was needed.
    NeverThere,
    /// CloudFront says there is no such group.
    NotFound(Absence),
    /// A deletion that has to wait: a request of ours may still create or claim the group for this long. Also the installation that the group is marked with,
    /// if it is this object's in another installation.
    Unsettled(Duration, Option<Installation>),
    /// CloudFront could not be read, in a deletion that goes on without an answer (mode Observe).
    Unreadable,
    /// The group, read in full.
    Found {
        /// The group and its tags.
        described: Described,
        /// Who owns it.
        owner: Owner,
        /// Who uses it.
        usage: Usage,
    },
}

impl Observed {
    /// The group, if it was read in full.
    #[must_use]
    pub const fn group(&self) -> Option<&Group> {
        match self {
            Self::Found { described, .. } => Some(&described.group),
            Self::NotLooked
            | Self::Outdated
            | Self::Settled(_)
            | Self::NeverThere
            | Self::NotFound(_)
            | Self::Unsettled(..)
            | Self::Unreadable => None,
        }
    }
}

/// Who uses a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Not read: only a deletion depends on it.
    NotRead,
    /// These tenants, or none.
    Tenants(Tenants),
    /// It could not be read, but the next step is certain anyway: either the spec wants the group disabled, or the group is off for its deletion and no read of
    /// its tenants has succeeded for a consistency window.
    Unknown,
}

/// How certain it is that a group is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absence {
    /// Get says `EntityNotFound`; that alone may be a stale read.
    Reported,
    /// A complete list that began after our last write does not show it either; or no list can be had, and Get still says so after a consistency window.
    /// The group no longer exists, but a Create of ours may still take effect.
    Confirmed,
    /// The list began so late that no Create of ours can take effect any more.
    Proven,
}

/// Observes the group.
///
/// # Errors
/// The first read that failed.
pub async fn observe<C: CloudFront>(
    intent: &Intent,
    view: &ObjectView<'_>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Result<Observed, ReconcileError> {
    let name = &view.name;
    let fresh = inputs.snapshot.filter(|list| state.is_covered_by(list) && !inputs.list_is_stale());
    match intent {
        Intent::Suspended => return Ok(Observed::NotLooked),
        Intent::Absent { action: DeletionAction::Leave, .. } => {
            return Ok(before_leaving(name, view, state, inputs).await);
        }
        Intent::Protected if serves_as_the_spec_says(view, fresh, state, inputs) => {
            let row = fresh.and_then(|list| list.groups.get(name)).filter(|row| view.is_on_record(row));
            return Ok(row.map_or(Observed::NotLooked, |row| Observed::Settled(row.clone())));
        }
        Intent::Protected | Intent::Present(_) | Intent::Mirrored(_) | Intent::Absent { .. } => {}
    }
    let at_rest = match fresh.and_then(|snapshot| settled(intent, name, view, snapshot)) {
        Some(summary) => Some(Observed::Settled(summary.clone())),
        None => (own_write_is_newest(state, inputs) && status_is_in_sync(intent, view)).then_some(Observed::NotLooked),
    };
    let usage_is_unknown =
        state.usage_unknown_for(inputs.clock.moment()).is_some_and(|time| time >= inputs.policy.consistency_window);
    let mut tenants = None;
    if let Some(at_rest) = at_rest {
        match tenants_of_the_group_on_record(intent, view, inputs.port).await {
            Ok(Some(read)) if read.any() => tenants = Some(read),
            Ok(_) => return Ok(at_rest),
            Err(error) if !usage_is_unknown => return Err(error.into()),
            Err(_) => {}
        }
    }
    if let (Intent::Present(_) | Intent::Mirrored(_) | Intent::Protected, None, Some(list)) =
        (intent, &view.status.id, fresh)
        && view.depth == ReadDepth::FromInventory
        && !list.groups.contains_key(name)
    {
        return Ok(Observed::NeverThere);
    }
    let settled_at = state.claims_settled_at(inputs.policy.consistency_window);
    let deleting = matches!(intent, Intent::Absent { .. });
    let Some(described) = find(name, view, inputs.port).await? else {
        let may_be_new = !deleting && inputs.clock.moment() < settled_at;
        return Ok(Observed::NotFound(match absence(name, fresh, settled_at, state, inputs) {
            // Get and the list may both be older than the group.
            Absence::Confirmed if may_be_new => Absence::Reported,
            absence => absence,
        }));
    };
    if state.versions.replaced.shows_in(&described.group, inputs.policy.consistency_window, inputs.clock.moment()) {
        return Ok(Observed::Outdated);
    }
    let described = view.completed(described, inputs.snapshot);
    let unsettled_for = state.claims_unsettled_for(inputs.policy.consistency_window, inputs.clock.moment());
    let owner = match whose(&described, view, inputs) {
        // An adoption of ours may not show yet, and a Create may take effect once the name is free again.
        Owner::Unowned | Owner::Other(_) if deleting && !unsettled_for.is_zero() && !bug!(GroupOfOthersEndsTheWait) => {
            return Ok(Observed::Unsettled(unsettled_for, None));
        }
        Owner::Elsewhere(installation) if deleting && !unsettled_for.is_zero() => {
            return Ok(Observed::Unsettled(unsettled_for, Some(installation)));
        }
        // An adoption of ours may not show yet: the group is not adopted a second time.
        Owner::Unowned if state.last_claim > Moment::START && !unsettled_for.is_zero() => Owner::Undecided,
        owner => owner,
    };
    let decides_deletion = matches!(intent, Intent::Absent { action: DeletionAction::Delete, .. });
    let usage = if decides_deletion && owner == Owner::Ours {
        let enabled = described.group.config.enabled != Some(false);
        let read = match tenants.filter(|_| view.id().as_ref() == Some(&described.group.id)) {
            Some(tenants) => Ok(tenants),
            None => inputs.port.tenants(&described.group.id).await,
        };
        match (read, view.wants_traffic) {
            (Ok(tenants), _) => Usage::Tenants(tenants),
            // The group is enabled again.
            (Err(_), true) if !enabled && usage_is_unknown => Usage::Unknown,
            // The group is disabled whoever uses it.
            (Err(_), false) if enabled => Usage::Unknown,
            (Err(error), _) => {
                let (arn, read) = (Some(described.group.arn.clone()), Some(described.group));
                return Err(ReconcileError { arn, read, ..error.into() });
            }
        }
    } else {
        Usage::NotRead
    };
    Ok(Observed::Found { described, owner, usage })
}

/// How certain it is that a group that Get does not find is gone. Only the name counts, because no group ever changes it: an id on record that has another
/// name in the list is forged and belongs to somebody else.
fn absence<C>(
    name: &GroupName,
    fresh: Option<&Snapshot>,
    settled_at: Moment,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Absence {
    let without_lists = inputs.list_error.is_some() || inputs.list_is_stale();
    let twice = state.absent_for(inputs.clock.moment()).is_some_and(|time| time >= inputs.policy.consistency_window);
    match fresh.filter(|list| !list.groups.contains_key(name)) {
        Some(list) if list.began > settled_at || bug!(EarlyListIsProof) => Absence::Proven,
        Some(_) if bug!(WindowEndsByTheClock) && inputs.clock.moment() > settled_at => Absence::Proven,
        Some(_) => Absence::Confirmed,
        None if without_lists && twice => Absence::Confirmed,
        None => Absence::Reported,
    }
}

/// Whether a group whose deletion is held back is known to be enabled or disabled as the spec says: our own write is the newest information, or a fresh list
/// shows the version on record.
fn serves_as_the_spec_says<C>(
    view: &ObjectView<'_>,
    fresh: Option<&Snapshot>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> bool {
    let row = fresh.and_then(|list| list.groups.get(&view.name)).filter(|row| view.is_on_record(row));
    let as_asked = Some(view.wants_traffic);
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

/// What mode Observe leaves behind. A failed read does not hold the object, but a request of an earlier mode Manage does for as long as it may still take
/// effect.
async fn before_leaving<C: CloudFront>(
    name: &GroupName,
    view: &ObjectView<'_>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Observed {
    let settled_at = state.claims_settled_at(inputs.policy.consistency_window);
    let unsettled_for = state.claims_unsettled_for(inputs.policy.consistency_window, inputs.clock.moment());
    if !unsettled_for.is_zero() && !bug!(ObserveReleasesAtOnce) {
        return Observed::Unsettled(unsettled_for, None);
    }
    let newest = inputs.snapshot.filter(|list| list.began > settled_at && !inputs.list_is_stale());
    if newest.is_some_and(|list| !list.groups.contains_key(name)) {
        return Observed::NotFound(Absence::Proven);
    }
    match find(name, view, inputs.port).await {
        Ok(Some(described)) => {
            Observed::Found { owner: whose(&described, view, inputs), described, usage: Usage::NotRead }
        }
        Ok(None) => Observed::NotFound(Absence::Reported),
        Err(_) => Observed::Unreadable,
    }
}

fn whose<C>(described: &Described, view: &ObjectView<'_>, inputs: &Inputs<'_, C>) -> Owner {
    // Otherwise a deletion would never end if the other installation creates the group again each time.
    let predecessor = inputs.policy.predecessor.as_ref().filter(|_| view.may_take_over(&described.group));
    if bug!(StatusProvesOwnership) && view.id().as_ref() == Some(&described.group.id) {
        return Owner::Ours;
    }
    owner(described, &view.claim, predecessor, inputs.clock.wall())
}

/// How much a reconcile has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReadDepth {
    /// The inventory may be enough.
    FromInventory,
    /// The group is read in full: a full read is due, or needed after a refused call.
    Full,
    /// A person asked for it: the group is read in full, and what CloudFront once refused is tried again.
    Requested,
}

async fn find<C: CloudFront>(name: &GroupName, view: &ObjectView<'_>, port: &C) -> Result<Option<Described>, ApiError> {
    // After our own Delete the name alone is enough: it is unique, and no group is expected.
    if let (Some(id), Some(arn), false) = (view.id(), view.arn(), view.awaits == Awaits::Absence) {
        // Status is only a hint: a forged or outdated id may lead to another group or to one that we may not read, or may not be an id at all.
        match port.describe(&Lookup::Known { id, arn }).await {
            Ok(Some(described)) if described.group.name == *name || bug!(RecordedIdIsBelieved) => {
                return Ok(Some(described));
            }
            Ok(None) if bug!(OneNotFoundIsGone) => return Ok(None),
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.class,
                    ErrorClass::AccessDenied | ErrorClass::InvalidArgument | ErrorClass::Unexpected
                ) => {}
            Err(error) => return Err(error),
        }
    }
    let described = port.describe(&Lookup::Name(name.clone())).await?;
    // Get accepts names, ids and ARNs, so a name that equals another group's id finds that group.
    Ok(described.filter(|described| described.group.name == *name || bug!(NameMayBeAnId)))
}

/// The row of the list that proves that nothing but the deployment status has changed since the last full read.
fn settled<'a>(intent: &Intent, name: &GroupName, view: &ObjectView<'_>, list: &'a Snapshot) -> Option<&'a Summary> {
    let summary = list.groups.get(name)?;
    // A row without a status says nothing about the pending roll-out, so the group itself is read.
    let deployed = view.status.status.as_deref() == Some(Deployment::Deployed.as_str());
    let told = summary.deployment.is_some() || deployed || bug!(UnstatedRolloutIsAwaited);
    let in_sync = match intent {
        Intent::Present(desired) => {
            summary.enabled == Some(desired.enabled)
                && list_is_in_sync(desired, summary.anycast_ip_list_id.as_ref(), view)
                && status_is_in_sync(intent, view)
        }
        Intent::Mirrored(_) => status_is_in_sync(intent, view),
        Intent::Absent { .. } => {
            summary.enabled == Some(false)
                && matches!(summary.deployment, Some(Deployment::Pending(_)))
                && status_is_in_sync(intent, view)
        }
        Intent::Suspended | Intent::Protected => false,
    };
    (view.is_on_record(summary) && told && in_sync).then_some(summary)
}

/// Whether the attached Anycast list is the one that the spec wants.
fn list_is_in_sync(desired: &Desired, attached: Option<&AnycastIpListId>, view: &ObjectView<'_>) -> bool {
    let ours = view.status.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    desired.anycast.wanted(attached, ours.as_ref()).as_ref() == attached
}

/// Whether our own last write is the newest information about the group, so that only the next inventory can show anything newer.
fn own_write_is_newest<C>(state: &ObjectState, inputs: &Inputs<'_, C>) -> bool {
    let recent = |write| inputs.clock.moment().since(write) < inputs.policy.inventory_interval;
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
                let attached = status.anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
                status.enabled == Some(desired.enabled)
                    && status.ipv6_enabled == Some(desired.ipv6_enabled)
                    && list_is_in_sync(desired, attached.as_ref(), view)
                    && status.settled_generation == Some(view.generation)
            }
            Intent::Mirrored(_) => status.settled_generation == Some(view.generation),
            Intent::Absent { .. } => {
                view.awaits == Awaits::DisabledGroup
                    && status.status.as_deref() != Some("Deployed")
                    && !view.in_use_unlisted
            }
            Intent::Suspended | Intent::Protected => false,
        }
}
