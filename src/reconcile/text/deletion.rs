//! The messages about the end of a group: what a deletion waits for, and what became of the group. Pure.

use std::time::Duration;

use super::{are_one, how_many, named, time, value};
use crate::{
    cloudfront::{Deployment, Group, GroupId, GroupName, Tenants},
    reconcile::{
        ownership::OwnerTag,
        plan::{Blocker, LeftBehind, Release},
    },
};

pub fn disabling(deployment: Option<&Deployment>) -> String {
    let reported = match deployment {
        Some(deployment) => format!("CloudFront reports status {}", deployment.as_str()),
        None => "CloudFront's response does not state its status".to_owned(),
    };
    format!(
        "The deletion is in progress: the group is disabled, and {reported}. The group can be deleted after the rollout, which usually takes minutes. Until then, the \
         operator reads its tenants at least every 30 seconds; if one uses it, the deletion waits. To keep the group, set spec.deletionPolicy to Retain."
    )
}

/// `group`: as it was read. It is off only if the spec says so: otherwise it is enabled again before this message.
pub fn in_use(name: &GroupName, tenants: &Tenants, group: &Group) -> String {
    let enabled = group.config.enabled;
    if !tenants.any() {
        return unlisted_use(name, enabled);
    }
    let users = if tenants.count == 0 {
        format!("Distribution tenants still use connection group {name}; CloudFront's response names none of them.")
    } else {
        let uses = if are_one(tenants) { "uses" } else { "use" };
        format!("{} still {uses} connection group {name}: {}.", how_many(tenants), named(tenants))
    };
    let state = match enabled {
        Some(true) if matches!(group.deployment, Some(Deployment::Pending(_))) => {
            "The group is enabled, but CloudFront is still rolling out a change to it, so traffic of its tenants may still be down. The operator neither disables nor \
             deletes it while tenants use it."
        }
        Some(true) => "The group is enabled. The operator neither disables nor deletes it while tenants use it.",
        Some(false) if matches!(group.deployment, Some(Deployment::Pending(_))) => {
            "The group is disabled, as spec.enabled says: the traffic of its tenants is down, at the latest once CloudFront has rolled this out. The operator does not delete the group \
             while tenants use it."
        }
        Some(false) => {
            "The group is disabled, as spec.enabled says, so the traffic of its tenants is down. The operator does not delete it while tenants use it."
        }
        None => {
            "CloudFront's response does not state whether the group is enabled. The operator neither disables nor deletes it while tenants use it."
        }
    };
    format!(
        "{users} {state} The operator reads the tenants again at least every 5 minutes, and continues the deletion once none uses the group. Move the tenants to another \
         connection group or delete them; to keep the group, set spec.deletionPolicy to Retain."
    )
}

/// CloudFront says that the group is in use, but lists no tenant.
fn unlisted_use(name: &GroupName, enabled: Option<bool>) -> String {
    let state = match enabled {
        Some(true) => "The group is enabled.",
        Some(false) => "The group is disabled, as spec.enabled says.",
        None => "CloudFront's response does not state whether the group is enabled.",
    };
    format!(
        "{} {state} The operator retries the deletion after an hour, later after up to a day, and immediately when the object is edited or a reconcile is \
         requested. To keep the group, set spec.deletionPolicy to Retain.",
        in_use_unlisted(name)
    )
}

fn in_use_unlisted(name: &GroupName) -> String {
    format!(
        "CloudFront refuses to delete connection group {name} because it is in use, but lists no distribution tenant that uses it."
    )
}

/// Appended to the message about a failed call.
pub const OFF_FOR_ITS_DELETION: &str =
    " Status shows the group as disabled; the operator enables it again if a read shows that a tenant uses it.";

/// Appended to the message about a failed call that was to enable the group again.
pub const fn off_until_enabled(blocker: Blocker) -> &'static str {
    match blocker {
        Blocker::Retention => {
            " When last read, the group was disabled although spec.enabled is true. To let the deletion continue with the group disabled, set spec.enabled to \
             false."
        }
        Blocker::Tenants | Blocker::Protection | Blocker::UnknownUse => {
            " When last read, the group was disabled although spec.enabled is true."
        }
    }
}

pub fn enabled_again(name: &GroupName, blocker: Blocker) -> String {
    let why = match blocker {
        Blocker::Tenants => "it is in use, so it cannot be deleted",
        Blocker::Protection => "spec.deletionProtection blocks its deletion",
        Blocker::Retention => "spec.deletionPolicy is Retain, so the group stays",
        Blocker::UnknownUse => "its distribution tenants cannot be read, so it may be in use",
    };
    format!(
        "The operator enabled connection group {name} again because {why}. spec.enabled is true, so the operator does not leave the group disabled; to disable it, set \
         spec.enabled to false."
    )
}

pub fn claim_pending(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "The deletion waits because a request to create, adopt or take over connection group {name} could still take effect. This process, or the one before it, may have \
         sent such a request. The operator keeps the object until the consistency window ({}) has passed since the last such request could have been sent, and then \
         reads CloudFront again. No action is needed.",
        time(consistency_window)
    )
}

/// Goes before what follows an accepted Delete.
pub fn deleted(name: &GroupName, id: &GroupId) -> String {
    format!("The operator deleted connection group {name} with id {id}.")
}

/// Appended to the message about an accepted Delete.
pub const RELEASED_ONCE_GONE: &str =
    "It removes the finalizer once a read and a later list of the account's groups do not show the group.";

/// `enabled`: as the group was read in this reconcile.
pub fn released(name: &GroupName, why: &Release, owner: &OwnerTag, enabled: Option<bool>) -> String {
    let if_disabled = if enabled == Some(false) { " It stays disabled." } else { "" };
    match why {
        Release::Gone => format!(
            "Connection group {name} does not exist: neither a read by its name nor a complete list of the account's groups shows it. The operator removes the \
             finalizer."
        ),
        Release::NotOurs => {
            format!("Connection group {name} is not owned by this object. The operator leaves it as it is.")
        }
        Release::Elsewhere(installation) => format!(
            "Connection group {name} belongs to this object in another installation with the same owner id, {}. The operator leaves it as it is.",
            value(installation.as_str())
        ),
        Release::Retained => {
            format!(
                "Connection group {name} was kept, without an owner tag (spec.deletionPolicy is Retain).{if_disabled}"
            )
        }
        Release::Observed(LeftBehind::Nothing) => {
            format!("CloudFront says that no connection group {name} exists (spec.mode is Observe).")
        }
        Release::Observed(LeftBehind::Group) => format!(
            "The operator leaves connection group {name} as it is (spec.mode is Observe). The group is not tagged as this object's in this installation."
        ),
        Release::Observed(LeftBehind::MarkedGroup(_)) => format!(
            "The operator leaves connection group {name} as it is (spec.mode is Observe). The owner tag {owner} stays on the group, because the operator writes nothing \
             in this mode, so the group will be reported as an orphan. To delete the group, create the object again with spec.mode Manage and spec.deletionPolicy \
             Delete, and then delete that object.{if_disabled}"
        ),
        Release::Observed(LeftBehind::Unknown) => format!(
            "The operator leaves connection group {name}, if it exists, as it is (spec.mode is Observe). CloudFront could not be read; if the group carries the \
             owner tag {owner}, it will be reported as an orphan."
        ),
    }
}

/// `spec_enabled`: as the spec says.
pub fn deletion_protected(spec_enabled: bool) -> String {
    let if_disabled = if spec_enabled { "" } else { " The spec requires it to be disabled (spec.enabled is false)." };
    format!(
        "The deletion is blocked by spec.deletionProtection: the operator neither disables the group for the deletion nor deletes it.{if_disabled} To let the deletion \
         continue, set spec.deletionProtection to false."
    )
}
