//! The messages about members of the spec that CloudFront refused. In: refusals. Out: which, why, what happens to the others, and what to do. Pure.

use super::VALUE_LIMIT;
use crate::{
    api::{Member, RefusalCause, RefusedMember},
    cloudfront::{AnycastIpListId, GroupName, error::one_line},
    reconcile::members::MemberSet,
};

/// An update of several members was refused as a whole.
pub fn refused_together(members: &MemberSet) -> String {
    let names = members.iter().map(|member| member.as_str()).collect::<Vec<_>>().join(", ");
    format!(
        "CloudFront refused an update of {names} together. The operator updates each one separately next, so that one does not block the others."
    )
}

/// One member, for an event.
pub fn member_refused(name: &GroupName, refused: &RefusedMember, attached: Option<&AnycastIpListId>) -> String {
    format!("{} {}", why(name, refused, attached), what_to_do(refused))
}

/// Every refused member, for the condition.
pub fn members_refused(name: &GroupName, refused: &[RefusedMember], attached: Option<&AnycastIpListId>) -> String {
    let each = refused.iter().map(|refused| member_refused(name, refused, attached)).collect::<Vec<_>>().join(" ");
    let is_ignored = |refused: &RefusedMember| refused.cause == RefusalCause::DetachIgnored;
    let detach = "The operator requests the detach again when the spec changes or reconcile-requested-at is set.";
    let retry = "The operator retries what was refused with exponential backoff, from about 30 seconds to 5 minutes, and immediately when the spec changes or reconcile-requested-at is set.";
    let again = match (refused.iter().any(is_ignored), refused.iter().all(is_ignored)) {
        (_, true) => detach.to_owned(),
        (true, false) => format!("{detach} {retry}"),
        (false, false) => retry.to_owned(),
    };
    format!("{each} The rest of the spec is not affected. {again}")
}

fn why(name: &GroupName, refused: &RefusedMember, attached: Option<&AnycastIpListId>) -> String {
    let RefusedMember { member, desired, cause, detail } = refused;
    let value = one_line(desired, VALUE_LIMIT);
    let quoted = if detail.is_empty() { String::new() } else { format!(" ({})", one_line(detail, VALUE_LIMIT)) };
    let asked = match (member, desired.as_str()) {
        (Member::AnycastIpListId, "") => {
            let list = attached.map(|list| one_line(list.as_str(), VALUE_LIMIT)).unwrap_or_default();
            format!("to detach Anycast list {list} from connection group {name}")
        }
        (Member::Enabled | Member::Ipv6Enabled | Member::AnycastIpListId, _) => {
            format!("{} '{value}' for connection group {name}", member.as_str())
        }
    };
    let because = match cause {
        RefusalCause::ListNotFound => "it reports that the Anycast list does not exist",
        RefusalCause::ListIsIpv4Only => "the Anycast list is IPv4-only",
        RefusalCause::QuotaExceeded => "a quota is exhausted",
        RefusalCause::InUse => "the group is in use",
        RefusalCause::AlreadyExists => "it conflicts with something that already exists",
        RefusalCause::DetachIgnored => {
            return format!("CloudFront accepted the request {asked}, but the list is still attached.");
        }
        RefusalCause::DetachRefused | RefusalCause::Invalid => return format!("CloudFront refused {asked}{quoted}."),
    };
    format!("CloudFront refused {asked}: {because}{quoted}.")
}

const fn what_to_do(refused: &RefusedMember) -> &'static str {
    match refused.cause {
        RefusalCause::ListNotFound => "Correct spec.anycastIpListId or create the list.",
        RefusalCause::ListIsIpv4Only => "With this list, spec.ipv6Enabled must be false.",
        RefusalCause::QuotaExceeded => {
            "Free up quota, for example by detaching the list from another group, or ask AWS to raise it."
        }
        RefusalCause::InUse | RefusalCause::AlreadyExists => "Remove what blocks the change, or change the spec.",
        RefusalCause::DetachRefused | RefusalCause::DetachIgnored => {
            "Restore spec.anycastIpListId, or detach the list by other means."
        }
        RefusalCause::Invalid => "Correct the spec.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(member: Member, desired: &str, cause: RefusalCause) -> RefusedMember {
        RefusedMember { member, desired: desired.to_owned(), cause, detail: "Code: text".to_owned() }
    }

    #[test]
    fn every_refused_member_is_named_with_its_value_its_cause_and_what_to_do() {
        let all = [
            refused(Member::Ipv6Enabled, "true", RefusalCause::ListIsIpv4Only),
            refused(Member::AnycastIpListId, "aip_1", RefusalCause::QuotaExceeded),
        ];
        let text = members_refused(&GroupName::new("edge"), &all, None);
        for part in [
            "ipv6Enabled 'true'",
            "IPv4-only",
            "anycastIpListId 'aip_1'",
            "quota is exhausted (Code: text)",
            "Free up quota",
            "rest of the spec is not affected",
            "retries",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_not_tried_by_itself_does_not_say_so() {
        let ignored = refused(Member::AnycastIpListId, "", RefusalCause::DetachIgnored);
        let text = members_refused(&GroupName::new("edge"), &[ignored], Some(&AnycastIpListId::new("aip_1")));
        assert!(text.contains("aip_1") && text.contains("is still attached") && !text.contains("5 minutes"), "{text}");
    }
}
