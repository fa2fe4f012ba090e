//! The inventory: one List of the whole account instead of a poll for each object. Talks to CloudFront through the port.
//!
//! In: a port for each List, once its turn in the call queue has come, and the objects from the cache. Out: the newest complete [`Snapshot`], which all
//! reconciles use, and a wake-up for each object that it shows to be out of date. A failed or partial List wakes no object and replaces nothing.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use kube::runtime::reflector::ObjectRef;
use tokio::sync::watch;
use tracing::{Instrument, field::Empty};

use crate::{
    account::orphans::{self, Namespaces, Orphan, OrphanCriteria, Orphans},
    api::{ConnectionGroup, is_true},
    clock::Clock,
    cloudfront::{ApiError, CloudFront, Deployment, ErrorClass, GroupId, Snapshot},
    reconcile::{Settings, group_name, object_state::Awaits},
    telemetry::record_trace_id,
};

/// What the last inventories showed.
#[derive(Clone, Debug, Default)]
pub struct InventoryState {
    /// The newest complete inventory.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Why the last List failed, if it did.
    pub error: Option<ApiError>,
    /// Groups with our owner tag that no object manages.
    pub orphans: Arc<BTreeMap<GroupId, Orphan>>,
}

/// The objects that the inventory is compared with.
pub trait ObjectCache: Send + Sync {
    /// All objects in the cache.
    fn all(&self) -> Vec<Arc<ConnectionGroup>>;
    /// Namespace and name of the objects that exist but do not decode.
    fn unreadable(&self) -> Vec<(String, String)>;
    /// The namespaces whose objects can be read now: `all` has every object in them.
    fn known_in(&self) -> Namespaces;
    /// What an object waits for; unknown while it is being reconciled.
    fn awaits(&self, object: &ConnectionGroup) -> Awaits;
    /// Requests a reconcile of an object.
    fn wake(&self, object: ObjectRef<ConnectionGroup>);
}

/// Takes the inventory repeatedly until dropped, the first time immediately, and publishes each result in `published`.
///
/// `for_one_list` returns when a List may begin, so that the age of an inventory counts from its first page and does not include the wait before it. Tags of
/// groups that no object manages are read through `port` concurrently; the inventory does not wait for those reads.
pub async fn run<C: CloudFront, D: CloudFront, F: Future<Output = D>>(
    for_one_list: impl Fn() -> F,
    port: C,
    settings: Settings,
    criteria: OrphanCriteria,
    clock: Arc<dyn Clock>,
    objects: Arc<dyn ObjectCache>,
    published: watch::Sender<InventoryState>,
) {
    let inventory = take_inventory(for_one_list, &settings, clock.as_ref(), &objects, &published);
    tokio::join!(inventory, search_for_orphans(&port, &criteria, clock.as_ref(), objects.as_ref(), &published));
}

async fn take_inventory<C: CloudFront, F: Future<Output = C>>(
    for_one_list: impl Fn() -> F,
    settings: &Settings,
    clock: &dyn Clock,
    objects: &Arc<dyn ObjectCache>,
    published: &watch::Sender<InventoryState>,
) {
    loop {
        let span = tracing::error_span!("inventory", trace_id = Empty);
        record_trace_id(&span);
        let list = async {
            let port = for_one_list().await;
            take(&port, clock, objects.as_ref(), published).await;
        };
        list.instrument(span).await;
        let mut pause = InventoryPause::default();
        while let Some(step) = pause.next(settings, || {
            let error = published.borrow().error.clone();
            is_hurried(error.as_ref(), objects.all().iter().map(AsRef::as_ref))
        }) {
            tokio::time::sleep(step).await;
        }
    }
}

/// Searches each new inventory for orphans.
async fn search_for_orphans<C: CloudFront>(
    port: &C,
    criteria: &OrphanCriteria,
    clock: &dyn Clock,
    objects: &dyn ObjectCache,
    published: &watch::Sender<InventoryState>,
) {
    let mut orphans = Orphans::default();
    let mut news = published.subscribe();
    let mut searched = None::<Arc<Snapshot>>;
    loop {
        // Read before the objects: a namespace that became readable in between would seem to have none.
        let known_in = objects.known_in();
        let list = news.borrow_and_update().snapshot.clone().filter(|_| !known_in.are_none());
        let is_new = |list: &Arc<Snapshot>| searched.as_ref().is_none_or(|before| !Arc::ptr_eq(before, list));
        if let Some(list) = list.filter(is_new) {
            let span = tracing::error_span!("orphans", trace_id = Empty);
            record_trace_id(&span);
            let all = objects.all();
            let known = orphans::KnownObjects::of(known_in, all.iter().map(AsRef::as_ref), objects.unreadable());
            let found = orphans.search(&list, &known, criteria, clock, port).instrument(span).await;
            published.send_if_modified(|state| {
                let differs = *state.orphans != found;
                if differs {
                    state.orphans = Arc::new(found);
                }
                differs
            });
            searched = Some(list);
        }
        if news.changed().await.is_err() {
            return;
        }
    }
}

/// The pause between two inventories.
#[derive(Clone, Copy, Debug, Default)]
pub struct InventoryPause(Duration);

impl InventoryPause {
    /// How long to sleep before the next call of this function; `None` once the next inventory is due: after `--inventory-interval`, or after
    /// `--inventory-interval-active` if it is wanted sooner.
    pub fn next(&mut self, settings: &Settings, is_hurried: impl FnOnce() -> bool) -> Option<Duration> {
        let Self(rested) = self;
        if *rested >= settings.inventory_interval || (*rested >= settings.inventory_interval_active && is_hurried()) {
            return None;
        }
        let step = settings.inventory_interval_active.min(settings.inventory_interval.saturating_sub(*rested));
        *rested += step;
        Some(step)
    }
}

/// Whether the next inventory is wanted soon: something is in progress for one of these objects, or the last List failed.
#[must_use]
pub fn is_hurried<'a>(error: Option<&ApiError>, objects: impl IntoIterator<Item = &'a ConnectionGroup>) -> bool {
    waits_for_a_list(error) || objects.into_iter().any(is_under_way)
}

async fn take<C: CloudFront>(
    port: &C,
    clock: &dyn Clock,
    objects: &dyn ObjectCache,
    published: &watch::Sender<InventoryState>,
) {
    let began = clock.moment();
    match port.list().await {
        Ok(groups) => {
            let groups = groups.into_iter().map(|group| (group.name.clone(), group)).collect();
            let snapshot = Arc::new(Snapshot { began, groups });
            let previous = published.borrow().snapshot.clone();
            if previous.is_none() {
                tracing::info!(groups = snapshot.groups.len(), objects = objects.all().len(), "CloudFront answers");
            }
            published.send_modify(|state| {
                state.snapshot = Some(Arc::clone(&snapshot));
                state.error = None;
            });
            for object in objects.all() {
                if is_out_of_date(&object, objects.awaits(&object), previous.as_deref(), &snapshot) {
                    objects.wake(ObjectRef::from_obj(&*object));
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, aws_request_id = error.request_id, "the account's groups could not be listed");
            published.send_modify(|state| state.error = Some(error));
        }
    }
}

/// Whether the last List failed in a way that may be over soon; missing permissions are not.
fn waits_for_a_list(error: Option<&ApiError>) -> bool {
    error.is_some_and(|error| error.class != ErrorClass::AccessDenied)
}

/// Whether CloudFront is deploying a change for an object, or the object is being deleted; a suspended object waits for neither.
fn is_under_way(object: &ConnectionGroup) -> bool {
    let deploying = object.status.as_ref().is_some_and(|status| {
        status.status.as_deref().is_some_and(|status| Deployment::parse(status) != Deployment::Deployed)
    });
    !object.spec.suspend && (object.metadata.deletion_timestamp.is_some() || deploying)
}

/// Whether a new inventory shows that an object's status is out of date, so that a reconcile is needed.
///
/// An object that waits for something else (a quota, a tenant, an owner) is woken only by a change of its group, so that its backoff is kept.
#[must_use]
pub fn is_out_of_date(
    object: &ConnectionGroup,
    awaits: Awaits,
    previous: Option<&Snapshot>,
    current: &Snapshot,
) -> bool {
    let Some(status) = object.status.as_ref().filter(|_| !object.spec.suspend) else { return false };
    if bug!(ListWakesNobody) {
        return false;
    }
    let name = group_name(object);
    let now = current.groups.get(&name);
    let differs = match now {
        None => status.id.is_some(),
        Some(group) => {
            status.id.as_deref() != Some(group.id.as_str())
                || status.e_tag.as_deref() != Some(group.etag.as_str())
                || group.deployment.as_ref().is_some_and(|now| status.status.as_deref() != Some(now.as_str()))
                || status.enabled != group.enabled.or(status.enabled)
                || status.anycast_ip_list_id.as_deref()
                    != group.anycast_ip_list_id.as_ref().map(crate::cloudfront::AnycastIpListId::as_str)
        }
    };
    // A status that shows the object as Ready must not stay if the inventory shows otherwise, whoever wrote that status.
    let rests = awaits.is_woken_by_the_inventory() || is_true(&status.conditions, "Ready");
    if rests { differs } else { previous.and_then(|list| list.groups.get(&name)) != now }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        api::{ConnectionGroupSpec, ConnectionGroupStatus},
        clock::Moment,
        cloudfront::{Arn, Etag, GroupName, Summary},
    };

    fn listed(change: impl FnOnce(&mut Summary)) -> Snapshot {
        let mut group = Summary {
            id: GroupId::new("cg_1"),
            arn: Arn::new("arn"),
            name: GroupName::new("edge"),
            etag: Etag::new("E1"),
            enabled: Some(true),
            anycast_ip_list_id: None,
            deployment: Some(Deployment::Deployed),
            modified: None,
        };
        change(&mut group);
        Snapshot { began: Moment::START, groups: BTreeMap::from([(group.name.clone(), group)]) }
    }

    fn empty() -> Snapshot {
        Snapshot { began: Moment::START, groups: BTreeMap::new() }
    }

    fn object() -> ConnectionGroup {
        let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        object.status = Some(ConnectionGroupStatus {
            id: Some("cg_1".into()),
            e_tag: Some("E1".into()),
            status: Some("Deployed".into()),
            enabled: Some(true),
            ..ConnectionGroupStatus::UNSEEN
        });
        object
    }

    #[test]
    fn an_object_whose_group_looks_as_its_status_says_sleeps_on() {
        assert!(!is_out_of_date(&object(), Awaits::Inventory, None, &listed(|_| {})));
    }

    #[test]
    fn any_difference_that_a_list_can_show_wakes_the_object() {
        type Change = fn(&mut Summary);
        let changes: [(&str, Change); 5] = [
            ("id", |group| group.id = GroupId::new("cg_2")),
            ("etag", |group| group.etag = Etag::new("E2")),
            ("status", |group| group.deployment = Some(Deployment::Pending("InProgress".into()))),
            ("enabled", |group| group.enabled = Some(false)),
            ("list", |group| group.anycast_ip_list_id = Some(crate::cloudfront::AnycastIpListId::new("aip_1"))),
        ];
        for (what, change) in changes {
            assert!(is_out_of_date(&object(), Awaits::Inventory, Some(&listed(|_| {})), &listed(change)), "{what}");
        }
        assert!(is_out_of_date(&object(), Awaits::Inventory, Some(&listed(|_| {})), &empty()), "gone");
    }

    #[test]
    fn an_object_that_waits_for_somebody_else_is_woken_by_news_only() {
        let mut refused = object();
        let status = refused.status.as_mut().unwrap();
        status.id = None;
        assert!(
            !is_out_of_date(&refused, Awaits::Other, Some(&listed(|_| {})), &listed(|_| {})),
            "the same as a minute ago"
        );
        let changed = listed(|group| group.etag = Etag::new("E2"));
        assert!(is_out_of_date(&refused, Awaits::Other, Some(&listed(|_| {})), &changed));
        assert!(is_out_of_date(&refused, Awaits::Other, Some(&listed(|_| {})), &empty()), "the name is free again");
    }

    #[test]
    fn a_suspended_object_is_never_woken_and_hurries_nobody() {
        let mut suspended = object();
        suspended.spec.suspend = true;
        assert!(!is_out_of_date(&suspended, Awaits::Inventory, None, &empty()));
        suspended.status.as_mut().unwrap().status = Some("InProgress".into());
        assert!(!is_under_way(&suspended));
        suspended.spec.suspend = false;
        assert!(is_under_way(&suspended));
    }
}
