//! What is there? Talks to CloudFront through the port, and only reads.
//!
//! In: intent, stored status, snapshot, memory. Out: [`Observed`]. Where the snapshot proves that nothing but the deployment status can have
//! changed since the last full read, no call is made; everything that leads to a mutation of an existing group is read in this pass.

use std::time::Duration;

use super::{
    Known, Surroundings,
    desired::{Desired, Farewell, Intent},
    memory::Memory,
    ownership::{Installation, Owner, owner},
    trouble::Failure,
};
use crate::{
    api::Reason,
    clock::Moment,
    cloudfront::{
        AnycastIpListId, ApiError, CloudFront, Deployment, Described, ErrorClass, GroupName, Lookup, Snapshot, Summary,
        Tenants,
    },
};

/// What a pass saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The intent asks for no look, or nothing but the next list can bring news of our own last write.
    NotLooked,
    /// The group, by a read that is older than a change of ours that was answered: it says nothing about what is so now.
    Outdated,
    /// Unchanged since the last full read, but for the deployment status.
    Settled(Summary),
    /// No group of that name, and none was ever recorded: nobody needed to ask CloudFront.
    NeverThere,
    /// CloudFront says there is no such group.
    NotFound(Absence),
    /// A deletion that comes too early: for so long a request of ours may still make the group, or make it ours. And the installation that it is marked with,
    /// if it is this object's in another one.
    Unsettled(Duration, Option<Installation>),
    /// A farewell without a proof: CloudFront could not be asked.
    Unreadable,
    /// The group, read in full.
    Found {
        /// The group and its tags.
        described: Described,
        /// Whose it is.
        owner: Owner,
        /// Who uses it.
        usage: Usage,
    },
}

/// Who uses a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Nobody asked: the answer decides about a deletion only.
    NotRead,
    /// These tenants, or none.
    Tenants(Tenants),
    /// It could not be read, and what is to be done is certain all the same: the spec wants the group out of service; or it is off for its deletion, and no
    /// read of its tenants has been answered for a settle window.
    Unknown,
}

/// How sure it is that a group is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absence {
    /// Get says `EntityNotFound`; that alone may be a stale read.
    Reported,
    /// A complete list, begun after everything we wrote, does not show it either; or, while no list can be had, Get says the same a settle window
    /// later. It exists no more, but a Create of ours may still land.
    Confirmed,
    /// The list began so late that no Create of ours can land any more.
    Proven,
}

/// Looks at the group.
///
/// # Errors
/// The first read that failed.
pub async fn observe<C: CloudFront>(
    intent: &Intent,
    known: &Known<'_>,
    memory: &Memory,
    around: &Surroundings<'_, C>,
) -> Result<Observed, Failure> {
    let name = &known.name;
    let fresh = around.snapshot.filter(|list| memory.is_covered_by(list) && !around.list_is_stale());
    match intent {
        Intent::Suspended => return Ok(Observed::NotLooked),
        Intent::Absent { farewell: Farewell::Leave, .. } => {
            return Ok(before_leaving(name, known, memory, around).await);
        }
        Intent::Protected if serves_as_the_spec_says(known, fresh, memory, around) => {
            let row = fresh.and_then(|list| list.groups.get(name)).filter(|row| known.is_on_record(row));
            return Ok(row.map_or(Observed::NotLooked, |row| Observed::Settled(row.clone())));
        }
        Intent::Protected | Intent::Present(_) | Intent::Mirrored(_) | Intent::Absent { .. } => {}
    }
    let at_rest = match fresh.and_then(|snapshot| settled(intent, name, known, snapshot)) {
        Some(summary) => Some(Observed::Settled(summary.clone())),
        None => {
            (own_write_is_newest(memory, around) && status_is_in_step(intent, known)).then_some(Observed::NotLooked)
        }
    };
    let usage_is_unknown =
        memory.usage_unknown_for(around.clock.moment()).is_some_and(|time| time >= around.policy.settle_window);
    let mut tenants = None;
    if let Some(at_rest) = at_rest {
        match tenants_of_the_group_on_record(intent, known, around.port).await {
            Ok(Some(read)) if read.any() => tenants = Some(read),
            Ok(_) => return Ok(at_rest),
            Err(error) if !usage_is_unknown => return Err(error.into()),
            Err(_) => {}
        }
    }
    if let (Intent::Present(_) | Intent::Mirrored(_) | Intent::Protected, None, Some(list)) =
        (intent, &known.status.id, fresh)
        && known.look == Look::AtSnapshot
        && !list.groups.contains_key(name)
    {
        return Ok(Observed::NeverThere);
    }
    let settled_at = memory.claims_settled_at(around.policy.settle_window);
    let deleting = matches!(intent, Intent::Absent { .. });
    let Some(described) = find(name, known, around.port).await? else {
        let may_be_new = !deleting && around.clock.moment() < settled_at;
        return Ok(Observed::NotFound(match absence(name, fresh, settled_at, memory, around) {
            // Both answers may be older than the group.
            Absence::Confirmed if may_be_new => Absence::Reported,
            absence => absence,
        }));
    };
    if memory.replaced.shows_in(&described.group, around.policy.settle_window, around.clock.moment()) {
        return Ok(Observed::Outdated);
    }
    let described = known.completed(described, around.snapshot);
    let unsettled_for = memory.claims_unsettled_for(around.policy.settle_window, around.clock.moment());
    let owner = match whose(&described, known, around) {
        // An adoption of ours may not show yet, and a Create may land once the name is free again.
        Owner::Unowned | Owner::Other(_) if deleting && !unsettled_for.is_zero() && !bug!(GroupOfOthersEndsTheWait) => {
            return Ok(Observed::Unsettled(unsettled_for, None));
        }
        Owner::Elsewhere(installation) if deleting && !unsettled_for.is_zero() => {
            return Ok(Observed::Unsettled(unsettled_for, Some(installation)));
        }
        // Nor is it adopted once more.
        Owner::Unowned if memory.last_claim > Moment::START && !unsettled_for.is_zero() => Owner::Undecided,
        owner => owner,
    };
    let decides_deletion = matches!(intent, Intent::Absent { farewell: Farewell::Delete, .. });
    let usage = if decides_deletion && owner == Owner::Ours {
        let enabled = described.group.config.enabled != Some(false);
        let read = match tenants.filter(|_| known.id().as_ref() == Some(&described.group.id)) {
            Some(tenants) => Ok(tenants),
            None => around.port.tenants(&described.group.id).await,
        };
        match (read, known.wants_traffic) {
            (Ok(tenants), _) => Usage::Tenants(tenants),
            // It is put back into service.
            (Err(_), true) if !enabled && usage_is_unknown => Usage::Unknown,
            // It is taken out of service whoever uses it.
            (Err(_), false) if enabled => Usage::Unknown,
            (Err(error), _) => {
                let (arn, read) = (Some(described.group.arn.clone()), Some(described.group));
                return Err(Failure { arn, read, ..error.into() });
            }
        }
    } else {
        Usage::NotRead
    };
    Ok(Observed::Found { described, owner, usage })
}

/// How sure it is that a group that Get does not find is gone. By name alone, which no group ever changes: an id on record that has another name
/// in the list is forged, and somebody else's.
fn absence<C>(
    name: &GroupName,
    fresh: Option<&Snapshot>,
    settled_at: Moment,
    memory: &Memory,
    around: &Surroundings<'_, C>,
) -> Absence {
    let without_lists = around.list_trouble.is_some() || around.list_is_stale();
    let twice = memory.absent_for(around.clock.moment()).is_some_and(|time| time >= around.policy.settle_window);
    match fresh.filter(|list| !list.groups.contains_key(name)) {
        Some(list) if list.began > settled_at || bug!(EarlyListIsProof) => Absence::Proven,
        Some(_) if bug!(WindowEndsByTheClock) && around.clock.moment() > settled_at => Absence::Proven,
        Some(_) => Absence::Confirmed,
        None if without_lists && twice => Absence::Confirmed,
        None => Absence::Reported,
    }
}

/// Whether a group whose deletion is held back is known to be in or out of service as the spec says: by a write of our own that nothing newer is known of,
/// or by a fresh list that shows the version on record.
fn serves_as_the_spec_says<C>(
    known: &Known<'_>,
    fresh: Option<&Snapshot>,
    memory: &Memory,
    around: &Surroundings<'_, C>,
) -> bool {
    let row = fresh.and_then(|list| list.groups.get(&known.name)).filter(|row| known.is_on_record(row));
    let as_asked = Some(known.wants_traffic);
    let is_listed_so = row.is_some_and(|row| row.enabled.or(known.status.enabled) == as_asked);
    known.look == Look::AtSnapshot
        && known.status.enabled == as_asked
        && (is_listed_so || own_write_is_newest(memory, around))
}

/// Who uses a group that is being disabled for its deletion: their traffic is down, and no list of groups shows them.
async fn tenants_of_the_group_on_record<C: CloudFront>(
    intent: &Intent,
    known: &Known<'_>,
    port: &C,
) -> Result<Option<Tenants>, ApiError> {
    match (intent, known.id()) {
        (Intent::Absent { farewell: Farewell::Delete, .. }, Some(id)) => port.tenants(&id).await.map(Some),
        _ => Ok(None),
    }
}

/// What mode Observe is about to leave behind. It holds no object for want of an answer, but each for as long as a request of an earlier mode Manage may
/// still take effect.
async fn before_leaving<C: CloudFront>(
    name: &GroupName,
    known: &Known<'_>,
    memory: &Memory,
    around: &Surroundings<'_, C>,
) -> Observed {
    let settled_at = memory.claims_settled_at(around.policy.settle_window);
    let unsettled_for = memory.claims_unsettled_for(around.policy.settle_window, around.clock.moment());
    if !unsettled_for.is_zero() && !bug!(ObserveReleasesAtOnce) {
        return Observed::Unsettled(unsettled_for, None);
    }
    let newest = around.snapshot.filter(|list| list.began > settled_at && !around.list_is_stale());
    if newest.is_some_and(|list| !list.groups.contains_key(name)) {
        return Observed::NotFound(Absence::Proven);
    }
    match find(name, known, around.port).await {
        Ok(Some(described)) => {
            Observed::Found { owner: whose(&described, known, around), described, usage: Usage::NotRead }
        }
        Ok(None) => Observed::NotFound(Absence::Reported),
        Err(_) => Observed::Unreadable,
    }
}

fn whose<C>(described: &Described, known: &Known<'_>, around: &Surroundings<'_, C>) -> Owner {
    // Or a deletion would never end where the other installation creates the group again each time.
    let predecessor = around.policy.predecessor.as_ref().filter(|_| known.may_take_over(&described.group));
    if bug!(StatusProvesOwnership) && known.id().as_ref() == Some(&described.group.id) {
        return Owner::Ours;
    }
    owner(described, &known.claim, predecessor, around.clock.wall())
}

/// How closely a pass has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// The snapshot may do.
    AtSnapshot,
    /// The group is read in full: due, or needed after a refused call.
    AtCloudFront,
    /// A person asked for it: read in full, and what CloudFront once refused is tried again.
    Afresh,
}

async fn find<C: CloudFront>(name: &GroupName, known: &Known<'_>, port: &C) -> Result<Option<Described>, ApiError> {
    // After our own Delete the name alone is enough: it is unique, and a group is not expected.
    let deleted = known.reason() == Some(Reason::Deleting.as_str());
    if let (Some(id), Some(arn), false) = (known.id(), known.arn(), deleted) {
        // Status is only a hint: a forged or outdated id may lead to another group, or to one that may not be read, or be no id at all.
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
    // Get takes names, ids and ARNs alike, so a name that reads as another group's id finds that group.
    Ok(described.filter(|described| described.group.name == *name || bug!(NameMayBeAnId)))
}

/// The row of the list that proves that nothing but the deployment status changed since the last full read.
fn settled<'a>(intent: &Intent, name: &GroupName, known: &Known<'_>, list: &'a Snapshot) -> Option<&'a Summary> {
    let summary = list.groups.get(name)?;
    // A row that does not state its status is no news of the roll-out that is waited for: then the group itself is read.
    let deployed = known.status.status.as_deref() == Some(Deployment::Deployed.as_str());
    let told = summary.deployment.is_some() || deployed || bug!(UnstatedRolloutIsAwaited);
    let in_step = match intent {
        Intent::Present(desired) => {
            summary.enabled == Some(desired.enabled)
                && list_is_in_step(desired, summary.anycast_ip_list_id.as_ref(), known)
                && status_is_in_step(intent, known)
        }
        Intent::Mirrored(_) => status_is_in_step(intent, known),
        Intent::Absent { .. } => {
            summary.enabled == Some(false)
                && matches!(summary.deployment, Some(Deployment::Pending(_)))
                && status_is_in_step(intent, known)
        }
        Intent::Suspended | Intent::Protected => false,
    };
    (known.is_on_record(summary) && told && in_step).then_some(summary)
}

/// Whether the list that is attached is the one that the spec wants.
fn list_is_in_step(desired: &Desired, attached: Option<&AnycastIpListId>, known: &Known<'_>) -> bool {
    let ours = known.status.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    desired.anycast.wanted(attached, ours.as_ref()).as_ref() == attached
}

/// Whether our own last write is the newest that is known of the group, so that only the next list can bring news.
fn own_write_is_newest<C>(memory: &Memory, around: &Surroundings<'_, C>) -> bool {
    let recent = |write| around.clock.moment().since(write) < around.policy.sweep_interval;
    let unlisted = around.snapshot.is_none_or(|list| !memory.is_covered_by(list));
    memory.last_write.is_some_and(|write| (recent(write) && unlisted) || bug!(OwnWriteStaysNewest))
}

/// Whether status, as of the last full read or our own write, is where the intent wants it, for this generation of the spec.
fn status_is_in_step(intent: &Intent, known: &Known<'_>) -> bool {
    let status = known.status;
    let concluded = |reasons: &[Reason]| known.reason().is_some_and(|now| reasons.iter().any(|r| r.as_str() == now));
    let at_rest = known.look == Look::AtSnapshot && !known.spec_is_new() && status.id.is_some();
    at_rest
        && match intent {
            Intent::Present(desired) => {
                let attached = status.anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
                status.enabled == Some(desired.enabled)
                    && status.ipv6_enabled == Some(desired.ipv6_enabled)
                    && list_is_in_step(desired, attached.as_ref(), known)
                    && status.settled_generation == Some(known.generation)
            }
            Intent::Mirrored(_) => status.settled_generation == Some(known.generation),
            Intent::Absent { .. } => {
                concluded(&[Reason::Disabling])
                    && status.status.as_deref() != Some("Deployed")
                    && !known.in_use_unlisted
            }
            Intent::Suspended | Intent::Protected => false,
        }
}
