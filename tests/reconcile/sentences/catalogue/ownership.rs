//! Of whose group it is.

use connection_group_operator::{
    api::AdoptionPolicy,
    cloudfront::Operation::{CreateConnectionGroup, TagResource},
};

use super::{Sentence, advises, says, service::is_consistency_window};
use crate::sentences::{facts::Facts, grammar::difference};

pub const SENTENCES: &[Sentence] = &[
    says("Nothing was changed.", |f, _| f.changed_nothing()),
    says("Connection group {name} belongs to {value} (owner id/namespace/name).", |f, places| {
        let is_other = f.owner_tag() != Some(&f.world.owner);
        f.is_name(places[0]) && f.exists() && f.owner_tag() == Some(places[1].trim_matches('\'')) && is_other
    }),
    advises("Delete that object first, or create this one again with another spec.name."),
    says(
        "Connection group {name} belongs to this object in another installation with the same owner id: its identity is {value}, ours is {id}.",
        |f, places| is_elsewhere(f, places[0], places[1]) && places[2] == f.world.identity,
    ),
    advises(
        "If this cluster is a copy, delete the object here; the group stays. If this cluster replaces the other one, stop that operator and run this one with \
         --take-over-installation={id}.",
    ),
    says(
        "Connection group {name} belongs to this object in another installation with the same owner id, {value}. It is left as it is.",
        |f, places| is_elsewhere(f, places[0], places[1]) && f.changed_nothing(),
    ),
    says(
        "This object is released, and the group left as it is, once no request of this operator to create or to adopt the group can take effect any more \
         (--consistency-window).",
        |f, _| f.world.deleting && f.changed_nothing() && f.requeue <= f.world.consistency_window,
    ),
    says("Connection group {name} was marked with the identity of this installation, {id}.", |f, places| {
        f.is_name(places[0]) && f.done(TagResource) && places[1] == f.world.identity && is_marked_with(f, places[1])
    }),
    says(
        "Connection group {name} was taken over from installation {id}, as --take-over-installation says: it carries our identity, {id}, now.",
        |f, places| f.is_name(places[0]) && f.done(TagResource) && is_marked_with(f, places[2]),
    ),
    says(
        "{id} is the account's default connection group, which this operator never manages. Nothing was changed. Use mode: Observe to watch it.",
        |f, places| {
            let is_default = f.heard.group.as_ref().is_some_and(|group| group.is_default);
            f.is_name(places[0]) && is_default && f.changed_nothing() && f.manages()
        },
    ),
    says("Connection group {name} exists without an owner.", |f, places| {
        f.is_name(places[0]) && f.exists() && f.owner_tag().is_none()
    }),
    says("It equals the spec.", |f, _| f.differing().is_empty()),
    says("It differs: {drift}.", |f, places| {
        let items = places[0].split("; ").filter_map(difference);
        let count = items.clone().count();
        count > 0 && items.clone().all(|(field, is, says)| is != says && f.reads(field, is))
    }),
    says("It is not adopted because {text}.", |f, places| {
        let spec = f.spec();
        let claims = [
            ("spec.adoptionPolicy is Never: set IfUnchanged or Always", spec.adoption_policy == AdoptionPolicy::Never),
            (
                "spec.adoptionPolicy is IfUnchanged: make the spec equal to the group, or set Always",
                spec.adoption_policy == AdoptionPolicy::IfUnchanged && !f.differing().is_empty(),
            ),
            (
                "the administrator has not allowed adoption: the operator runs without --allow-adoption",
                !f.world.allow_adoption,
            ),
        ];
        let keys = places[0].split("; and ").collect::<Vec<_>>();
        keys.iter().all(|key| claims.iter().any(|(claim, _)| claim == key))
            && claims.iter().all(|(claim, is_so)| keys.contains(claim) == *is_so)
    }),
    says(
        "Connection group {name} does not show this object's owner tag yet. If the group was created, or its tags were changed, a short time ago, tags may not \
         be visible yet. Nothing was changed; the group is read again shortly.",
        |f, places| {
            f.is_name(places[0])
                && f.exists()
                && f.owner_tag().is_none()
                && f.changed_nothing()
                && f.is_tried_within(300)
        },
    ),
    says(
        "Connection group {name} exists and seems to have no owner. It is adopted if no owner tag shows within the consistency window ({text}).",
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
        "Connection group {name} is on record as this object's, but was read without an owner tag. Reads may be stale, so nothing was changed.",
        |f, places| {
            f.is_name(places[0]) && f.owner_tag().is_none() && f.changed_nothing() && f.world.status_id.is_some()
        },
    ),
    says(
        "CloudFront's answer shows the owner or identity tag of connection group {name} without a value, so it does not say whose the group is. Nothing was \
         changed; the group is read again. If this lasts, somebody may have emptied the tag: restore its value.",
        |f, places| {
            let is_empty = f.owner_tag() == Some("") || f.identity_tag() == Some("");
            f.is_name(places[0]) && is_empty && f.changed_nothing() && f.is_tried_within(300)
        },
    ),
    says(
        "Connection group {name} was read without an owner tag. Reads may be stale, so the deletion waits.",
        |f, places| f.is_name(places[0]) && f.owner_tag().is_none() && f.changed_nothing() && f.world.deleting,
    ),
    says(
        "If the tag does not show within the consistency window ({text}), the finalizer is removed and the group is left as it is.",
        |f, places| f.world.deleting && is_consistency_window(f, places[0]),
    ),
    says(
        "If the tag does not show within the consistency window ({text}), the group is taken to be no longer this object's.",
        |f, places| !f.world.deleting && is_consistency_window(f, places[0]),
    ),
    says(
        "Connection group {name} is not the one that the tags in status were sent to. They are removed from status, so that no tag of others is removed from this \
         group. The group is adopted next.",
        |f, places| {
            f.is_name(places[0])
                && f.owner_tag().is_none()
                && f.is_tried_within(0)
                && f.world.allow_adoption
                && f.world.status_tags == 0
        },
    ),
    says("Connection group {name} was adopted: it had no owner.", |f, places| {
        f.is_name(places[0]) && f.done(TagResource) && f.is_marked_as_ours()
    }),
    says("A group of this name exists already; it was read and is dealt with at once.", |f, _| {
        f.exists() && f.heard.called(CreateConnectionGroup) && f.is_tried_within(0)
    }),
];

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
