//! How often the account is listed, on tokio's paused clock.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use connection_group_operator::{
    account::inventory::{self, InventoryState, ObjectCache},
    account::orphans::{Namespaces, OrphanCriteria},
    api::ConnectionGroup,
    cloudfront::{ErrorClass, Operation::ListConnectionGroups},
    reconcile::object_state::Awaits,
};
use kube::runtime::reflector::ObjectRef;
use port::Fault;
use tokio::{sync::watch, time::Instant};

use crate::world::{World, spec};

/// A cache of one object, which changes at a given time.
struct Cache {
    before: Arc<ConnectionGroup>,
    after: Arc<ConnectionGroup>,
    changes_at: Instant,
}

impl ObjectCache for Cache {
    fn all(&self) -> Vec<Arc<ConnectionGroup>> {
        vec![Arc::clone(if Instant::now() < self.changes_at { &self.before } else { &self.after })]
    }

    fn unreadable(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Otherwise, the inventory would look for orphans as well.
    fn known_in(&self) -> Namespaces {
        Namespaces::Only(BTreeSet::new())
    }

    fn awaits(&self, _: &ConnectionGroup) -> Awaits {
        Awaits::Inventory
    }

    fn wake(&self, _: ObjectRef<ConnectionGroup>) {}
}

/// Seconds from the first inventory to the second, and from that to the third. The object is in sync at first; `change` happens to it `second`
/// seconds after the start. If there is a `fault`, the first list fails with it.
async fn pauses(change: fn(&mut World), second: u64, fault: Option<ErrorClass>) -> [u64; 2] {
    let mut world = World::new(spec());
    world.settle();
    let before = Arc::new(world.object.clone());
    change(&mut world);
    let after = Arc::new(world.object.clone());
    if let Some(class) = fault {
        world.fail(ListConnectionGroups, Fault::Error(class));
    }
    let clock = Arc::new(world.clock());
    let criteria = OrphanCriteria {
        owner_id: world.settings.owner_id.clone(),
        installations: vec![world.settings.installation.clone()],
        consistency_window: world.settings.consistency_window,
    };
    let objects = Arc::new(Cache { before, after, changes_at: Instant::now() + Duration::from_secs(second) });
    let (publish, mut lists) = watch::channel(InventoryState::default());
    let for_one_list = || std::future::ready(world.port.clone());
    let inventories =
        inventory::run(for_one_list, world.port.clone(), world.settings, criteria, clock, objects, publish);
    let third = async {
        let mut published = [Instant::now(); 3];
        for time in &mut published {
            lists.changed().await.unwrap();
            *time = Instant::now();
        }
        [published[1] - published[0], published[2] - published[1]].map(|pause| pause.as_secs())
    };
    tokio::select! {
        () = inventories => unreachable!("it runs until it is dropped"),
        pauses = third => pauses,
    }
}

fn nothing(_: &mut World) {}

fn is_deleted(world: &mut World) {
    world.delete();
}

fn is_rolled_out(world: &mut World) {
    world.edit(|spec| spec.enabled = false);
    world.reconcile();
    assert_eq!(world.status().status.as_deref(), Some("InProgress"));
}

fn is_rolled_out_and_suspended(world: &mut World) {
    is_rolled_out(world);
    world.edit(|spec| spec.suspend = true);
}

#[tokio::test(start_paused = true)]
async fn at_rest_the_account_is_listed_once_per_inventory_interval() {
    assert_eq!(pauses(nothing, 0, None).await, [60, 60]);
    assert_eq!(pauses(is_rolled_out_and_suspended, 0, None).await, [60, 60], "a suspended object waits for nothing");
}

#[tokio::test(start_paused = true)]
async fn while_anything_is_rolling_out_or_being_deleted_the_account_is_listed_more_often() {
    for change in [is_rolled_out as fn(&mut World), is_deleted] {
        assert_eq!(pauses(change, 0, None).await, [10, 10]);
        assert_eq!(pauses(change, 25, None).await, [30, 10], "in the middle of a rest");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_with_a_transient_error_is_retried_soon() {
    for class in [ErrorClass::Throttled, ErrorClass::ServiceUnavailable, ErrorClass::TimedOut, ErrorClass::Credentials]
    {
        assert_eq!(pauses(nothing, 0, Some(class)).await, [10, 60], "{class:?}");
    }
    assert_eq!(pauses(nothing, 0, Some(ErrorClass::AccessDenied)).await, [60, 60], "missing rights are not transient");
}
