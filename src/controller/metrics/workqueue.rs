//! Objects that wait for a reconcile, named as client-go names its workqueue. In: what is requested from the controller and what it starts, because kube's
//! own queue exposes nothing. Out: how many wait, for how long, and what is in progress. Does no I/O.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kube::runtime::reflector::ObjectRef;
use parking_lot::{Mutex, MutexGuard};
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, Registry};
use tokio::time::Instant;

use super::{
    CONTROLLER,
    family::{counter, gauge, many, seconds},
};
use crate::{api::ConnectionGroup, cloudfront::queue::Reservation};

type Key = ObjectRef<ConnectionGroup>;

/// The workqueue of the controller; not the call queue, in which reconciles wait for CloudFront.
pub struct Workqueue {
    state: Mutex<State>,
    adds: IntCounterVec,
    wait_seconds: HistogramVec,
    work_seconds: HistogramVec,
    retries: IntCounterVec,
}

#[derive(Default)]
struct State {
    /// Since when reconciles may begin; a standby has no queue.
    opened: Option<Instant>,
    waiting: HashMap<Key, Due>,
    running: HashMap<Key, Running>,
}

/// A reconcile in progress.
struct Running {
    since: Instant,
    calls: Arc<Reservation>,
}

impl Running {
    /// Since when it has been working; `None` while it waits in the call queue.
    fn works_since(&self) -> Option<Instant> {
        if self.calls.is_waiting() { None } else { Some(self.calls.begun_at().unwrap_or(self.since)) }
    }
}

/// When an object is to be reconciled, which may be in the future.
struct Due {
    at: Instant,
    counted: bool,
}

impl Workqueue {
    pub fn new(registry: &Registry) -> Self {
        let labels = ["name"];
        let queue = Self {
            state: Mutex::default(),
            adds: counter(registry, "workqueue_adds_total", "Objects added to the queue.", &labels),
            wait_seconds: seconds(
                registry,
                "workqueue_queue_duration_seconds",
                "How long objects waited for their reconcile.",
                &labels,
            ),
            work_seconds: seconds(
                registry,
                "workqueue_work_duration_seconds",
                "How long the reconcile of an object took, the wait in the call queue included.",
                &labels,
            ),
            retries: counter(
                registry,
                "workqueue_retries_total",
                "Objects that are to be reconciled again because something failed.",
                &labels,
            ),
        };
        for metric in [&queue.adds, &queue.retries] {
            metric.with_label_values(&[CONTROLLER]);
        }
        for metric in [&queue.wait_seconds, &queue.work_seconds] {
            metric.with_label_values(&[CONTROLLER]);
        }
        queue
    }

    /// Reconciles may begin; the wait of earlier objects counts from now on.
    pub fn open(&self) {
        let mut state = self.lock();
        state.opened = state.opened.or_else(|| Some(Instant::now()));
    }

    /// An object is to be reconciled.
    pub fn add(&self, object: Key) {
        let now = Instant::now();
        let mut state = self.lock();
        let due = state.waiting.entry(object).or_insert(Due { at: now, counted: false });
        due.at = due.at.min(now);
        if !due.counted {
            due.counted = true;
            self.adds.with_label_values(&[CONTROLLER]).inc();
        }
    }

    /// An object is to be reconciled again later.
    pub fn add_after(&self, object: Key, delay: Duration) {
        self.lock().waiting.entry(object).or_insert_with(|| Due { at: Instant::now() + delay, counted: false });
    }

    /// As above, because something failed.
    pub fn retry_after(&self, object: Key, delay: Duration) {
        self.retries.with_label_values(&[CONTROLLER]).inc();
        self.add_after(object, delay);
    }

    /// An object is gone and no longer waits.
    pub fn forget(&self, object: &Key) {
        self.lock().waiting.remove(object);
    }

    /// The reconcile of an object begins; its calls are made in that reservation.
    pub fn started(&self, object: &Key, calls: &Arc<Reservation>) {
        let now = Instant::now();
        let mut state = self.lock();
        let due = state.waiting.remove(object).unwrap_or(Due { at: now, counted: false });
        let since = state.opened.map_or(due.at, |opened| opened.max(due.at));
        self.wait_seconds.with_label_values(&[CONTROLLER]).observe((now - since).as_secs_f64());
        if !due.counted {
            self.adds.with_label_values(&[CONTROLLER]).inc();
        }
        state.running.insert(object.clone(), Running { since: now, calls: Arc::clone(calls) });
    }

    /// The reconcile of an object has ended; returns how long it took.
    pub fn ended(&self, object: &Key) -> Duration {
        let took = self.lock().running.remove(object).map(|running| running.since.elapsed()).unwrap_or_default();
        self.work_seconds.with_label_values(&[CONTROLLER]).observe(took.as_secs_f64());
        took
    }

    /// The gauges of the queue, and of the reconciles in progress without those that wait in the call queue.
    pub fn gauges(&self) -> Vec<GaugeVec> {
        let now = Instant::now();
        let state = self.lock();
        let waiting = state.waiting.values().filter(|due| state.opened.is_some() && due.at <= now).count();
        let working = state.running.values().filter_map(Running::works_since);
        let running = working.map(|since| (now - since).as_secs_f64()).collect::<Vec<_>>();
        let series = |value| [([CONTROLLER], value)];
        vec![
            gauge("workqueue_depth", "Objects that wait for a reconcile.", ["name"], series(many(waiting))),
            gauge(
                "workqueue_unfinished_work_seconds",
                "How long the reconciles under way have taken so far, all together, without their wait in the call queue.",
                ["name"],
                series(running.iter().fold(0.0, |sum, seconds| sum + seconds)),
            ),
            gauge(
                "workqueue_longest_running_processor_seconds",
                "How long the longest reconcile under way has taken so far, without its wait in the call queue.",
                ["name"],
                series(running.iter().copied().fold(0.0, f64::max)),
            ),
            gauge(
                "controller_runtime_active_workers",
                "Reconciles under way, without those that wait in the call queue.",
                ["controller"],
                series(many(running.len())),
            ),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudfront::{
        Operation,
        queue::{CallQueue, Class},
    };

    fn key(name: &str) -> Key {
        ObjectRef::new(name).within("default")
    }

    fn queue() -> (Workqueue, Registry) {
        let registry = Registry::new();
        (Workqueue::new(&registry), registry)
    }

    fn total(histogram: &HistogramVec) -> Duration {
        Duration::from_secs_f64(histogram.with_label_values(&[CONTROLLER]).get_sample_sum())
    }

    /// Of each gauge in seconds or objects: depth, unfinished, longest and active.
    fn measured(queue: &Workqueue) -> [u64; 4] {
        let values = queue.gauges().into_iter().map(|gauge| gauge.with_label_values(&[CONTROLLER]).get());
        let values = values.map(|value| Duration::from_secs_f64(value).as_secs()).collect::<Vec<_>>();
        values.try_into().unwrap()
    }

    /// Depth, adds, retries, and in seconds unfinished and longest.
    fn shown(queue: &Workqueue) -> (u64, u64, u64, u64, u64) {
        let [depth, unfinished, longest, _] = measured(queue);
        let count = |counter: &IntCounterVec| counter.with_label_values(&[CONTROLLER]).get();
        (depth, count(&queue.adds), count(&queue.retries), unfinished, longest)
    }

    fn active(queue: &Workqueue) -> u64 {
        measured(queue)[3]
    }

    /// The reservation of a reconcile that does not call CloudFront.
    fn no_calls() -> Arc<Reservation> {
        Arc::new(CallQueue::new(1.0, 1).reserve(Class::Background))
    }

    async fn seconds(n: u64) {
        tokio::time::advance(Duration::from_secs(n)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_waits_once_however_often_it_is_requested() {
        let (queue, _) = queue();
        queue.open();
        queue.add(key("edge"));
        queue.add(key("edge"));
        queue.add(key("other"));
        assert_eq!(shown(&queue), (2, 2, 0, 0, 0));
        queue.started(&key("edge"), &no_calls());
        queue.forget(&key("other"));
        assert_eq!(shown(&queue), (0, 2, 0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_reconcile_waits_only_once_it_is_due_and_an_earlier_one_replaces_it() {
        let (queue, _) = queue();
        queue.open();
        queue.retry_after(key("edge"), Duration::from_secs(10));
        assert_eq!(shown(&queue), (0, 0, 1, 0, 0));
        seconds(12).await;
        assert_eq!(shown(&queue).0, 1);
        queue.started(&key("edge"), &no_calls());
        assert_eq!(total(&queue.wait_seconds), Duration::from_secs(2));
        assert_eq!(shown(&queue).1, 1);
        queue.add_after(key("other"), Duration::from_secs(10));
        queue.add(key("other"));
        assert_eq!((shown(&queue).0, shown(&queue).1), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn work_in_progress_is_measured_until_it_ends() {
        let (queue, _) = queue();
        queue.open();
        queue.started(&key("edge"), &no_calls());
        seconds(3).await;
        queue.started(&key("other"), &no_calls());
        seconds(2).await;
        assert_eq!(shown(&queue), (0, 2, 0, 7, 5));
        assert_eq!(queue.ended(&key("edge")), Duration::from_secs(5));
        assert_eq!(active(&queue), 1);
        assert_eq!(total(&queue.work_seconds), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reconcile_that_waits_in_the_call_queue_is_not_in_progress_until_its_turn() {
        let (queue, _) = queue();
        queue.open();
        let calls = CallQueue::new(0.1, 1);
        let other = calls.reserve(Class::UserRequest);
        other.admit(Operation::GetConnectionGroup).await.unwrap();
        other.end();
        let waits = Arc::new(calls.reserve(Class::Background));
        queue.started(&key("edge"), &waits);
        let pass = tokio::spawn(async move { waits.admit(Operation::GetConnectionGroup).await });
        seconds(9).await;
        assert_eq!(active(&queue), 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(pass.is_finished());
        assert_eq!((active(&queue), shown(&queue).4), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_has_no_queue_and_what_it_observed_waits_from_the_start_of_its_term() {
        let (queue, _) = queue();
        queue.add(key("edge"));
        seconds(3600).await;
        assert_eq!(shown(&queue).0, 0);
        queue.open();
        assert_eq!(shown(&queue).0, 1);
        seconds(1).await;
        queue.started(&key("edge"), &no_calls());
        assert_eq!(total(&queue.wait_seconds), Duration::from_secs(1));
    }
}
