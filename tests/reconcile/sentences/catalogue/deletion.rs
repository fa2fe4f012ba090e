//! About an object that is being deleted.

use connection_group_operator::{
    api::DeletionPolicy,
    cloudfront::{
        ErrorClass,
        Operation::{DeleteConnectionGroup, UntagResource, UpdateConnectionGroup},
    },
};

use super::{Sentence, advises, says, service::is_consistency_window};
use crate::sentences::facts::Facts;

pub const SENTENCES: &[Sentence] = &[
    says(
        "The deletion is in progress: the group is disabled, and CloudFront reports status {name}. The group can be deleted after the rollout, which usually takes \
         minutes. Until then, the operator reads its tenants at least every 30 seconds; if one uses it, the deletion waits.",
        |f, places| is_being_deleted(f) && f.enabled() == Some(false) && f.says(places[0]) && f.is_tried_within(30),
    ),
    advises("To keep the group, set spec.deletionPolicy to Retain."),
    says(
        "The deletion is in progress: the group is disabled, and CloudFront's response does not state its status. The group can be deleted after the rollout, which \
         usually takes minutes. Until then, the operator reads its tenants at least every 30 seconds; if one uses it, the deletion waits.",
        |f, _| is_being_deleted(f) && f.enabled() == Some(false) && f.is_tried_within(30),
    ),
    says("The operator disabled the group so that it can be deleted; no tenant uses it.", |f, _| {
        is_being_deleted(f)
            && f.enabled() == Some(false)
            && !f.has_tenants()
            && f.record.changed_by(UpdateConnectionGroup)
    }),
    says("The group is disabled, as spec.enabled says.", |f, _| {
        f.world.deleting && f.enabled() == Some(false) && !f.spec().enabled
    }),
    says("1 distribution tenant still uses connection group {name}: {names}.", |f, places| {
        f.is_name(places[0]) && f.tenants() == 1
    }),
    says("{n} distribution tenants still use connection group {name}: {names}.", |f, places| {
        f.is_name(places[1]) && places[0].parse() == Ok(f.tenants()) && f.tenants() > 1
    }),
    says(
        "Distribution tenants still use connection group {name}; CloudFront's response names none of them.",
        |f, places| f.is_name(places[0]) && f.has_tenants() && f.tenants() == 0,
    ),
    says("{n} distribution tenants still use connection group {name}: {names} and {n} more.", |f, places| {
        f.is_name(places[1]) && places[0].parse() == Ok(f.tenants()) && f.tenants() > 10
    }),
    says("The group is enabled.", |f, _| f.enabled() == Some(true)),
    says(
        "The group is enabled, but CloudFront is still rolling out a change to it, so traffic of its tenants may still be down.",
        |f, _| f.enabled() == Some(true) && f.record.deployment.as_deref() != Some("Deployed"),
    ),
    says("CloudFront's response does not state whether the group is enabled.", |f, _| {
        f.record.group.as_ref().is_some_and(|group| group.config.enabled.is_none())
    }),
    says("The operator neither disables nor deletes it while tenants use it.", |f, _| {
        f.has_tenants() && f.enabled() != Some(false) && f.changed_nothing()
    }),
    says("The group is disabled, as spec.enabled says, so the traffic of its tenants is down.", |f, _| {
        f.enabled() == Some(false) && f.has_tenants() && !f.spec().enabled
    }),
    says(
        "The group is disabled, as spec.enabled says: the traffic of its tenants is down, at the latest once CloudFront has rolled this out.",
        |f, _| {
            let is_rolled_out = f.record.deployment.as_deref() == Some("Deployed");
            f.enabled() == Some(false) && f.has_tenants() && !f.spec().enabled && !is_rolled_out
        },
    ),
    says("The operator does not delete the group while tenants use it.", |f, _| f.has_tenants() && f.changed_nothing()),
    says("The operator does not delete it while tenants use it.", |f, _| f.has_tenants() && f.changed_nothing()),
    says(
        "The operator reads the tenants again at least every 5 minutes, and continues the deletion once none uses the group.",
        |f, _| is_being_deleted(f) && f.is_tried_within(300),
    ),
    advises(
        "Move the tenants to another connection group or delete them; to keep the group, set spec.deletionPolicy to Retain.",
    ),
    says(
        "CloudFront refuses to delete connection group {name} because it is in use, but lists no distribution tenant that uses it.",
        |f, places| {
            f.is_name(places[0])
                && !f.has_tenants()
                && f.was_refused(DeleteConnectionGroup, |class| class == ErrorClass::HasTenants)
        },
    ),
    says(
        "The operator retries the deletion after an hour, later after up to a day, and immediately when the object is edited or a reconcile is requested. To keep \
         the group, set spec.deletionPolicy to Retain.",
        |f, _| is_being_deleted(f) && f.is_tried_within(3600),
    ),
    says(
        "spec.enabled is true, so the operator does not leave the group disabled; to disable it, set spec.enabled to false.",
        |f, _| f.spec().enabled && f.enabled() == Some(true) && f.done(UpdateConnectionGroup),
    ),
    says(
        "The operator enabled connection group {name} again because it is in use, so it cannot be deleted.",
        |f, places| {
            let was_refused = f.was_refused(DeleteConnectionGroup, |class| class == ErrorClass::HasTenants);
            f.is_name(places[0]) && f.enabled() == Some(true) && (f.has_tenants() || was_refused)
        },
    ),
    says(
        "The operator enabled connection group {name} again because its distribution tenants cannot be read, so it may be in use.",
        |f, places| f.is_name(places[0]) && f.enabled() == Some(true) && f.failed("ListDistributionTenants", |_| true),
    ),
    says(
        "Status shows the group as disabled; the operator enables it again if a read shows that a tenant uses it.",
        |f, _| f.world.status_enabled == Some(false) && f.spec().enabled && is_being_deleted(f),
    ),
    says(
        "The operator enabled connection group {name} again because spec.deletionProtection blocks its deletion.",
        |f, places| {
            f.is_name(places[0]) && f.enabled() == Some(true) && f.world.deleting && f.spec().deletion_protection
        },
    ),
    says(
        "The operator enabled connection group {name} again because spec.deletionPolicy is Retain, so the group stays.",
        |f, places| {
            f.is_name(places[0])
                && f.enabled() == Some(true)
                && f.world.deleting
                && f.spec().deletion_policy == DeletionPolicy::Retain
        },
    ),
    says(
        "The deletion is blocked by spec.deletionProtection: the operator neither disables the group for the deletion nor deletes it.",
        |f, _| {
            let is_as_asked = f.enabled() == Some(f.spec().enabled) || !f.is_ours() || !f.exists();
            f.world.deleting && f.spec().deletion_protection && f.manages() && is_as_asked
        },
    ),
    says("The spec requires it to be disabled (spec.enabled is false).", |f, _| !f.spec().enabled),
    advises("To let the deletion continue, set spec.deletionProtection to false."),
    says("The deletion waits because of spec.suspend: the operator neither reads nor changes the group.", |f, _| {
        f.spec().suspend && f.world.deleting && f.record.calls.is_empty()
    }),
    says("The operator deleted connection group {name} with id {id}.", |f, places| {
        f.is_name(places[0]) && f.record.deleted.as_deref() == Some(places[1]) && f.world.deleting
    }),
    says(
        "It removes the finalizer once a read and a later list of the account's groups do not show the group.",
        |f, _| f.done(DeleteConnectionGroup) && f.world.deleting,
    ),
    says(
        "CloudFront says that connection group {name} does not exist. The operator removes the finalizer once a complete list of the account's groups does not show \
         it either.",
        |f, places| {
            f.is_name(places[0])
                && f.reported_absent()
                && f.world.deleting
                && f.changed_nothing()
                && !f.world.list_fails
        },
    ),
    says(
        "CloudFront says that connection group {name} does not exist. The operator removes the finalizer once a complete list of the account's groups does not show \
         it either, but {text}.",
        |f, places| f.is_name(places[0]) && f.reported_absent() && f.world.deleting && f.world.list_fails,
    ),
    says("The operator lists the groups again for the next inventory.", |f, _| f.world.list_fails),
    says(
        "That list must start after the operator's last change, and at least the consistency window ({text}) after a request to create, adopt or take over the group \
         could last have been sent.",
        |f, places| f.world.deleting && is_consistency_window(f, places[0]),
    ),
    says(
        "The deletion waits because a request to create, adopt or take over connection group {name} could still take effect. This process, or the one before it, may have \
         sent such a request. The operator keeps the object until the consistency window ({text}) has passed since the last such request could have been sent, \
         and then reads CloudFront again. No action is needed.",
        |f, places| {
            f.is_name(places[0])
                && f.world.deleting
                && f.requeue <= f.world.consistency_window
                && f.changed_nothing()
                && is_consistency_window(f, places[1])
        },
    ),
    says(
        "Connection group {name} does not exist: neither a read by its name nor a complete list of the account's groups shows it. The operator removes the finalizer.",
        |f, places| {
            f.is_name(places[0])
                && f.is_gone()
                && f.reported_absent()
                && f.world.row.is_none()
                && f.world.deleting
                && f.changed_nothing()
        },
    ),
    says("Connection group {name} is not owned by this object. The operator leaves it as it is.", |f, places| {
        let is_default = f.record.group.as_ref().is_some_and(|group| group.is_default);
        f.is_name(places[0]) && (!f.is_marked_as_ours() || is_default) && f.changed_nothing() && f.exists()
    }),
    says("It stays disabled.", |f, _| f.enabled() == Some(false)),
    says("Connection group {name} was kept, without an owner tag (spec.deletionPolicy is Retain).", |f, places| {
        let is_ours_to_take_off = f.record.changed_by(UntagResource) || f.changed_nothing();
        f.is_name(places[0]) && f.exists() && f.owner_tag().is_none() && is_ours_to_take_off
    }),
    says("CloudFront says that no connection group {name} exists (spec.mode is Observe).", |f, places| {
        f.is_name(places[0]) && f.reported_absent() && !f.manages()
    }),
    says(
        "The operator leaves connection group {name} as it is (spec.mode is Observe). The group is not tagged as this object's in this installation.",
        |f, places| f.is_name(places[0]) && f.exists() && f.changed_nothing() && !f.is_ours(),
    ),
    says(
        "The operator leaves connection group {name} as it is (spec.mode is Observe). The owner tag {id} stays on the group, because the operator writes nothing in \
         this mode, so the group will be reported as an orphan. To delete the group, create the object again with spec.mode Manage and spec.deletionPolicy Delete, and \
         then delete that object.",
        |f, places| {
            f.is_name(places[0])
                && f.exists()
                && f.changed_nothing()
                && f.owner_tag() == Some(places[1])
                && f.identity_tag().is_none_or(|identity| identity == f.world.identity)
        },
    ),
    says(
        "The operator leaves connection group {name}, if it exists, as it is (spec.mode is Observe). CloudFront could not be read; if the group carries the owner \
         tag {id}, it will be reported as an orphan.",
        |f, places| {
            f.is_name(places[0]) && f.changed_nothing() && !f.record.errors.is_empty() && places[1] == f.world.owner
        },
    ),
];

/// The group itself is to be deleted, and nothing in the spec holds that back.
fn is_being_deleted(f: &Facts<'_>) -> bool {
    let spec = f.spec();
    let is_held = spec.deletion_protection || spec.suspend || spec.deletion_policy == DeletionPolicy::Retain;
    f.world.deleting && f.manages() && !is_held
}
