//! A wall clock that is wrong or jumps by hours: only the monotonic clock decides what is done when.

use std::time::Duration;

use cloudfront_simulator::{admin::GroupPatch, time::Millis};
use connection_group_operator::{api::AdoptionPolicy, cloudfront::Operation};
use jiff::SignedDuration;

use crate::world::{World, spec};

const HOURS: SignedDuration = SignedDuration::from_hours(5);

/// The steps in the lifecycle of a group.
const LIFE: [fn(&mut World); 7] = [
    |_| {},
    |world| world.edit(|spec| spec.ipv6_enabled = false),
    |world| world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into()))),
    |world| world.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() }),
    |world| world.someone_deletes_the_group(),
    World::crash,
    World::delete,
];

/// The calls of a whole lifecycle; the wall clock is set again before each step.
fn life(ahead: impl Fn(usize) -> SignedDuration) -> Vec<Operation> {
    let mut world = World::new(spec());
    for (n, step) in LIFE.iter().enumerate() {
        world.wall_ahead = ahead(n);
        step(&mut world);
        world.take_inventory();
        world.settle();
    }
    assert_eq!(world.group_count(), 0, "it ends with the group gone");
    world.calls()
}

#[test]
fn a_wall_clock_that_jumps_by_hours_does_not_change_what_is_done() {
    let undisturbed = life(|_| SignedDuration::ZERO);
    assert_eq!(life(|_| HOURS), undisturbed, "ahead");
    assert_eq!(life(|_| -HOURS), undisturbed, "behind");
    let jumps = |parity: usize| move |n: usize| if n % 2 == parity { HOURS } else { -HOURS };
    assert_eq!(life(jumps(0)), undisturbed, "jumping back and forth");
    assert_eq!(life(jumps(1)), undisturbed, "jumping forth and back");
}

#[test]
fn whatever_the_clock_says_an_old_group_that_nobody_owns_is_decided_about_within_minutes() {
    for minutes in [-10_000, -61, -60, -59, -1, 0, 1, 10_000] {
        let mut world = World::new(spec());
        world.someone_creates(|_| {});
        world.advance(Duration::from_hours(1));
        world.wall_ahead = SignedDuration::from_mins(minutes);
        world.take_inventory();
        world.reconcile();
        world.advance(Duration::from_mins(2));
        world.reconcile();
        assert_eq!(world.ready().1, "AdoptionRefused", "{minutes} minutes ahead");
    }
}

#[test]
fn whatever_the_clock_says_a_young_group_of_another_owner_is_not_adopted_before_its_tags_show() {
    for minutes in [-300, -2, 0, 2, 300] {
        let mut world = World::new(spec());
        world.settings.allow_adoption = true;
        world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
        world.switch(|switches| switches.tag_lag = Millis::seconds(30));
        world.someone_creates(|group| {
            group.tags.insert("cloudfront.kube-operators.dev/owner".into(), "dev/shop/edge".into());
        });
        world.wall_ahead = SignedDuration::from_mins(minutes);
        world.take_inventory();
        for _ in 0..40 {
            world.reconcile();
            world.advance(Duration::from_secs(1));
        }
        world.take_inventory();
        world.settle();
        assert_eq!((world.mutations(), world.ready().1), (vec![], "NotOwned".into()), "{minutes} minutes ahead");
    }
}
