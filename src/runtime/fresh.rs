//! Whether the object of a reconcile is up to date. Talks to the API server: one read for each change that is planned, tried twice.
//!
//! In: the version that the reconcile acts on, and where it comes from. Out: leave to make the change, or the version that is newer, to start over
//! with. While the objects of its scope cannot be read, nothing is changed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use kube::{Api, ResourceExt};
use tokio::time::{Instant, timeout};

use super::{gone::read, pass::Context, scope::Scope, slim::slim};
use crate::{
    api::ConnectionGroup,
    cloudfront::{Operation, sdk::Sdk},
    reconcile::view::{Basis, Evidence, View, Withheld},
};

/// So long an event or a read is recent.
const RECENT: Duration = Duration::from_secs(2);

/// How long the API server may take to answer one try.
const PATIENCE: Duration = Duration::from_secs(5);

const TRIES: u32 = 2;

/// Why the object was not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Kube(#[from] kube::Error),
    #[error("the API server did not answer within {} s, {TRIES} times", PATIENCE.as_secs())]
    NoAnswer,
}

/// A version of an object.
#[derive(Clone)]
pub struct Version {
    /// The object.
    pub object: Arc<ConnectionGroup>,
    /// When the API server was asked for it; the cache has no such proof.
    read: Option<Instant>,
}

impl Version {
    /// As the cache has it.
    pub const fn cached(object: Arc<ConnectionGroup>) -> Self {
        Self { object, read: None }
    }

    /// As the API server answered to a request that was sent at `asked`.
    pub fn read(mut object: ConnectionGroup, asked: Instant) -> Self {
        slim(&mut object);
        Self { object: Arc::new(object), read: Some(asked) }
    }
}

/// The view of one reconcile.
pub struct Fresh<'a> {
    api: &'a Api<ConnectionGroup>,
    version: &'a Version,
    context: &'a Context,
    port: &'a Sdk,
    newer: Mutex<Option<Version>>,
}

impl<'a> Fresh<'a> {
    /// The view of a reconcile of that version, whose calls go through `port`.
    pub const fn new(api: &'a Api<ConnectionGroup>, version: &'a Version, context: &'a Context, port: &'a Sdk) -> Self {
        Self { api, version, context, port, newer: Mutex::new(None) }
    }

    /// The version to start over with, once [`Withheld::Changed`] was the answer.
    pub fn newer(&self) -> Option<Version> {
        self.newer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the object is up to date now.
    ///
    /// # Errors
    /// Why nothing is to be changed.
    pub async fn check(&self, evidence: Evidence) -> Result<(), Withheld> {
        let object = &*self.version.object;
        let scope = self.context.objects.scope_of(object).filter(|scope| scope.blind().is_none());
        let scope = scope.ok_or(Withheld::Unreadable)?;
        if self.is_recent(evidence, scope) {
            return Ok(());
        }
        let asked = Instant::now();
        match self.read().await {
            Ok(Some(read)) if Basis::of(&read) == Basis::of(object) => Ok(()),
            Ok(Some(read)) => {
                tracing::info!(
                    "the object has changed since this reconcile began: it starts over with the newer version"
                );
                *self.newer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Version::read(read, asked));
                Err(Withheld::Changed)
            }
            Ok(None) => Err(Withheld::Gone),
            Err(error) => {
                tracing::warn!(%error, "the object could not be read from the API server: nothing is changed at CloudFront for it until it can be");
                Err(Withheld::Unreadable)
            }
        }
    }

    /// Reads the object. A try that is given up closes its connection, which may have frozen while it was idle; the next try has a new one.
    async fn read(&self) -> Result<Option<ConnectionGroup>, Unread> {
        let _turn = self.context.api_turn().await;
        let name = self.version.object.name_any();
        for _ in 0..TRIES {
            if let Ok(answer) = timeout(PATIENCE, read(self.api, &name)).await {
                return Ok(answer?);
            }
        }
        Err(Unread::NoAnswer)
    }

    /// Whether what is at hand is evidence enough.
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

impl View for Fresh<'_> {
    fn confirm(&self, operation: Operation, evidence: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        async move {
            // The wait for a turn may be long, and comes first.
            self.port.turn_for_change(operation).await;
            self.check(evidence).await
        }
        .boxed()
    }
}
