//! The messages in conditions and events. Pure.
//!
//! Each says what the state is, what was not done, what happens next and what the reader can do, with the names that the reader typed. Those about a failed
//! call are in `text/failed.rs`.

mod failed;
mod refused;

use std::time::Duration;

use jiff::Timestamp;

pub use failed::{
    confirming_absence, confirming_gone, failed, invalid, ipv4_only_list, list_not_found, perhaps_off_air, quota,
    waits_for_rollout, with_request_id,
};
pub use refused::{member_refused, members_refused, refused_together};

use super::{
    drift_backoff::Pause,
    object_view::Service,
    ownership::{Installation, OwnerTag},
    plan::{AdoptionObstacle, Blocker, Release, Remains},
};
use crate::{
    api::{AdoptionPolicy, Drift},
    cloudfront::{AnycastIpListId, Deployment, GroupName, Members, Tenants, error::one_line},
};

/// Maximum number of differences or names in one sentence.
const SHOWN: usize = 8;

/// Maximum length of a quoted value. Longer than any tag value, because CloudFront may return anything.
const VALUE_LIMIT: usize = 300;

pub fn deployed(
    endpoint: Option<&str>,
    enabled: Option<bool>,
    deployment: Option<&Deployment>,
    since: Option<Timestamp>,
) -> String {
    let endpoint = endpoint.unwrap_or("its routing endpoint");
    match (enabled, deployment) {
        (Some(true), Some(Deployment::Deployed)) => format!("Deployed at {endpoint}."),
        (Some(false), Some(Deployment::Deployed)) => {
            format!("Deployed and disabled: {endpoint} serves no traffic.")
        }
        (None, Some(Deployment::Deployed)) => {
            format!("Deployed at {endpoint}; CloudFront's response does not state whether the group is enabled.")
        }
        (_, None) => {
            "CloudFront's response does not state whether the last change has been rolled out. The operator checks again."
                .to_owned()
        }
        (_, Some(Deployment::Pending(status))) => {
            let since = since.and_then(|at| Timestamp::from_second(at.as_second()).ok());
            let since = since.map(|at| format!(" since {at}")).unwrap_or_default();
            format!("CloudFront reports status {status}{since}. Rolling out a change usually takes minutes.")
        }
    }
}

pub fn disabling(deployment: Option<&Deployment>) -> String {
    let so = match deployment {
        Some(deployment) => format!("CloudFront reports status {}", deployment.as_str()),
        None => "CloudFront's response does not state its status".to_owned(),
    };
    format!(
        "The deletion is in progress: the group is disabled, and {so}. The group can be deleted after the rollout, which usually takes minutes."
    )
}

pub fn changes(changes: &[Drift]) -> String {
    let shown = changes
        .iter()
        .take(SHOWN)
        .map(|change| format!("{} from {} to {}", change.field, value(&change.observed), value(&change.desired)));
    let more = changes.len().saturating_sub(SHOWN);
    let list = shown.collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

pub fn drift(differences: &[Drift]) -> String {
    let shown = differences.iter().take(SHOWN).map(|difference| {
        format!("{} is {}, the spec says {}", difference.field, value(&difference.observed), value(&difference.desired))
    });
    let more = differences.len().saturating_sub(SHOWN);
    let list = shown.collect::<Vec<_>>().join("; ");
    if more == 0 { list } else { format!("{list}; and {more} more") }
}

fn value(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("'{}'", one_line(text, VALUE_LIMIT)) }
}

/// `enabled`: as the group is. It is off only if the spec says so: otherwise it is enabled again before this message.
pub fn in_use(name: &GroupName, tenants: &Tenants, enabled: bool) -> String {
    if !tenants.any() {
        return unlisted_use(name, enabled);
    }
    let users = match tenants.count {
        0 => {
            format!("Distribution tenants still use connection group {name}; CloudFront's response names none of them.")
        }
        _ => format!("{} still use connection group {name}: {}.", how_many(tenants), named(tenants)),
    };
    let so = if enabled {
        "The group is enabled; the operator neither disables nor deletes it while they use it."
    } else {
        "The group is disabled, as spec.enabled says, so their traffic is down. The operator does not delete it while they use it."
    };
    format!(
        "{users} {so} The deletion continues automatically once they are gone. To keep the group, set spec.deletionPolicy to Retain."
    )
}

fn how_many(tenants: &Tenants) -> String {
    let many = if tenants.beyond_this_page { "or more " } else { "" };
    format!("{} {many}distribution tenant(s)", tenants.count)
}

fn named(tenants: &Tenants) -> String {
    let names = tenants.names.join(", ");
    match tenants.count.saturating_sub(tenants.names.len()) {
        0 => names,
        others => format!("{names} and {others} more"),
    }
}

/// CloudFront says that the group is in use, but lists no tenant.
fn unlisted_use(name: &GroupName, enabled: bool) -> String {
    let so = if enabled {
        "In the meantime, the group is enabled again."
    } else {
        "The group is disabled, as spec.enabled says."
    };
    format!(
        "{} {so} The operator retries the deletion after an hour, later after up to a day, and immediately when the object is edited or a reconcile is \
         requested. To keep the group, set spec.deletionPolicy to Retain.",
        in_use_unlisted(name)
    )
}

pub fn in_use_unlisted(name: &GroupName) -> String {
    format!(
        "CloudFront refuses to delete connection group {name} because it is in use, but lists no distribution tenant that uses it."
    )
}

/// Appended to the message about a failed call.
pub const OFF_FOR_ITS_DELETION: &str =
    " Status shows the group as disabled; the operator enables it again if a read shows that a tenant uses it.";

pub fn enabled_again(name: &GroupName, blocker: Blocker) -> String {
    let why = match blocker {
        Blocker::Tenants => "it is in use, so it cannot be deleted",
        Blocker::Protection => "spec.deletionProtection blocks its deletion",
        Blocker::Retention => "spec.deletionPolicy is Retain, so the group stays",
        Blocker::UnknownUse => "its distribution tenants cannot be read, so it may be in use",
    };
    format!(
        "The operator enabled connection group {name} again because {why}. It was disabled although spec.enabled is true."
    )
}

/// A list that this object did not attach; appended to the message about the group.
pub fn list_kept(list: &AnycastIpListId) -> String {
    format!(
        " Anycast list {} stays attached because status does not show that this object attached it. To keep it attached, set spec.anycastIpListId to its id. To \
         detach it, set that field to none.",
        one_line(list.as_str(), VALUE_LIMIT)
    )
}

pub fn not_owned(name: &GroupName, owner: &OwnerTag) -> String {
    format!(
        "Connection group {name} belongs to {} (owner id/namespace/name). Nothing was changed. Delete that object first, or \
         recreate this one with another spec.name.",
        value(owner.as_str())
    )
}

pub fn elsewhere(name: &GroupName, installation: &Installation, us: &Installation) -> String {
    format!(
        "{} If this cluster is a copy, delete the object here; the group stays. If this cluster replaces the other one, stop the operator \
         there and run this one with --take-over-installation={}.",
        in_another_installation(name, installation, us),
        one_line(installation.as_str(), VALUE_LIMIT)
    )
}

/// The same for an object that is being deleted, and is released later.
pub fn elsewhere_until_released(name: &GroupName, installation: &Installation, us: &Installation) -> String {
    format!(
        "{} The operator removes its finalizer and leaves the group as it is once none of its requests to create or adopt the group can still take effect \
         (--consistency-window).",
        in_another_installation(name, installation, us)
    )
}

fn in_another_installation(name: &GroupName, installation: &Installation, us: &Installation) -> String {
    let them = value(installation.as_str());
    format!(
        "Connection group {name} belongs to this object in another installation with the same owner id: that installation's identity is {them}, this \
         installation's identity is {us}. Nothing was changed."
    )
}

pub fn marked(name: &GroupName, us: &Installation) -> String {
    format!("The operator tagged connection group {name} with this installation's identity, {us}.")
}

pub fn taken_over(name: &GroupName, from: &Installation, us: &Installation) -> String {
    format!(
        "The operator took over connection group {name} from installation {from}, as --take-over-installation says: it now carries this installation's \
         identity, {us}."
    )
}

pub fn default_group(name: &GroupName) -> String {
    format!(
        "{name} is the account's default connection group, which the operator never manages. Nothing was changed. To mirror it in status, set \
         spec.mode to Observe."
    )
}

pub fn adoption_refused(name: &GroupName, obstacle: &AdoptionObstacle) -> String {
    let differs = if obstacle.differences.is_empty() {
        "It matches the spec".to_owned()
    } else {
        format!("It differs from the spec: {}", drift(&obstacle.differences))
    };
    let policy = match obstacle.policy {
        AdoptionPolicy::Never => Some("spec.adoptionPolicy is Never (set it to IfUnchanged or Always)"),
        AdoptionPolicy::IfUnchanged if !obstacle.differences.is_empty() => {
            Some("spec.adoptionPolicy is IfUnchanged (make the spec match the group, or set the policy to Always)")
        }
        AdoptionPolicy::IfUnchanged | AdoptionPolicy::Always => None,
    };
    let administrator = obstacle
        .forbidden_by_administrator
        .then_some("the administrator has not allowed adoption (the operator runs without --allow-adoption)");
    let keys = [policy, administrator].into_iter().flatten().collect::<Vec<_>>().join(" and ");
    format!(
        "Connection group {name} exists but has no owner. {differs}. Nothing was changed. The operator does not adopt the group because {keys}."
    )
}

pub fn tags_pending(name: &GroupName) -> String {
    format!(
        "Connection group {name} does not show this object's owner tag yet. If the group was created or its tags were changed a short time ago, tags may not \
         be visible yet. Nothing was changed; the operator reads the group again shortly."
    )
}

pub fn claim_may_land(name: &GroupName) -> String {
    format!(
        "The deletion waits because a request to create or adopt connection group {name} could still take effect. This process, or the one before it, may have \
         sent such a request. The operator keeps the object until --consistency-window has passed since the last such request could have been sent, and then \
         reads CloudFront again."
    )
}

/// Without the time that is left, so that another read does not change the message.
pub fn owner_may_show(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "Connection group {name} exists and seems to have no owner. The operator adopts it if no owner tag appears within the consistency window ({}).",
        time(consistency_window)
    )
}

pub fn owner_unstated(name: &GroupName) -> String {
    format!(
        "In CloudFront's response, the owner or identity tag of connection group {name} has no value, so it does not show who owns the group. Nothing was \
         changed; the operator reads the group again. If this persists, someone may have cleared the tag: restore its value."
    )
}

/// For a deletion whose object has no group on record: its status may have been lost.
pub fn owner_tag_may_show(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "The last read of connection group {name} showed no owner tag. Reads may be stale, so the deletion waits. If the tag does not appear within the \
         consistency window ({}), the operator removes the finalizer and leaves the group as it is.",
        time(consistency_window)
    )
}

/// The same for a group on record as this object's.
pub fn owner_tag_missing(name: &GroupName, deleting: bool, consistency_window: Duration) -> String {
    let then = if deleting {
        "removes the finalizer and leaves the group as it is"
    } else {
        "treats the group as no longer owned by this object"
    };
    format!(
        "Connection group {name} is recorded as this object's, but the last read showed no owner tag. Reads may be stale, so nothing was changed. If the tag \
         does not appear within the consistency window ({}), the operator {then}.",
        time(consistency_window)
    )
}

pub fn tags_of_another(name: &GroupName) -> String {
    format!(
        "Connection group {name} is not the group that the tags in status were sent to. They are removed from status so that the operator does not remove \
         other clients' tags from this group. The operator adopts the group next."
    )
}

pub fn deleted_outside(name: &GroupName, id: &str) -> String {
    format!(
        "Someone else deleted connection group {name} ({id}). The operator creates it again, with another routing endpoint."
    )
}

pub const FLAPPING: &str = "Another client keeps changing this connection group: the operator has just corrected the third \
     change, less than an hour after the one before. It corrects further changes after a pause that grows to 5 minutes; only disabling the group when \
     spec.enabled is false never waits. Remove the group from the other tool, or set spec.mode to Observe to let that tool manage it.";

/// Without the time that is left, so that another read does not change the message.
pub fn flapping(name: &GroupName, changes: &[Drift], pause: Pause) -> String {
    format!(
        "Another client keeps changing connection group {name}: {}. The operator has corrected {} change(s) and will correct this one after {}. Remove \
         the group from the other tool, or set spec.mode to Observe to let that tool manage it.",
        drift(changes),
        pause.rounds,
        time(pause.length)
    )
}

pub fn not_as_asked(shown: &Members, asked: &Members) -> String {
    let said = |member: Option<bool>| member.map_or("not stated".to_owned(), |value| value.to_string());
    let list = |members: &Members| {
        let id = members.anycast_ip_list_id.as_ref();
        id.map_or("none".to_owned(), |id| one_line(id.as_str(), VALUE_LIMIT))
    };
    format!(
        "CloudFront accepted the change but shows a different configuration (enabled {}, IPv6 {}, Anycast list {}) than requested (enabled {}, IPv6 {}, Anycast \
         list {}). The operator reads it again shortly.",
        said(shown.enabled),
        said(shown.ipv6_enabled),
        list(shown),
        said(asked.enabled),
        said(asked.ipv6_enabled),
        list(asked)
    )
}

/// For what the operator does not manage and others may have set.
pub fn element_lost(name: &GroupName, lost: &[String]) -> String {
    let shown = lost.iter().take(SHOWN).map(|element| one_line(element, VALUE_LIMIT)).collect::<Vec<_>>().join(", ");
    format!(
        "CloudFront's response to an update of connection group {name} no longer shows what the group had before: {shown}. The operator does not manage this \
         and did not request its removal. If you need it, set it again with the tool that set it."
    )
}

pub fn off_air(tenants: &Tenants) -> String {
    let users = match tenants.count {
        0 => "distribution tenants use it (CloudFront's response names none of them)".to_owned(),
        _ => format!("{} use it: {}", how_many(tenants), named(tenants)),
    };
    format!("The group was disabled, as spec.enabled says, although {users}. Their traffic is down.")
}

/// `enabled`: as the group was read in this reconcile.
pub fn released(name: &GroupName, why: &Release, owner: &OwnerTag, enabled: Option<bool>) -> String {
    let so = if enabled == Some(false) { " It stays disabled." } else { "" };
    match why {
        Release::Gone => format!("Connection group {name} is gone."),
        Release::NotOurs => {
            format!("Connection group {name} is not owned by this object. The operator leaves it as it is.")
        }
        Release::Elsewhere(installation) => format!(
            "Connection group {name} belongs to this object in another installation with the same owner id, {}. The operator leaves it as it is.",
            value(installation.as_str())
        ),
        Release::Retained => {
            format!("Connection group {name} was kept, without an owner tag (spec.deletionPolicy is Retain).{so}")
        }
        Release::Observed(Remains::Nothing) => {
            format!("CloudFront says that no connection group {name} exists (spec.mode is Observe).")
        }
        Release::Observed(Remains::Group) => format!(
            "The operator leaves connection group {name} as it is (spec.mode is Observe). The group is not tagged as this object's in this installation."
        ),
        Release::Observed(Remains::MarkedGroup(_)) => format!(
            "The operator leaves connection group {name} as it is (spec.mode is Observe). The owner tag {owner}, set earlier in mode Manage, stays on the group, \
             so it will be reported as an orphan. To delete the group, create the object again with spec.mode Manage.{so}"
        ),
        Release::Observed(Remains::Unknown) => format!(
            "The operator leaves connection group {name}, if it exists, as it is (spec.mode is Observe). CloudFront could not be read; if the group carries the \
             owner tag {owner}, it will be reported as an orphan."
        ),
    }
}

/// `service`: as the group was last read.
pub fn suspended(deleting: bool, service: Service) -> String {
    let what = if deleting { "The deletion waits because of spec.suspend" } else { "Suspended by spec.suspend" };
    let so = match (service, deleting) {
        (Service::On, _) => "",
        (Service::OffAsAsked, _) => " When last read, the group was disabled, as spec.enabled says.",
        (Service::OffAgainstTheSpec, true) => {
            " When last read, the group was disabled although spec.enabled is true: either its deletion, which had begun, or someone else disabled it. Traffic of \
             its tenants is down while this object is suspended."
        }
        (Service::OffAgainstTheSpec, false) => {
            " When last read, the group was disabled although spec.enabled is true. Traffic of its tenants is down while this object is suspended."
        }
    };
    format!("{what}: the operator neither reads nor changes the group.{so} To resume, set spec.suspend to false.")
}

/// `wants_traffic`: as the spec says.
pub fn deletion_protected(wants_traffic: bool) -> String {
    let so = if wants_traffic { "" } else { " The spec requires it to be disabled (spec.enabled is false)." };
    format!(
        "The deletion is blocked by spec.deletionProtection: the operator neither disables the group for the deletion nor deletes it.{so} To let the deletion \
         continue, set spec.deletionProtection to false."
    )
}

pub fn not_found_to_mirror(name: &GroupName) -> String {
    format!(
        "No connection group {name} exists. In mode Observe, the operator does not create it; it checks for the group in each list of the account's groups."
    )
}

/// Appended to the message about a group whose IPv6 setting CloudFront has never stated.
pub const IPV6_NOT_STATED: &str = " CloudFront's response does not state whether IPv6 is enabled.";

pub const KEPT_OWNER_TAG: &str =
    " This object's owner tag is still on the group because the operator writes nothing in mode Observe.";

/// In whole seconds.
fn time(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}
