//! The messages about a failed call. In: the error, and what it was about. Out: what was refused or failed, why, what happens next, and what to do. Pure.
//!
//! They stay the same from one failed try to the next, so that status is written once; request ids and the time of the next try are in the log.

use std::time::Duration;

use super::{VALUE_LIMIT, one_line, time};
use crate::{
    api::Mode,
    cloudfront::{AnycastIpListId, ApiError, Deployment, ErrorClass, GroupName, Operation, Snapshot},
    reconcile::{
        backoff::Backoff,
        desired::{Anycast, Desired},
        plan::Change,
    },
};

/// When a failed call is retried. `is_off`: a deletion has disabled the group, or may have, against the spec, so no pause is longer than half a minute.
///
/// The range and not the next pause: the pauses of earlier failures, whatever they were, count too.
pub const fn again(pace: Backoff, is_off: bool) -> &'static str {
    match (pace, is_off) {
        (Backoff::Soon, _) => "The operator retries with exponential backoff, from about 1 second to 10 seconds.",
        (Backoff::Quick, false) => "The operator retries with exponential backoff, from about 1 second to 5 minutes.",
        (Backoff::Quick, true) => "The operator retries with exponential backoff, from about 1 second to 30 seconds.",
        (Backoff::Slow, false) => "The operator retries with exponential backoff, from about 30 seconds to 5 minutes.",
        (Backoff::Slow, true) => "The operator retries about every 30 seconds.",
    }
}

/// In place of [`again`]: CloudFront has refused a Delete for so long that the group counts as in use.
pub const COUNTS_AS_IN_USE: &str = "CloudFront keeps refusing this, so the operator now treats the group as in use.";

const CHECK_NETWORK: &str = "If this persists, check the Pod's network path to CloudFront: DNS, NetworkPolicy, proxy and --aws-endpoint-url (aws.endpointUrl in the chart).";
const UPGRADE: &str = "If this persists, upgrade the operator, or open an issue with this message.";

/// What was refused or failed. `resource`: in IAM's terms. `again`: when it is retried.
pub fn failed(error: &ApiError, name: &GroupName, resource: &str, again: &str) -> String {
    let (operation, cause) = (error.operation, cause(error));
    let what = why(error, &format!("{operation} for connection group {name}"), name, resource, &cause);
    let effect = match (operation.is_mutation(), error.class.leaves_doubt()) {
        (false, _) => "",
        (true, false) => " Nothing was changed.",
        (true, true) => " The change may still have been made; the operator reads CloudFront again before it retries.",
    };
    let advice = advice(error);
    let space = if advice.is_empty() { "" } else { " " };
    // All sources that were asked: too long to stand before what to do.
    let details = match error.class {
        ErrorClass::Credentials if !cause.is_empty() => format!(" Details{cause}."),
        _ => String::new(),
    };
    format!("{what}{effect} {again}{space}{advice}{details}")
}

/// `call`: the call that failed, and for which group.
fn why(error: &ApiError, call: &str, name: &GroupName, resource: &str, cause: &str) -> String {
    let operation = error.operation;
    match error.class {
        ErrorClass::Throttled => format!("CloudFront is throttling {operation}."),
        ErrorClass::AccessDenied => {
            format!("AWS denied cloudfront:{operation} on {resource}{cause}. {}", permission(error))
        }
        ErrorClass::Credentials => format!(
            "No usable AWS credentials for {operation}. Check the ServiceAccount's role, or the variables and files of the Pod or process, and --aws-region (aws.region in the chart)."
        ),
        ErrorClass::ServiceUnavailable => {
            format!("{call} failed because CloudFront or a proxy reported a server error{cause}.")
        }
        ErrorClass::TimedOut => format!("{call} timed out{cause}."),
        ErrorClass::Unreachable => format!("The connection to CloudFront failed during {call}{cause}."),
        ErrorClass::NotFound => format!(
            "CloudFront did not find what {call} refers to{cause}. It may just have been deleted, or a recent change is not visible everywhere yet."
        ),
        ErrorClass::StaleEtag => format!(
            "CloudFront refused {call} because the operator had read another version of the group{cause}. Another client changed the group in the meantime, or the \
             read was stale."
        ),
        ErrorClass::NotDisabled => format!(
            "CloudFront refused {call} because the group is enabled{cause}. Another client may have enabled it after the operator read it, or the read was stale."
        ),
        ErrorClass::AlreadyExists if operation == Operation::CreateConnectionGroup => format!(
            "CloudFront refused to create connection group {name} because the name is taken, but shows no group of that name{cause}. Either the group is not \
             visible yet, or it was deleted so recently that its name is not free yet."
        ),
        ErrorClass::AlreadyExists => {
            format!("CloudFront refused {call} because it conflicts with something that already exists{cause}.")
        }
        ErrorClass::InUse | ErrorClass::HasTenants => {
            format!("CloudFront refused {call} because the group is in use{cause}.")
        }
        ErrorClass::LimitExceeded => format!("CloudFront refused {call} because a quota is exhausted{cause}."),
        ErrorClass::InvalidArgument => format!("CloudFront refused {call} as invalid{cause}."),
        ErrorClass::Unexpected => {
            format!("{call} failed with an error or a response that the operator does not understand{cause}.")
        }
    }
}

/// What lifts a denial. AWS has one code for all of them, and names the cause in the message only.
fn permission(error: &ApiError) -> &'static str {
    let names = |phrase| error.message.contains(phrase);
    if names("account must be verified") {
        "AWS has to verify the account first: contact AWS Support and quote this message. The operator's role is not the cause."
    } else if names("service control policy") || names("resource control policy") {
        "Ask the administrators of the AWS organization to allow this action in its policies."
    } else if names("permissions boundary") {
        "Allow this action in the permissions boundary of the operator's role."
    } else if names("explicit deny in") {
        "Remove this explicit deny: no policy that allows the action overrides it."
    } else {
        "Allow this action for the operator's role."
    }
}

/// What to do about it, unless [`why`] says so already.
const fn advice(error: &ApiError) -> &'static str {
    match error.class {
        ErrorClass::Throttled | ErrorClass::AccessDenied | ErrorClass::Credentials => "",
        ErrorClass::ServiceUnavailable => {
            "If this persists, see the AWS Health Dashboard, and check any proxy between the operator and CloudFront."
        }
        ErrorClass::TimedOut | ErrorClass::Unreachable => CHECK_NETWORK,
        ErrorClass::NotFound => {
            "If this persists, find the client that deletes the group or its Anycast list, for example in CloudTrail."
        }
        ErrorClass::StaleEtag | ErrorClass::NotDisabled => {
            "If this persists, find the client that keeps changing the group, for example in CloudTrail."
        }
        ErrorClass::AlreadyExists if matches!(error.operation, Operation::CreateConnectionGroup) => {
            "If this persists, delete this object and create one with another spec.name."
        }
        ErrorClass::AlreadyExists => "If this persists, remove what is in the way.",
        ErrorClass::InUse | ErrorClass::HasTenants => "If this persists, find out what uses the group, and remove it.",
        ErrorClass::LimitExceeded => "Free up quota, or ask AWS to raise it.",
        ErrorClass::InvalidArgument => UPGRADE,
        ErrorClass::Unexpected => {
            "If this persists, check any proxy in between, upgrade the operator, or open an issue with this message."
        }
    }
}

/// A group that was found after a refused Create, and the change that it needs.
pub fn found_after_all(name: &GroupName, next: &Change) -> String {
    let next = match next {
        Change::Adopt(_) => "adopts it",
        Change::Mark(_) => "tags it with this installation's identity",
        Change::TakeOver(..) => "takes it over",
        Change::Tag(..) | Change::Untag(..) => "updates its tags",
        Change::Create(_)
        | Change::Update(..)
        | Change::DisableInDeletion(_)
        | Change::EnableAgain(..)
        | Change::Delete(_)
        | Change::Disown(_) => "updates it",
    };
    format!(
        "CloudFront refused to create connection group {name}, and a second read found that it already exists. The operator {next} next."
    )
}

/// Which of the two quotas of connection groups a Create may have reached, with the numbers of the last inventory.
pub fn quota(error: &ApiError, desired: &Desired, snapshot: Option<&Snapshot>, again: &str) -> String {
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
        "The quota {quota} is exhausted{}. Nothing was changed. Delete an unused group or ask AWS to raise the quota. {again}",
        cause(error)
    )
}

pub fn list_not_found(list: &AnycastIpListId, again: &str) -> String {
    format!(
        "CloudFront reports that Anycast list {list} does not exist. Nothing was changed. Correct spec.anycastIpListId or create the list. {again}"
    )
}

pub fn ipv4_only_list(list: &AnycastIpListId, error: &ApiError, again: &str) -> String {
    format!(
        "Anycast list {list} is IPv4-only, so spec.ipv6Enabled must be false{}. Nothing was changed. {again}",
        cause(error)
    )
}

pub fn invalid(error: &ApiError, again: &str) -> String {
    format!("CloudFront refused {}{}. Nothing was changed. Correct the spec. {again}", error.operation, cause(error))
}

/// Whatever lists and reads have shown so far: only such a list ends the deletion.
pub fn confirming_gone(name: &GroupName, inventory_error: Option<&ApiError>, consistency_window: Duration) -> String {
    format!(
        "CloudFront says that connection group {name} does not exist. The operator removes the finalizer once a complete list of the account's groups does not show it \
         either{} That list must start after the operator's last change, and at least the consistency window ({}) after a request to create, adopt or take over the \
         group could last have been sent.",
        inventory_error.map_or_else(|| ".".to_owned(), list_failed),
        time(consistency_window)
    )
}

/// The same for a group that is to stay.
pub fn confirming_absence(
    name: &GroupName,
    inventory_error: Option<&ApiError>,
    consistency_window: Duration,
    mode: Mode,
) -> String {
    let then = match mode {
        Mode::Manage => " It then creates the group again, with another routing endpoint.",
        Mode::Observe => "",
    };
    let proof = match inventory_error {
        None => "a complete list of the account's groups confirms it".to_owned(),
        Some(_) => format!(
            "CloudFront says so again a consistency window ({}) later, because the account's groups cannot be listed",
            time(consistency_window)
        ),
    };
    format!(
        "CloudFront says that connection group {name} does not exist. A single response may be stale, so nothing was changed, and status shows what was last \
         known. The operator treats the group as deleted once {proof}.{then}"
    )
}

fn list_failed(error: &ApiError) -> String {
    let again = "The operator lists the groups again for the next inventory.";
    match error.class {
        ErrorClass::AccessDenied => format!(
            ", but AWS denied cloudfront:{} on *{}. {} {again}",
            error.operation,
            cause(error),
            permission(error)
        ),
        _ => format!(", but the last list failed{}. {again}", cause(error)),
    }
}

pub fn waits_for_rollout(deployment: Option<&Deployment>) -> String {
    let status = deployment.map_or("being rolled out", Deployment::as_str);
    format!(
        "CloudFront does not accept the change while an earlier one is {}. The operator sends it again once the earlier one is rolled out.",
        one_line(status, VALUE_LIMIT)
    )
}

/// For an event.
pub fn perhaps_without_traffic(error: &ApiError) -> String {
    let text = format!(
        "The group was disabled, as spec.enabled says. The operator could not determine whether tenants use the group{}; if they do, their traffic is down once CloudFront has rolled this out.",
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

    const AGAIN: &str = again(Backoff::Quick, false);

    fn quota_used_up(error: &ApiError) -> String {
        let object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        let Intent::Present(desired) = Intent::of(&object) else { panic!("an empty spec asks for a group") };
        quota(error, &desired, None, AGAIN)
    }

    const FOR_CONDITIONS: [(&str, Message); 6] = [
        ("failed", |error| failed(error, &name(), "arn", AGAIN)),
        ("quota", quota_used_up),
        ("ipv4_only_list", |error| ipv4_only_list(&AnycastIpListId::new("aip_1"), error, AGAIN)),
        ("invalid", |error| invalid(error, AGAIN)),
        ("confirming_gone", |error| confirming_gone(&name(), Some(error), Duration::from_mins(1))),
        ("confirming_absence", |error| confirming_absence(&name(), Some(error), Duration::from_mins(1), Mode::Manage)),
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
    fn every_class_has_a_message_of_its_own_that_names_the_call_and_says_when_it_is_retried() {
        let mut messages = std::collections::BTreeSet::new();
        for class in ErrorClass::ALL {
            for operation in Operation::ALL {
                let error = ApiError::new(*operation, *class, Some("Code".to_owned()), "text.", None);
                let text = failed(&error, &name(), "arn", AGAIN);
                let is_named = text.contains(operation.as_str()) || text.contains("to create connection group edge");
                assert!(is_named && text.contains(AGAIN), "{text}");
                assert!(text.ends_with('.') && !text.contains("..") && !text.contains("  "), "{text}");
                let is_a_change = operation.is_mutation();
                assert_eq!(text.contains("Nothing was changed."), is_a_change && !class.leaves_doubt(), "{text}");
                assert_eq!(text.contains("may still have been made"), is_a_change && class.leaves_doubt(), "{text}");
                messages.insert(text);
            }
        }
        // Two classes say the same: the group is in use.
        assert_eq!(messages.len(), Operation::ALL.len() * (ErrorClass::ALL.len() - 1));
    }

    #[test]
    fn the_role_is_blamed_for_a_denial_only_if_aws_names_no_other_cause() {
        let denied = |message: &str| {
            let code = Some("AccessDenied".to_owned());
            let error = ApiError::new(Operation::CreateConnectionGroup, ErrorClass::AccessDenied, code, message, None);
            [failed(&error, &name(), "arn", AGAIN), list_failed(&error)]
        };
        for (message, advice) in [
            ("", "Allow this action for the operator's role."),
            ("Your account must be verified before you can add new CloudFront resources.", "contact AWS Support"),
            ("no service control policy allows the action", "administrators of the AWS organization"),
            ("with an explicit deny in a resource control policy", "administrators of the AWS organization"),
            ("with an explicit deny in a permissions boundary", "in the permissions boundary of"),
            ("with an explicit deny in an identity-based policy", "Remove this explicit deny"),
        ] {
            for text in denied(message) {
                assert!(text.contains(advice), "{message}: {text}");
                assert_eq!(text.contains("Allow this action for the operator's role."), message.is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn when_it_retries_is_as_the_backoff_has_it() {
        for (pace, first, last, words) in [
            (Backoff::Soon, 1_u32, 10_u32, "from about 1 second to 10 seconds."),
            (Backoff::Quick, 1, 300, "from about 1 second to 5 minutes."),
            (Backoff::Slow, 30, 300, "from about 30 seconds to 5 minutes."),
        ] {
            let is_about = |failures, seconds: u32| {
                let delay = pace.delay(failures, "uid").as_secs_f64();
                delay <= f64::from(seconds) && delay >= f64::from(seconds) * 0.8
            };
            assert!(is_about(0, first) && is_about(u32::MAX, last), "{pace:?}");
            assert!(again(pace, false).ends_with(words), "{pace:?}");
        }
    }

    #[test]
    fn an_event_ends_with_the_aws_request_id_where_there_is_one() {
        let error = |id| ApiError::new(Operation::ListDistributionTenants, ErrorClass::InUse, None, "no", id);
        assert!(perhaps_without_traffic(&error(Some("r-1".to_owned()))).ends_with(" (AWS request id r-1)"));
        assert!(!perhaps_without_traffic(&error(None)).contains("request id"));
    }
}
