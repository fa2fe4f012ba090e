//! The objects of this process: their scopes, and what is remembered of each between reconciles. Does no I/O.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures::{FutureExt, future::select_all};
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::{
    scope::{Blind, Scope},
    worker::LastTry,
};
use crate::{
    account::inventory::{self, ObjectCache as _},
    account::orphans::Namespaces,
    api::{ConnectionGroup, ConnectionGroupStatus},
    cloudfront::{ErrorClass, Operation, queue::Class},
    reconcile::{ObjectState, Outcome, object_state::Awaits},
};

/// What is remembered of one object.
#[derive(Debug, Default)]
pub struct Tracked {
    /// The object state, which belongs to the reconcile.
    pub state: ObjectState,
    /// Generation of the version that was reconciled last. The cache may show an older one for a while.
    pub generation: Option<i64>,
    /// The status of the last reconcile: newer than the cache right after a write, and others cannot forge it.
    pub status: Option<ConnectionGroupStatus>,
    /// The status that the API server accepted last, which the cache may not show yet.
    pub written: Option<ConnectionGroupStatus>,
    /// Fields of it that the API server does not store.
    pub dropped: Vec<String>,
    /// Consecutive reconciles that ended before their outcome was stored.
    pub unstored: u32,
    /// The finalizer of the installation that the object was left to, once that was reported.
    pub left_to: Option<String>,
    /// Whether our finalizer has been removed: nothing is left to do, although the cache may still show the object for a while.
    pub released: bool,
    /// How the last reconcile ended.
    pub last_try: LastTry,
    /// Operations that were throttled in this object's last tries: the next try waits for them in the call queue, before its first call.
    pub throttled: BTreeSet<Operation>,
}

impl Tracked {
    /// Records how a reconcile of this version of the object ended, before it is known whether the outcome can be stored.
    pub fn tried(&mut self, object: &ConnectionGroup, outcome: &Outcome) {
        self.generation = object.metadata.generation;
        self.status = Some(outcome.status.clone());
        self.last_try = LastTry::of(self.state.failures, outcome.error.as_ref());
        match outcome.error.as_ref().filter(|error| error.class == ErrorClass::Throttled) {
            Some(error) => drop(self.throttled.insert(error.operation)),
            None => self.throttled.clear(),
        }
    }

    /// The throttled operations for which a reconcile of that class waits before its first call: a switch-off waits only for those that it needs.
    pub fn waits_for(&self, class: Class) -> impl Iterator<Item = Operation> {
        let is_taken = move |operation: &Operation| match class {
            Class::SwitchOff => matches!(
                operation,
                Operation::GetConnectionGroup | Operation::ListTagsForResource | Operation::UpdateConnectionGroup
            ),
            Class::UserRequest | Class::Inventory | Class::Progress | Class::Background => true,
        };
        self.throttled.iter().copied().filter(is_taken)
    }
}

/// Notifies of changes of an object while it is being reconciled.
pub struct ObjectChanges<'a> {
    objects: &'a Objects,
    key: ObjectRef<ConnectionGroup>,
    changed: Arc<Notify>,
}

impl ObjectChanges<'_> {
    /// Returns with the next change, or at once if there was one since the last call.
    pub async fn next(&self) {
        self.changed.notified().await;
    }
}

impl Drop for ObjectChanges<'_> {
    fn drop(&mut self) {
        self.objects.listening().remove(&self.key);
    }
}

/// The scopes, and what is remembered of each object. Reconciles of one object never overlap, so nothing waits for the lock of its entry.
pub struct Objects {
    scopes: Vec<Arc<Scope>>,
    tracked: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Tracked>>>>,
    listening: Mutex<HashMap<ObjectRef<ConnectionGroup>, Arc<Notify>>>,
}

impl Objects {
    /// The objects of these scopes.
    pub fn new(scopes: Vec<Arc<Scope>>) -> Self {
        Self { scopes, tracked: Mutex::default(), listening: Mutex::default() }
    }

    /// Waits until the objects of at least one scope have been listed: from then on, this process has something to act for.
    pub async fn any_listed(&self) {
        if !self.scopes.is_empty() {
            select_all(self.scopes.iter().map(|scope| scope.listed().boxed())).await;
        }
    }

    /// Requests new lists of all objects, on new connections; nothing is changed for an object before the list of its scope is complete.
    pub fn list_anew(&self) {
        self.scopes.iter().for_each(|scope| scope.list_anew());
    }

    /// The scopes by name, each with the reason why its objects cannot be read, if so.
    pub fn views(&self) -> Vec<(String, Option<Blind>)> {
        self.scopes.iter().map(|scope| (scope.name().to_owned(), scope.blind())).collect()
    }

    /// The scope of an object.
    pub fn scope_of(&self, object: &ConnectionGroup) -> Option<&Arc<Scope>> {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        self.scopes.iter().find(|scope| scope.covers(namespace))
    }

    /// The object as it is in its cache now.
    pub fn current(&self, object: &ConnectionGroup) -> Option<Arc<ConnectionGroup>> {
        self.scope_of(object)?.store().get(&ObjectRef::from_obj(object))
    }

    /// The changes of an object from now on. An object has only one reconcile at a time.
    pub fn changes_of(&self, object: &ConnectionGroup) -> ObjectChanges<'_> {
        let (key, changed) = (ObjectRef::from_obj(object), Arc::<Notify>::default());
        self.listening().insert(key.clone(), Arc::clone(&changed));
        ObjectChanges { objects: self, key, changed }
    }

    /// An object has changed, or the inventory shows that it is out of date.
    pub fn changed(&self, object: &ObjectRef<ConnectionGroup>) {
        if let Some(changed) = self.listening().get(object) {
            changed.notify_one();
        }
    }

    /// What is remembered of the object with that uid.
    pub fn track(&self, uid: &str) -> Arc<tokio::sync::Mutex<Tracked>> {
        Arc::clone(self.lock().entry(uid.to_owned()).or_default())
    }

    /// Forgets the objects that no cache holds any longer, however they were removed.
    pub fn forget_the_gone(&self) {
        let there = self.all().iter().filter_map(|object| object.uid()).collect::<HashSet<_>>();
        self.lock().retain(|uid, _| there.contains(uid));
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn listening(&self) -> MutexGuard<'_, HashMap<ObjectRef<ConnectionGroup>, Arc<Notify>>> {
        self.listening.lock()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Tracked>>>> {
        self.tracked.lock()
    }
}

impl inventory::ObjectCache for Objects {
    fn all(&self) -> Vec<Arc<ConnectionGroup>> {
        self.scopes.iter().flat_map(|scope| scope.store().state()).collect()
    }

    fn unreadable(&self) -> Vec<(String, String)> {
        self.scopes.iter().flat_map(|scope| scope.unreadable().names()).collect()
    }

    fn known_in(&self) -> Namespaces {
        let readable = self.scopes.iter().filter(|scope| scope.blind().is_none());
        // `None` for a scope that covers all namespaces.
        let names = readable.map(|scope| scope.namespace().map(str::to_owned)).collect::<Option<_>>();
        names.map_or(Namespaces::All, Namespaces::Only)
    }

    fn awaits(&self, object: &ConnectionGroup) -> Awaits {
        let tracked = object.uid().and_then(|uid| self.lock().get(&uid).cloned());
        tracked.and_then(|tracked| tracked.try_lock().ok().map(|tracked| tracked.state.awaits)).unwrap_or_default()
    }

    fn wake(&self, object: ObjectRef<ConnectionGroup>) {
        let scope = self.scopes.iter().find(|scope| scope.store().get(&object).is_some());
        if let Some(scope) = scope {
            scope.wake(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use kube::runtime::watcher;

    use super::*;

    #[tokio::test]
    async fn the_objects_of_a_namespace_are_known_while_they_can_be_read_whatever_happens_to_others() {
        let known_in =
            |scopes: &[&Arc<Scope>]| Objects::new(scopes.iter().map(|scope| Arc::clone(scope)).collect()).known_in();
        let listed = |namespace: Option<&str>| {
            let (scope, _feed) = Scope::new(namespace.map(str::to_owned));
            scope.saw(&watcher::Event::InitDone);
            scope
        };
        let (all, first, second) = (listed(None), listed(Some("first")), listed(Some("second")));
        let (unlisted, _feed) = Scope::new(Some("third".into()));
        second.answered(StatusCode::FORBIDDEN);
        assert_eq!(known_in(&[&first, &second, &unlisted]), Namespaces::Only(["first".to_owned()].into()));
        second.answered(StatusCode::OK);
        let both = ["first", "second"].map(str::to_owned).into();
        assert_eq!(known_in(&[&first, &second, &unlisted]), Namespaces::Only(both));
        assert_eq!(known_in(&[&all]), Namespaces::All);
        all.answered(StatusCode::FORBIDDEN);
        assert!(known_in(&[&all]).are_none());
    }

    #[test]
    fn switching_off_waits_for_no_throttled_operation_that_it_does_not_use() {
        let throttled = BTreeSet::from([Operation::TagResource, Operation::UpdateConnectionGroup]);
        let tracked = Tracked { throttled, ..Tracked::default() };
        let waits = |class| tracked.waits_for(class).collect::<Vec<_>>();
        assert_eq!(waits(Class::SwitchOff), [Operation::UpdateConnectionGroup]);
        assert_eq!(waits(Class::Background).len(), 2);
    }
}
