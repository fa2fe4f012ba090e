//! Metrics in the Prometheus text format, one file for each concept. Does no I/O, except for `process_*`, which is read from `/proc`. Names follow
//! controller-runtime, client-go and the AWS controllers where they have one, so that dashboards and alerts work. `docs/reference/metrics.md` is the list for
//! users; a test compares it with a real scrape.

mod account;
mod aws;
mod calls;
mod controller;
mod family;
mod findings;
mod objects;
mod workqueue;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::reflector::ObjectRef;
use prometheus::{Encoder, GaugeVec, IntGaugeVec, Registry, TextEncoder, process_collector::ProcessCollector};
use tokio::sync::watch;

use self::{
    aws::Aws,
    controller::Controller,
    family::{computed, int_gauge},
    findings::Findings,
    objects::Changes,
};
use super::objects::Objects;
use crate::{
    account::inventory::{InventoryState, ObjectCache as _},
    api::ConnectionGroup,
    clock::Clock,
    cloudfront::{
        queue::CallQueue,
        sdk::{Call, Meter},
    },
    reconcile::Outcome,
};

pub use self::{controller::ReconcileResult, workqueue::Workqueue};

/// The one controller, as label `controller` and as label `name` of its workqueue.
const CONTROLLER: &str = "connectiongroup";

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    aws: Aws,
    controller: Controller,
    /// Objects that wait for a reconcile.
    pub workqueue: Arc<Workqueue>,
    changes: Changes,
    findings: Findings,
    master: IntGaugeVec,
    acts: Arc<AtomicBool>,
    reconcile_id: AtomicU64,
}

/// What gauges are computed from at each scrape.
pub struct Sources {
    /// The cache.
    pub objects: Arc<Objects>,
    /// Whether labels name objects.
    pub per_object: bool,
    /// What the last inventories showed.
    pub inventory: watch::Receiver<InventoryState>,
    /// The call queue.
    pub calls: CallQueue,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether this process leads from the start, because there is no election.
    pub leading: Leading,
}

impl Sources {
    /// All of them, at one moment. A standby shows no metrics of objects and account: the leader does, and otherwise both would count twice.
    fn gauges(&self, acts: bool) -> Vec<GaugeVec> {
        let objects = if acts { self.objects.all() } else { Vec::new() };
        let inventory = acts.then(|| self.inventory.borrow().clone());
        [
            objects::gauges(&objects, self.per_object, self.clock.wall()),
            vec![objects::readable(&self.objects.views())],
            account::gauges(inventory.as_ref(), self.clock.moment()),
            calls::gauges(&self.calls),
        ]
        .concat()
    }
}

/// Whether this process is the one that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leading {
    /// It acts.
    Yes,
    /// It stands by.
    No,
}

impl Metrics {
    /// All metrics; those that count are at zero.
    pub fn new(sources: Sources) -> Self {
        let registry = Registry::new();
        let build = int_gauge(
            &registry,
            "connection_group_operator_build_info",
            "The version that runs; always 1.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        if let Err(error) = registry.register(Box::new(ProcessCollector::for_self())) {
            tracing::warn!(%error, "there will be no metrics of the process itself");
        }
        let workqueue = Arc::new(Workqueue::new(&registry));
        let acts = Arc::new(AtomicBool::new(sources.leading == Leading::Yes));
        computed(&registry, {
            let (workqueue, acts) = (Arc::clone(&workqueue), Arc::clone(&acts));
            move || [workqueue.gauges(), sources.gauges(acts.load(Ordering::SeqCst))].concat()
        });
        Self {
            aws: Aws::new(&registry),
            controller: Controller::new(&registry),
            workqueue,
            changes: Changes::new(&registry),
            findings: Findings::new(&registry),
            master: int_gauge(
                &registry,
                "leader_election_master_status",
                "Whether this process holds the Lease; absent without leader election.",
                &["name"],
            ),
            acts,
            reconcile_id: AtomicU64::new(0),
            registry,
        }
    }

    /// This process is the leader under that Lease, or a standby.
    pub fn leading(&self, lease: &str, leading: Leading) {
        self.acts.store(leading == Leading::Yes, Ordering::SeqCst);
        self.master.with_label_values(&[lease]).set(i64::from(leading == Leading::Yes));
    }

    /// An id for log lines, unique in this process.
    pub fn next_reconcile_id(&self) -> u64 {
        self.reconcile_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The reconcile of an object, which began with `workqueue.started`, has ended.
    pub fn reconcile_ended(&self, object: &ObjectRef<ConnectionGroup>, result: ReconcileResult) {
        self.controller.ended(result, self.workqueue.ended(object));
    }

    /// A reconcile panicked.
    pub fn panicked(&self) {
        self.controller.panicked();
    }

    /// The watch of the objects could not start or continue.
    pub fn watch_failed(&self, reason: &str) {
        self.controller.watch_failed(reason);
    }

    /// A reconcile had something to report.
    pub fn reported(&self, outcome: &Outcome) {
        self.findings.reported(&outcome.events, &outcome.drift, outcome.refused);
    }

    /// A status was stored; `previous` are the conditions before.
    pub fn stored(&self, previous: &[Condition], next: &[Condition]) {
        self.changes.stored(previous, next);
    }

    /// An object is released.
    pub fn released(&self, object: &ConnectionGroup, now: Timestamp) {
        self.changes.released(object, now);
    }

    /// All metrics as text.
    pub fn text(&self) -> String {
        encode(&self.registry)
    }
}

impl Meter for Metrics {
    fn call_ended(&self, call: &Call<'_>) {
        self.aws.call_ended(call);
    }

    fn unknown_element(&self, element: &str) {
        self.aws.unknown_element(element);
    }

    fn element_lost(&self, element: &str) {
        self.aws.element_lost(element);
    }
}

fn encode(registry: &Registry) -> String {
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&registry.gather(), &mut text) {
        tracing::error!(%error, "the metrics could not be encoded");
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
pub(super) mod testing {
    use kube::runtime::watcher;

    use super::*;
    use crate::{api::ConnectionGroupSpec, controller::scope::Scope, leadership::term::Term};

    /// What a scrape shows after this.
    pub fn text_of(happens: impl FnOnce(&Registry)) -> String {
        let registry = Registry::new();
        happens(&registry);
        encode(&registry)
    }

    /// Metrics of one object; of its namespaces, `a` can be read and `b` cannot.
    pub fn metrics() -> Metrics {
        metrics_of(Leading::Yes)
    }

    /// The same of a process that leads from the start, or does not.
    pub fn metrics_of(leading: Leading) -> Metrics {
        let (readable, mut feed) = Scope::new(Some("a".to_owned()));
        let object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        for event in [watcher::Event::Init, watcher::Event::InitApply(object), watcher::Event::InitDone] {
            feed.writer.apply_watcher_event(&event);
            readable.saw(&event);
        }
        Metrics::new(Sources {
            objects: Arc::new(Objects::new(vec![readable, Scope::new(Some("b".to_owned())).0])),
            per_object: false,
            inventory: watch::channel(InventoryState::default()).1,
            calls: CallQueue::new(2.0, 10),
            clock: Arc::new(Term::default()),
            leading,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{metrics, metrics_of},
        *,
    };

    const LEADER: &str = "leader_election_master_status{name=\"lease\"} 1\n";
    const STANDBY: &str = "leader_election_master_status{name=\"lease\"} 0\n";

    #[test]
    fn a_standby_leaves_objects_and_account_to_the_leader_even_before_it_competes_for_the_lease() {
        let metrics = metrics_of(Leading::No);
        let text = metrics.text();
        assert!(!text.contains("connection_group_operator_inventory_age"), "{text}");
        for (leading, line) in [(Leading::No, STANDBY), (Leading::Yes, LEADER)] {
            metrics.leading("lease", leading);
            let text = metrics.text();
            assert!(text.contains(line), "{text}");
            for name in ["connection_group_operator_status_conditions{", "connection_group_operator_inventory_age"] {
                assert_eq!(text.contains(name), leading == Leading::Yes, "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_process_without_leader_election_acts_and_reports_no_lease() {
        let text = metrics().text();
        assert!(text.contains("connection_group_operator_status_conditions{"), "{text}");
        assert!(!text.contains("leader_election"), "{text}");
    }

    #[test]
    fn a_scope_that_cannot_be_read_is_named() {
        let text = metrics().text();
        for line in ["readable{namespace=\"a\"} 1", "readable{namespace=\"b\"} 0"] {
            assert!(text.contains(&format!("connection_group_operator_scope_{line}\n")), "{line}: {text}");
        }
    }

    #[test]
    fn the_process_is_measured() {
        let text = metrics().text();
        assert!(text.contains("process_resident_memory_bytes ") && text.contains("process_open_fds "), "{text}");
    }
}
