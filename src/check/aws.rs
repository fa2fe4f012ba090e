//! CloudFront: whether it is reachable, accepts the credentials, and lets them list the connection groups. One read, which changes nothing.

use std::sync::Arc;

use super::Finding;
use crate::{
    cloudfront::{
        ApiError, CloudFront, ErrorClass,
        queue::CallQueue,
        sdk::{Call, Meter, Sdk},
    },
    controller::RunArgs,
    leadership::fence::Fence,
    network::Network,
};

/// Nobody reads the metrics of a process that ends at once.
struct Unmetered;

impl Meter for Unmetered {
    fn call_ended(&self, _: &Call<'_>) {}
    fn unknown_element(&self, _: &str) {}
    fn element_lost(&self, _: &str) {}
}

/// Lists the connection groups of the account.
pub async fn check(args: &RunArgs, network: &Network) -> Finding {
    const SUBJECT: &str = "CloudFront";
    let fence = Fence::default();
    fence.open();
    let queue = CallQueue::new(args.aws_rate, args.aws_burst);
    let cloudfront = Sdk::connect(&args.endpoint(), network, queue, Arc::new(Unmetered), fence).await;
    match cloudfront.list().await {
        Ok(groups) => Finding::ok(SUBJECT, format!("it accepts the credentials, and lists {} groups", groups.len())),
        Err(error) => {
            let (cause, advice) = explain(&error);
            Finding::failed(SUBJECT, cause, advice)
        }
    }
}

/// Why the call failed, and what to do about it.
fn explain(error: &ApiError) -> (String, &'static str) {
    let ApiError { operation, message, .. } = error;
    match error.class {
        ErrorClass::Credentials => {
            let details = if message.is_empty() { String::new() } else { format!(": {message}") };
            (
                format!("There are no usable AWS credentials{details}"),
                "Check the ServiceAccount's role (IRSA or EKS Pod Identity), or the Pod's environment variables and files, and --aws-region",
            )
        }
        ErrorClass::AccessDenied => (
            format!("AWS denied cloudfront:{operation}: {message}"),
            "Allow the actions in docs/iam.md for the operator's role",
        ),
        ErrorClass::Unreachable | ErrorClass::TimedOut => (
            format!("CloudFront cannot be reached: {message}"),
            "Check DNS, proxies, firewalls, certificates and the NetworkPolicy between this process and CloudFront",
        ),
        ErrorClass::Throttled => {
            (format!("CloudFront is throttling {operation}: {message}"), "Run the check again in a minute")
        }
        _ => (
            format!("{operation} failed: {message}"),
            "Run the check again; if it fails again, check any proxy in between, and see the AWS Health Dashboard",
        ),
    }
}
