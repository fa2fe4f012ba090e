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
mod queue;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use prometheus::{Encoder, IntGaugeVec, Registry, TextEncoder, process_collector::ProcessCollector};

use self::{
    account::Account, aws::Aws, calls::CallGauges, controller::Controller, family::int_gauge, findings::Findings,
    objects::Objects,
};
use crate::{
    api::ConnectionGroup,
    cloudfront::sdk::{Call, Meter},
    reconcile::Outcome,
};

use super::scope::Blind;

pub use self::{account::Swept, calls::Calls, controller::Ended, queue::Queue};

/// The one controller, as label `controller` and as label `name` of its queue.
const CONTROLLER: &str = "connectiongroup";

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    aws: Aws,
    controller: Controller,
    /// Objects that wait for a reconcile.
    pub queue: Queue,
    objects: Objects,
    findings: Findings,
    account: Account,
    calls: CallGauges,
    master: IntGaugeVec,
    readable: IntGaugeVec,
    acts: AtomicBool,
    reconcile_id: AtomicU64,
    scrape: Mutex<()>,
}

/// What is collected at the time of a scrape.
pub struct AtScrape {
    /// All objects in the cache.
    pub objects: Vec<Arc<ConnectionGroup>>,
    /// The scopes, each with the reason why its objects cannot be read, if so.
    pub views: Vec<(String, Option<Blind>)>,
    /// What the last inventories showed.
    pub listed: Swept,
    /// What the call queue shows.
    pub calls: Calls,
    /// The time.
    pub now: Timestamp,
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
    /// All metrics, at zero. `per_object` adds labels that name objects.
    pub fn new(per_object: bool) -> Self {
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
        Self {
            aws: Aws::new(&registry),
            controller: Controller::new(&registry),
            queue: Queue::new(&registry),
            objects: Objects::new(&registry, per_object),
            findings: Findings::new(&registry),
            account: Account::new(&registry),
            calls: CallGauges::new(&registry),
            master: int_gauge(
                &registry,
                "leader_election_master_status",
                "Whether this process holds the Lease; absent without leader election.",
                &["name"],
            ),
            readable: int_gauge(
                &registry,
                "connection_group_operator_scope_readable",
                "Whether the objects of a watched namespace can be read; `*` is all namespaces. While they cannot, nothing is changed for them.",
                &["namespace"],
            ),
            // Without leader election, `leading` is never called.
            acts: AtomicBool::new(true),
            reconcile_id: AtomicU64::new(0),
            scrape: Mutex::new(()),
            registry,
        }
    }

    /// This process is the leader under that Lease, or a standby. A standby shows no metrics of objects and account: the leader does, and otherwise both
    /// would count twice.
    pub fn leading(&self, lease: &str, leading: Leading) {
        self.acts.store(leading == Leading::Yes, Ordering::SeqCst);
        self.master.with_label_values(&[lease]).set(i64::from(leading == Leading::Yes));
    }

    /// An id for log lines, unique in this process.
    pub fn next_reconcile_id(&self) -> u64 {
        self.reconcile_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The reconcile of an object, which began with `queue.started`, has ended.
    pub fn pass_ended(&self, object: &ObjectRef<ConnectionGroup>, ended: Ended) {
        self.controller.ended(ended, self.queue.ended(object));
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
    pub fn heard(&self, outcome: &Outcome) {
        self.findings.heard(&outcome.events, &outcome.drift, outcome.refused);
    }

    /// A status was stored; `previous` are the conditions before.
    pub fn stored(&self, previous: &[Condition], next: &[Condition]) {
        self.objects.stored(previous, next);
    }

    /// An object is released.
    pub fn released(&self, object: &ConnectionGroup, now: Timestamp) {
        self.objects.released(object, now);
    }

    /// All metrics as text.
    pub fn text(&self, at: &AtScrape) -> String {
        // Two concurrent scrapes must not count the objects twice.
        let _turn = self.scrape.lock();
        self.controller.under_way(self.queue.measure());
        for (scope, blind) in &at.views {
            self.readable.with_label_values(&[scope]).set(blind.is_none().into());
        }
        let acts = self.acts.load(Ordering::SeqCst);
        self.objects.measure(if acts { &at.objects } else { &[] }, at.now);
        self.account.measure(acts.then_some(&at.listed));
        self.calls.measure(&at.calls);
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
    use super::*;
    use crate::{api::ConnectionGroupSpec, cloudfront::queue::CallQueue};

    /// What a scrape shows after this.
    pub fn text_of(happens: impl FnOnce(&Registry)) -> String {
        let registry = Registry::new();
        happens(&registry);
        encode(&registry)
    }

    /// What a scrape of these metrics shows, while there is one object.
    pub fn scraped(metrics: &Metrics) -> String {
        let objects = vec![Arc::new(ConnectionGroup::new("edge", ConnectionGroupSpec::default()))];
        let listed = Swept { list: None, orphans: 0 };
        let views = vec![("a".to_owned(), None), ("b".to_owned(), Some(Blind::NotListed))];
        let calls = Calls { rate: 2.0, slowed: Vec::new(), depths: CallQueue::new(2.0, 10).depths() };
        metrics.text(&AtScrape { objects, views, listed, calls, now: Timestamp::UNIX_EPOCH })
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::scraped, *};

    const LEADER: &str = "leader_election_master_status{name=\"lease\"} 1\n";
    const STANDBY: &str = "leader_election_master_status{name=\"lease\"} 0\n";

    #[test]
    fn a_standby_leaves_objects_and_account_to_the_leader() {
        let metrics = Metrics::new(false);
        for (leading, line) in [(Leading::No, STANDBY), (Leading::Yes, LEADER)] {
            metrics.leading("lease", leading);
            let text = scraped(&metrics);
            assert!(text.contains(line), "{text}");
            for name in ["connection_group_operator_status_conditions{", "connection_group_operator_inventory_age"] {
                assert_eq!(text.contains(name), leading == Leading::Yes, "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_process_that_is_alone_acts_and_tells_of_no_lease() {
        let text = scraped(&Metrics::new(false));
        assert!(text.contains("connection_group_operator_status_conditions{"), "{text}");
        assert!(!text.contains("leader_election"), "{text}");
    }

    #[test]
    fn a_scope_that_cannot_be_read_is_named() {
        let text = scraped(&Metrics::new(false));
        for line in ["readable{namespace=\"a\"} 1", "readable{namespace=\"b\"} 0"] {
            assert!(text.contains(&format!("connection_group_operator_scope_{line}\n")), "{line}: {text}");
        }
    }

    #[test]
    fn the_process_is_measured() {
        let text = scraped(&Metrics::new(false));
        assert!(text.contains("process_resident_memory_bytes ") && text.contains("process_open_fds "), "{text}");
    }
}
