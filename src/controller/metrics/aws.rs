//! CloudFront calls, named as the AWS Load Balancer Controller names them, so that its dashboards work. Does no I/O.

use prometheus::{HistogramVec, IntCounterVec, Registry};

use super::family::{counter, histogram, seconds};
use crate::cloudfront::{
    ErrorClass, Operation,
    sdk::{Call, Meter},
};

const SERVICE: &str = "CloudFront";

const BY_OPERATION: [&str; 2] = ["service", "operation"];

/// Calls and requests. A call is what a reconcile makes, a request is what goes over the wire for it.
pub struct Aws {
    calls: IntCounterVec,
    requests: IntCounterVec,
    call_seconds: HistogramVec,
    retries: HistogramVec,
    refusals: Refusals,
    unknown: IntCounterVec,
    lost: IntCounterVec,
}

impl Aws {
    pub fn new(registry: &Registry) -> Self {
        let all = ["service", "operation", "status_code", "error_code"];
        let aws = Self {
            calls: counter(registry, "aws_api_calls_total", "CloudFront calls that have ended.", &all),
            requests: counter(registry, "aws_api_requests_total", "HTTP requests that were sent to CloudFront.", &all),
            call_seconds: seconds(
                registry,
                "aws_api_call_duration_seconds",
                "Duration of CloudFront calls, without the wait in the call queue.",
                &BY_OPERATION,
            ),
            retries: histogram(
                registry,
                "aws_api_call_retries",
                "Requests beyond the first for one CloudFront call.",
                &BY_OPERATION,
                &[0.0, 1.0, 2.0, 3.0, 5.0],
            ),
            refusals: Refusals::new(registry),
            unknown: counter(
                registry,
                "connection_group_operator_unknown_elements_total",
                "Elements of connection groups in CloudFront's answers that this version does not know, by name.",
                &["element"],
            ),
            lost: counter(
                registry,
                "connection_group_operator_lost_elements_total",
                "Elements of connection groups that the answer to an update no longer showed, by name.",
                &["element"],
            ),
        };
        aws.lost.with_label_values(&["ViewerFallback"]);
        aws
    }
}

/// Calls that were refused, with a counter for each kind of refusal that someone acts on.
struct Refusals {
    permission: IntCounterVec,
    limit: IntCounterVec,
    throttled: IntCounterVec,
    validation: IntCounterVec,
}

impl Refusals {
    fn new(registry: &Registry) -> Self {
        let count = |name, help| {
            let family = counter(registry, name, help, &BY_OPERATION);
            // Prometheus sees no increase in a series that begins at 1.
            for operation in Operation::ALL {
                family.with_label_values(&[SERVICE, operation.as_str()]);
            }
            family
        };
        Self {
            permission: count(
                "aws_api_call_permission_errors_total",
                "CloudFront calls that failed for want of rights or of usable credentials.",
            ),
            limit: count(
                "aws_api_call_limit_exceeded_errors_total",
                "CloudFront calls that failed because a quota is used up.",
            ),
            throttled: count("aws_api_call_throttled_errors_total", "CloudFront calls that were throttled."),
            validation: count(
                "aws_api_call_validation_errors_total",
                "CloudFront calls that failed because a value was refused.",
            ),
        }
    }

    /// The counter of that class, if it has one.
    const fn of(&self, class: ErrorClass) -> Option<&IntCounterVec> {
        match class {
            ErrorClass::AccessDenied | ErrorClass::Credentials => Some(&self.permission),
            ErrorClass::LimitExceeded => Some(&self.limit),
            ErrorClass::Throttled => Some(&self.throttled),
            ErrorClass::InvalidArgument => Some(&self.validation),
            _ => None,
        }
    }
}

impl Meter for Aws {
    fn call_ended(&self, call: &Call<'_>) {
        let Call { operation, duration, ref wire, error } = *call;
        let two = [SERVICE, operation.as_str()];
        let status = wire.status.map(|status| status.to_string()).unwrap_or_default();
        let code = error.map_or("", |error| match &error.code {
            Some(code) => code,
            None if wire.requests == 0 => "NotSent",
            None if wire.status.is_none() => "NoAnswer",
            None => "NoCode",
        });
        let all = [SERVICE, operation.as_str(), &status, code];
        self.calls.with_label_values(&all).inc();
        self.call_seconds.with_label_values(&two).observe(duration.as_secs_f64());
        self.retries.with_label_values(&two).observe(wire.requests.saturating_sub(1).into());
        if wire.requests > 0 {
            self.requests.with_label_values(&all).inc_by(wire.requests.into());
        }
        if let Some(refused) = error.and_then(|error| self.refusals.of(error.class)) {
            refused.with_label_values(&two).inc();
        }
    }

    fn unknown_element(&self, element: &str) {
        self.unknown.with_label_values(&[element]).inc();
    }

    fn element_lost(&self, element: &str) {
        self.lost.with_label_values(&[element]).inc();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        cloudfront::{ApiError, sdk::Wire},
        controller::metrics::testing::text_of,
    };

    fn after(wire: Wire, error: Option<(ErrorClass, Option<&str>)>) -> String {
        let operation = Operation::UpdateConnectionGroup;
        let error = error.map(|(class, code)| ApiError::new(operation, class, code.map(Into::into), "no", None));
        text_of(|registry| {
            let duration = Duration::from_millis(3);
            Aws::new(registry).call_ended(&Call { operation, duration, wire, error: error.as_ref() });
        })
    }

    #[test]
    fn a_call_is_counted_by_its_answer_and_a_request_only_if_it_was_sent() {
        let answered = |status| Wire { requests: 1, status: Some(status), ..Wire::default() };
        let unanswered = Wire { requests: 1, ..Wire::default() };
        for (wire, error, status, code, sent) in [
            (answered(200), None, "200", "", true),
            (answered(400), Some((ErrorClass::Throttled, Some("Throttling"))), "400", "Throttling", true),
            (answered(502), Some((ErrorClass::ServiceUnavailable, None)), "502", "NoCode", true),
            (unanswered, Some((ErrorClass::Unreachable, None)), "", "NoAnswer", true),
            (Wire::default(), Some((ErrorClass::Credentials, None)), "", "NotSent", false),
        ] {
            let text = after(wire, error);
            let labels = format!(
                "{{error_code=\"{code}\",operation=\"UpdateConnectionGroup\",service=\"CloudFront\",status_code=\"{status}\"}} 1"
            );
            assert!(text.contains(&format!("aws_api_calls_total{labels}")), "{text}");
            assert_eq!(text.contains(&format!("aws_api_requests_total{labels}")), sent, "{text}");
        }
    }

    #[test]
    fn each_kind_of_refusal_has_a_counter_that_starts_at_zero() {
        let wire = Wire { requests: 1, status: Some(400), ..Wire::default() };
        for (class, kind) in [
            (ErrorClass::AccessDenied, "permission"),
            (ErrorClass::Credentials, "permission"),
            (ErrorClass::LimitExceeded, "limit_exceeded"),
            (ErrorClass::Throttled, "throttled"),
            (ErrorClass::InvalidArgument, "validation"),
        ] {
            let text = after(wire.clone(), Some((class, None)));
            let counted = |operation: &str, n: u32| {
                format!("aws_api_call_{kind}_errors_total{{operation=\"{operation}\",service=\"CloudFront\"}} {n}\n")
            };
            assert!(text.contains(&counted("UpdateConnectionGroup", 1)), "{kind}: {text}");
            assert!(text.contains(&counted("CreateConnectionGroup", 0)), "{kind}: {text}");
        }
    }
}
