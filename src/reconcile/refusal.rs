//! What a refused update of one member means. Reads an Anycast list from CloudFront if the error code alone is not enough; changes nothing.
//!
//! In: the error, the member, and the configuration that was sent. Out: a [`RefusedMember`] for status, or nothing if the error says nothing about the
//! member.

use super::members::value;
use crate::{
    api::{ConditionReason, Member, RefusalCause, RefusedMember, Standing},
    cloudfront::{AddressFamily, ApiError, CloudFront, ErrorClass, Members, error::one_line},
};

/// Maximum length of CloudFront's text in status.
const DETAIL_LIMIT: usize = 300;

/// Whether CloudFront may accept an update with other content.
#[must_use]
pub const fn is_about_the_members(error: &ApiError) -> bool {
    match error.class {
        ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::LimitExceeded
        | ErrorClass::InvalidArgument
        | ErrorClass::InUse
        // A policy may forbid one list and allow the rest.
        | ErrorClass::AccessDenied => true,
        // A code that this version does not know. Without a code, the answer may come from a proxy.
        ErrorClass::Unexpected => error.code.is_some(),
        ErrorClass::Throttled
        | ErrorClass::ServiceUnavailable
        | ErrorClass::TimedOut
        | ErrorClass::Unreachable
        | ErrorClass::Credentials
        | ErrorClass::StaleEtag
        | ErrorClass::NotDisabled
        | ErrorClass::HasTenants => false,
    }
}

/// Why this member was refused, when it was sent alone.
pub async fn refusal<C: CloudFront>(
    error: &ApiError,
    member: Member,
    sent: &Members,
    port: &C,
) -> Option<RefusedMember> {
    let cause = match (error.class, member, &sent.anycast_ip_list_id) {
        // Only the list can be missing: the group itself was read a moment ago.
        (ErrorClass::NotFound, Member::AnycastIpListId, Some(list)) => match port.anycast_ip_list(list).await {
            Ok(None) | Err(_) => RefusalCause::ListNotFound,
            Ok(Some(_)) => return None,
        },
        (ErrorClass::InvalidArgument, Member::AnycastIpListId, None) => RefusalCause::DetachRefused,
        (ErrorClass::InvalidArgument, Member::AnycastIpListId | Member::Ipv6Enabled, Some(list))
            if sent.ipv6_enabled != Some(false) =>
        {
            match port.anycast_ip_list(list).await {
                Ok(Some(AddressFamily::Ipv4Only)) => RefusalCause::ListIsIpv4Only,
                Ok(None) if member == Member::AnycastIpListId => RefusalCause::ListNotFound,
                Ok(_) | Err(_) => RefusalCause::Invalid,
            }
        }
        (ErrorClass::InvalidArgument, ..) => RefusalCause::Invalid,
        (ErrorClass::LimitExceeded, ..) => RefusalCause::QuotaExceeded,
        (ErrorClass::InUse, ..) => RefusalCause::InUse,
        (ErrorClass::AlreadyExists, ..) => RefusalCause::AlreadyExists,
        _ => return None,
    };
    Some(RefusedMember { member, desired: value(sent, member).unwrap_or_default(), cause, detail: detail(error) })
}

fn detail(error: &ApiError) -> String {
    let code = error.code.as_deref().unwrap_or_default();
    let text = match (code, error.message.trim_end_matches('.')) {
        (code, "") => code.to_owned(),
        ("", text) => text.to_owned(),
        (code, text) => format!("{code}: {text}"),
    };
    one_line(&text, DETAIL_LIMIT)
}

/// The reason and standing of an object with these refusals: one that needs a person takes precedence.
#[must_use]
pub fn verdict(refused: &[RefusedMember]) -> (ConditionReason, Standing) {
    let verdicts = refused.iter().map(|refused| match refused.cause {
        RefusalCause::ListNotFound => (ConditionReason::AnycastIpListNotFound, Standing::Reconciling),
        RefusalCause::QuotaExceeded => (ConditionReason::QuotaExceeded, Standing::Reconciling),
        RefusalCause::InUse => (ConditionReason::InUse, Standing::Reconciling),
        RefusalCause::AlreadyExists => (ConditionReason::AlreadyExists, Standing::Reconciling),
        RefusalCause::ListIsIpv4Only | RefusalCause::Invalid => (ConditionReason::InvalidArgument, Standing::Stalled),
        RefusalCause::DetachRefused | RefusalCause::DetachIgnored => {
            (ConditionReason::AnycastDetachRejected, Standing::Stalled)
        }
    });
    let all = verdicts.collect::<Vec<_>>();
    let stalled = all.iter().find(|(_, standing)| *standing == Standing::Stalled);
    stalled.or(all.first()).copied().unwrap_or((ConditionReason::UnexpectedResponse, Standing::Reconciling))
}
