//! CloudFront: whether it is reachable, accepts the credentials, and lets them list the connection groups. One read, which changes nothing.

use std::sync::{Arc, OnceLock};

use super::{Finding, count};
use crate::{
    cloudfront::{
        ApiError, CloudFront, ErrorClass, Summary,
        queue::CallQueue,
        sdk::{Call, Meter, Sdk},
    },
    controller::RunArgs,
    leadership::fence::Fence,
    network::Network,
};

/// Which server answered. Nobody reads the metrics of a process that ends at once.
#[derive(Default)]
struct Server(OnceLock<String>);

impl Meter for Server {
    fn call_ended(&self, call: &Call<'_>) {
        if let Some(server) = &call.wire.server {
            let _ = self.0.set(server.clone());
        }
    }
    fn unknown_element(&self, _: &str) {}
    fn element_lost(&self, _: &str) {}
}

const SUBJECT: &str = "CloudFront";

/// Lists the connection groups of the account.
pub async fn check(args: &RunArgs, network: &Network) -> Finding {
    let fence = Fence::default();
    fence.open();
    let queue = CallQueue::new(args.aws_rate, args.aws_burst);
    let server = Arc::new(Server::default());
    let cloudfront = Sdk::connect(&args.endpoint(), network, queue, Arc::clone(&server) as _, fence).await;
    match cloudfront.list().await {
        Ok(groups) => accepted(args, network, &server, &groups).await,
        Err(error) => {
            let (cause, advice) = explain(&error);
            Finding::failed(SUBJECT, cause, advice)
        }
    }
}

/// Says which CloudFront it was, and who asked. The account is known from a group or from who gave out the credentials: to ask STS would need one more service.
async fn accepted(args: &RunArgs, network: &Network, server: &Server, groups: &[Summary]) -> Finding {
    let endpoint = server.0.get().map_or("it", String::as_str);
    let identity = args.endpoint().identity(network).await;
    let of_group = groups.first().and_then(|group| Some(group.arn.account()?.to_owned()));
    let account = of_group.or_else(|| identity.as_ref()?.account.clone());
    let account = account.map(|id| format!(" of account {id}")).unwrap_or_default();
    let identity = identity.map(|identity| format!(", with {identity}")).unwrap_or_default();
    Finding::ok(
        SUBJECT,
        format!(
            "{endpoint} accepts the credentials, and lists {}{account}; region {}{identity}",
            count(groups.len(), "group"),
            args.aws_region
        ),
    )
}

/// Why the call failed, and what to do about it.
fn explain(error: &ApiError) -> (String, &'static str) {
    let ApiError { operation, .. } = error;
    let message = error.text();
    let failed = || format!("{operation} failed: {message}");
    match error.class {
        ErrorClass::Credentials => {
            let details = if message.is_empty() { String::new() } else { format!(": {message}") };
            (
                format!("There are no usable AWS credentials{details}"),
                "In a Pod, check the ServiceAccount's role (IRSA or EKS Pod Identity), or the Pod's variables and files. In a terminal, set AWS_PROFILE, or \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. After `aws sso login`, `aws configure export-credentials --format env` prints these. Check --aws-region (aws.region in the chart)",
            )
        }
        ErrorClass::AccessDenied => (
            format!("AWS denied cloudfront:{operation}: {message}"),
            "Allow the actions in docs/iam.md for the operator's role",
        ),
        ErrorClass::Unreachable | ErrorClass::TimedOut => (
            format!("CloudFront cannot be reached: {message}"),
            "Check DNS, proxies, firewalls, certificates, the NetworkPolicy between this process and CloudFront, and --aws-endpoint-url (aws.endpointUrl in the chart)",
        ),
        ErrorClass::Throttled => {
            (format!("CloudFront is throttling {operation}: {message}"), "Run the check again in a minute")
        }
        ErrorClass::ServiceUnavailable => (
            failed(),
            "Run the check again; if it fails again, check any proxy in between, and see the AWS Health Dashboard",
        ),
        // What a list of groups does not name, or what CloudFront does not answer to it.
        ErrorClass::Unexpected
        | ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::LimitExceeded
        | ErrorClass::InvalidArgument
        | ErrorClass::StaleEtag
        | ErrorClass::InUse
        | ErrorClass::NotDisabled
        | ErrorClass::HasTenants => (
            failed(),
            "Check what --aws-endpoint-url (aws.endpointUrl in the chart) names and any proxy in between: CloudFront does not answer so to this call",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudfront::Operation;

    #[test]
    fn for_each_class_of_errors_it_says_what_cloudfront_answered_and_what_to_do() {
        for class in ErrorClass::ALL {
            let code = Some("Code".to_owned());
            let error = ApiError::new(Operation::ListConnectionGroups, *class, code, "the reason", None);
            let (cause, advice) = explain(&error);
            assert!(cause.contains("Code: the reason") && !advice.is_empty(), "{class:?}: {cause}");
        }
    }
}
