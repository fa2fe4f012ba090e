//! Whether the object of a reconcile is up to date. Talks to the API server: at most one read for each planned change, tried at most twice.
//!
//! In: the version that the reconcile acts on, and where it comes from. Out: permission to make the change, or the newer version to start over with. Nothing
//! is changed while the objects of the scope cannot be read.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use kube::{Api, ResourceExt};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::{gone::read, scope::Scope, slim::slim, worker::Context};
use crate::{
    api::ConnectionGroup,
    cloudfront::{Operation, sdk::Sdk},
    network::api_failure,
    reconcile::freshness::{Basis, Evidence, Freshness, Withheld},
};

/// How long an event or a read counts as recent.
const RECENT: Duration = Duration::from_secs(2);

/// How long the API server may take to answer one try.
const PATIENCE: Duration = Duration::from_secs(5);

const TRIES: u32 = 2;

/// Why the object was not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("{}", api_failure(.0))]
    Kube(#[from] kube::Error),
    #[error("the API server did not answer within {} s, {TRIES} times", PATIENCE.as_secs())]
    NoAnswer,
}

/// A version of an object.
#[derive(Clone)]
pub struct ObjectVersion {
    /// The object.
    pub object: Arc<ConnectionGroup>,
    /// When the API server was asked for it; `None` for a version from the cache, which has no such proof.
    read: Option<Instant>,
}

impl ObjectVersion {
    /// The version in the cache.
    pub const fn cached(object: Arc<ConnectionGroup>) -> Self {
        Self { object, read: None }
    }

    /// The version in the API server's answer to a request that was sent at `asked`.
    pub fn read(mut object: ConnectionGroup, asked: Instant) -> Self {
        slim(&mut object);
        Self { object: Arc::new(object), read: Some(asked) }
    }

    /// Whether a later generation than this one was reconciled already, so that the cache is behind. The API server's answer counts whatever it says: after
    /// a restore of etcd, generations begin anew.
    pub fn is_behind(&self, reconciled: Option<i64>) -> bool {
        self.read.is_none() && self.object.metadata.generation < reconciled
    }

    /// The same object as the API server has it now.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn renewed(&self, api: &Api<ConnectionGroup>, context: &Context) -> Result<Self, Withheld> {
        let asked = Instant::now();
        match read_in_turn(api, &self.object.name_any(), context).await {
            Ok(Some(object)) => Ok(Self::read(object, asked)),
            Ok(None) => Err(Withheld::Gone),
            Err(error) => {
                tracing::warn!(%error, "the object could not be read from the API server: nothing is changed at CloudFront for it until it can be");
                Err(Withheld::Unreadable)
            }
        }
    }
}

/// Reads the object. An abandoned try closes its connection, which may have frozen while it was idle; the next try has a new one.
async fn read_in_turn(
    api: &Api<ConnectionGroup>,
    name: &str,
    context: &Context,
) -> Result<Option<ConnectionGroup>, Unread> {
    let _turn = context.api_turn().await;
    for _ in 0..TRIES {
        if let Ok(answer) = timeout(PATIENCE, read(api, name)).await {
            return Ok(answer?);
        }
    }
    Err(Unread::NoAnswer)
}

/// The check for one reconcile.
pub struct FreshnessCheck<'a> {
    api: &'a Api<ConnectionGroup>,
    version: &'a ObjectVersion,
    context: &'a Context,
    port: &'a Sdk,
    newer: Mutex<Option<ObjectVersion>>,
}

impl<'a> FreshnessCheck<'a> {
    /// The check for a reconcile of that version, whose calls go through `port`.
    pub const fn new(
        api: &'a Api<ConnectionGroup>,
        version: &'a ObjectVersion,
        context: &'a Context,
        port: &'a Sdk,
    ) -> Self {
        Self { api, version, context, port, newer: Mutex::new(None) }
    }

    /// The version to start over with after the answer [`Withheld::Changed`].
    pub fn newer(&self) -> Option<ObjectVersion> {
        self.newer.lock().take()
    }

    /// Whether the object is up to date now.
    ///
    /// # Errors
    /// Why nothing may be changed.
    pub async fn check(&self, evidence: Evidence) -> Result<(), Withheld> {
        let object = &*self.version.object;
        let scope = self.context.objects.scope_of(object).filter(|scope| scope.blind().is_none());
        let scope = scope.ok_or(Withheld::Unreadable)?;
        if self.is_recent(evidence, scope) {
            return Ok(());
        }
        let read = self.version.renewed(self.api, self.context).await?;
        if Basis::of(&read.object) == Basis::of(object) {
            return Ok(());
        }
        tracing::info!("the object has changed since this reconcile began: it starts over with the newer version");
        *self.newer.lock() = Some(read);
        Err(Withheld::Changed)
    }

    /// Whether a read or an event is recent enough to be sufficient evidence.
    fn is_recent(&self, evidence: Evidence, scope: &Scope) -> bool {
        let recent = |at: Instant| at.elapsed() <= RECENT;
        let object = &*self.version.object;
        match (self.version.read, evidence) {
            (Some(read), _) => recent(read),
            (None, Evidence::Read) => false,
            (None, Evidence::RecentEvent) => {
                let cached = self.context.objects.current(object);
                let same = cached.is_some_and(|cached| Basis::of(&cached) == Basis::of(object));
                same && object.uid().and_then(|uid| scope.seen(&uid)).is_some_and(recent)
            }
        }
    }
}

impl Freshness for FreshnessCheck<'_> {
    fn confirm(&self, operation: Operation, evidence: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        async move {
            // The wait for a turn may be long, so it comes before the check.
            self.port.turn_for_change(operation).await;
            self.check(evidence).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::StatusCode;
    use kube::runtime::watcher;
    use tokio::time::advance;

    use super::*;
    use crate::controller::{
        objects::Objects,
        scope::Feed,
        testing::client,
        worker::tests::{context, filled, managed},
    };

    /// A cache that has just shown an object, a fake API server that has a version of it, and the number of reads that the server received.
    struct World {
        context: Context,
        scope: Arc<Scope>,
        feed: Feed,
        reads: Arc<AtomicUsize>,
    }

    fn generation(generation: i64) -> ConnectionGroup {
        let mut object = managed();
        object.metadata.generation = Some(generation);
        object
    }

    fn world(shown: &ConnectionGroup, stored: &ConnectionGroup) -> World {
        let reads = Arc::<AtomicUsize>::default();
        let (asked, answer) = (Arc::clone(&reads), serde_json::to_value(stored).unwrap());
        let client = client(move |_, _| {
            asked.fetch_add(1, Ordering::SeqCst);
            (200, answer.clone())
        });
        let (scope, feed) = filled(shown);
        let objects = Arc::new(Objects::new(vec![Arc::clone(&scope)]));
        World { context: Context { objects, ..context(client, shown) }, scope, feed, reads }
    }

    impl World {
        /// The result for this version, and the number of reads that it took.
        async fn check(&self, version: &ObjectVersion, evidence: Evidence) -> (Result<(), Withheld>, usize) {
            let api = Api::namespaced(self.context.client.clone(), "platform");
            let answer = FreshnessCheck::new(&api, version, &self.context, &self.context.account.cloudfront)
                .check(evidence)
                .await;
            (answer, self.reads.swap(0, Ordering::SeqCst))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_or_a_read_is_evidence_for_two_seconds_and_no_longer() {
        let object = generation(1);
        let world = world(&object, &object);
        let read = ObjectVersion::read(object.clone(), Instant::now());
        let cached = ObjectVersion::cached(Arc::new(object));
        for (then, reads) in [(Duration::ZERO, 0), (Duration::from_secs(2), 0), (Duration::from_secs(1), 1)] {
            advance(then).await;
            assert_eq!(world.check(&cached, Evidence::RecentEvent).await, (Ok(()), reads), "{then:?} later");
            assert_eq!(world.check(&read, Evidence::Read).await, (Ok(()), reads), "{then:?} later");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_read_is_required_no_event_is_evidence() {
        let object = generation(1);
        let world = world(&object, &object);
        assert_eq!(world.check(&ObjectVersion::cached(Arc::new(object)), Evidence::Read).await, (Ok(()), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_event_of_an_edit_is_not_evidence_for_the_version_before_it() {
        let (before, edited) = (generation(1), generation(2));
        let mut world = world(&before, &edited);
        let event = watcher::Event::Apply(edited);
        world.feed.writer.apply_watcher_event(&event);
        world.scope.saw(&event);
        let version = ObjectVersion::cached(Arc::new(before));
        assert_eq!(world.check(&version, Evidence::RecentEvent).await, (Err(Withheld::Changed), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn without_permission_to_list_objects_nothing_is_confirmed_even_if_a_single_one_may_be_read() {
        let object = generation(1);
        let world = world(&object, &object);
        world.scope.answered(StatusCode::FORBIDDEN);
        let version = ObjectVersion::cached(Arc::new(object));
        for evidence in [Evidence::RecentEvent, Evidence::Read] {
            assert_eq!(world.check(&version, evidence).await, (Err(Withheld::Unreadable), 0), "{evidence:?}");
        }
    }
}
