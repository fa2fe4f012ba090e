//! Reads that lag: whatever they still show, no second group is created, and nothing that was done is undone.

use std::time::Duration;

use cloudfront_simulator::{Millis, admin::GroupPatch};
use connection_group_operator::{
    api::ConnectionGroup,
    cloudfront::{
        ErrorClass,
        Operation::{
            CreateConnectionGroup, DeleteConnectionGroup, GetConnectionGroup, ListConnectionGroups,
            UpdateConnectionGroup,
        },
    },
};

use port::{Fault, Way};

use crate::world::{World, spec};

/// How long a kind of read lags: not at all, for less than the consistency window, and for much longer.
const LAGS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(45), Duration::from_mins(3)];

/// What happens while reads lag.
struct Scene {
    what: &'static str,
    /// Before that, the object is at rest with a group that has been changed before.
    at_rest: bool,
    happens: fn(&mut World),
}

const SCENES: [Scene; 9] = [
    Scene { what: "it is created", at_rest: false, happens: |_| {} },
    Scene {
        what: "it is created, and the answer is lost",
        at_rest: false,
        happens: |world| world.fail(CreateConnectionGroup, Fault::AnswerLost),
    },
    Scene {
        what: "it is created, and the process ends",
        at_rest: false,
        happens: |world| {
            world.reconcile_without_storing();
            world.crash();
        },
    },
    Scene { what: "it is switched off", at_rest: true, happens: |world| world.edit(|spec| spec.enabled = false) },
    Scene {
        what: "it is switched off and on",
        at_rest: true,
        happens: |world| {
            world.edit(|spec| spec.enabled = false);
            world.at_once();
            world.edit(|spec| spec.enabled = true);
        },
    },
    Scene {
        what: "it is switched off, and the answer is lost",
        at_rest: true,
        happens: |world| {
            world.edit(|spec| spec.enabled = false);
            world.fail(UpdateConnectionGroup, Fault::AnswerLost);
        },
    },
    Scene {
        what: "a tag is added",
        at_rest: true,
        happens: |world| world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into()))),
    },
    Scene {
        what: "someone else switches it off",
        at_rest: true,
        happens: |world| world.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() }),
    },
    Scene { what: "it is deleted", at_rest: true, happens: World::delete },
];

impl Scene {
    fn begin(&self, way: Way, reads: Duration, tags: Duration, lists: Duration) -> World {
        let mut world = World::via(way, spec());
        if self.at_rest {
            world.settle();
            world.edit(|spec| spec.ipv6_enabled = false);
            world.settle();
            world.advance(Duration::from_hours(1));
            world.take_inventory();
        }
        let millis = |lag: Duration| Millis(u64::try_from(lag.as_millis()).unwrap());
        world.switch(|switches| {
            (switches.read_lag, switches.tag_lag) = (millis(reads), millis(tags));
            switches.list_lag = millis(lists);
        });
        world.calls();
        (self.happens)(&mut world);
        world
    }
}

/// Whether the group is as the object asks: it matches the spec, or is gone.
fn is_done(world: &World) -> bool {
    let ConnectionGroup { metadata, spec, .. } = &world.object;
    let Some(group) = world.group() else { return metadata.deletion_timestamp.is_some() };
    let as_asked = (group.resource.enabled, group.resource.ipv6_enabled) == (spec.enabled, spec.ipv6_enabled);
    as_asked && spec.tags.iter().all(|(key, value)| world.tags().get(key) == Some(value))
}

/// Lets twenty minutes pass, with every reconcile and list: longer than all of these reads lag.
fn watch(world: &mut World, case: &str) {
    let (mut was_done, mut ids) = (false, world.groups().into_keys().collect::<Vec<_>>());
    world.go_on_for(Duration::from_mins(20), |world| {
        let done = is_done(world);
        assert!(done || !was_done, "{case}: what was done is undone: {}", world.message());
        was_done = done;
        let now = world.groups().into_keys().collect::<Vec<_>>();
        assert!(now.len() <= 1 && (now == ids || now.is_empty() || ids.is_empty()), "{case}: {ids:?} became {now:?}");
        ids = now;
    });
    assert!(was_done, "{case}: it is not done after twenty minutes: {}", world.message());
}

#[test]
fn however_long_reads_tags_and_lists_lag_no_second_group_is_created_and_nothing_done_is_undone() {
    for scene in &SCENES {
        for reads in LAGS {
            for (tags, lists) in LAGS.into_iter().flat_map(|tags| LAGS.map(|lists| (tags, lists))) {
                let way = if [tags, lists] == [reads; 2] { Way::Adapter } else { Way::Direct };
                let mut world = scene.begin(way, reads, tags, lists);
                let case = format!("{}; reads lag for {reads:?}, tags for {tags:?}, lists for {lists:?}", scene.what);
                watch(&mut world, &case);
                let calls = world.calls();
                let sent = |operation| calls.iter().filter(|call| **call == operation).count();
                assert_eq!(sent(DeleteConnectionGroup) > 0, world.group().is_none(), "{case}");
                if scene.at_rest {
                    assert_eq!(sent(CreateConnectionGroup), 0, "{case}: the group is on record");
                }
                // At most one list every 10 s, and while lists lag, each of them causes a full read.
                assert!(calls.len() <= 250, "{case}: {} calls", calls.len());
            }
        }
    }
}

#[test]
fn however_many_reads_in_a_row_are_stale_an_edit_is_applied_once() {
    for stale in 1..=4 {
        let mut world = SCENES[3].begin(Way::Adapter, Duration::ZERO, Duration::ZERO, Duration::ZERO);
        for _ in 0..stale {
            world.fail(GetConnectionGroup, Fault::Stale);
        }
        let before = world.group().unwrap().etag;
        world.reconcile();
        world.settle_within(Duration::from_mins(4), 20);
        assert_eq!(world.ready().1, "Disabled", "{stale}");
        assert_ne!(world.group().unwrap().etag, before);
        assert_eq!(
            world.port.account(|account, now| account.histories(now).next().unwrap().current.unwrap().number),
            2
        );
    }
}

#[test]
fn a_read_from_before_our_create_is_no_proof_that_the_group_is_gone() {
    let mut world = World::new(spec());
    world.keep_failing(ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
    world.crash();
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.mutations(), [CreateConnectionGroup], "a read found no group");
    world.advance(world.settings.consistency_window);
    // By id, and by name.
    (0..2).for_each(|_| world.fail(GetConnectionGroup, Fault::Stale));
    world.reconcile();
    assert_eq!(world.ready().1, "ConfirmingAbsence", "{}", world.message());
    assert_eq!(world.status().name.as_deref(), Some("edge"), "status keeps what is known");
}
