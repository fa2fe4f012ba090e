//! The sentences about a failed call. In: the error, and what it was about. Out: what was refused or failed, and when the next try is; where
//! CloudFront answered, it ends with the AWS request id. Pure.

use std::time::Duration;

use super::{detach_rejected, whole_seconds};
use crate::{
    cloudfront::{AnycastIpListId, ApiError, Deployment, ErrorClass, GroupName, Operation, Snapshot},
    reconcile::desired::Desired,
};

/// What was refused or failed, and when the next try is.
pub fn trouble(error: &ApiError, resource: &str, next: Duration) -> String {
    let operation = error.operation;
    let again = format!("Next try in {}.", humantime::format_duration(whole_seconds(next)));
    let what = match error.class {
        ErrorClass::Throttled => {
            format!("CloudFront throttled {operation}. Traffic is not affected.")
        }
        ErrorClass::AccessDenied => format!(
            "AWS refused cloudfront:{operation} on {resource}{}. Allow this action to the operator's role.",
            cause(error)
        ),
        ErrorClass::Credentials => format!(
            "No usable AWS credentials for {operation}{}. Check the ServiceAccount's role or the credentials of the Pod, and --aws-region.",
            cause(error)
        ),
        _ => format!("{operation} on {resource} failed{}.", cause(error)),
    };
    with_request_id(&format!("{what} {again}"), error)
}

/// Which of the two quotas of connection groups it may be, with what the last list shows.
pub fn quota(error: &ApiError, desired: &Desired, snapshot: Option<&Snapshot>, next: Duration) -> String {
    let total = snapshot.map(|list| format!(" (the account has {} groups)", list.groups.len())).unwrap_or_default();
    let quota = match (&desired.config.anycast_ip_list_id, error.operation) {
        (Some(list), operation) => {
            let on_list = |snapshot: &Snapshot| {
                snapshot.groups.values().filter(|group| group.anycast_ip_list_id.as_ref() == Some(list)).count()
            };
            let used = snapshot.map(|s| format!(" ({} use it now)", on_list(s))).unwrap_or_default();
            let account = if operation == Operation::CreateConnectionGroup {
                format!("of connection groups per account{total}, or ")
            } else {
                String::new()
            };
            format!("{account}of groups on Anycast list {list}{used}")
        }
        (None, _) => format!("of connection groups per account{total}"),
    };
    let text = format!(
        "The quota {quota} is used up{}. Nothing was changed. Free a place or ask AWS to raise the quota; next try in {}.",
        cause(error),
        humantime::format_duration(whole_seconds(next))
    );
    with_request_id(&text, error)
}

pub fn list_not_found(list: &AnycastIpListId, error: &ApiError, next: Duration) -> String {
    let text = format!(
        "Anycast list {list} does not exist in this account. Nothing was changed. Correct spec.anycastIpListId or create the list; next \
         try in {}.",
        humantime::format_duration(whole_seconds(next))
    );
    with_request_id(&text, error)
}

pub fn ipv4_only_list(list: &AnycastIpListId, error: &ApiError) -> String {
    let text = format!(
        "Anycast list {list} is IPv4-only, so spec.ipv6Enabled must be false{}. Nothing was changed.",
        cause(error)
    );
    with_request_id(&text, error)
}

pub fn invalid(error: &ApiError) -> String {
    let text = format!(
        "CloudFront refused {}{}. Nothing was changed. Correct the spec; the operator also tries again every few minutes.",
        error.operation,
        cause(error)
    );
    with_request_id(&text, error)
}

pub fn detach_refused(name: &GroupName, list: &AnycastIpListId, error: &ApiError) -> String {
    with_request_id(&detach_rejected(name, list), error)
}

pub fn confirming_gone(name: &GroupName, list_trouble: Option<&ApiError>) -> String {
    let next = match list_trouble {
        None => "waiting for a complete list of the account's groups to confirm it".to_owned(),
        Some(error) => {
            let refused = match error.class {
                ErrorClass::AccessDenied => format!("AWS refused cloudfront:{} on *", error.operation),
                _ => "the last one failed".to_owned(),
            };
            format!("a complete list of the account's groups must confirm it, but {refused}{}", cause(error))
        }
    };
    let text =
        format!("CloudFront says that connection group {name} does not exist; {next}. Then this object is released.");
    match list_trouble {
        Some(error) => with_request_id(&text, error),
        None => text,
    }
}

pub fn waits_for_rollout(deployment: Option<&Deployment>, error: &ApiError) -> String {
    let text = format!(
        "CloudFront does not accept the change while an earlier one is {}; it is sent again once that is rolled out.",
        deployment.map_or("being rolled out", Deployment::as_str)
    );
    with_request_id(&text, error)
}

pub fn perhaps_off_air(error: &ApiError) -> String {
    let text = format!(
        "The group was disabled, as spec.enabled says. Whether tenants use it, and their traffic is down, could not be found out{}.",
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

fn with_request_id(text: &str, error: &ApiError) -> String {
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
        reconcile::desired::Intent,
    };

    type Message = fn(&ApiError) -> String;

    fn name() -> GroupName {
        GroupName::new("edge")
    }

    fn list() -> AnycastIpListId {
        AnycastIpListId::new("aip_1")
    }

    fn quota_used_up(error: &ApiError) -> String {
        let object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        let Intent::Present(desired) = Intent::of(&object) else { panic!("an empty spec asks for a group") };
        quota(error, &desired, None, Duration::ZERO)
    }

    const MADE_FROM_AN_ERROR: [(&str, Message); 9] = [
        ("trouble", |error| trouble(error, "arn", Duration::ZERO)),
        ("quota", quota_used_up),
        ("list_not_found", |error| list_not_found(&list(), error, Duration::ZERO)),
        ("ipv4_only_list", |error| ipv4_only_list(&list(), error)),
        ("invalid", invalid),
        ("detach_refused", |error| detach_refused(&name(), &list(), error)),
        ("confirming_gone", |error| confirming_gone(&name(), Some(error))),
        ("waits_for_rollout", |error| waits_for_rollout(Some(&Deployment::parse("InProgress")), error)),
        ("perhaps_off_air", perhaps_off_air),
    ];

    #[test]
    fn wherever_cloudfront_answered_the_message_ends_with_the_aws_request_id() {
        use ErrorClass::{AccessDenied, Credentials, InUse, Throttled, Unreachable};
        for (what, message) in MADE_FROM_AN_ERROR {
            for class in [AccessDenied, Credentials, InUse, Throttled, Unreachable] {
                let error = |id| ApiError::new(Operation::UpdateConnectionGroup, class, None, "no", id);
                let text = message(&error(Some("r-1".to_owned())));
                assert!(text.ends_with(" (AWS request id r-1)"), "{what}, {class:?}: {text}");
                let text = message(&error(None));
                assert!(!text.contains("request id") && text.ends_with('.'), "{what}, {class:?}: {text}");
            }
        }
    }
}
