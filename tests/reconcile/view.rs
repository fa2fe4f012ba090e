//! The check before a change: nothing is changed for an object that is not confirmed, or based on reads that are too old by then.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use cloudfront_simulator::{
    admin::{GroupPatch, NewList},
    switches::IpAddressType,
};
use connection_group_operator::{
    api::{AdoptionPolicy, ConnectionGroupSpec, DeletionPolicy},
    clock::{Clock, Moment},
    cloudfront::Operation,
    reconcile::{
        Finalizer,
        freshness::{Evidence, Freshness, RECHECK, Withheld},
        ownership::Installation,
    },
};
use futures::future::{BoxFuture, ready};

use crate::{
    ownership::beside_an_unowned_group,
    world::{HERE, IDENTITY, PROPAGATION, World},
};

/// A view that always answers the same, and records what it is asked for.
struct Says(Result<(), Withheld>, Mutex<Vec<(Operation, Evidence)>>);

impl Says {
    fn new(answer: Result<(), Withheld>) -> Self {
        Self(answer, Mutex::default())
    }
}

impl Freshness for Says {
    fn confirm(&self, operation: Operation, evidence: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        self.1.lock().unwrap().push((operation, evidence));
        Box::pin(ready(self.0))
    }
}

/// An object at rest, whose group carries a tag that we set.
fn at_rest(deletion_policy: DeletionPolicy) -> World {
    let tags = [("team".to_owned(), "edge".to_owned())].into();
    let mut world = World::new(ConnectionGroupSpec { tags, deletion_policy, ..ConnectionGroupSpec::default() });
    world.settle();
    world.calls();
    world
}

/// Worlds in which the next reconcile changes something: what, and on what evidence.
fn worlds() -> Vec<(Operation, Evidence, World)> {
    let rest = || at_rest(DeletionPolicy::Delete);
    let edited = |change: fn(&mut ConnectionGroupSpec)| {
        let mut world = rest();
        world.edit(change);
        world
    };
    let mut corrected = rest();
    corrected.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() });
    corrected.advance(PROPAGATION);
    corrected.take_inventory();
    let mut disabled = rest();
    disabled.delete();
    let mut deleted = rest();
    deleted.delete();
    deleted.reconcile();
    deleted.advance(PROPAGATION);
    deleted.take_inventory();
    let mut retained = at_rest(DeletionPolicy::Retain);
    retained.delete();
    let mut gone = rest();
    gone.someone_deletes_the_group();
    gone.take_inventory();
    gone.reconcile();
    assert_eq!(gone.ready().1, "DeletedOutside");
    let mut unowned = beside_an_unowned_group(AdoptionPolicy::Always, true);
    unowned.confirm_unowned();
    let mut unmarked = rest();
    unmarked.someone_edits(GroupPatch { remove_tags: vec![IDENTITY.into()], ..GroupPatch::default() });
    unmarked.request_reconcile("now");
    let mut to_take_over = rest();
    to_take_over.settings.predecessor = Some(Installation::new(HERE));
    to_take_over.settings.installation = Installation::new("uid-of-the-copy");
    let mut in_use = rest();
    in_use.delete();
    in_use.reconcile();
    in_use.tenant_comes("late");
    let list = |world: &World| {
        let new = NewList::named("static", IpAddressType::Dualstack);
        world.port.account(|account, now| account.outside_create_list(now, new)).id
    };
    let attach = |world: &mut World| {
        let list = list(world);
        world.edit(|spec| spec.anycast_ip_list_id = Some(list));
    };
    let attached = || {
        let mut world = rest();
        attach(&mut world);
        world.settle();
        world
    };
    let mut attaching = rest();
    attach(&mut attaching);
    let mut swapping = attached();
    attach(&mut swapping);
    let mut detaching = attached();
    detaching.edit(|spec| spec.anycast_ip_list_id = None);
    let worlds = vec![
        (Operation::TagResource, Evidence::Read, unowned),
        (Operation::TagResource, Evidence::Read, unmarked),
        (Operation::TagResource, Evidence::Read, to_take_over),
        (Operation::UpdateConnectionGroup, Evidence::RecentEvent, in_use),
        (Operation::UpdateConnectionGroup, Evidence::RecentEvent, attaching),
        (Operation::UpdateConnectionGroup, Evidence::Read, swapping),
        (Operation::UpdateConnectionGroup, Evidence::Read, detaching),
        (Operation::CreateConnectionGroup, Evidence::RecentEvent, World::new(ConnectionGroupSpec::default())),
        (Operation::CreateConnectionGroup, Evidence::Read, gone),
        (Operation::UpdateConnectionGroup, Evidence::Read, edited(|spec| spec.enabled = false)),
        (Operation::UpdateConnectionGroup, Evidence::Read, edited(|spec| spec.ipv6_enabled = false)),
        (Operation::UpdateConnectionGroup, Evidence::RecentEvent, corrected),
        (Operation::TagResource, Evidence::RecentEvent, edited(|spec| drop(spec.tags.insert("a".into(), "b".into())))),
        (Operation::UntagResource, Evidence::Read, edited(|spec| spec.tags.clear())),
        (Operation::UpdateConnectionGroup, Evidence::Read, disabled),
        (Operation::DeleteConnectionGroup, Evidence::Read, deleted),
        (Operation::UntagResource, Evidence::Read, retained),
    ];
    for (.., world) in &worlds {
        world.calls();
    }
    worlds
}

#[test]
fn each_change_is_confirmed_just_before_it_and_by_a_read_if_it_removes_anything_or_creates_again() {
    for (operation, evidence, mut world) in worlds() {
        let (view, clock) = (Says::new(Ok(())), world.clock());
        world.reconcile_with(&view, &clock);
        assert_eq!((world.mutations(), view.1.into_inner().unwrap()), (vec![operation], vec![(operation, evidence)]));
    }
}

#[test]
fn nothing_is_changed_for_an_object_that_is_not_confirmed_and_its_status_stays() {
    for why in [Withheld::Changed, Withheld::Gone, Withheld::Unreadable, Withheld::ReadsTooOld] {
        for (operation, _, mut world) in worlds() {
            let (view, clock, before) = (Says::new(Err(why)), world.clock(), world.object.status.clone());
            let outcome = world.reconcile_with(&view, &clock);
            assert_eq!(world.mutations(), [], "{operation:?}, {why:?}");
            assert_eq!((outcome.withheld, outcome.finalizer, outcome.events), (Some(why), Finalizer::Keep, vec![]));
            assert_eq!(outcome.status, before.unwrap_or_else(|| outcome.status.clone()), "{operation:?}, {why:?}");
            let soon = if matches!(why, Withheld::Changed | Withheld::Gone) { Duration::ZERO } else { RECHECK };
            assert_eq!(outcome.requeue, soon, "it is retried");
        }
    }
}

#[test]
fn if_nothing_is_to_be_changed_nothing_is_confirmed() {
    let mut world = at_rest(DeletionPolicy::Delete);
    world.request_reconcile("now");
    let (view, clock) = (Says::new(Err(Withheld::Unreadable)), world.clock());
    let outcome = world.reconcile_with(&view, &clock);
    assert_eq!((outcome.withheld, view.1.into_inner().unwrap()), (None, vec![]));
}

/// A view that takes six seconds to confirm, that many times.
struct Slow<'a> {
    clock: &'a dyn Clock,
    times: u32,
    asked: AtomicU32,
}

impl Clock for Slow<'_> {
    fn moment(&self) -> Moment {
        self.clock.moment() + Duration::from_secs(6) * self.asked.load(Ordering::SeqCst).min(self.times)
    }

    fn wall(&self) -> jiff::Timestamp {
        self.clock.wall()
    }
}

impl Freshness for Slow<'_> {
    fn confirm(&self, _: Operation, _: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(ready(Ok(())))
    }
}

#[test]
fn what_was_read_more_than_five_seconds_before_the_change_is_read_again_a_limited_number_of_times() {
    use Operation::{GetConnectionGroup, ListTagsForResource, UpdateConnectionGroup};
    let reads = [GetConnectionGroup, ListTagsForResource];
    let expected = [
        (0, [&reads[..], &[UpdateConnectionGroup]].concat(), None),
        (1, [&reads[..], &reads, &[UpdateConnectionGroup]].concat(), None),
        (9, [&reads[..], &reads, &reads].concat(), Some(Withheld::ReadsTooOld)),
    ];
    for (times, mut calls, withheld) in expected {
        let mut world = at_rest(DeletionPolicy::Delete);
        world.edit(|spec| spec.ipv6_enabled = false);
        let clock = world.clock();
        let slow = Slow { clock: &clock, times, asked: AtomicU32::new(0) };
        let outcome = world.reconcile_with(&slow, &slow);
        let mut made = world.calls();
        // Get and the tags are read at the same time.
        made.sort_unstable();
        calls.sort_unstable();
        assert_eq!((made, outcome.withheld), (calls, withheld), "{times}");
    }
}
