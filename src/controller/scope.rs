//! What one watch covers: the objects of one namespace or of all, and whether they can be read. Does no I/O.
//!
//! In: the API server's answers to the watch, its events, and its interruptions. Out: the cache, how old it may be, and why its objects cannot be read, if so.
//! A scope that cannot be read blocks only itself.

mod blind;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use axum::http::StatusCode;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::{
    ResourceExt,
    runtime::{
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::watch, time::Instant};

use self::blind::Told;
use super::stream::UnreadableObjects;
use crate::api::ConnectionGroup;

pub use self::blind::{Blind, ReadRefusal};

/// How long the API server may be silent. A watch is restarted every 50 s, so this allows for one that failed and one retry.
const SILENCE: Duration = Duration::from_secs(90);

/// The objects of one watch.
pub struct Scope {
    namespace: Option<String>,
    store: Store<ConnectionGroup>,
    unreadable: UnreadableObjects,
    wake: UnboundedSender<ObjectRef<ConnectionGroup>>,
    /// Number of the list that is wanted.
    wanted: watch::Sender<u64>,
    /// Number of the newest complete list.
    listed: watch::Sender<Option<u64>>,
    state: Mutex<State>,
}

/// What fills a scope.
pub struct Feed {
    /// Fills the cache.
    pub writer: reflector::store::Writer<ConnectionGroup>,
    /// The objects to reconcile although they have not changed.
    pub woken: UnboundedReceiver<ObjectRef<ConnectionGroup>>,
}

struct State {
    /// When the API server last answered with success, or sent an event.
    heard: Instant,
    /// Its last answer, if that was a refusal.
    refused: Option<ReadRefusal>,
    /// The list in progress: its number, and when it began.
    listing: (u64, Instant),
    /// When the newest version of each object was seen, by uid.
    seen: HashMap<String, Instant>,
    /// Objects that wait for the wanted list.
    waiting: HashSet<ObjectRef<ConnectionGroup>>,
    /// What the log says of all this.
    told: Told,
}

impl Scope {
    /// The scope of one namespace or of all, and the feed that has to fill it.
    pub fn new(namespace: Option<String>) -> (Arc<Self>, Feed) {
        let (store, writer) = reflector::store();
        let (wake, woken) = unbounded();
        let now = Instant::now();
        let scope = Self {
            namespace,
            store,
            unreadable: UnreadableObjects::default(),
            wake,
            wanted: watch::Sender::new(0),
            listed: watch::Sender::new(None),
            state: Mutex::new(State {
                heard: now,
                refused: None,
                listing: (0, now),
                seen: HashMap::new(),
                waiting: HashSet::new(),
                told: Told::default(),
            }),
        };
        (Arc::new(scope), Feed { writer, woken })
    }

    /// The namespace; `None` if the scope covers all.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The namespace, or `*` for all.
    pub fn name(&self) -> &str {
        self.namespace().unwrap_or("*")
    }

    /// Whether objects of that namespace belong to the scope.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|ours| ours == namespace)
    }

    /// The cache.
    pub const fn store(&self) -> &Store<ConnectionGroup> {
        &self.store
    }

    /// The objects that exist but do not decode.
    pub const fn unreadable(&self) -> &UnreadableObjects {
        &self.unreadable
    }

    /// Requests a reconcile of an object of this scope.
    pub fn wake(&self, object: ObjectRef<ConnectionGroup>) {
        // A closed channel means that the controller is stopping: nothing is left to wake.
        let _ = self.wake.unbounded_send(object);
    }

    /// Requests a new list on a new connection: the cache may be stale without any sign of it.
    pub fn list_anew(&self) {
        self.wanted.send_modify(|number| *number += 1);
    }

    /// Notifies of each new list that is wanted.
    pub fn wanted(&self) -> watch::Receiver<u64> {
        self.wanted.subscribe()
    }

    /// Waits until the objects have been listed once.
    pub async fn listed(&self) {
        // The sender lives as long as `self`.
        let _ = self.listed.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether the wanted list is complete. If not, the object is woken once it is.
    pub fn is_listed_for(&self, object: &ObjectRef<ConnectionGroup>) -> bool {
        let mut state = self.lock();
        let listed = self.is_listed();
        if !listed {
            state.waiting.insert(object.clone());
        }
        listed
    }

    fn is_listed(&self) -> bool {
        *self.listed.borrow() == Some(*self.wanted.borrow())
    }

    /// Why the objects cannot be read, if they cannot.
    pub fn blind(&self) -> Option<Blind> {
        self.blind_in(&self.lock())
    }

    fn blind_in(&self, state: &State) -> Option<Blind> {
        let silence = state.heard.elapsed();
        if let Some(refusal) = state.refused {
            Some(Blind::Refused(refusal))
        } else if silence > SILENCE {
            Some(Blind::Silent(silence))
        } else if !self.is_listed() {
            Some(Blind::NotListed)
        } else {
            None
        }
    }

    /// Logs whether the objects can be read, if that has changed.
    fn tell(&self, state: &mut State) {
        let blind = self.blind_in(state);
        state.told.tell(self.namespace(), blind);
    }

    /// Records that the watch was interrupted, or could not start. A watch that hears nothing ends before the silence counts, so each silence is detected here.
    pub fn interrupted(&self) {
        self.tell(&mut self.lock());
    }

    /// When the cached version of an object was seen.
    pub fn seen(&self, uid: &str) -> Option<Instant> {
        self.lock().seen.get(uid).copied()
    }

    /// Records the API server's answer to a list or a watch.
    pub fn answered(&self, status: StatusCode) {
        let mut state = self.lock();
        match status {
            StatusCode::UNAUTHORIZED => state.refused = Some(ReadRefusal::Unauthorized),
            StatusCode::FORBIDDEN => state.refused = Some(ReadRefusal::Forbidden),
            StatusCode::NOT_FOUND => state.refused = Some(ReadRefusal::NotServed),
            status if status.is_success() => {
                state.refused = None;
                state.heard = Instant::now();
            }
            // Too many requests, an expired version, a server error: if it lasts, it is detected as silence.
            _ => {}
        }
        self.tell(&mut state);
    }

    /// Records a list that begins from the start, on a new connection.
    pub fn begins(&self, number: u64) {
        self.lock().listing = (number, Instant::now());
    }

    /// Records an event that the cache already shows.
    pub fn saw(&self, event: &watcher::Event<ConnectionGroup>) {
        let now = Instant::now();
        let mut state = self.lock();
        state.heard = now;
        let uid = |object: &ConnectionGroup| object.uid().unwrap_or_default();
        match event {
            watcher::Event::Init => state.listing.1 = now,
            watcher::Event::InitApply(object) => {
                // The pages of a list show the state at the time of the request for the first page.
                let began = state.listing.1;
                state.seen.insert(uid(object), began);
            }
            watcher::Event::Apply(object) => {
                state.seen.insert(uid(object), now);
            }
            watcher::Event::Delete(object) => {
                state.seen.remove(&uid(object));
            }
            watcher::Event::InitDone => {
                let there = self.store.state().iter().map(|object| uid(object)).collect::<HashSet<_>>();
                state.seen.retain(|uid, _| there.contains(uid));
                self.listed.send_replace(Some(state.listing.0));
                if self.is_listed() {
                    state.waiting.drain().for_each(|object| self.wake(object));
                }
            }
        }
        self.tell(&mut state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};
    use tokio::time::advance;

    use super::*;
    use crate::{api::ConnectionGroupSpec, telemetry::testing::told};

    fn list(scope: &Scope, feed: &mut Feed, objects: &[ConnectionGroup]) {
        scope.answered(StatusCode::OK);
        let applied = objects.iter().cloned().map(watcher::Event::InitApply);
        let events = [watcher::Event::Init].into_iter().chain(applied).chain([watcher::Event::InitDone]);
        for event in events {
            feed.writer.apply_watcher_event(&event);
            scope.saw(&event);
        }
    }

    fn object(name: &str) -> ConnectionGroup {
        let mut object = ConnectionGroup::new(name, ConnectionGroupSpec::default());
        object.metadata.uid = Some(name.into());
        object
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_blinds_at_once_and_the_next_answer_ends_it() {
        let (scope, mut feed) = Scope::new(Some("a".into()));
        assert_eq!(scope.blind(), Some(Blind::NotListed));
        list(&scope, &mut feed, &[]);
        for (status, refusal) in
            [(401, ReadRefusal::Unauthorized), (403, ReadRefusal::Forbidden), (404, ReadRefusal::NotServed)]
        {
            assert_eq!(scope.blind(), None);
            scope.answered(StatusCode::from_u16(status).unwrap());
            assert_eq!(scope.blind(), Some(Blind::Refused(refusal)));
            scope.answered(StatusCode::OK);
        }
        for status in [410, 429, 500, 503] {
            scope.answered(StatusCode::from_u16(status).unwrap());
            assert_eq!(scope.blind(), None, "{status} says nothing about permission to read");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_is_reported_once_and_its_end_once_the_objects_are_listed() {
        let news = told(|| {
            let (scope, mut feed) = Scope::new(None);
            list(&scope, &mut feed, &[]);
            scope.list_anew();
            scope.answered(StatusCode::OK);
            scope.begins(1);
            list(&scope, &mut feed, &[]);
        });
        assert_eq!(news, [], "neither the first list nor that of a new leadership term wakes anything");
        for status in [401, 403, 404] {
            let refused = |scope: &Scope| scope.answered(StatusCode::from_u16(status).unwrap());
            let news = told(|| {
                let (scope, mut feed) = Scope::new(None);
                refused(&scope);
                refused(&scope);
                // Only the first page of a list.
                scope.answered(StatusCode::OK);
                refused(&scope);
                list(&scope, &mut feed, &[]);
                list(&scope, &mut feed, &[]);
            });
            let [(warning, why), (info, end)] = &news[..] else { panic!("{status}: {news:?}") };
            assert_eq!([warning.as_str(), info], ["WARN", "INFO"], "{status}");
            assert!(why.starts_with("the API server"), "{status}: {why}");
            assert_eq!(end, "ConnectionGroup objects can be read now", "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_blinds_and_an_event_ends_it() {
        let (scope, mut feed) = Scope::new(None);
        list(&scope, &mut feed, &[]);
        advance(SILENCE).await;
        assert_eq!(scope.blind(), None);
        advance(Duration::from_secs(1)).await;
        assert!(matches!(scope.blind(), Some(Blind::Silent(_))));
        scope.saw(&watcher::Event::Apply(object("edge")));
        assert_eq!(scope.blind(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_reported_once_by_the_tries_to_watch_and_its_end_by_the_next_event() {
        let (scope, mut feed) = Scope::new(None);
        list(&scope, &mut feed, &[]);
        assert_eq!(told(|| scope.interrupted()), []);
        advance(SILENCE + Duration::from_secs(1)).await;
        let news = told(|| {
            assert!(scope.blind().is_some(), "whoever asks reports nothing");
        });
        assert_eq!(news, []);
        let news = told(|| {
            scope.interrupted();
            scope.interrupted();
            scope.saw(&watcher::Event::Apply(object("edge")));
        });
        assert_eq!(news.iter().map(|(level, _)| level.as_str()).collect::<Vec<_>>(), ["WARN", "INFO"], "{news:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn objects_wait_for_the_requested_list_and_only_it_wakes_them() {
        let (scope, mut feed) = Scope::new(None);
        list(&scope, &mut feed, &[object("edge")]);
        let edge = ObjectRef::from_obj(&object("edge"));
        assert!(scope.is_listed_for(&edge));
        scope.list_anew();
        assert!(!scope.is_listed_for(&edge));
        // A list that began before the request proves nothing.
        list(&scope, &mut feed, &[object("edge")]);
        assert!(!scope.is_listed_for(&edge) && feed.woken.next().now_or_never().is_none());
        scope.begins(1);
        list(&scope, &mut feed, &[object("edge")]);
        assert!(scope.is_listed_for(&edge));
        assert_eq!(feed.woken.next().await, Some(edge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_listed_object_is_as_old_as_its_list_and_an_event_as_new_as_its_arrival() {
        let (scope, mut feed) = Scope::new(None);
        let began = Instant::now();
        scope.saw(&watcher::Event::Init);
        advance(Duration::from_secs(7)).await;
        for event in [watcher::Event::InitApply(object("edge")), watcher::Event::InitDone] {
            feed.writer.apply_watcher_event(&event);
            scope.saw(&event);
        }
        assert_eq!(scope.seen("edge"), Some(began));
        scope.saw(&watcher::Event::Apply(object("edge")));
        assert_eq!(scope.seen("edge"), Some(Instant::now()));
        scope.saw(&watcher::Event::Delete(object("edge")));
        assert_eq!(scope.seen("edge"), None);
    }
}
