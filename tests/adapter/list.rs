//! Lists of more than one page, and the inventories that result.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use cloudfront_simulator::{
    Switches,
    admin::{Fault, FaultRule, GroupPatch, Moment, NewGroup, Operation},
};
use connection_group_operator::{
    account::inventory::{self, InventoryState, ObjectCache},
    account::orphans::{Namespaces, OrphanCriteria},
    api::{ConditionReason, ConnectionGroup, ConnectionGroupSpec, ConnectionGroupStatus, Standing, set_standing},
    clock::{self, Clock},
    cloudfront::GroupName,
    reconcile::{Settings, object_state::Awaits, ownership::Installation},
};
use kube::runtime::reflector::ObjectRef;
use testbed::Result;
use tokio::sync::watch;

use crate::{PATIENCE, connected};

/// A clock that does not advance until it is set.
#[derive(Default)]
struct Still(Mutex<clock::Moment>);

impl Clock for Still {
    fn moment(&self) -> clock::Moment {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

/// Objects, and the names of those that were woken.
struct Cache {
    objects: Vec<Arc<ConnectionGroup>>,
    woken: Mutex<Vec<String>>,
    /// If `None`, there is no search for orphans.
    known_in: Namespaces,
}

impl ObjectCache for Cache {
    fn all(&self) -> Vec<Arc<ConnectionGroup>> {
        self.objects.clone()
    }

    fn unreadable(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn known_in(&self) -> Namespaces {
        self.known_in.clone()
    }

    fn awaits(&self, _: &ConnectionGroup) -> Awaits {
        Awaits::Inventory
    }

    fn wake(&self, object: ObjectRef<ConnectionGroup>) {
        self.woken.lock().unwrap().push(object.name);
    }
}

impl Cache {
    fn woken(&self) -> Vec<String> {
        std::mem::take(&mut self.woken.lock().unwrap())
    }
}

/// An object that is in sync with its group.
fn in_sync(name: &str, id: String, etag: String) -> Arc<ConnectionGroup> {
    let mut object = ConnectionGroup::new(name, ConnectionGroupSpec::default());
    let ready = (Standing::Ready, ConditionReason::Deployed, "m");
    object.status = Some(ConnectionGroupStatus {
        id: Some(id),
        e_tag: Some(etag),
        status: Some("Deployed".into()),
        enabled: Some(true),
        conditions: set_standing(&[], ready, None, 1, jiff::Timestamp::UNIX_EPOCH),
        ..ConnectionGroupStatus::UNSEEN
    });
    Arc::new(object)
}

/// The result of the next inventory; between two of these, inventories are paused.
async fn next(
    inventories: &mut (impl Future<Output = ()> + Unpin),
    lists: &mut watch::Receiver<InventoryState>,
) -> InventoryState {
    let listed = async {
        tokio::select! {
            () = inventories => unreachable!("it runs until it is dropped"),
            heard = lists.changed() => heard.unwrap(),
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.expect("there is an inventory");
    lists.borrow_and_update().clone()
}

/// A list every 20 ms, and the objects whose orphans are searched for.
fn hasty() -> (Settings, OrphanCriteria) {
    let settings = Settings {
        owner_id: "prod".into(),
        installation: Installation::new("uid-here"),
        predecessor: None,
        allow_adoption: false,
        inventory_interval: Duration::from_millis(20),
        inventory_interval_active: Duration::from_millis(20),
        resync_interval: Duration::from_hours(6),
        consistency_window: Duration::from_mins(1),
    };
    let criteria = OrphanCriteria {
        owner_id: "prod".into(),
        installations: vec![settings.installation.clone()],
        consistency_window: settings.consistency_window,
    };
    (settings, criteria)
}

#[tokio::test]
async fn lists_continue_while_the_tags_of_a_group_that_no_object_names_cannot_be_read() -> Result<()> {
    let (admin, port) = connected(Switches::default()).await;
    admin.create_group(&NewGroup::named("unnamed")).await?;
    admin.advance_clock(Duration::from_hours(1)).await?;
    let hold = admin.hold_once(Operation::ListTagsForResource, Moment::Before).await?;
    let cache = Arc::new(Cache { objects: Vec::new(), woken: Mutex::default(), known_in: Namespaces::All });
    let ((settings, criteria), (publish, mut lists)) = (hasty(), watch::channel(InventoryState::default()));
    let inventories = inventory::run(
        || port.for_one_list(),
        port.clone(),
        settings,
        criteria,
        Arc::<Still>::default(),
        cache,
        publish,
    );
    let mut inventories = Box::pin(inventories);
    let mut newest = next(&mut inventories, &mut lists).await.snapshot.unwrap();
    for _ in 0..3 {
        let list = next(&mut inventories, &mut lists).await.snapshot.unwrap();
        assert!(!Arc::ptr_eq(&newest, &list), "a new list");
        newest = list;
    }
    admin.wait_until_held(hold, PATIENCE).await?;
    Ok(())
}

#[tokio::test]
async fn a_list_is_as_old_as_its_request_however_late_the_answer_arrives() -> Result<()> {
    let (admin, port) = connected(Switches::default()).await;
    let hold = admin.hold_once(Operation::ListConnectionGroups, Moment::After).await?;
    let known_in = Namespaces::Only(BTreeSet::new());
    let cache = Arc::new(Cache { objects: Vec::new(), woken: Mutex::default(), known_in });
    let ((settings, criteria), (publish, mut lists)) = (hasty(), watch::channel(InventoryState::default()));
    let clock = Arc::<Still>::default();
    let inventories = inventory::run(
        || port.for_one_list(),
        port.clone(),
        settings,
        criteria,
        Arc::clone(&clock) as _,
        cache,
        publish,
    );
    let mut inventories = Box::pin(inventories);
    let answered_later = async {
        admin.wait_until_held(hold, PATIENCE).await?;
        *clock.0.lock().unwrap() = clock::Moment::after_start(Duration::from_secs(5));
        admin.release(hold).await
    };
    let (list, released) = tokio::join!(next(&mut inventories, &mut lists), answered_later);
    released?;
    assert_eq!(list.snapshot.unwrap().began, clock::Moment::START, "later changes are not in it");
    Ok(())
}

#[tokio::test]
async fn a_list_whose_second_page_fails_wakes_no_object_and_replaces_nothing() -> Result<()> {
    let (admin, port) = connected(Switches { page_size: 1, ..Switches::default() }).await;
    let mut objects = Vec::new();
    for name in ["first", "second"] {
        let group = admin.create_group(&NewGroup::named(name)).await?;
        objects.push(in_sync(name, group.resource.id, group.etag));
    }
    admin.advance_clock(Duration::from_hours(1)).await?;
    let (settings, criteria) = hasty();
    let cache = Arc::new(Cache { objects, woken: Mutex::default(), known_in: Namespaces::Only(BTreeSet::new()) });
    let (publish, mut lists) = watch::channel(InventoryState::default());
    let for_one_list = || port.for_one_list();
    let inventories = inventory::run(
        for_one_list,
        port.clone(),
        settings,
        criteria,
        Arc::<Still>::default(),
        Arc::clone(&cache) as _,
        publish,
    );
    let mut inventories = Box::pin(inventories);
    let complete = next(&mut inventories, &mut lists).await.snapshot.unwrap();
    assert_eq!(complete.groups.keys().map(GroupName::as_str).collect::<Vec<_>>(), ["first", "second"]);

    // The first page shows a change, and misses a group.
    let off = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
    admin.edit_group("first", &off).await?;
    let code = "ServiceUnavailable".to_owned();
    let fault = Fault::Error { status: 503, code, message: String::new(), when: Moment::Before };
    let operation = Operation::ListConnectionGroups;
    admin.add_fault(&FaultRule { skip: 1, times: Some(1), ..FaultRule::new(operation, fault) }).await?;
    let failed = next(&mut inventories, &mut lists).await;
    assert!(failed.error.is_some(), "the second page failed");
    assert!(Arc::ptr_eq(&failed.snapshot.unwrap(), &complete), "the last complete list stays");
    assert_eq!(cache.woken(), Vec::<String>::new());

    assert_eq!(next(&mut inventories, &mut lists).await.error, None);
    assert_eq!(cache.woken(), ["first"], "the next complete list shows the change");
    Ok(())
}
