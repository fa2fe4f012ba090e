//! Of an object that is being deleted.

use connection_group_operator::{
    api::DeletionPolicy,
    cloudfront::{
        ErrorClass,
        Operation::{DeleteConnectionGroup, UntagResource, UpdateConnectionGroup},
    },
};

use super::{Sentence, advises, says};
use crate::sentences::facts::Facts;

pub const SENTENCES: &[Sentence] = &[
    says(
        "Being deleted: the group is disabled; CloudFront says {name}, and it takes minutes until it may be deleted.",
        |f, places| is_being_deleted(f) && f.enabled() == Some(false) && f.says(places[0]),
    ),
    says(
        "Being deleted: the group is disabled; CloudFront's answer does not state its status, and it takes minutes until it may be deleted.",
        |f, _| is_being_deleted(f) && f.enabled() == Some(false),
    ),
    says("The group is disabled so that it can be deleted; no tenant uses it.", |f, _| {
        is_being_deleted(f)
            && f.enabled() == Some(false)
            && !f.has_tenants()
            && f.heard.changed_by(UpdateConnectionGroup)
    }),
    says("The group is disabled, as spec.enabled says.", |f, _| {
        f.world.deleting && f.enabled() == Some(false) && !f.spec().enabled
    }),
    says("{n} distribution tenant(s) still use connection group {name}: {names}.", |f, places| {
        f.is_name(places[1]) && places[0].parse() == Ok(f.tenants()) && f.tenants() > 0
    }),
    says(
        "Distribution tenants still use connection group {name}; CloudFront's answer names none of them.",
        |f, places| f.is_name(places[0]) && f.has_tenants() && f.tenants() == 0,
    ),
    says("{n} distribution tenant(s) still use connection group {name}: {names} and {n} more.", |f, places| {
        f.is_name(places[1]) && places[0].parse() == Ok(f.tenants()) && f.tenants() > 10
    }),
    says("The group is enabled; it is neither disabled nor deleted while they use it.", |f, _| {
        f.enabled() == Some(true) && f.has_tenants()
    }),
    says(
        "The group is disabled, as spec.enabled says, so their traffic is down; it is not deleted while they use it.",
        |f, _| f.enabled() == Some(false) && f.has_tenants() && !f.spec().enabled,
    ),
    says(
        "The deletion goes on by itself once they are gone; to keep the group instead, set spec.deletionPolicy to Retain.",
        |f, _| is_being_deleted(f) && f.is_tried_within(300),
    ),
    says(
        "CloudFront does not delete connection group {name} because it is in use, but lists no distribution tenant that uses it.",
        |f, places| {
            f.is_name(places[0])
                && !f.has_tenants()
                && f.was_refused(DeleteConnectionGroup, |class| class == ErrorClass::HasTenants)
        },
    ),
    says("The group is enabled again meanwhile.", |f, _| f.enabled() == Some(true)),
    says(
        "The deletion is tried again after an hour, later after up to a day, and at once when the object is edited or a reconcile is requested; to keep the group \
         instead, set spec.deletionPolicy to Retain.",
        |f, _| is_being_deleted(f) && f.is_tried_within(3600),
    ),
    says("Connection group {name} was off although spec.enabled is true.", |f, places| {
        f.is_name(places[0]) && f.spec().enabled && f.done(UpdateConnectionGroup)
    }),
    says("It is enabled again: it is in use, so it cannot be deleted.", |f, _| {
        let in_use = f.has_tenants() || f.was_refused(DeleteConnectionGroup, |class| class == ErrorClass::HasTenants);
        f.enabled() == Some(true) && in_use
    }),
    says("It is enabled again: its distribution tenants cannot be read, so it may be in use.", |f, _| {
        f.enabled() == Some(true) && f.failed("ListDistributionTenants", |_| true)
    }),
    says("Status shows the group as disabled; if a read shows that a tenant uses it, it is enabled again.", |f, _| {
        f.world.status_enabled == Some(false) && f.spec().enabled && is_being_deleted(f)
    }),
    says("It is enabled again: spec.deletionProtection holds its deletion back.", |f, _| {
        f.enabled() == Some(true) && f.world.deleting && f.spec().deletion_protection
    }),
    says("It is enabled again: spec.deletionPolicy is Retain, so it stays.", |f, _| {
        f.enabled() == Some(true) && f.world.deleting && f.spec().deletion_policy == DeletionPolicy::Retain
    }),
    says(
        "The deletion is held back by spec.deletionProtection: the group is neither disabled for the deletion nor deleted.",
        |f, _| {
            let is_as_asked = f.enabled() == Some(f.spec().enabled) || !f.is_ours() || !f.exists();
            f.world.deleting && f.spec().deletion_protection && f.manages() && is_as_asked
        },
    ),
    says("The spec wants it disabled (spec.enabled is false).", |f, _| !f.spec().enabled),
    advises("Set spec.deletionProtection to false to let it go on."),
    says("The deletion waits because of spec.suspend: CloudFront is neither read nor changed.", |f, _| {
        f.spec().suspend && f.world.deleting && f.heard.calls.is_empty()
    }),
    says(
        "When last read, the group was disabled although spec.enabled is true: by its deletion, which had begun, or by somebody else. Traffic of its tenants \
         is down while this is suspended.",
        |f, _| f.enabled() == Some(false) && f.spec().enabled && f.world.deleting,
    ),
    says("Connection group {name} was deleted; waiting for proof that it is gone.", |f, places| {
        f.is_name(places[0]) && f.done(DeleteConnectionGroup) && f.world.deleting
    }),
    says(
        "CloudFront says that connection group {name} does not exist; waiting for a complete list of the account's groups to confirm it. Then this object is \
         released.",
        |f, places| f.is_name(places[0]) && f.said_absent() && f.world.deleting && f.changed_nothing(),
    ),
    says(
        "CloudFront says that connection group {name} does not exist; a list that is begun once no earlier Create can take effect any more \
         (--consistency-window) must confirm it. Then this object is released.",
        |f, places| f.is_name(places[0]) && f.said_absent() && f.world.deleting && f.changed_nothing(),
    ),
    says(
        "CloudFront says that connection group {name} does not exist; a complete list of the account's groups must confirm it, but {text}. Then this object is \
         released.",
        |f, places| f.is_name(places[0]) && f.said_absent() && f.world.deleting && f.world.list_fails,
    ),
    says(
        "The deletion waits: a request to create or to adopt connection group {name} that this operator may have sent, or the process before it, could still take \
         effect. The object is kept until --consistency-window has passed since the last such moment; then CloudFront is read again.",
        |f, places| {
            f.is_name(places[0]) && f.world.deleting && f.requeue <= f.world.consistency_window && f.changed_nothing()
        },
    ),
    says("Connection group {name} is gone.", |f, places| f.is_name(places[0]) && f.is_gone() && f.world.deleting),
    says("Connection group {name} is not owned by this object and is left as it is.", |f, places| {
        let is_default = f.heard.group.as_ref().is_some_and(|group| group.is_default);
        f.is_name(places[0]) && (!f.is_marked_as_ours() || is_default) && f.changed_nothing() && f.exists()
    }),
    says("It stays disabled.", |f, _| f.enabled() == Some(false)),
    says("Connection group {name} was kept, without our owner tag (deletionPolicy: Retain).", |f, places| {
        let is_ours_to_take_off = f.heard.changed_by(UntagResource) || f.changed_nothing();
        f.is_name(places[0]) && f.exists() && f.owner_tag().is_none() && is_ours_to_take_off
    }),
    says("CloudFront says that no connection group {name} exists (mode: Observe).", |f, places| {
        f.is_name(places[0]) && f.said_absent() && !f.manages()
    }),
    says(
        "Connection group {name} is left as it is (mode: Observe); it is not marked as this object's in this installation.",
        |f, places| f.is_name(places[0]) && f.exists() && f.changed_nothing() && !f.is_ours(),
    ),
    says(
        "Connection group {name} is left as it is (mode: Observe). The owner tag {id} that an earlier mode: Manage put on it stays, so it will be reported as an \
         orphan. To delete it, create the object again with mode: Manage.",
        |f, places| {
            f.is_name(places[0])
                && f.exists()
                && f.changed_nothing()
                && f.owner_tag() == Some(places[1])
                && f.identity_tag().is_none_or(|identity| identity == f.world.identity)
        },
    ),
    says(
        "Connection group {name}, if it exists, is left as it is (mode: Observe). CloudFront could not be read; if the group carries the owner tag {id}, it will \
         be reported as an orphan.",
        |f, places| {
            f.is_name(places[0]) && f.changed_nothing() && !f.heard.errors.is_empty() && places[1] == f.world.owner
        },
    ),
];

/// The group itself is to be deleted, and nothing in the spec holds that back.
fn is_being_deleted(f: &Facts<'_>) -> bool {
    let spec = f.spec();
    let is_held = spec.deletion_protection || spec.suspend || spec.deletion_policy == DeletionPolicy::Retain;
    f.world.deleting && f.manages() && !is_held
}
