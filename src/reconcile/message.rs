//! The sentences that people read in conditions and events. Pure.
//!
//! Each says what is so, what was not done, what happens next and what the reader can do, by the names the reader typed; where CloudFront
//! answered, it ends with the AWS request id.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    desired::Desired,
    dispute::Pause,
    ownership::OwnerTag,
    plan::{AdoptionObstacle, Release},
};
use crate::{
    api::{AdoptionPolicy, Drift},
    cloudfront::{AnycastIpListId, ApiError, Config, Deployment, ErrorClass, GroupName, Operation, Snapshot, Tenants},
};

/// Longest list of differences or names in one sentence.
const SHOWN: usize = 8;

pub fn deployed(endpoint: Option<&str>, enabled: bool, deployment: &Deployment, since: Option<Timestamp>) -> String {
    let endpoint = endpoint.unwrap_or("its routing endpoint");
    match (enabled, deployment) {
        (true, Deployment::Deployed) => format!("Deployed at {endpoint}."),
        (false, Deployment::Deployed) => {
            format!("Deployed and disabled: {endpoint} serves no traffic.")
        }
        (_, Deployment::Pending(status)) => {
            let since = since.and_then(|at| Timestamp::from_second(at.as_second()).ok());
            let since = since.map(|at| format!(" since {at}")).unwrap_or_default();
            format!("CloudFront says {status}{since}; rolling a change out usually takes minutes.")
        }
    }
}

pub fn changes(changes: &[Drift]) -> String {
    let shown = changes
        .iter()
        .take(SHOWN)
        .map(|change| format!("{} from {} to {}", change.field, value(&change.observed), value(&change.desired)));
    let more = changes.len().saturating_sub(SHOWN);
    let list = shown.collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

pub fn drift(differences: &[Drift]) -> String {
    let shown = differences.iter().take(SHOWN).map(|difference| {
        format!("{} is {}, the spec says {}", difference.field, value(&difference.observed), value(&difference.desired))
    });
    let more = differences.len().saturating_sub(SHOWN);
    let list = shown.collect::<Vec<_>>().join("; ");
    if more == 0 { list } else { format!("{list}; and {more} more") }
}

fn value(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { format!("'{text}'") }
}

pub fn in_use(name: &GroupName, tenants: &Tenants, enabled: bool) -> String {
    let many = if tenants.beyond_this_page { "or more " } else { "" };
    let (count, names) = (tenants.count, tenants.names.join(", "));
    let others = count.saturating_sub(tenants.names.len());
    let others = if others == 0 { String::new() } else { format!(" and {others} more") };
    let so = if enabled {
        "Nothing was disabled or deleted."
    } else {
        "The group is disabled, so their traffic is down; it was not deleted."
    };
    format!(
        "{count} {many}distribution tenant(s) still use connection group {name}: {names}{others}. {so} The deletion goes on by itself once \
         they are gone; to keep the group instead, set spec.deletionPolicy to Retain."
    )
}

pub fn not_owned(name: &GroupName, owner: &OwnerTag) -> String {
    format!(
        "Connection group {name} belongs to '{owner}' (owner id/namespace/name). Nothing was touched. Choose another spec.name, or delete \
         that object first."
    )
}

pub fn default_group(name: &GroupName) -> String {
    format!(
        "{name} is the account's default connection group, which this operator never manages. Nothing was touched. Use mode: Observe to \
         watch it."
    )
}

pub fn adoption_refused(name: &GroupName, obstacle: &AdoptionObstacle) -> String {
    let differs = if obstacle.differences.is_empty() {
        "It equals the spec".to_owned()
    } else {
        format!("It differs: {}", drift(&obstacle.differences))
    };
    let policy = match obstacle.policy {
        AdoptionPolicy::Never => Some("spec.adoptionPolicy is Never: set IfUnchanged or Always"),
        AdoptionPolicy::IfUnchanged if !obstacle.differences.is_empty() => {
            Some("spec.adoptionPolicy is IfUnchanged: make the spec equal to the group, or set Always")
        }
        AdoptionPolicy::IfUnchanged | AdoptionPolicy::Always => None,
    };
    let administrator = obstacle
        .forbidden_by_administrator
        .then_some("the administrator has not allowed adoption: the operator runs without --allow-adoption");
    let keys = [policy, administrator].into_iter().flatten().collect::<Vec<_>>().join("; and ");
    format!(
        "Connection group {name} exists and nobody owns it. {differs}. Nothing was touched. It is not adopted because {keys}."
    )
}

pub fn detach_rejected(name: &GroupName, list: &AnycastIpListId) -> String {
    format!(
        "CloudFront keeps Anycast list {list} attached to connection group {name} although asked to detach it. Nothing else was changed \
         by that. Put spec.anycastIpListId back, or detach the list by other means; the operator asks again when the spec changes or \
         reconcile-requested-at is set."
    )
}

pub fn detach_refused(name: &GroupName, list: &AnycastIpListId, error: &ApiError) -> String {
    with_request_id(&detach_rejected(name, list), error)
}

pub fn tags_pending(name: &GroupName) -> String {
    format!(
        "Connection group {name} exists without an owner tag and is less than a minute old: its tags may not be visible yet. Nothing was \
         touched; the operator looks again shortly."
    )
}

pub fn owner_may_show(name: &GroupName, left: Duration) -> String {
    format!(
        "Connection group {name} exists, and nobody seems to own it. It is adopted in {}, unless an owner tag shows until then.",
        humantime::format_duration(whole_seconds(left))
    )
}

pub fn tags_of_another(name: &GroupName) -> String {
    format!(
        "Connection group {name} is not the one that this object's tags were meant for: they are forgotten, so that no tag of others is \
         taken off. The group is adopted at once."
    )
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

pub fn deleted_outside(name: &GroupName, id: &str) -> String {
    format!("Connection group {name} ({id}) was deleted by somebody else; it is created again.")
}

pub const FLAPPING: &str = "Somebody else keeps changing this connection group: this was the third change, less than an hour after the one before, that was put \
     right. Further ones are put right after a growing pause of up to 5 minutes. Take the group out of the other tool, or let that one decide with mode: Observe.";

/// Without the time that is left, so that looking again says nothing new.
pub fn flapping(name: &GroupName, changes: &[Drift], pause: Pause) -> String {
    format!(
        "Somebody else keeps changing connection group {name}: {}. After {} change(s) that were put right, this one is left as it is for {}, \
         and then put right. Take the group out of the other tool, or let that one decide with mode: Observe.",
        drift(changes),
        pause.rounds,
        humantime::format_duration(whole_seconds(pause.length))
    )
}

pub fn waits_for_rollout(deployment: &Deployment, error: &ApiError) -> String {
    let text = format!(
        "CloudFront does not accept the change while an earlier one is {}; it is sent again once that is rolled out.",
        deployment.as_str()
    );
    with_request_id(&text, error)
}

pub fn not_as_asked(shown: &Config, asked: &Config) -> String {
    format!(
        "CloudFront accepted the change but shows another configuration (enabled {}, IPv6 {}) than was asked for (enabled {}, IPv6 {}); \
         it is read again shortly.",
        shown.enabled, shown.ipv6_enabled, asked.enabled, asked.ipv6_enabled
    )
}

pub fn off_air(tenants: &Tenants) -> String {
    format!(
        "The group was disabled, as spec.enabled says, while {} distribution tenant(s){} use it: {}. Their traffic is down.",
        tenants.count,
        if tenants.beyond_this_page { " or more" } else { "" },
        tenants.names.join(", ")
    )
}

pub fn perhaps_off_air(error: &ApiError) -> String {
    let text = format!(
        "The group was disabled, as spec.enabled says. Whether tenants use it, and their traffic is down, could not be found out{}.",
        cause(error)
    );
    with_request_id(&text, error)
}

/// `disabled`: whether the deletion had come so far.
pub fn released(name: &GroupName, why: Release, disabled: bool) -> String {
    let so = if disabled { " It stays disabled." } else { "" };
    match why {
        Release::Gone => format!("Connection group {name} is gone."),
        Release::NotOurs => format!("Connection group {name} is not owned by this object and is left as it is.{so}"),
        Release::Retained => {
            format!("Connection group {name} was kept, without our owner tag (deletionPolicy: Retain).{so}")
        }
        Release::Observed => format!(
            "Connection group {name} is left as it is (mode: Observe); an owner tag that an earlier mode: Manage put there is still on it.{so}"
        ),
    }
}

pub const SUSPENDED: &str =
    "Suspended by spec.suspend: CloudFront is neither read nor changed. Set spec.suspend to false to go on.";

pub const SUSPENDED_DELETION: &str = "The deletion waits because of spec.suspend: CloudFront is neither read nor changed. Set spec.suspend to false to go on.";

pub const DELETION_PROTECTED: &str = "The deletion is held back by spec.deletionProtection: nothing is disabled or deleted meanwhile. Set spec.deletionProtection to false to \
     let it go on.";

pub fn not_found_to_mirror(name: &GroupName) -> String {
    format!("No connection group {name} exists; mode Observe creates nothing and looks again with each sweep.")
}

pub const KEPT_OWNER_TAG: &str = " Our owner tag is still on the group: mode Observe writes nothing.";

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

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
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
        ("waits_for_rollout", |error| waits_for_rollout(&Deployment::parse("InProgress"), error)),
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
