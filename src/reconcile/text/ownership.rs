//! The messages about whose a group is: owner, identity, adoption. Pure.

use std::time::Duration;

use super::{VALUE_LIMIT, drift, one_line, time, value};
use crate::{
    api::AdoptionPolicy,
    cloudfront::GroupName,
    reconcile::{
        enablement::TrafficOnceOurs,
        ownership::{ForeignTag, Installation, OwnerTag},
        plan::AdoptionObstacle,
    },
};

/// Appended to the message about a group that is not touched: its tags or the settings may change.
pub const CHECKS_AGAIN: &str = " The operator checks again at least every 5 minutes.";

/// Goes before the advice to make the group this object's.
pub const fn traffic_once_ours(traffic: TrafficOnceOurs) -> &'static str {
    match traffic {
        TrafficOnceOurs::Kept => "",
        TrafficOnceOurs::TakenDown => {
            " The group is enabled, and spec.enabled is false: once the group belongs to this object, the operator disables it, and the traffic of its tenants is down. \
             To keep it enabled, first set spec.enabled to true."
        }
        TrafficOnceOurs::PerhapsTakenDown => {
            " CloudFront's response does not state whether the group is enabled, and spec.enabled is false: once the group belongs to this object, the operator disables it. \
             If its tenants need it, first set spec.enabled to true."
        }
    }
}

/// The owner id of this installation may have been changed.
pub fn of_another_owner_id(name: &GroupName, foreign: &ForeignTag, traffic: TrafficOnceOurs) -> String {
    let ForeignTag { tag, theirs, ours } = foreign;
    format!(
        "The owner id of this installation is {}. If it was changed to that by mistake, set --owner-id (ownerId in the chart) back to {}, and delete nothing. {}",
        value(ours),
        value(theirs),
        not_owned(name, tag, traffic)
    )
}

pub fn not_owned(name: &GroupName, owner: &OwnerTag, traffic: TrafficOnceOurs) -> String {
    format!(
        "Connection group {name} belongs to {} (owner id/namespace/name). Nothing was changed.{} To move the group and its endpoint to this object, first set \
         spec.deletionPolicy to Retain and spec.deletionProtection to false on that object, then delete it: a deletion with the policy Delete deletes the group. \
         This object then adopts the group if spec.adoptionPolicy (IfUnchanged or Always) and the operator's --allow-adoption (adoption.allowed in the chart) permit it. To leave the group where \
         it is, recreate this object with another spec.name.",
        value(owner.as_str()),
        traffic_once_ours(traffic)
    )
}

/// The owner tag names this object itself if the owner id of this installation was changed.
pub fn of_a_namesake(name: &GroupName, namesake: &ForeignTag, traffic: TrafficOnceOurs) -> String {
    let ForeignTag { tag, theirs, ours } = namesake;
    let theirs = value(theirs);
    format!(
        "Connection group {name} belongs to {} (owner id/namespace/name): an object with this namespace and name under owner id {theirs}; this installation's owner \
         id is {}. Nothing was changed.{} If the owner id of this installation was changed to {} by mistake, set --owner-id (ownerId in the chart) back to {theirs}; do not \
         delete this object. If {theirs} was the mistake, correct the owner tag (docs/disaster-recovery.md). If an object of that name in another cluster owns the group, recreate this object with another spec.name.",
        value(tag.as_str()),
        value(ours),
        traffic_once_ours(traffic),
        value(ours),
    )
}

pub fn elsewhere(name: &GroupName, installation: &Installation, us: &Installation, traffic: TrafficOnceOurs) -> String {
    format!(
        "{}{} If the identity of this installation was changed by mistake, set --identity-namespace (identity.namespace in the chart) back, and change nothing on \
         the objects. If this cluster is a copy, delete the object here; the group stays. If this cluster replaces the other one, stop the operator \
         there and run this one with --take-over-installation={} (identity.takeOver in the chart).",
        in_another_installation(name, installation, us),
        traffic_once_ours(traffic),
        one_line(installation.as_str(), VALUE_LIMIT)
    )
}

/// The same for an object that is being deleted, and is released later.
pub fn elsewhere_until_released(
    name: &GroupName,
    installation: &Installation,
    us: &Installation,
    consistency_window: Duration,
) -> String {
    format!(
        "{} The operator removes its finalizer and leaves the group as it is once the consistency window ({}) has passed since a request to create, adopt or take over \
         the group could last have been sent.",
        in_another_installation(name, installation, us),
        time(consistency_window)
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
        "The operator took over connection group {name} from installation {from}, as --take-over-installation (identity.takeOver in the chart) says: it now carries this installation's \
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
    let differs = match (obstacle.differences.as_slice(), obstacle.traffic) {
        ([], TrafficOnceOurs::Kept | TrafficOnceOurs::TakenDown) => "It matches the spec".to_owned(),
        ([], TrafficOnceOurs::PerhapsTakenDown) => "What CloudFront states of it matches the spec".to_owned(),
        (differences, _) => format!("It differs from the spec: {}", drift(differences)),
    };
    let administrator = obstacle
        .forbidden_by_administrator
        .then_some("the administrator has not allowed adoption (the operator runs without --allow-adoption; adoption.allowed in the chart)");
    let keys = [policy_to_change(obstacle), administrator].into_iter().flatten().collect::<Vec<_>>().join(" and ");
    format!(
        "Connection group {name} exists but has no owner. {differs}. Nothing was changed.{} The operator does not adopt the group because {keys}.",
        traffic_once_ours(obstacle.traffic)
    )
}

/// The object's policy, if it forbids the adoption, and what to do about it. The advice begins with what leaves the group as it is.
fn policy_to_change(obstacle: &AdoptionObstacle) -> Option<&'static str> {
    match (obstacle.policy, obstacle.differences.as_slice()) {
        (AdoptionPolicy::Always, _) => None,
        (AdoptionPolicy::IfUnchanged, _) if obstacle.is_unchanged() => None,
        (AdoptionPolicy::IfUnchanged, []) => Some(
            "spec.adoptionPolicy is IfUnchanged (if you know that the group is disabled, set the policy to Always)",
        ),
        (AdoptionPolicy::IfUnchanged, _) => {
            Some("spec.adoptionPolicy is IfUnchanged (make the spec match the group; Always would change the group)")
        }
        (AdoptionPolicy::Never, []) => Some("spec.adoptionPolicy is Never (set it to IfUnchanged or Always)"),
        (AdoptionPolicy::Never, _) => Some(
            "spec.adoptionPolicy is Never (make the spec match the group, then set the policy to IfUnchanged; Always would change the group)",
        ),
    }
}

/// The end that it names is that of both waits: for the tags of a young group, and for those of a claim of ours.
pub fn tags_pending(name: &GroupName, deleting: bool, consistency_window: Duration) -> String {
    let group = if deleting { "The deletion waits because connection group" } else { "Connection group" };
    format!(
        "{group} {name} shows no owner tag yet. It was created less than a minute ago, or the operator has recently sent a request to create, adopt or take it over, so \
         its tags may not be visible yet. Nothing was changed. The operator reads the group again within a minute. If the group shows no owner tag once it is a minute \
         old and the consistency window ({}) has passed since the last such request, the operator treats it as a group without an owner. If this recurs, find the \
         client that removes the tag, for example in CloudTrail (UntagResource).",
        time(consistency_window)
    )
}

/// Without the time that is left, so that another read does not change the message.
pub fn owner_may_show(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "Connection group {name} exists and seems to have no owner. The operator adopts it if no owner tag appears within the consistency window ({}).",
        time(consistency_window)
    )
}

pub fn owner_unstated(name: &GroupName, deleting: bool) -> String {
    let (state, otherwise) = if deleting {
        (
            "The deletion waits because the",
            "; or, to release the object and leave the group as it is, remove the owner tag from the group",
        )
    } else {
        ("The", "")
    };
    format!(
        "{state} owner or identity tag of connection group {name} has no value in CloudFront's response, so the operator does not know who owns the group. Nothing was \
         changed. The operator reads the group again at least every 5 minutes. If this persists, someone may have cleared the tag: restore its value{otherwise}."
    )
}

/// For a deletion whose object has no group on record: its status may have been lost.
pub fn owner_tag_may_show(name: &GroupName, consistency_window: Duration) -> String {
    format!(
        "The deletion waits because the last read of connection group {name} showed no owner tag. Reads may be stale. If the tag does not appear within the \
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

pub const KEPT_OWNER_TAG: &str =
    " This object's owner tag is still on the group because the operator writes nothing in mode Observe.";
