//! The call queue: what waits for a call to CloudFront, and how fast calls may be made. Does no I/O.

use prometheus::{Gauge, GaugeVec, Registry};

use super::{
    account::many,
    family::{gauge, gauges},
};
use crate::cloudfront::{Operation, queue::Depth};

/// What the call queue shows.
pub struct Calls {
    /// Calls per second over all operations.
    pub rate: f64,
    /// The operations that throttling has slowed down, with their calls per second.
    pub slowed: Vec<(Operation, f64)>,
    /// What waits, by class.
    pub depths: [Depth; 5],
}

/// Gauges of the call queue.
pub struct CallGauges {
    depth: GaugeVec,
    oldest: GaugeVec,
    rate: Gauge,
    slowed: GaugeVec,
}

impl CallGauges {
    pub fn new(registry: &Registry) -> Self {
        Self {
            depth: gauges(
                registry,
                "connection_group_operator_call_queue_depth",
                "Reconciles and lists that wait for their turn to call CloudFront.",
                &["class"],
            ),
            oldest: gauges(
                registry,
                "connection_group_operator_call_queue_oldest_wait_seconds",
                "How long the one that has waited for longest for its turn to call CloudFront has done so; 0 if none waits.",
                &["class"],
            ),
            rate: gauge(
                registry,
                "connection_group_operator_budget_calls_per_second",
                "CloudFront calls per second that are allowed over all operations.",
            ),
            slowed: gauges(
                registry,
                "connection_group_operator_slowed_calls_per_second",
                "Calls per second that are allowed of an operation that CloudFront throttled within the last minute or so.",
                &["operation"],
            ),
        }
    }

    /// Updates the gauges.
    pub fn measure(&self, calls: &Calls) {
        let Calls { rate, slowed, depths } = calls;
        self.rate.set(*rate);
        self.slowed.reset();
        for (operation, rate) in slowed {
            self.slowed.with_label_values(&[operation.as_str()]).set(*rate);
        }
        for Depth { class, waiting, oldest } in depths {
            self.depth.with_label_values(&[class.as_str()]).set(many(*waiting));
            self.oldest.with_label_values(&[class.as_str()]).set(oldest.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{cloudfront::queue::Class, controller::metrics::testing::text_of};

    #[test]
    fn each_class_shows_who_waits_and_an_operation_its_rate_as_long_as_it_is_slowed_down() {
        let depths = Class::ALL.map(|class| match class {
            Class::Rest => Depth { class, waiting: 7, oldest: Duration::from_secs(90) },
            _ => Depth { class, waiting: 0, oldest: Duration::ZERO },
        });
        let text = text_of(|registry| {
            let gauges = CallGauges::new(registry);
            let (create, get) = (Operation::CreateConnectionGroup, Operation::GetConnectionGroup);
            gauges.measure(&Calls { rate: 2.0, slowed: vec![(get, 1.5)], depths });
            gauges.measure(&Calls { rate: 2.0, slowed: vec![(create, 0.5)], depths });
        });
        for line in [
            "budget_calls_per_second 2",
            "call_queue_depth{class=\"Asked\"} 0",
            "call_queue_depth{class=\"Rest\"} 7",
            "call_queue_oldest_wait_seconds{class=\"Rest\"} 90",
            "slowed_calls_per_second{operation=\"CreateConnectionGroup\"} 0.5",
        ] {
            assert!(text.contains(&format!("connection_group_operator_{line}\n")), "{line}: {text}");
        }
        assert!(!text.contains("GetConnectionGroup"), "{text}");
    }
}
