//! Observes the group through the CloudFront port. Never writes.
//!
//! In: intent, stored status, inventory, object state. Out: [`Observed`]. No call is made where the inventory proves that nothing but the deployment status
//! can have changed since the last full read; only a deletion that waits for a roll-out then reads the group's tenants. Everything that leads to a mutation
//! of an existing group is read in this reconcile.

mod at_rest;
mod completed;

use std::time::Duration;

use self::at_rest::{Enough, without_reading_the_group};
use super::{
    Inputs, ObjectView,
    desired::{DeletionAction, Intent},
    error::ReconcileError,
    object_state::{Awaits, ObjectState},
    ownership::{Installation, Owner, owner},
};
use crate::{
    clock::Moment,
    cloudfront::{ApiError, CloudFront, Described, ErrorClass, Group, GroupName, Lookup, Snapshot, Summary, Tenants},
};

/// What a reconcile observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Nothing was read: the intent needs no read, or only the next inventory can show anything newer than our own last write.
    NotRead,
    /// A stale read of the group, older than an answered change of ours: it says nothing about the current state.
    Outdated,
    /// Its row in the inventory shows that nothing but the deployment status has changed since the last full read.
    Listed(Summary),
    /// The inventory shows no group of that name, and none is on record: no read was needed.
    NeverThere,
    /// CloudFront says there is no such group.
    NotFound(Absence),
    /// A deletion that has to wait: a request of ours may still create or claim the group for this long. Also the installation that the group is marked with,
    /// if it is this object's in another installation.
    ClaimPending(Duration, Option<Installation>),
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
            Self::NotRead
            | Self::Outdated
            | Self::Listed(_)
            | Self::NeverThere
            | Self::NotFound(_)
            | Self::ClaimPending(..)
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
    let fresh = inputs.snapshot.filter(|list| state.is_covered_by(list) && !inputs.inventory_is_stale());
    let tenants = match without_reading_the_group(intent, view, fresh, state, inputs).await? {
        Enough::Observed(observed) => return Ok(*observed),
        Enough::MustReadGroup { tenants } => tenants,
    };
    let pending_until = state.claims_pending_until(inputs.settings.consistency_window);
    let deleting = matches!(intent, Intent::Absent { .. });
    let Some(described) = find(name, view, inputs.port).await? else {
        let may_be_new = !deleting && inputs.clock.moment() < pending_until;
        return Ok(Observed::NotFound(match absence(name, fresh, pending_until, state, inputs) {
            // Get and the list may both be older than the group.
            Absence::Confirmed if may_be_new => Absence::Reported,
            absence => absence,
        }));
    };
    if state.versions.replaced.shows_in(&described.group, inputs.settings.consistency_window, inputs.clock.moment()) {
        return Ok(Observed::Outdated);
    }
    let pending_for = state.claims_pending_for(inputs.settings.consistency_window, inputs.clock.moment());
    let owner = match whose(&described, view, inputs) {
        // An adoption of ours may not show yet, and a Create may take effect once the name is free again.
        Owner::Unowned | Owner::Other(_) if deleting && !pending_for.is_zero() && !bug!(GroupOfOthersEndsTheWait) => {
            return Ok(Observed::ClaimPending(pending_for, None));
        }
        Owner::Elsewhere(installation) if deleting && !pending_for.is_zero() => {
            return Ok(Observed::ClaimPending(pending_for, Some(installation)));
        }
        // An adoption of ours may not show yet: the group is not adopted a second time.
        Owner::Unowned if state.last_claim > Moment::START && !pending_for.is_zero() => Owner::TagsPending,
        owner => owner,
    };
    let described = view.completed(described, &owner, inputs.snapshot);
    let decides_deletion = matches!(intent, Intent::Absent { action: DeletionAction::Delete, .. });
    let usage = if decides_deletion && owner == Owner::Ours {
        usage(&described.group, tenants, view, state, inputs).await?
    } else {
        Usage::NotRead
    };
    Ok(Observed::Found { described, owner, usage })
}

/// Who uses a group that is to be deleted. `tenants`: of the group on record, if they were read already.
async fn usage<C: CloudFront>(
    group: &Group,
    tenants: Option<Tenants>,
    view: &ObjectView<'_>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Result<Usage, ReconcileError> {
    let enabled = group.config.enabled != Some(false);
    let read = match tenants.filter(|_| view.id().as_ref() == Some(&group.id)) {
        Some(tenants) => Ok(tenants),
        None => inputs.port.tenants(&group.id).await,
    };
    match (read, view.spec_enabled) {
        (Ok(tenants), _) => Ok(Usage::Tenants(tenants)),
        // The group is enabled again.
        (Err(_), true) if !enabled && usage_is_unknown(state, inputs) => Ok(Usage::Unknown),
        // The group is disabled whoever uses it.
        (Err(_), false) if enabled => Ok(Usage::Unknown),
        (Err(error), _) => {
            let (arn, read) = (Some(group.arn.clone()), Some(group.clone()));
            Err(ReconcileError { arn, read, ..error.into() })
        }
    }
}

/// Whether no read of the tenants has succeeded for a consistency window.
fn usage_is_unknown<C>(state: &ObjectState, inputs: &Inputs<'_, C>) -> bool {
    let unknown_for = state.usage_unknown_for(inputs.clock.moment());
    unknown_for.is_some_and(|time| time >= inputs.settings.consistency_window)
}

/// How certain it is that a group that Get does not find is gone. Only the name counts, because no group ever changes it: an id on record that has another
/// name in the list is forged and belongs to someone else.
fn absence<C>(
    name: &GroupName,
    fresh: Option<&Snapshot>,
    pending_until: Moment,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Absence {
    let without_lists = inputs.inventory_error.is_some() || inputs.inventory_is_stale();
    let twice = state.absent_for(inputs.clock.moment()).is_some_and(|time| time >= inputs.settings.consistency_window);
    match fresh.filter(|list| !list.groups.contains_key(name)) {
        Some(list) if list.began > pending_until || bug!(EarlyListIsProof) => Absence::Proven,
        Some(_) if bug!(WindowEndsByTheClock) && inputs.clock.moment() > pending_until => Absence::Proven,
        Some(_) => Absence::Confirmed,
        None if without_lists && twice => Absence::Confirmed,
        None => Absence::Reported,
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
    let pending_until = state.claims_pending_until(inputs.settings.consistency_window);
    let pending_for = state.claims_pending_for(inputs.settings.consistency_window, inputs.clock.moment());
    if !pending_for.is_zero() && !bug!(ObserveReleasesAtOnce) {
        return Observed::ClaimPending(pending_for, None);
    }
    let newest = inputs.snapshot.filter(|list| list.began > pending_until && !inputs.inventory_is_stale());
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
    // A deletion takes over only the group on record: if it took over any, it would never end while the other installation creates the group again each time.
    let predecessor = inputs.settings.predecessor.as_ref().filter(|_| view.may_take_over(&described.group));
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
