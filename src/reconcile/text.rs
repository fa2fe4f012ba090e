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
            format!("Deployed at {endpoint}; CloudFront's answer does not state whether the group is enabled.")
        }
        (_, None) => {
            "CloudFront's answer does not state whether the last change has been rolled out; the operator reads it again."
                .to_owned()
        }
        (_, Some(Deployment::Pending(status))) => {
            let since = since.and_then(|at| Timestamp::from_second(at.as_second()).ok());
            let since = since.map(|at| format!(" since {at}")).unwrap_or_default();
            format!("CloudFront says {status}{since}; rolling a change out usually takes minutes.")
        }
    }
}

pub fn disabling(deployment: Option<&Deployment>) -> String {
    let so = match deployment {
        Some(deployment) => format!("CloudFront says {}", deployment.as_str()),
        None => "CloudFront's answer does not state its status".to_owned(),
    };
    format!("Being deleted: the group is disabled; {so}, and it takes minutes until it may be deleted.")
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
        0 => format!("Distribution tenants still use connection group {name}; CloudFront's answer names none of them."),
        _ => format!("{} still use connection group {name}: {}.", how_many(tenants), named(tenants)),
    };
    let so = if enabled {
        "The group is enabled; it is neither disabled nor deleted while they use it."
    } else {
        "The group is disabled, as spec.enabled says, so their traffic is down; it is not deleted while they use it."
    };
    format!(
        "{users} {so} The deletion goes on by itself once they are gone; to keep the group instead, set spec.deletionPolicy to Retain."
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
    let so =
        if enabled { "The group is enabled again meanwhile." } else { "The group is disabled, as spec.enabled says." };
    format!(
        "{} {so} The deletion is tried again after an hour, later after up to a day, and at once when the object is edited or a reconcile is requested; to \
         keep the group instead, set spec.deletionPolicy to Retain.",
        in_use_unlisted(name)
    )
}

pub fn in_use_unlisted(name: &GroupName) -> String {
    format!(
        "CloudFront does not delete connection group {name} because it is in use, but lists no distribution tenant that uses it."
    )
}

/// Appended to the message about a failed call.
pub const OFF_FOR_ITS_DELETION: &str =
    " Status shows the group as disabled; if a read shows that a tenant uses it, it is enabled again.";

pub fn enabled_again(name: &GroupName, blocker: Blocker) -> String {
    let why = match blocker {
        Blocker::Tenants => "it is in use, so it cannot be deleted",
        Blocker::Protection => "spec.deletionProtection holds its deletion back",
        Blocker::Retention => "spec.deletionPolicy is Retain, so it stays",
        Blocker::UnknownUse => "its distribution tenants cannot be read, so it may be in use",
    };
    format!("Connection group {name} was off although spec.enabled is true. It is enabled again: {why}.")
}

/// A list that this object did not attach; appended to the message about the group.
pub fn list_kept(list: &AnycastIpListId) -> String {
    format!(
        " Anycast list {} is attached, and status does not show that this object attached it, so it stays. Name it in spec.anycastIpListId to keep it attached, or set that \
         field to none to detach it.",
        one_line(list.as_str(), VALUE_LIMIT)
    )
}

pub fn not_owned(name: &GroupName, owner: &OwnerTag) -> String {
    format!(
        "Connection group {name} belongs to {} (owner id/namespace/name). Nothing was changed. Delete that object first, or create this one \
         again with another spec.name.",
        value(owner.as_str())
    )
}

pub fn elsewhere(name: &GroupName, installation: &Installation, us: &Installation) -> String {
    format!(
        "{} If this cluster is a copy, delete the object here; the group stays. If this cluster replaces the other one, stop that operator \
         and run this one with --take-over-installation={}.",
        in_another_installation(name, installation, us),
        one_line(installation.as_str(), VALUE_LIMIT)
    )
}

/// The same for an object that is being deleted, and is released later.
pub fn elsewhere_until_released(name: &GroupName, installation: &Installation, us: &Installation) -> String {
    format!(
        "{} This object is released, and the group left as it is, once no request of this operator to create or to adopt the group can take effect any more \
         (--consistency-window).",
        in_another_installation(name, installation, us)
    )
}

fn in_another_installation(name: &GroupName, installation: &Installation, us: &Installation) -> String {
    let them = value(installation.as_str());
    format!(
        "Connection group {name} belongs to this object in another installation with the same owner id: its identity is {them}, ours is {us}. Nothing was \
         changed."
    )
}

pub fn marked(name: &GroupName, us: &Installation) -> String {
    format!("Connection group {name} was marked with the identity of this installation, {us}.")
}

pub fn taken_over(name: &GroupName, from: &Installation, us: &Installation) -> String {
    format!(
        "Connection group {name} was taken over from installation {from}, as --take-over-installation says: it carries our identity, {us}, now."
    )
}

pub fn default_group(name: &GroupName) -> String {
    format!(
        "{name} is the account's default connection group, which this operator never manages. Nothing was changed. Use mode: Observe to \
         watch it."
    )
}

pub fn adoption_refused(name: &GroupName, obstacle: &AdoptionObstacle) -> String {
    let differs = if obstacle.differences.is_empty() {
        "It equals the spec".to_owned()
    } else {
        format!("It differs: {}", drift(&obstacle.differences))
    };
    let policy = match obstacle.policy {
        AdoptionPolicy::Never => Some("spec.adoptionPolicy is Never: set IfUnchanged or Always"),
        AdoptionPolicy::IfUnchanged if !obstacle.differences.is_empty() => {
            Some("spec.adoptionPolicy is IfUnchanged: make the spec equal to the group, or set Always")
        }
        AdoptionPolicy::IfUnchanged | AdoptionPolicy::Always => None,
    };
    let administrator = obstacle
        .forbidden_by_administrator
        .then_some("the administrator has not allowed adoption: the operator runs without --allow-adoption");
    let keys = [policy, administrator].into_iter().flatten().collect::<Vec<_>>().join("; and ");
    format!(
        "Connection group {name} exists without an owner. {differs}. Nothing was changed. It is not adopted because {keys}."
    )
}

pub fn tags_pending(name: &GroupName) -> String {
    format!(
        "Connection group {name} does not show this object's owner tag yet. If the group was created, or its tags were changed, a short time ago, tags may not \
         be visible yet. Nothing was changed; the group is read again shortly."
    )
}

pub fn claim_may_land(name: &GroupName) -> String {
    format!(
        "The deletion waits: a request to create or to adopt connection group {name} that this operator may have sent, or the process before it, could still take \
         effect. The object is kept until --consistency-window has passed since the last such moment; then CloudFront is read again."
    )
}

/// Without the time that is left, so that another read does not change the message.
pub fn owner_may_show(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "Connection group {name} exists and seems to have no owner. It is adopted if no owner tag shows within the consistency window ({}).",
        time(consistency_window)
    )
}

pub fn owner_unstated(name: &GroupName) -> String {
    format!(
        "CloudFront's answer shows the owner or identity tag of connection group {name} without a value, so it does not say whose the group is. Nothing was \
         changed; the group is read again. If this lasts, somebody may have emptied the tag: restore its value."
    )
}

/// For a deletion whose object has no group on record: its status may have been lost.
pub fn owner_tag_may_show(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "Connection group {name} was read without an owner tag. Reads may be stale, so the deletion waits. If the tag does not show within the consistency \
         window ({}), the finalizer is removed and the group is left as it is.",
        time(consistency_window)
    )
}

/// The same for a group on record as this object's.
pub fn owner_tag_missing(name: &GroupName, deleting: bool, consistency_window: Duration) -> String {
    let then = if deleting {
        "the finalizer is removed and the group is left as it is"
    } else {
        "the group is taken to be no longer this object's"
    };
    format!(
        "Connection group {name} is on record as this object's, but was read without an owner tag. Reads may be stale, so nothing was changed. If the tag \
         does not show within the consistency window ({}), {then}.",
        time(consistency_window)
    )
}

pub fn tags_of_another(name: &GroupName) -> String {
    format!(
        "Connection group {name} is not the one that the tags in status were sent to. They are removed from status, so that no tag of others is removed \
         from this group. The group is adopted next."
    )
}

pub fn deleted_outside(name: &GroupName, id: &str) -> String {
    format!(
        "Connection group {name} ({id}) was deleted by somebody else; it is created again, with another routing endpoint."
    )
}

pub const FLAPPING: &str = "Somebody else keeps changing this connection group: the operator has just corrected the third \
     change, less than an hour after the one before. It corrects further ones after a pause that grows to 5 minutes; only switching the group off, where \
     spec.enabled is false, never waits. Remove the group from the other tool, or let that tool decide with mode: Observe.";

/// Without the time that is left, so that another read does not change the message.
pub fn flapping(name: &GroupName, changes: &[Drift], pause: Pause) -> String {
    format!(
        "Somebody else keeps changing connection group {name}: {}. The operator has corrected {} change(s), leaves this one as it is \
         for {}, and then corrects it. Remove the group from the other tool, or let that tool decide with mode: Observe.",
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
        "CloudFront accepted the change but shows another configuration (enabled {}, IPv6 {}, Anycast list {}) than was asked for (enabled {}, IPv6 {}, \
         Anycast list {}); it is read again shortly.",
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
        "CloudFront's answer to an update of connection group {name} no longer shows what the group had before: {shown}. The operator does not manage it and \
         did not ask for its removal. If it is needed, set it again with the tool that set it."
    )
}

pub fn off_air(tenants: &Tenants) -> String {
    let users = match tenants.count {
        0 => "distribution tenants use it, none of which CloudFront's answer names".to_owned(),
        _ => format!("{} use it: {}", how_many(tenants), named(tenants)),
    };
    format!("The group was disabled, as spec.enabled says, while {users}. Their traffic is down.")
}

/// `enabled`: as the group was read in this reconcile.
pub fn released(name: &GroupName, why: &Release, owner: &OwnerTag, enabled: Option<bool>) -> String {
    let so = if enabled == Some(false) { " It stays disabled." } else { "" };
    match why {
        Release::Gone => format!("Connection group {name} is gone."),
        Release::NotOurs => format!("Connection group {name} is not owned by this object and is left as it is."),
        Release::Elsewhere(installation) => format!(
            "Connection group {name} belongs to this object in another installation with the same owner id, {}. It is left as it is.",
            value(installation.as_str())
        ),
        Release::Retained => {
            format!("Connection group {name} was kept, without our owner tag (deletionPolicy: Retain).{so}")
        }
        Release::Observed(Remains::Nothing) => {
            format!("CloudFront says that no connection group {name} exists (mode: Observe).")
        }
        Release::Observed(Remains::Group) => format!(
            "Connection group {name} is left as it is (mode: Observe); it is not marked as this object's in this installation."
        ),
        Release::Observed(Remains::MarkedGroup(_)) => format!(
            "Connection group {name} is left as it is (mode: Observe). The owner tag {owner} that an earlier mode: Manage put on it stays, so it will be \
             reported as an orphan. To delete it, create the object again with mode: Manage.{so}"
        ),
        Release::Observed(Remains::Unknown) => format!(
            "Connection group {name}, if it exists, is left as it is (mode: Observe). CloudFront could not be read; if the group carries the owner tag \
             {owner}, it will be reported as an orphan."
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
            " When last read, the group was disabled although spec.enabled is true: by its deletion, which had begun, or by somebody else. Traffic of its \
             tenants is down while this is suspended."
        }
        (Service::OffAgainstTheSpec, false) => {
            " When last read, the group was disabled although spec.enabled is true. Traffic of its tenants is down while this is suspended."
        }
    };
    format!("{what}: CloudFront is neither read nor changed.{so} Set spec.suspend to false to go on.")
}

/// `wants_traffic`: as the spec says.
pub fn deletion_protected(wants_traffic: bool) -> String {
    let so = if wants_traffic { "" } else { " The spec wants it disabled (spec.enabled is false)." };
    format!(
        "The deletion is held back by spec.deletionProtection: the group is neither disabled for the deletion nor deleted.{so} Set spec.deletionProtection to \
         false to let it go on."
    )
}

pub fn not_found_to_mirror(name: &GroupName) -> String {
    format!(
        "No connection group {name} exists. In mode Observe the operator creates none; it looks for the group in each list of the account."
    )
}

/// Appended to the message about a group whose IPv6 setting CloudFront has never stated.
pub const IPV6_NOT_STATED: &str = " CloudFront's answer does not state whether IPv6 is enabled.";

pub const KEPT_OWNER_TAG: &str = " Our owner tag is still on the group: mode Observe writes nothing.";

/// In whole seconds.
fn time(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}
