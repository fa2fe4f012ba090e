//! Reconciles, named as controller-runtime names them, so that its dashboards and alerts work. Does no I/O.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, Registry};

use super::{
    CONTROLLER,
    family::{counter, seconds},
};

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// There is nothing to wait for.
    Success,
    /// There is more to do immediately.
    Requeue,
    /// Something is in progress; the next reconcile comes later.
    RequeueAfter,
    /// A call to CloudFront or to the API server failed.
    Failed,
    /// A call to CloudFront was not answered in time.
    TimedOut,
    /// Only a person can help.
    Stalled,
}

impl ReconcileResult {
    const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Requeue => "requeue",
            Self::RequeueAfter => "requeue_after",
            Self::Failed | Self::TimedOut | Self::Stalled => "error",
        }
    }
}

/// Counts reconciles.
pub struct Controller {
    reconciles: IntCounterVec,
    errors: IntCounterVec,
    terminal: IntCounterVec,
    panics: IntCounterVec,
    timeouts: IntCounterVec,
    pass_seconds: HistogramVec,
    watch_failures: IntCounterVec,
}

impl Controller {
    /// All counters, at zero.
    pub fn new(registry: &Registry) -> Self {
        let labels = ["controller"];
        let count = |name, help| {
            let family = counter(registry, name, help, &labels);
            family.with_label_values(&[CONTROLLER]);
            family
        };
        let controller = Self {
            reconciles: counter(
                registry,
                "controller_runtime_reconcile_total",
                "Reconciles, by result.",
                &["controller", "result"],
            ),
            errors: count("controller_runtime_reconcile_errors_total", "Reconciles that ended in an error."),
            terminal: count(
                "controller_runtime_terminal_reconcile_errors_total",
                "Reconciles that ended in an error that only a person can end.",
            ),
            panics: count("controller_runtime_reconcile_panics_total", "Reconciles that panicked."),
            timeouts: count(
                "controller_runtime_reconcile_timeouts_total",
                "Reconciles that ended because CloudFront did not answer in time.",
            ),
            pass_seconds: seconds(
                registry,
                "controller_runtime_reconcile_time_seconds",
                "Duration of reconciles, the wait in the call queue included.",
                &labels,
            ),
            watch_failures: counter(
                registry,
                "connection_group_operator_watch_failures_total",
                "Tries to watch the objects that failed or were cut off, by reason.",
                &["reason"],
            ),
        };
        for result in
            [ReconcileResult::Success, ReconcileResult::Requeue, ReconcileResult::RequeueAfter, ReconcileResult::Failed]
        {
            controller.reconciles.with_label_values(&[CONTROLLER, result.label()]);
        }
        for reason in ["NotServed", "Forbidden", "Interrupted"] {
            controller.watch_failures.with_label_values(&[reason]);
        }
        controller.pass_seconds.with_label_values(&[CONTROLLER]);
        controller
    }

    /// A reconcile has ended.
    pub fn ended(&self, result: ReconcileResult, duration: Duration) {
        self.pass_seconds.with_label_values(&[CONTROLLER]).observe(duration.as_secs_f64());
        self.reconciles.with_label_values(&[CONTROLLER, result.label()]).inc();
        let kinds = match result {
            ReconcileResult::Success | ReconcileResult::Requeue | ReconcileResult::RequeueAfter => return,
            ReconcileResult::Failed => None,
            ReconcileResult::TimedOut => Some(&self.timeouts),
            ReconcileResult::Stalled => Some(&self.terminal),
        };
        for errors in kinds.into_iter().chain([&self.errors]) {
            errors.with_label_values(&[CONTROLLER]).inc();
        }
    }

    /// The watch of the objects could not start or continue.
    pub fn watch_failed(&self, reason: &str) {
        self.watch_failures.with_label_values(&[reason]).inc();
    }

    /// A reconcile panicked.
    pub fn panicked(&self) {
        self.panics.with_label_values(&[CONTROLLER]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::metrics::testing::text_of;

    #[test]
    fn each_end_of_a_reconcile_has_its_result_and_every_error_counts_as_one() {
        for (result, label, kind) in [
            (ReconcileResult::Success, "success", None),
            (ReconcileResult::Requeue, "requeue", None),
            (ReconcileResult::RequeueAfter, "requeue_after", None),
            (ReconcileResult::Failed, "error", Some("reconcile_errors")),
            (ReconcileResult::TimedOut, "error", Some("reconcile_timeouts")),
            (ReconcileResult::Stalled, "error", Some("terminal_reconcile_errors")),
        ] {
            let text = text_of(|registry| Controller::new(registry).ended(result, Duration::from_secs(3)));
            let has = |line: String| assert!(text.contains(&line), "{result:?}: {line} in {text}");
            has(format!("reconcile_total{{controller=\"connectiongroup\",result=\"{label}\"}} 1\n"));
            has("reconcile_time_seconds_sum{controller=\"connectiongroup\"} 3\n".to_owned());
            let errors = u8::from(kind.is_some());
            has(format!("runtime_reconcile_errors_total{{controller=\"connectiongroup\"}} {errors}\n"));
            if let Some(kind) = kind {
                has(format!("controller_runtime_{kind}_total{{controller=\"connectiongroup\"}} 1\n"));
            }
        }
    }

    #[test]
    fn a_panic_is_counted() {
        let text = text_of(|registry| Controller::new(registry).panicked());
        assert!(text.contains("controller_runtime_reconcile_panics_total{controller=\"connectiongroup\"} 1\n"));
    }
}
