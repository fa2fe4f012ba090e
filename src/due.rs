//! When an object is due to be reconciled, apart from what a list shows ([`is_out_of_date`](crate::sweep::is_out_of_date)): after its last reconcile, and
//! because of what people ask of it. Pure.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use kube::ResourceExt;

use crate::{
    api::{ConnectionGroup, GROUP, RECONCILE_REQUESTED_AT},
    reconcile::Outcome,
};

/// Between two passes that follow at once; keeps a defect from becoming a busy loop.
pub const LEAST_PAUSE: Duration = Duration::from_millis(5);

/// When the next reconcile is due after this outcome. There always is one, unless a deliberate bug drops it.
#[must_use]
pub fn after(outcome: &Outcome) -> Option<Duration> {
    (!bug!(RequeueIsDropped)).then(|| outcome.requeue.max(LEAST_PAUSE))
}

/// What an object says that may call for a reconcile at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Generation, deletion and requested reconcile, as a hash.
    intent: u64,
    /// The finalizers in our name.
    finalizers: BTreeSet<String>,
}

impl Asked {
    /// What this version of an object says.
    #[must_use]
    pub fn by(object: &ConnectionGroup) -> Self {
        let mut hasher = DefaultHasher::new();
        (object.metadata.generation, object.metadata.deletion_timestamp.is_some()).hash(&mut hasher);
        object.annotations().get(RECONCILE_REQUESTED_AT).hash(&mut hasher);
        let in_our_name = |finalizer: &&String| finalizer.split('/').next() == Some(GROUP);
        let finalizers = object.finalizers().iter().filter(in_our_name).cloned().collect();
        Self { intent: hasher.finish(), finalizers }
    }

    /// Whether that calls for a reconcile, after what the object said before, if it was heard of at all. Our own writes of status and of our finalizer do
    /// not; a finalizer in our name that somebody took off does.
    #[must_use]
    pub fn calls_for_a_reconcile(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| {
            (before.intent != self.intent && !bug!(EditIsNotHeard)) || !before.finalizers.is_subset(&self.finalizers)
        })
    }
}
