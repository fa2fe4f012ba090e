//! The objects of this process: their caches, how to wake them, and what is remembered of each between passes. Talks to nobody.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::channel::mpsc::UnboundedSender;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::stream::Unreadable;
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus},
    reconcile::Memory,
    sweep::{self, Objects as _},
};

/// What is remembered of one object.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The reconcile's own memory.
    pub memory: Memory,
    /// The status of the last pass: newer than the cache right after a write, and not to be forged by others.
    pub status: Option<ConnectionGroupStatus>,
    /// The status that the API server accepted last, which the cache may not show yet.
    pub written: Option<ConnectionGroupStatus>,
    /// Fields of it that the API server does not store.
    pub dropped: Vec<String>,
    /// Passes in a row that ended with trouble at the API server.
    pub failures: u32,
    /// The finalizer of the installation that the object was left to, once people were told.
    pub left_to: Option<String>,
    /// Whether our finalizer is off: nothing is left to do, although the cache may show it for a while yet.
    pub released: bool,
}

/// Caches, wake-up channels and memories. Passes of one object never overlap, so a memory's lock is never waited for.
#[derive(Default)]
pub struct Objects {
    scopes: Vec<(Store<ConnectionGroup>, UnboundedSender<ObjectRef<ConnectionGroup>>)>,
    unreadable: Vec<Arc<Unreadable>>,
    remembered: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Remembered>>>>,
    synced: AtomicBool,
}

impl Objects {
    /// Adds the cache of one watch and the channel that wakes its objects.
    pub fn add(&mut self, store: Store<ConnectionGroup>, wake: UnboundedSender<ObjectRef<ConnectionGroup>>) {
        self.scopes.push((store, wake));
    }

    /// Adds what one watch has seen and could not read.
    pub fn add_unreadable(&mut self, unreadable: Arc<Unreadable>) {
        self.unreadable.push(unreadable);
    }

    /// Waits until every cache has been filled once.
    pub async fn sync(&self) {
        for (store, _) in &self.scopes {
            if store.wait_until_ready().await.is_err() {
                return;
            }
        }
        self.synced.store(true, Ordering::SeqCst);
    }

    /// The object as its cache has it now.
    pub fn current(&self, object: &ConnectionGroup) -> Option<Arc<ConnectionGroup>> {
        let object = ObjectRef::from_obj(object);
        self.scopes.iter().find_map(|(store, _)| store.get(&object))
    }

    /// What is remembered of the object with that uid.
    pub fn remember(&self, uid: &str) -> Arc<tokio::sync::Mutex<Remembered>> {
        Arc::clone(self.lock().entry(uid.to_owned()).or_default())
    }

    /// Forgets the objects that no cache holds any more, however they went.
    pub fn forget_the_gone(&self) {
        let there = self.all().iter().filter_map(|object| object.uid()).collect::<HashSet<_>>();
        self.lock().retain(|uid, _| there.contains(uid));
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Remembered>>>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl sweep::Objects for Objects {
    fn all(&self) -> Vec<Arc<ConnectionGroup>> {
        self.scopes.iter().flat_map(|(store, _)| store.state()).collect()
    }

    fn unreadable(&self) -> Vec<(String, String)> {
        self.unreadable.iter().flat_map(|unreadable| unreadable.names()).collect()
    }

    fn are_synced(&self) -> bool {
        self.synced.load(Ordering::SeqCst)
    }

    fn wake(&self, object: ObjectRef<ConnectionGroup>) {
        for (store, wake) in &self.scopes {
            if store.get(&object).is_some() {
                // A closed channel means that the controller is stopping: nothing is left to wake.
                let _ = wake.unbounded_send(object.clone());
            }
        }
    }
}
