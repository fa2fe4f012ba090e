//! The call queue: what waits for a call to CloudFront, and how fast calls may be made. Does no I/O.

use prometheus::GaugeVec;

use super::family::{gauge, many};
use crate::cloudfront::queue::CallQueue;

/// The gauges of the call queue.
pub fn gauges(queue: &CallQueue) -> Vec<GaugeVec> {
    let depths = queue.depths();
    vec![
        gauge(
            "connection_group_operator_call_queue_depth",
            "Reconciles and lists that wait for their turn to call CloudFront.",
            ["class"],
            depths.iter().map(|depth| ([depth.class.as_str()], many(depth.waiting))),
        ),
        gauge(
            "connection_group_operator_call_queue_oldest_wait_seconds",
            "How long the one that has waited for longest for its turn to call CloudFront has done so; 0 if none waits.",
            ["class"],
            depths.iter().map(|depth| ([depth.class.as_str()], depth.oldest.as_secs_f64())),
        ),
        gauge(
            "connection_group_operator_budget_calls_per_second",
            "CloudFront calls per second that are allowed over all operations.",
            [],
            [([], queue.rate())],
        ),
        gauge(
            "connection_group_operator_slowed_calls_per_second",
            "Calls per second that are allowed of an operation that CloudFront throttled within the last minute or so.",
            ["operation"],
            queue.slowed().iter().map(|(operation, rate)| ([operation.as_str()], *rate)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use prometheus::Registry;

    use super::*;
    use crate::{
        cloudfront::{Operation, queue::Class},
        controller::metrics::{encode, family::computed},
    };

    #[tokio::test(start_paused = true)]
    async fn each_class_shows_its_waiters_and_an_operation_its_rate_while_it_is_slowed_down() {
        let (queue, registry) = (CallQueue::new(0.001, 1), Registry::new());
        let (create, get) = (Operation::CreateConnectionGroup, Operation::GetConnectionGroup);
        let other = queue.reserve(Class::UserRequest);
        other.admit(get).await.unwrap();
        let waiting = [(); 7].map(|()| queue.reserve(Class::Background));
        assert!(waiting.iter().all(|reservation| reservation.turn(get).now_or_never().is_none()));
        queue.throttled(get);
        let shown = queue.clone();
        computed(&registry, move || gauges(&shown));
        let text = encode(&registry);
        assert!(text.contains("slowed_calls_per_second{operation=\"GetConnectionGroup\"} 0.0005\n"), "{text}");
        tokio::time::advance(Duration::from_secs(90)).await;
        queue.throttled(create);
        let text = encode(&registry);
        for line in [
            "budget_calls_per_second 0.001",
            "call_queue_depth{class=\"UserRequest\"} 0",
            "call_queue_depth{class=\"Background\"} 7",
            "call_queue_oldest_wait_seconds{class=\"Background\"} 90",
            "slowed_calls_per_second{operation=\"CreateConnectionGroup\"} 0.0005",
        ] {
            assert!(text.contains(&format!("connection_group_operator_{line}\n")), "{line}: {text}");
        }
        assert!(!text.contains("GetConnectionGroup"), "{text}");
    }
}
