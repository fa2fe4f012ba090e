//! The spec of an object and the state of a group are compared in one form: a spec copied from a group does not
//! differ from it.

use std::collections::BTreeMap;

use cloudfront_simulator::{
    admin::{GroupPatch, NewList},
    switches::IpAddressType,
};
use connection_group_operator::{
    api::{AdoptionPolicy, ConnectionGroup, ConnectionGroupSpec, Mode, NO_LIST},
    cloudfront::{AnycastIpListId, CloudFront, Described, GroupName, Lookup, Operation},
    reconcile::{
        desired::{Desired, Intent},
        diff::differences,
        ownership::{Claim, Installation, OwnerTag, is_reserved},
    },
};
use port::Way;
use proptest::{prelude::*, sample::Index};

use super::anything;
use crate::world::{HERE, World, marks, now, spec};

/// The state of a group.
#[derive(Clone, Debug)]
pub struct Shape {
    pub enabled: bool,
    pub ipv6_enabled: bool,
    /// Whether it is on an Anycast list.
    pub listed: bool,
    pub tags: BTreeMap<String, String>,
}

pub fn shape() -> impl Strategy<Value = Shape> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (switches, anything::tags()).prop_map(|((enabled, ipv6_enabled, listed), tags)| Shape {
        enabled,
        ipv6_enabled,
        listed,
        tags,
    })
}

/// An Anycast list that every group may use.
pub fn new_list(world: &World) -> String {
    let list = NewList::named("static", IpAddressType::Dualstack);
    world.port.account(|account, now| account.outside_create_list(now, list)).id
}

/// An old, unowned group in that state.
pub fn someone_creates(world: &mut World, shape: &Shape, list: &str) {
    world.someone_creates(|group| {
        group.enabled = shape.enabled;
        group.ipv6_enabled = shape.ipv6_enabled;
        group.anycast_ip_list_id = shape.listed.then(|| list.to_owned());
        group.tags.clone_from(&shape.tags);
    });
    world.advance(std::time::Duration::from_hours(1));
    world.take_inventory();
}

/// A world with such a group, and the group as CloudFront shows it.
fn beside(shape: &Shape) -> (World, Described) {
    let mut world = World::via(Way::Direct, spec());
    let list = new_list(&world);
    someone_creates(&mut world, shape, &list);
    let described = describe(&world);
    (world, described)
}

fn describe(world: &World) -> Described {
    now(world.port.describe(&Lookup::Name(GroupName::new("edge")))).unwrap().unwrap()
}

fn spec_copied_from(described: &Described) -> ConnectionGroupSpec {
    let config = &described.group.config;
    let list = config.anycast_ip_list_id.as_ref();
    ConnectionGroupSpec {
        enabled: config.enabled.unwrap(),
        ipv6_enabled: config.ipv6_enabled.unwrap(),
        anycast_ip_list_id: Some(list.map_or(NO_LIST.to_owned(), AnycastIpListId::to_string)),
        tags: described.tags.clone().into_iter().filter(|(key, _)| !is_reserved(key)).collect(),
        ..spec()
    }
}

/// As the API server returns it.
fn desired(spec: ConnectionGroupSpec) -> Desired {
    let object = serde_json::to_string(&ConnectionGroup::new("edge", spec)).unwrap();
    match Intent::of(&serde_json::from_str(&object).unwrap()) {
        Intent::Present(desired) => desired,
        other => panic!("{other:?}"),
    }
}

/// One change.
#[derive(Clone, Debug)]
enum Otherwise {
    Enabled,
    Ipv6,
    List,
    TagValue(Index),
    TagGone(Index),
}

fn otherwise() -> impl Strategy<Value = Otherwise> {
    prop_oneof![
        Just(Otherwise::Enabled),
        Just(Otherwise::Ipv6),
        Just(Otherwise::List),
        any::<Index>().prop_map(Otherwise::TagValue),
        any::<Index>().prop_map(Otherwise::TagGone),
    ]
}

/// Changes the group, and names the field of the spec.
fn change(described: &mut Described, otherwise: &Otherwise) -> String {
    let key = |index: &Index| index.get(&described.tags.keys().cloned().collect::<Vec<_>>()).clone();
    match otherwise {
        Otherwise::Enabled => {
            described.group.config.enabled = described.group.config.enabled.map(|on| !on);
            "enabled".to_owned()
        }
        Otherwise::Ipv6 => {
            described.group.config.ipv6_enabled = described.group.config.ipv6_enabled.map(|on| !on);
            "ipv6Enabled".to_owned()
        }
        Otherwise::List => {
            let list = &mut described.group.config.anycast_ip_list_id;
            *list = list.is_none().then(|| AnycastIpListId::new("aip_another"));
            "anycastIpListId".to_owned()
        }
        Otherwise::TagValue(index) => {
            let key = key(index);
            described.tags.entry(key.clone()).and_modify(|value| value.push('x'));
            format!("tags[{key}]")
        }
        Otherwise::TagGone(index) => {
            let key = key(index);
            described.tags.remove(&key);
            format!("tags[{key}]")
        }
    }
}

proptest! {
    #![proptest_config(super::cases(96))]

    #[test]
    fn a_spec_copied_from_a_group_does_not_differ_from_it(shape in shape(), theirs in anything::tags()) {
        let (_, described) = beside(&shape);
        let spec = spec_copied_from(&described);
        let desired = desired(spec.clone());
        prop_assert_eq!(differences(&desired, &described, None), []);

        let owner = OwnerTag::new("prod", "platform", "edge");
        let all_tags = desired.all_tags(&Claim { owner, installation: Installation::new(HERE) });
        let owned = Described { tags: all_tags, ..described.clone() };
        prop_assert_eq!(spec_copied_from(&owned), spec, "copied once more, it is the same");
        let tags = theirs.into_iter().chain(owned.tags).collect();
        prop_assert_eq!(differences(&desired, &Described { tags, ..described }, None), [], "tags of others do not count");
    }

    #[test]
    fn whatever_is_changed_is_the_only_difference(mut shape in shape(), otherwise in otherwise()) {
        shape.tags.insert("team".to_owned(), "edge".to_owned());
        let (_, mut described) = beside(&shape);
        let desired = desired(spec_copied_from(&described));
        let field = change(&mut described, &otherwise);
        let found = differences(&desired, &described, None);
        prop_assert_eq!(found.iter().map(|drift| &drift.field).collect::<Vec<_>>(), [&field]);
    }

    #[test]
    fn a_group_that_equals_its_spec_is_adopted_with_its_owner_tag_alone(shape in shape()) {
        let (mut world, before) = beside(&shape);
        world.settings.allow_adoption = true;
        let asked = ConnectionGroupSpec { adoption_policy: AdoptionPolicy::IfUnchanged, ..spec_copied_from(&before) };
        world.edit(|spec| *spec = asked);
        world.calls();
        world.settle();
        prop_assert_eq!(world.mutations(), [Operation::TagResource]);
        let mut after = describe(&world);
        for (key, value) in marks() {
            prop_assert_eq!(after.tags.remove(&key), Some(value));
        }
        prop_assert_eq!(after, before);
    }

    #[test]
    fn a_group_that_equals_its_spec_shows_no_drift_until_someone_changes_it(shape in shape()) {
        let (mut world, before) = beside(&shape);
        world.edit(|spec| *spec = ConnectionGroupSpec { mode: Mode::Observe, ..spec_copied_from(&before) });
        world.settle();
        prop_assert_eq!(&world.status().drift, &[]);
        world.someone_edits(GroupPatch { enabled: Some(!shape.enabled), ..GroupPatch::default() });
        world.take_inventory();
        world.settle();
        prop_assert_eq!(world.status().drift.len(), 1);
    }
}
