//! About the owner of a group.

use connection_group_operator::{
    api::AdoptionPolicy,
    cloudfront::Operation::{CreateConnectionGroup, TagResource},
};

use super::{Sentence, advises, says, service::is_consistency_window};
use crate::sentences::{facts::Facts, grammar::difference};

pub const SENTENCES: &[Sentence] = &[
    says("Nothing was changed.", |f, _| f.changed_nothing()),
    says("The operator checks again at least every 5 minutes.", |f, _| f.is_tried_within(300)),
    says("Connection group {name} belongs to {value} (owner id/namespace/name).", |f, places| {
        let is_other = f.owner_tag() != Some(&f.world.owner);
        f.is_name(places[0]) && f.exists() && f.owner_tag() == Some(places[1].trim_matches('\'')) && is_other
    }),
    says(
        "Connection group {name} belongs to {value} (owner id/namespace/name): an object with this namespace and name under owner id {value}; this installation's \
         owner id is {value}.",
        |f, places| {
            let tag = places[1].trim_matches('\'');
            let ends = format!("/platform/{}", "edge");
            let of = |tag: &str| tag.strip_suffix(&ends).map(|owner_id| format!("'{owner_id}'"));
            f.is_name(places[0])
                && f.exists()
                && f.owner_tag() == Some(tag)
                && of(tag).as_deref() == Some(places[2])
                && of(&f.world.owner).as_deref() == Some(places[3])
                && places[2] != places[3]
        },
    ),
    advises(
        "If the owner id of this installation was changed to {value} by mistake, set --owner-id (ownerId in the chart) back to {value}; do not delete this object.",
    ),
    advises("If {value} was the mistake, correct the owner tag (docs/disaster-recovery.md)."),
    says("The owner id of this installation is {value}.", |f, places| {
        f.world.owner.split('/').next().map(|owner_id| format!("'{owner_id}'")).as_deref() == Some(places[0])
    }),
    advises(
        "If it was changed to that by mistake, set --owner-id (ownerId in the chart) back to {value}, and delete nothing.",
    ),
    advises(
        "If the identity of this installation was changed by mistake, set --identity-namespace (identity.namespace in the chart) back, and change nothing on the \
         objects.",
    ),
    advises(
        "If an object of that name in another cluster owns the group, recreate this object with another spec.name.",
    ),
    advises(
        "To move the group and its endpoint to this object, first set spec.deletionPolicy to Retain and spec.deletionProtection to false on that object, then delete it: a deletion with the policy Delete \
         deletes the group.",
    ),
    advises(
        "This object then adopts the group if spec.adoptionPolicy (IfUnchanged or Always) and the operator's --allow-adoption (adoption.allowed in the chart) permit it.",
    ),
    advises("To leave the group where it is, recreate this object with another spec.name."),
    says(
        "Connection group {name} belongs to this object in another installation with the same owner id: that installation's identity is {value}, this \
         installation's identity is {id}.",
        |f, places| is_elsewhere(f, places[0], places[1]) && places[2] == f.world.identity,
    ),
    advises(
        "If this cluster is a copy, delete the object here; the group stays. If this cluster replaces the other one, stop the operator there and run this one \
         with --take-over-installation={id} (identity.takeOver in the chart).",
    ),
    says(
        "Connection group {name} belongs to this object in another installation with the same owner id, {value}. The operator leaves it as it is.",
        |f, places| is_elsewhere(f, places[0], places[1]) && f.changed_nothing(),
    ),
    says(
        "The operator removes its finalizer and leaves the group as it is once the consistency window ({text}) has passed since a request to create, adopt or take over \
         the group could last have been sent.",
        |f, places| {
            f.world.deleting
                && f.changed_nothing()
                && f.requeue <= f.world.consistency_window
                && is_consistency_window(f, places[0])
        },
    ),
    says("The operator tagged connection group {name} with this installation's identity, {id}.", |f, places| {
        f.is_name(places[0]) && f.done(TagResource) && places[1] == f.world.identity && is_marked_with(f, places[1])
    }),
    says(
        "The operator took over connection group {name} from installation {id}, as --take-over-installation (identity.takeOver in the chart) says: it now carries this installation's identity, {id}.",
        |f, places| f.is_name(places[0]) && f.done(TagResource) && is_marked_with(f, places[2]),
    ),
    says(
        "{id} is the account's default connection group, which the operator never manages. Nothing was changed. To mirror it in status, set spec.mode to Observe.",
        |f, places| {
            let is_default = f.record.group.as_ref().is_some_and(|group| group.is_default);
            f.is_name(places[0]) && is_default && f.changed_nothing() && f.manages()
        },
    ),
    says("Connection group {name} exists but has no owner.", |f, places| {
        f.is_name(places[0]) && f.exists() && f.owner_tag().is_none()
    }),
    says("It matches the spec.", |f, _| f.differing().is_empty() && !may_be_disabled(f)),
    says("What CloudFront states of it matches the spec.", |f, _| f.differing().is_empty() && may_be_disabled(f)),
    says(
        "The group is enabled, and spec.enabled is false: once the group belongs to this object, the operator disables it, and the traffic of its tenants is down.",
        |f, _| f.enabled() == Some(true) && !f.spec().enabled && !f.is_ours() && f.manages(),
    ),
    advises("To keep it enabled, first set spec.enabled to true."),
    says(
        "CloudFront's response does not state whether the group is enabled, and spec.enabled is false: once the group belongs to this object, the operator disables it.",
        |f, _| may_be_disabled(f) && !f.is_ours() && f.manages(),
    ),
    advises("If its tenants need it, first set spec.enabled to true."),
    says("It differs from the spec: {drift}.", |f, places| {
        let items = places[0].split("; ").filter_map(difference);
        let count = items.clone().count();
        count > 0 && items.clone().all(|(field, is, says)| is != says && f.reads(field, is))
    }),
    says("The operator does not adopt the group because {text}.", |f, places| {
        let spec = f.spec();
        let claims = [
            (
                "spec.adoptionPolicy is Never (set it to IfUnchanged or Always)",
                spec.adoption_policy == AdoptionPolicy::Never && f.differing().is_empty(),
            ),
            (
                "spec.adoptionPolicy is Never (make the spec match the group, then set the policy to IfUnchanged; Always would change the group)",
                spec.adoption_policy == AdoptionPolicy::Never && !f.differing().is_empty(),
            ),
            (
                "spec.adoptionPolicy is IfUnchanged (make the spec match the group; Always would change the group)",
                spec.adoption_policy == AdoptionPolicy::IfUnchanged && !f.differing().is_empty(),
            ),
            (
                "spec.adoptionPolicy is IfUnchanged (if you know that the group is disabled, set the policy to Always)",
                spec.adoption_policy == AdoptionPolicy::IfUnchanged && f.differing().is_empty() && may_be_disabled(f),
            ),
            (
                "the administrator has not allowed adoption (the operator runs without --allow-adoption; adoption.allowed in the chart)",
                !f.world.allow_adoption,
            ),
        ];
        let keys = places[0].split(" and ").collect::<Vec<_>>();
        keys.iter().all(|key| claims.iter().any(|(claim, _)| claim == key))
            && claims.iter().all(|(claim, is_so)| keys.contains(claim) == *is_so)
    }),
    says("Connection group {name} shows no owner tag yet.", |f, places| {
        f.is_name(places[0]) && f.exists() && f.owner_tag().is_none() && !f.world.deleting
    }),
    says("The deletion waits because connection group {name} shows no owner tag yet.", |f, places| {
        f.is_name(places[0]) && f.exists() && f.owner_tag().is_none() && f.world.deleting
    }),
    advises(
        "It was created less than a minute ago, or the operator has recently sent a request to create, adopt or take it over, so its tags may not be visible yet.",
    ),
    says("The operator reads the group again within a minute.", |f, _| f.is_tried_within(60)),
    says(
        "If the group shows no owner tag once it is a minute old and the consistency window ({text}) has passed since the last such request, the operator treats it as a \
         group without an owner.",
        |f, places| is_consistency_window(f, places[0]),
    ),
    advises("If this recurs, find the client that removes the tag, for example in CloudTrail (UntagResource)."),
    says(
        "Connection group {name} exists and seems to have no owner. The operator adopts it if no owner tag appears within the consistency window ({text}).",
        |f, places| {
            f.is_name(places[0])
                && f.exists()
                && f.owner_tag().is_none()
                && f.world.allow_adoption
                && f.requeue <= f.world.consistency_window
                && is_consistency_window(f, places[1])
        },
    ),
    says(
        "Connection group {name} is recorded as this object's, but the last read showed no owner tag. Reads may be stale, so nothing was changed.",
        |f, places| {
            f.is_name(places[0]) && f.owner_tag().is_none() && f.changed_nothing() && f.world.status_id.is_some()
        },
    ),
    says(
        "The owner or identity tag of connection group {name} has no value in CloudFront's response, so the operator does not know who owns the group.",
        |f, places| has_an_empty_tag(f, places[0]) && !f.world.deleting,
    ),
    says(
        "The deletion waits because the owner or identity tag of connection group {name} has no value in CloudFront's response, so the operator does not know who owns \
         the group.",
        |f, places| has_an_empty_tag(f, places[0]) && f.world.deleting,
    ),
    says("The operator reads the group again at least every 5 minutes.", |f, _| f.is_tried_within(300)),
    says("If this persists, someone may have cleared the tag: restore its value.", |f, _| !f.world.deleting),
    says(
        "If this persists, someone may have cleared the tag: restore its value; or, to release the object and leave the group as it is, remove the owner tag from the group.",
        |f, _| f.world.deleting,
    ),
    says(
        "The deletion waits because the last read of connection group {name} showed no owner tag. Reads may be stale.",
        |f, places| f.is_name(places[0]) && f.owner_tag().is_none() && f.changed_nothing() && f.world.deleting,
    ),
    says(
        "If the tag does not appear within the consistency window ({text}), the operator removes the finalizer and leaves the group as it is.",
        |f, places| f.world.deleting && is_consistency_window(f, places[0]),
    ),
    says(
        "If the tag does not appear within the consistency window ({text}), the operator treats the group as no longer owned by this object.",
        |f, places| !f.world.deleting && is_consistency_window(f, places[0]),
    ),
    says(
        "Connection group {name} is not the group that the tags in status were sent to. They are removed from status so that the operator does not remove other \
         clients' tags from this group. The operator adopts the group next.",
        |f, places| {
            f.is_name(places[0])
                && f.owner_tag().is_none()
                && f.is_tried_within(0)
                && f.world.allow_adoption
                && f.world.status_tags == 0
        },
    ),
    says("The operator adopted connection group {name}, which had no owner.", |f, places| {
        f.is_name(places[0]) && f.done(TagResource) && f.is_marked_as_ours()
    }),
    says(
        "CloudFront refused to create connection group {name}, and a second read found that it already exists. The operator {text} next.",
        |f, places| {
            let steps = [
                "adopts it",
                "tags it with this installation's identity",
                "takes it over",
                "updates its tags",
                "updates it",
            ];
            f.is_name(places[0])
                && f.exists()
                && f.record.called(CreateConnectionGroup)
                && f.changed_nothing()
                && f.is_tried_within(0)
                && steps.contains(&places[1])
        },
    ),
];

/// Whether the spec would disable the group, which may be enabled.
fn may_be_disabled(f: &Facts<'_>) -> bool {
    !f.spec().enabled && f.stated_enabled().is_none()
}

fn has_an_empty_tag(f: &Facts<'_>, name: &str) -> bool {
    f.is_name(name) && (f.owner_tag() == Some("") || f.identity_tag() == Some(""))
}

fn is_elsewhere(f: &Facts<'_>, name: &str, identity: &str) -> bool {
    let identity = identity.trim_matches('\'');
    f.is_name(name)
        && f.exists()
        && f.is_marked_as_ours()
        && f.identity_tag() == Some(identity)
        && identity != f.world.identity
}

fn is_marked_with(f: &Facts<'_>, identity: &str) -> bool {
    f.identity_tag() == Some(identity) && f.is_marked_as_ours()
}
