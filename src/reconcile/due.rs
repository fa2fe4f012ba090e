//! When an object is due to be reconciled, apart from what the inventory shows ([`is_out_of_date`](crate::account::inventory::is_out_of_date)): after its last reconcile,
//! and because of what people change or request. Pure.

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

/// Minimum pause between two reconciles of an object; keeps a defect from becoming a busy loop.
pub const LEAST_PAUSE: Duration = Duration::from_millis(5);

/// Time until the next reconcile after this outcome. There always is one, unless a deliberate bug drops it.
#[must_use]
pub fn after(outcome: &Outcome) -> Option<Duration> {
    (!bug!(RequeueIsDropped)).then(|| outcome.requeue.max(LEAST_PAUSE))
}

/// The parts of an object whose change may require an immediate reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileTriggers {
    /// A hash of generation, deletion and requested reconcile.
    intent: u64,
    /// The finalizers in our API group.
    finalizers: BTreeSet<String>,
}

impl ReconcileTriggers {
    /// Those parts of this version of an object.
    #[must_use]
    pub fn of(object: &ConnectionGroup) -> Self {
        let mut hasher = DefaultHasher::new();
        (object.metadata.generation, object.metadata.deletion_timestamp.is_some()).hash(&mut hasher);
        object.annotations().get(RECONCILE_REQUESTED_AT).hash(&mut hasher);
        let in_our_name = |finalizer: &&String| finalizer.split('/').next() == Some(GROUP);
        let finalizers = object.finalizers().iter().filter(in_our_name).cloned().collect();
        Self { intent: hasher.finish(), finalizers }
    }

    /// Whether this requires a reconcile, compared with the version before, if there was one. Our own writes of status and of our finalizer do not; the
    /// removal of a finalizer in our API group by someone else does.
    #[must_use]
    pub fn calls_for_a_reconcile(&self, before: Option<&Self>) -> bool {
        before.is_none_or(|before| {
            (before.intent != self.intent && !bug!(EditIsNotHeard)) || !before.finalizers.is_subset(&self.finalizers)
        })
    }
}
