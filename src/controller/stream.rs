//! The stream of objects to reconcile. Talks to the Kubernetes API server.
//!
//! In: an `Api`, and the scope that it watches. Out: a cache, and the objects whose intent changed. An object that does not decode is logged once and left
//! out; the others are not affected.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::{Stream, StreamExt, TryStreamExt, stream::unfold};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, reflector::store::Writer, watcher},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::{scope::Scope, slim::Slim};
use crate::{
    api::{ConnectionGroup, ConnectionGroupSpec},
    reconcile::due::ReconcileTriggers,
};

/// The API server ends a watch after this many seconds. The client abandons a watch that is silent for a little longer: its connection is dead.
const WATCH_SECONDS: u32 = 50;

/// Objects in one page of a list. An object may exceed a megabyte, and a whole page is in memory several times while it is decoded.
const PAGE: u32 = 10;

/// The stream that fills a scope's cache; the cache is updated only while the stream is polled.
pub fn watch(
    api: Api<Slim>,
    writer: Writer<ConnectionGroup>,
    scope: &Arc<Scope>,
) -> impl Stream<Item = Result<ConnectionGroup, watcher::Error>> + Send + 'static {
    let config = watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE);
    let known_triggers = Arc::<KnownTriggers>::default();
    let gone = Arc::clone(&known_triggers);
    let (begins, reads, saw) = (Arc::clone(scope), Arc::clone(scope), Arc::clone(scope));
    let begin = move |number| {
        begins.begins(number);
        watcher(api.clone(), config.clone()).default_backoff().boxed()
    };
    begun_anew(begin, scope.wanted())
        .filter_map(move |event| std::future::ready(event.map(|event| decoded(event, reads.unreadable())).transpose()))
        .reflect(writer)
        .inspect_ok(move |event| {
            saw.saw(event);
            gone.forget_the_gone(event);
        })
        .applied_objects()
        .try_filter(move |object| std::future::ready(known_triggers.call_for_a_reconcile(object)))
}

/// A stream that is dropped and restarted with each new number.
fn begun_anew<S>(begin: impl Fn(u64) -> S, mut numbers: watch::Receiver<u64>) -> impl Stream<Item = S::Item>
where
    S: Stream + Unpin,
{
    let first = begin(*numbers.borrow_and_update());
    unfold((first, begin, numbers), async |(mut current, begin, mut numbers)| {
        loop {
            tokio::select! {
                biased;
                Ok(()) = numbers.changed() => current = begin(*numbers.borrow_and_update()),
                item = current.next() => return item.map(|item| (item, (current, begin, numbers))),
            }
        }
    })
}

/// By uid, the last known state of everything in an object that may require an immediate reconcile.
#[derive(Debug, Default)]
struct KnownTriggers(Mutex<HashMap<String, LastKnown>>);

/// The last known state of one object.
#[derive(Debug)]
struct LastKnown {
    triggers: ReconcileTriggers,
    /// Whether the list in progress has shown the object.
    listed: bool,
}

impl KnownTriggers {
    /// Whether this version of an object requires a reconcile.
    fn call_for_a_reconcile(&self, object: &ConnectionGroup) -> bool {
        let triggers = ReconcileTriggers::of(object);
        let last_known = LastKnown { triggers: triggers.clone(), listed: true };
        let before = self.lock().insert(object.meta().uid.clone().unwrap_or_default(), last_known);
        triggers.calls_for_a_reconcile(before.map(|before| before.triggers).as_ref())
    }

    /// Forgets the objects that are gone. There is no event for an object that was deleted while the watch was down: it is only missing from the next list.
    fn forget_the_gone(&self, event: &watcher::Event<ConnectionGroup>) {
        match event {
            watcher::Event::Init => self.lock().values_mut().for_each(|last_known| last_known.listed = false),
            watcher::Event::InitDone => self.lock().retain(|_, last_known| last_known.listed),
            watcher::Event::Delete(object) => {
                self.lock().remove(object.meta().uid.as_deref().unwrap_or_default());
            }
            watcher::Event::InitApply(_) | watcher::Event::Apply(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, LastKnown>> {
        self.0.lock()
    }
}

/// The objects of a watch that exist but do not decode, by namespace and name.
#[derive(Debug, Default)]
pub struct UnreadableObjects(Mutex<BTreeMap<(String, String), UnreadableVersion>>);

/// What is known about an object that does not decode.
#[derive(Debug)]
struct UnreadableVersion {
    /// The resource version that was logged.
    version: String,
    /// Whether the list in progress has shown it.
    listed: bool,
}

impl UnreadableObjects {
    /// Namespace and name of each.
    pub fn names(&self) -> Vec<(String, String)> {
        self.lock().keys().cloned().collect()
    }

    /// Records one, and logs a warning once for each of its versions.
    fn note(&self, meta: &ObjectMeta, error: &str) {
        let version = meta.resource_version.clone().unwrap_or_default();
        let before = self.lock().insert(key(meta), UnreadableVersion { version: version.clone(), listed: true });
        if before.is_none_or(|before| before.version != version) {
            let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
            tracing::warn!(
                namespace,
                name,
                error,
                "this ConnectionGroup cannot be read and is left alone until it is corrected"
            );
        }
    }

    /// Forgets an object that decodes, or is gone.
    fn forget(&self, meta: &ObjectMeta) {
        self.lock().remove(&key(meta));
    }

    fn list_begins(&self) {
        self.lock().values_mut().for_each(|seen| seen.listed = false);
    }

    fn list_ends(&self) {
        self.lock().retain(|_, seen| seen.listed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), UnreadableVersion>> {
        self.0.lock()
    }
}

fn key(meta: &ObjectMeta) -> (String, String) {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// An object that does not decode is removed from the cache: its earlier content must no longer be acted on.
fn decoded(event: watcher::Event<Slim>, unreadable: &UnreadableObjects) -> Option<watcher::Event<ConnectionGroup>> {
    let read = |slim: Slim| {
        match &slim.0 {
            Ok(object) => unreadable.forget(object.meta()),
            Err(known) => unreadable.note(&known.metadata, &known.error),
        }
        slim.0.map_err(|known| {
            let mut husk = ConnectionGroup::new("", ConnectionGroupSpec::default());
            husk.metadata = known.metadata;
            Box::new(husk)
        })
    };
    Some(match event {
        watcher::Event::Init => {
            unreadable.list_begins();
            watcher::Event::Init
        }
        watcher::Event::InitDone => {
            unreadable.list_ends();
            watcher::Event::InitDone
        }
        watcher::Event::InitApply(slim) => watcher::Event::InitApply(read(slim).ok()?),
        watcher::Event::Apply(slim) => {
            read(slim).map_or_else(|husk| watcher::Event::Delete(*husk), watcher::Event::Apply)
        }
        watcher::Event::Delete(slim) => {
            let gone = read(slim).unwrap_or_else(|husk| *husk);
            unreadable.forget(gone.meta());
            watcher::Event::Delete(gone)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use kube::ResourceExt;

    use super::*;
    use crate::api::{ConnectionGroupStatus, RECONCILE_REQUESTED_AT};

    /// Whether a change of an object that carries our finalizer requires a reconcile.
    fn is_called_for(change: impl FnOnce(&mut ConnectionGroup)) -> bool {
        let known_triggers = KnownTriggers::default();
        let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        object.metadata.generation = Some(1);
        object.metadata.uid = Some("a".into());
        assert!(known_triggers.call_for_a_reconcile(&object), "a new object does");
        object.metadata.finalizers = Some(vec![crate::api::finalizer("prod")]);
        assert!(!known_triggers.call_for_a_reconcile(&object), "our own finalizer does not");
        change(&mut object);
        known_triggers.call_for_a_reconcile(&object)
    }

    #[test]
    fn a_reconcile_is_triggered_by_spec_deletion_recreation_and_request() {
        assert!(!is_called_for(|_| {}));
        assert!(is_called_for(|object| object.metadata.generation = Some(2)));
        assert!(is_called_for(|object| object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH))));
        assert!(is_called_for(|object| object.metadata.uid = Some("b".into())));
        let request = |object: &mut ConnectionGroup| {
            object.annotations_mut().insert(RECONCILE_REQUESTED_AT.into(), "now".into());
        };
        assert!(is_called_for(request));
    }

    #[test]
    fn an_object_that_was_deleted_while_the_watch_was_down_is_forgotten_with_the_next_list_and_no_other_is() {
        type Event = watcher::Event<ConnectionGroup>;
        let known_triggers = KnownTriggers::default();
        let object = |uid: &str| {
            let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
            object.metadata.uid = Some(uid.into());
            object
        };
        // In the order of the stream: the event comes first, then the question whether the object requires a reconcile.
        let list = |uids: &[&str]| {
            known_triggers.forget_the_gone(&Event::Init);
            for object in uids.iter().map(|uid| object(uid)) {
                known_triggers.forget_the_gone(&Event::InitApply(object.clone()));
                known_triggers.call_for_a_reconcile(&object);
            }
            known_triggers.forget_the_gone(&Event::InitDone);
        };
        let known = || known_triggers.lock().keys().cloned().collect::<BTreeSet<_>>();
        list(&["a", "b"]);
        // This list is interrupted.
        known_triggers.forget_the_gone(&Event::Init);
        assert_eq!(known(), ["a", "b"].map(str::to_owned).into());
        list(&["b", "c"]);
        assert_eq!(known(), ["b", "c"].map(str::to_owned).into());
        assert!(!known_triggers.call_for_a_reconcile(&object("b")), "it existed all the time");
        known_triggers.forget_the_gone(&Event::Delete(object("b")));
        assert_eq!(known(), ["c".to_owned()].into());
    }

    #[test]
    fn an_object_that_can_no_longer_be_read_leaves_the_cache() {
        let text = serde_json::json!({ "metadata": { "name": "edge", "uid": "a" }, "spec": { "enabled": "maybe" } });
        let slim = || serde_json::from_value::<Slim>(text.clone()).unwrap();
        for event in [watcher::Event::Apply(slim()), watcher::Event::Delete(slim())] {
            let event = decoded(event, &UnreadableObjects::default());
            assert!(matches!(event, Some(watcher::Event::Delete(husk)) if husk.name_any() == "edge"));
        }
        assert!(decoded(watcher::Event::InitApply(slim()), &UnreadableObjects::default()).is_none());
    }

    #[test]
    fn an_object_that_cannot_be_read_is_known_to_exist_until_it_can_be_read_or_is_gone() {
        type Event = watcher::Event<Slim>;
        let object = |enabled: serde_json::Value| {
            let metadata = serde_json::json!({ "namespace": "platform", "name": "edge", "uid": "a" });
            serde_json::from_value::<Slim>(serde_json::json!({ "metadata": metadata, "spec": { "enabled": enabled } }))
                .unwrap()
        };
        let bad = || object("maybe".into());
        let ends: [(&str, Vec<Event>); 3] = [
            ("corrected", vec![Event::Apply(object(true.into()))]),
            ("deleted", vec![Event::Delete(bad())]),
            ("not in the next list", vec![Event::Init, Event::InitDone]),
        ];
        for (what, events) in ends {
            let unreadable = UnreadableObjects::default();
            for event in [Event::Init, Event::InitApply(bad()), Event::InitDone, Event::Apply(bad())] {
                decoded(event, &unreadable);
            }
            assert_eq!(unreadable.names(), [("platform".to_owned(), "edge".to_owned())]);
            for event in events {
                decoded(event, &unreadable);
            }
            assert_eq!(unreadable.names(), [], "{what}");
        }
    }

    #[test]
    fn our_own_status_triggers_nothing_and_a_finalizer_that_someone_removed_triggers_a_reconcile() {
        assert!(!is_called_for(|object| {
            object.status = Some(ConnectionGroupStatus::UNSEEN);
            object.metadata.finalizers = Some(vec!["foregroundDeletion".into(), crate::api::finalizer("prod")]);
            object.metadata.resource_version = Some("7".into());
        }));
        assert!(is_called_for(|object| object.metadata.finalizers = None));
    }

    #[tokio::test]
    async fn a_stream_that_is_restarted_continues_with_the_new_one() {
        let number = watch::Sender::new(0);
        let begin = |number: u64| futures::stream::repeat(number).take(2).chain(futures::stream::pending()).boxed();
        let mut stream = std::pin::pin!(begun_anew(begin, number.subscribe()));
        assert_eq!(stream.next().await, Some(0));
        number.send_replace(1);
        assert_eq!([stream.next().await, stream.next().await], [Some(1); 2]);
        let mut third = stream.next();
        assert!(futures::poll!(&mut third).is_pending());
        number.send_replace(2);
        assert_eq!(third.await, Some(2));
    }
}
