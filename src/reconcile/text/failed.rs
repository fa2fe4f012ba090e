//! The messages about a failed call. In: the error, and what it was about. Out: what was refused or failed, and what happens next. Pure.
//!
//! They stay the same from one failed try to the next, so that status is written once; request ids and the time of the next try are in the log.

use std::time::Duration;

use super::{VALUE_LIMIT, one_line, time};
use crate::{
    cloudfront::{AnycastIpListId, ApiError, Deployment, ErrorClass, GroupName, Snapshot},
    reconcile::{
        desired::{Anycast, Desired},
        observe::Absence,
    },
};

/// True for every pace of retries.
const AGAIN: &str = "The operator retries within 5 minutes.";

/// What was refused or failed.
pub fn failed(error: &ApiError, resource: &str) -> String {
    let operation = error.operation;
    let what = match error.class {
        ErrorClass::Throttled if operation.is_mutation() => {
            format!("CloudFront throttled {operation}. Nothing was changed.")
        }
        ErrorClass::Throttled => format!("CloudFront throttled {operation}."),
        ErrorClass::AccessDenied => format!(
            "AWS denied cloudfront:{operation} on {resource}{}. Allow this action for the operator's role.",
            cause(error)
        ),
        ErrorClass::Credentials => format!(
            "No usable AWS credentials for {operation}{}. Check the ServiceAccount's role or the Pod's credentials, and --aws-region.",
            cause(error)
        ),
        _ => format!("{operation} on {resource} failed{}.", cause(error)),
    };
    format!("{what} {AGAIN}")
}

/// Which of the two quotas of connection groups a Create may have reached, with the numbers of the last inventory.
pub fn quota(error: &ApiError, desired: &Desired, snapshot: Option<&Snapshot>) -> String {
    let total = snapshot.map(|list| format!(" (the account has {} groups)", list.groups.len())).unwrap_or_default();
    let quota = match &desired.anycast {
        Anycast::Attached(list) => {
            let on_list = |snapshot: &Snapshot| {
                snapshot.groups.values().filter(|group| group.anycast_ip_list_id.as_ref() == Some(list)).count()
            };
            let used = snapshot.map(|s| format!(" ({} use it now)", on_list(s))).unwrap_or_default();
            format!("of connection groups per account{total}, or of groups on Anycast list {list}{used}")
        }
        Anycast::Unnamed | Anycast::Detached => format!("of connection groups per account{total}"),
    };
    format!(
        "The quota {quota} is exhausted{}. Nothing was changed. Delete an unused group or ask AWS to raise the quota. {AGAIN}",
        cause(error)
    )
}

pub fn list_not_found(list: &AnycastIpListId) -> String {
    format!(
        "CloudFront reports that Anycast list {list} does not exist. Nothing was changed. Correct spec.anycastIpListId or create the list. {AGAIN}"
    )
}

pub fn ipv4_only_list(list: &AnycastIpListId, error: &ApiError) -> String {
    format!("Anycast list {list} is IPv4-only, so spec.ipv6Enabled must be false{}. Nothing was changed.", cause(error))
}

pub fn invalid(error: &ApiError) -> String {
    format!("CloudFront refused {}{}. Nothing was changed. Correct the spec. {AGAIN}", error.operation, cause(error))
}

pub fn confirming_gone(name: &GroupName, absence: Absence, list_error: Option<&ApiError>) -> String {
    let next = match (absence, list_error) {
        (Absence::Reported, _) | (_, Some(_)) => missing_list(list_error),
        (Absence::Confirmed | Absence::Proven, None) => {
            "a list that starts when no earlier Create can still take effect (--consistency-window) confirms it"
                .to_owned()
        }
    };
    format!(
        "CloudFront says that connection group {name} does not exist. The operator removes the finalizer once {next}."
    )
}

/// The same for a group that is to stay.
pub fn confirming_absence(name: &GroupName, list_error: Option<&ApiError>, consistency_window: Duration) -> String {
    let proof = match list_error {
        None => "a complete list of the account's groups confirms it".to_owned(),
        Some(_) => format!(
            "CloudFront says so again a consistency window ({}) later, because the account's groups cannot be listed",
            time(consistency_window)
        ),
    };
    format!(
        "CloudFront says that connection group {name} does not exist. A single response may be stale, so nothing was changed, and status shows what was last \
         known. The operator treats the group as deleted once {proof}."
    )
}

fn missing_list(list_error: Option<&ApiError>) -> String {
    let Some(error) = list_error else {
        return "a complete list of the account's groups confirms it".to_owned();
    };
    let refused = match error.class {
        ErrorClass::AccessDenied => format!("AWS denied cloudfront:{} on *", error.operation),
        _ => "the last list failed".to_owned(),
    };
    format!("a complete list of the account's groups confirms it, but {refused}{}", cause(error))
}

pub fn waits_for_rollout(deployment: Option<&Deployment>) -> String {
    let so = deployment.map_or("being rolled out", Deployment::as_str);
    format!(
        "CloudFront does not accept the change while an earlier one is {}. The operator sends it again once the earlier one is rolled out.",
        one_line(so, VALUE_LIMIT)
    )
}

/// For an event.
pub fn perhaps_without_traffic(error: &ApiError) -> String {
    let text = format!(
        "The group was disabled, as spec.enabled says. The operator could not determine whether tenants use the group{}; if they do, their traffic is down.",
        cause(error)
    );
    with_request_id(&text, error)
}

fn cause(error: &ApiError) -> String {
    match (&error.code, error.message.trim_end_matches('.')) {
        (Some(code), "") => format!(": {code}"),
        (Some(code), text) => format!(": {code}: {text}"),
        (None, "") => String::new(),
        (None, text) => format!(": {text}"),
    }
}

/// For events and log lines only: each answer has its own.
pub fn with_request_id(text: &str, error: &ApiError) -> String {
    match &error.request_id {
        Some(id) => format!("{text} (AWS request id {id})"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{ConnectionGroup, ConnectionGroupSpec},
        cloudfront::Operation,
        reconcile::desired::Intent,
    };

    type Message = fn(&ApiError) -> String;

    fn name() -> GroupName {
        GroupName::new("edge")
    }

    fn quota_used_up(error: &ApiError) -> String {
        let object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        let Intent::Present(desired) = Intent::of(&object) else { panic!("an empty spec asks for a group") };
        quota(error, &desired, None)
    }

    const FOR_CONDITIONS: [(&str, Message); 6] = [
        ("failed", |error| failed(error, "arn")),
        ("quota", quota_used_up),
        ("ipv4_only_list", |error| ipv4_only_list(&AnycastIpListId::new("aip_1"), error)),
        ("invalid", invalid),
        ("confirming_gone", |error| confirming_gone(&name(), Absence::Reported, Some(error))),
        ("confirming_absence", |error| confirming_absence(&name(), Some(error), Duration::from_mins(1))),
    ];

    #[test]
    fn no_two_failed_tries_are_said_in_other_words() {
        use ErrorClass::{AccessDenied, Credentials, InUse, Throttled, Unreachable};
        for (what, message) in FOR_CONDITIONS {
            for class in [AccessDenied, Credentials, InUse, Throttled, Unreachable] {
                let error =
                    |id: &str| ApiError::new(Operation::UpdateConnectionGroup, class, None, "no", Some(id.to_owned()));
                let text = message(&error("r-1"));
                assert_eq!(text, message(&error("r-2")), "{what}, {class:?}");
                assert!(text.ends_with('.'), "{what}, {class:?}: {text}");
            }
        }
    }

    #[test]
    fn an_event_ends_with_the_aws_request_id_where_there_is_one() {
        let error = |id| ApiError::new(Operation::ListDistributionTenants, ErrorClass::InUse, None, "no", id);
        assert!(perhaps_without_traffic(&error(Some("r-1".to_owned()))).ends_with(" (AWS request id r-1)"));
        assert!(!perhaps_without_traffic(&error(None)).contains("request id"));
    }
}
