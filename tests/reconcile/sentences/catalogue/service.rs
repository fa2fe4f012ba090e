//! About a group that exists: whether it serves, whether it is rolled out, what was changed, what others did.

use connection_group_operator::{
    api::Mode,
    cloudfront::Operation::{CreateConnectionGroup, TagResource, UntagResource, UpdateConnectionGroup},
};

use super::{Sentence, advises, says};
use crate::sentences::{
    facts::Facts,
    grammar::{change, difference},
};

pub const SENTENCES: &[Sentence] = &[
    says("Deployed at {id}.", |f, places| f.says("Deployed") && f.enabled() == Some(true) && is_endpoint(f, places[0])),
    says("Deployed at its routing endpoint.", |f, _| f.says("Deployed") && f.enabled() == Some(true)),
    says("Deployed and disabled: its routing endpoint serves no traffic.", |f, _| {
        f.says("Deployed") && f.enabled() == Some(false)
    }),
    says("Deployed and disabled: {id} serves no traffic.", |f, places| {
        f.says("Deployed") && f.enabled() == Some(false) && is_endpoint(f, places[0])
    }),
    says("Deployed at {id}; CloudFront's response does not state whether the group is enabled.", |f, _| {
        f.says("Deployed") && f.record.group.as_ref().is_some_and(|group| group.config.enabled.is_none())
    }),
    says(
        "CloudFront's response does not state whether the last change has been rolled out. The operator checks again.",
        |f, _| f.record.deployment.is_none(),
    ),
    says("CloudFront's response does not state whether IPv6 is enabled.", |f, _| {
        f.record.group.as_ref().is_none_or(|group| group.config.ipv6_enabled.is_none())
    }),
    says("CloudFront reports status {name}. Rolling out a change usually takes minutes.", |f, places| {
        f.says(places[0])
    }),
    says("CloudFront reports status {name} since {id}. Rolling out a change usually takes minutes.", |f, places| {
        f.says(places[0])
    }),
    says("The group is disabled: it serves no traffic, at the latest once the change is rolled out.", |f, _| {
        f.enabled() == Some(false) && f.record.deployment.as_deref() != Some("Deployed")
    }),
    says("The group is enabled: if it was new or disabled before, it serves once the change is rolled out.", |f, _| {
        f.enabled() == Some(true) && f.record.deployment.as_deref() != Some("Deployed")
    }),
    says("The operator created connection group {name} with id {id}.", |f, places| {
        f.is_name(places[0]) && f.record.changed_by(CreateConnectionGroup)
    }),
    says("The operator changed {changes}.", |f, places| {
        f.record.changed_by(UpdateConnectionGroup) && are_made(f, places[0])
    }),
    says("The operator corrected another client's change: {changes}.", |f, places| {
        f.others_changed && corrects(f) && are_made(f, places[0])
    }),
    says("The operator set tags: {names}.", |f, places| {
        let has = |key: &str| f.record.tags.get(key) == f.spec().tags.get(key);
        f.record.changed_by(TagResource) && places[0].split(", ").all(has)
    }),
    says("The operator removed tags: {names}.", |f, places| {
        f.record.changed_by(UntagResource) && places[0].split(", ").all(|key| !f.record.tags.contains_key(key))
    }),
    says("Part of the configuration matches the spec. The operator updates the rest next.", |f, _| {
        f.differing().iter().any(|what| *what != "tags") && f.is_tried_within(0)
    }),
    says(
        "The tags match the spec, apart from another client's changes. The operator corrects those after a pause.",
        |f, _| {
            f.others_changed
                && f.is_tried_within(0)
                && (f.record.changed_by(TagResource) || f.record.changed_by(UntagResource))
        },
    ),
    says("The operator updates the tags next.", |f, _| f.is_tried_within(1)),
    says("{drift}", |f, places| {
        let items = places[0].split("; ").filter_map(difference);
        items.clone().count() == f.world.drift && items.clone().all(|(field, is, _)| f.reads(field, is))
    }),
    says(
        "Anycast list {id} stays attached because status does not show that this object attached it. To keep it attached, set spec.anycastIpListId to its id. To \
         detach it, set that field to none.",
        |f, places| {
            let listed = f.world.row.as_ref().and_then(|row| row.anycast_ip_list_id.as_ref());
            let is_attached = f.list() == Some(places[0]) || listed.is_some_and(|list| list.as_str() == places[0]);
            let is_on_record = f.world.status_attached.as_deref() == Some(places[0]);
            is_attached && !is_on_record && f.spec().anycast_ip_list_id.is_none()
        },
    ),
    says(
        "This object's owner tag is still on the group because the operator writes nothing in mode Observe.",
        |f, _| f.is_marked_as_ours() && !f.manages() && f.changed_nothing(),
    ),
    says(
        "As of the last inventory, or of a later read, no connection group {name} exists. In mode Observe, the operator does not create it; it looks for the group in \
         every inventory. To have the operator create the group, set spec.mode to Manage.",
        |f, places| f.is_name(places[0]) && f.reported_absent() && !f.manages(),
    ),
    says(
        "Someone else deleted connection group {name} ({id}). The operator creates it again, with another routing endpoint: the traffic of domains is down until they point to that one.",
        |f, places| f.is_name(places[0]) && f.is_gone() && !f.world.deleting && f.is_tried_within(0),
    ),
    says("It then creates the group again, with another routing endpoint.", |f, _| {
        f.reported_absent() && !f.world.deleting && f.spec().mode == Mode::Manage
    }),
    says(
        "CloudFront says that connection group {name} does not exist. A single response may be stale, so nothing was changed, and status shows what was last \
         known. The operator treats the group as deleted once a complete list of the account's groups confirms it.",
        |f, places| f.is_name(places[0]) && f.reported_absent() && f.changed_nothing() && f.world.status_id.is_some(),
    ),
    says(
        "CloudFront says that connection group {name} does not exist. A single response may be stale, so nothing was changed, and status shows what was last \
         known. The operator treats the group as deleted once CloudFront says so again a consistency window ({text}) later, because the account's groups cannot \
         be listed.",
        |f, places| {
            f.is_name(places[0])
                && f.reported_absent()
                && f.changed_nothing()
                && f.world.status_id.is_some()
                && f.world.list_fails
                && is_consistency_window(f, places[1])
        },
    ),
    says(
        "Another client keeps changing this connection group: the operator has just corrected the third change, less than an hour after the one before. It \
         corrects further changes after a pause that grows to 5 minutes; only disabling the group when spec.enabled is false never waits. Remove the group \
         from the other tool, or set spec.mode to Observe to let that tool manage it.",
        |f, _| f.corrected == 3 && corrects(f),
    ),
    says(
        "Another client has changed connection group {name} again: {drift}. The operator waits {text} after its last correction before it corrects this (corrections so \
         far: {n}). Remove the group from the other tool, or set spec.mode to Observe to let that tool manage it.",
        |f, places| {
            let items = places[1].split("; ").filter_map(difference);
            let are_so = items.clone().all(|(field, is, says)| is != says && f.reads(field, is));
            f.is_name(places[0])
                && f.others_changed
                && f.changed_nothing()
                && are_so
                && humantime::parse_duration(places[2]).is_ok_and(|pause| f.requeue <= pause)
                && places[3].parse() == Ok(f.corrected)
        },
    ),
    says(
        "CloudFront accepted the change but shows a different configuration (enabled {name}, IPv6 {name}, Anycast list {id}) than requested (enabled {name}, \
         IPv6 {name}, Anycast list {id}). The operator reads it again shortly.",
        |f, places| places[..3] != places[3..] && f.is_tried_within(300),
    ),
    says(
        "CloudFront's response to an update of connection group {name} no longer shows what the group had before: {names}. The operator does not manage this \
         and did not request its removal. If you need it, set it again with the tool that set it.",
        |f, places| {
            let had = |element: &str| {
                f.before.is_some_and(|group| group.resource.further_elements.contains_key(element))
                    && f.after.is_some_and(|group| !group.resource.further_elements.contains_key(element))
            };
            f.is_name(places[0]) && f.record.changed_by(UpdateConnectionGroup) && places[1].split(", ").all(had)
        },
    ),
    says(
        "The group was disabled, as spec.enabled says, although 1 distribution tenant uses it: {names}. Its traffic is down once CloudFront has rolled this out.",
        |f, _| f.tenants() == 1 && is_off_as_asked(f),
    ),
    says(
        "The group was disabled, as spec.enabled says, although {n} distribution tenants use it: {names}. Their traffic is down once CloudFront has rolled this out.",
        |f, places| places[0].parse() == Ok(f.tenants()) && f.tenants() > 1 && is_off_as_asked(f),
    ),
    says(
        "The group was disabled, as spec.enabled says, although distribution tenants use it (CloudFront's response names none of them). Their traffic is down once CloudFront has rolled this out.",
        |f, _| f.has_tenants() && f.tenants() == 0 && is_off_as_asked(f),
    ),
    says(
        "The group was disabled, as spec.enabled says, although {n} distribution tenants use it: {names} and {n} more. Their traffic is down once CloudFront has rolled this out.",
        |f, places| places[0].parse() == Ok(f.tenants()) && f.tenants() > 10 && is_off_as_asked(f),
    ),
    says("The group was disabled, as spec.enabled says.", |f, _| was_disabled(f)),
    says(
        "The operator could not determine whether tenants use the group{cause}; if they do, their traffic is down once CloudFront has rolled this out.",
        |f, _| is_off_as_asked(f) && f.failed("ListDistributionTenants", |_| true),
    ),
    says(
        "The operator could not determine whether tenants use the group{cause}; if they do, their traffic is down once CloudFront has rolled this out. (AWS request id {id})",
        |f, _| is_off_as_asked(f) && f.failed("ListDistributionTenants", |_| true),
    ),
    says("Suspended by spec.suspend: the operator neither reads nor changes the group.", |f, _| {
        f.spec().suspend && f.record.calls.is_empty() && !f.world.deleting
    }),
    says("When last read, the group was enabled although spec.enabled is false.", |f, _| {
        f.enabled() == Some(true) && !f.spec().enabled
    }),
    says("The operator does not disable it meanwhile.", |f, _| f.spec().suspend && f.record.calls.is_empty()),
    says("When last read, the group was disabled, as spec.enabled says.", |f, _| {
        f.enabled() == Some(false) && !f.spec().enabled
    }),
    says(
        "When last read, the group was disabled although spec.enabled is true. Until it is enabled, traffic of its tenants is down.",
        |f, _| f.enabled() == Some(false) && f.spec().enabled,
    ),
    advises("To resume, set spec.suspend to false."),
];

fn is_endpoint(f: &Facts<'_>, endpoint: &str) -> bool {
    let read = f.record.group.as_ref().and_then(|group| group.routing_endpoint.as_deref());
    // Before the first read of this walk: as it was read before the walk.
    read.or(f.world.status_endpoint.as_deref()) == Some(endpoint)
}

/// Whether a change was made that can correct another client's change.
fn corrects(f: &Facts<'_>) -> bool {
    f.record.changed_by(UpdateConnectionGroup) || f.record.changed_by(TagResource)
}

/// Each change leads from what was there to what is there.
fn are_made(f: &Facts<'_>, changes: &str) -> bool {
    let is_made = |(field, from, to): (&str, &str, &str)| {
        let value = |text: &str| if text == "nothing" { String::new() } else { text.to_owned() };
        let was = f.interfered || Facts::field(f.before, field) == value(from);
        f.world.lies || (was && Facts::field(f.after, field) == value(to))
    };
    changes.split(", ").filter_map(change).all(is_made)
}

fn was_disabled(f: &Facts<'_>) -> bool {
    is_off_as_asked(f) && f.record.changed_by(UpdateConnectionGroup)
}

/// By this reconcile, or by one before it whose update was not answered.
fn is_off_as_asked(f: &Facts<'_>) -> bool {
    f.enabled() == Some(false) && !f.spec().enabled
}

/// Whether the text names the consistency window.
pub fn is_consistency_window(f: &Facts<'_>, text: &str) -> bool {
    humantime::parse_duration(text) == Ok(f.world.consistency_window)
}
