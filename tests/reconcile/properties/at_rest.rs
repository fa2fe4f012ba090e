//! An object that is in sync, or shows all that there is, costs nothing.

use connection_group_operator::api::{AdoptionPolicy, ConnectionGroupSpec, Mode};
use proptest::{prelude::*, sample::select};

use super::canonical::{new_list, shape, someone_creates};
use crate::world::{PROPAGATION, World, spec};

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn whatever_its_spec_says_an_object_at_rest_costs_no_call_and_no_write(
        way in super::way(),
        mode in select(vec![Mode::Manage, Mode::Observe]),
        asked in shape(),
        exists in prop::option::of(shape()),
    ) {
        let mut world = World::via(way, spec());
        let list = new_list(&world);
        if let Some(mut shape) = exists {
            // With forty tags of ours and the two that mark it, a group has room for eight more.
            shape.tags = shape.tags.into_iter().take(8).collect();
            someone_creates(&mut world, &shape, &list);
        }
        world.settings.allow_adoption = true;
        world.edit(|spec| {
            *spec = ConnectionGroupSpec {
                enabled: asked.enabled,
                ipv6_enabled: asked.ipv6_enabled,
                anycast_ip_list_id: asked.listed.then_some(list),
                tags: asked.tags,
                mode,
                adoption_policy: AdoptionPolicy::Always,
                ..spec.clone()
            };
        });
        let at_rest = world.settle();
        prop_assert!(mode == Mode::Observe || world.ready().0 == "True", "{}", world.message());
        for _ in 0..3 {
            world.advance(PROPAGATION);
            world.take_inventory();
            world.calls();
            prop_assert_eq!(&world.reconcile().status, &at_rest);
            prop_assert_eq!(world.calls(), []);
        }
    }
}
