//! Most messages in conditions and events. Pure.
//!
//! Each says what the state is, what was not done, what happens next and what the reader can do, with the names that the reader typed. Those about
//! deletions, failed calls, ownership and refused members are in files of their own.
//!
//! The others are where they are used. `report/effect.rs` says what was changed, `report/states.rs` that more of the spec is carried out next, and
//! `object_state.rs` that an answer about tenants has no list. The controller reports another installation's finalizer (`worker/leave.rs`), an outdated
//! schema (`schema.rs`) and orphans (`orphan_events.rs`).

mod deletion;
mod failed;
mod ownership;
mod refused;

use std::time::Duration;

use jiff::Timestamp;

pub use deletion::{
    OFF_FOR_ITS_DELETION, RELEASED_ONCE_GONE, claim_pending, deleted, deletion_protected, disabling, enabled_again,
    in_use, off_until_enabled, released,
};
pub use failed::{
    COUNTS_AS_IN_USE, again, confirming_absence, confirming_gone, failed, found_after_all, invalid, ipv4_only_list,
    list_not_found, perhaps_without_traffic, quota, waits_for_rollout, with_request_id,
};
pub use ownership::{
    CHECKS_AGAIN, KEPT_OWNER_TAG, adoption_refused, default_group, elsewhere, elsewhere_until_released, marked,
    not_owned, of_a_namesake, of_another_owner_id, owner_may_show, owner_tag_may_show, owner_tag_missing,
    owner_unstated, tags_of_another, tags_pending, taken_over, traffic_once_ours,
};
pub use refused::{member_refused, members_refused, refused_together};

use super::{drift_backoff::Pause, enablement::Enablement};
use crate::{
    api::Drift,
    cloudfront::{AnycastIpListId, Deployment, GroupName, Members, Tenants, error::one_line},
};
/// Maximum number of differences or names in one sentence.
const SHOWN: usize = 8;

/// Maximum length of a quoted value. Longer than any tag value, because CloudFront may return anything.
const VALUE_LIMIT: usize = 300;

pub fn deployed(
    endpoint: Option<&str>,
    enabled: Option<bool>,
    deployment: Option<&Deployment>,
    since: Option<Timestamp>,
) -> String {
    let endpoint = endpoint.unwrap_or("its routing endpoint");
    match (enabled, deployment) {
        (Some(true), Some(Deployment::Deployed)) => format!("Deployed at {endpoint}."),
        (Some(false), Some(Deployment::Deployed)) => {
            format!("Deployed and disabled: {endpoint} serves no traffic.")
        }
        (None, Some(Deployment::Deployed)) => {
            format!("Deployed at {endpoint}; CloudFront's response does not state whether the group is enabled.")
        }
        (_, None) => {
            "CloudFront's response does not state whether the last change has been rolled out. The operator checks again."
                .to_owned()
        }
        (_, Some(Deployment::Pending(status))) => {
            let since = since.and_then(|at| Timestamp::from_second(at.as_second()).ok());
            let since = since.map(|at| format!(" since {at}")).unwrap_or_default();
            let traffic = match enabled {
                Some(false) => " The group is disabled: it serves no traffic, at the latest once the change is rolled out.",
                Some(true) => {
                    " The group is enabled: if it was new or disabled before, it serves once the change is rolled out."
                }
                None => "",
            };
            format!("CloudFront reports status {status}{since}. Rolling out a change usually takes minutes.{traffic}")
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
    if text.is_empty() { "nothing".to_owned() } else { format!("'{}'", one_line(text, VALUE_LIMIT)) }
}

fn how_many(tenants: &Tenants) -> String {
    match (tenants.count, tenants.beyond_this_page) {
        (count, true) => format!("{count} or more distribution tenants"),
        (1, false) => "1 distribution tenant".to_owned(),
        (count, false) => format!("{count} distribution tenants"),
    }
}

/// Whether a singular verb follows [`how_many`].
const fn are_one(tenants: &Tenants) -> bool {
    tenants.count == 1 && !tenants.beyond_this_page
}

fn named(tenants: &Tenants) -> String {
    let names = tenants.names.join(", ");
    match tenants.count.saturating_sub(tenants.names.len()) {
        0 => names,
        others => format!("{names} and {others} more"),
    }
}

/// A list that this object did not attach; appended to the message about the group.
pub fn list_kept(list: &AnycastIpListId) -> String {
    format!(
        " Anycast list {} stays attached because status does not show that this object attached it. To keep it attached, set spec.anycastIpListId to its id. To \
         detach it, set that field to none.",
        one_line(list.as_str(), VALUE_LIMIT)
    )
}

pub fn deleted_outside(name: &GroupName, id: &str) -> String {
    format!(
        "Someone else deleted connection group {name} ({id}). The operator creates it again, with another routing endpoint: the traffic of domains is down until they point to that one."
    )
}

pub const FLAPPING: &str = "Another client keeps changing this connection group: the operator has just corrected the third \
     change, less than an hour after the one before. It corrects further changes after a pause that grows to 5 minutes; only disabling the group when \
     spec.enabled is false never waits. Remove the group from the other tool, or set spec.mode to Observe to let that tool manage it.";

/// Without the time that is left, so that another read does not change the message.
pub fn flapping(name: &GroupName, changes: &[Drift], pause: Pause) -> String {
    format!(
        "Another client has changed connection group {name} again: {}. The operator waits {} after its last correction before it corrects this (corrections so far: {}). \
         Remove the group from the other tool, or set spec.mode to Observe to let that tool manage it.",
        drift(changes),
        time(pause.length),
        pause.rounds
    )
}

pub fn not_as_asked(shown: &Members, asked: &Members) -> String {
    let stated = |member: Option<bool>| member.map_or("not stated".to_owned(), |value| value.to_string());
    let list = |members: &Members| {
        let id = members.anycast_ip_list_id.as_ref();
        id.map_or("none".to_owned(), |id| one_line(id.as_str(), VALUE_LIMIT))
    };
    format!(
        "CloudFront accepted the change but shows a different configuration (enabled {}, IPv6 {}, Anycast list {}) than requested (enabled {}, IPv6 {}, Anycast \
         list {}). The operator reads it again shortly.",
        stated(shown.enabled),
        stated(shown.ipv6_enabled),
        list(shown),
        stated(asked.enabled),
        stated(asked.ipv6_enabled),
        list(asked)
    )
}

/// For what the operator does not manage and others may have set.
pub fn element_lost(name: &GroupName, lost: &[String]) -> String {
    let shown = lost.iter().take(SHOWN).map(|element| one_line(element, VALUE_LIMIT)).collect::<Vec<_>>().join(", ");
    format!(
        "CloudFront's response to an update of connection group {name} no longer shows what the group had before: {shown}. The operator does not manage this \
         and did not request its removal. If you need it, set it again with the tool that set it."
    )
}

pub fn without_traffic(tenants: &Tenants) -> String {
    let users = match tenants.count {
        0 => "distribution tenants use it (CloudFront's response names none of them)".to_owned(),
        _ if are_one(tenants) => format!("{} uses it: {}", how_many(tenants), named(tenants)),
        _ => format!("{} use it: {}", how_many(tenants), named(tenants)),
    };
    let their = if are_one(tenants) { "Its" } else { "Their" };
    format!(
        "The group was disabled, as spec.enabled says, although {users}. {their} traffic is down once CloudFront has rolled this out."
    )
}

/// `enablement`: as the group was last read.
pub fn suspended(deleting: bool, enablement: Enablement) -> String {
    let what = if deleting { "The deletion waits because of spec.suspend" } else { "Suspended by spec.suspend" };
    let state = match enablement {
        Enablement::Unknown | Enablement::OnAsAsked => "",
        Enablement::OnAgainstTheSpec => {
            " When last read, the group was enabled although spec.enabled is false. The operator does not disable it meanwhile."
        }
        Enablement::OffAsAsked => " When last read, the group was disabled, as spec.enabled says.",
        Enablement::OffAgainstTheSpec => {
            " When last read, the group was disabled although spec.enabled is true. Until it is enabled, traffic of its tenants is down."
        }
    };
    format!("{what}: the operator neither reads nor changes the group.{state} To resume, set spec.suspend to false.")
}

/// The operator may have looked at the inventory only, and the group may be newer than that.
pub fn not_found_to_mirror(name: &GroupName) -> String {
    format!(
        "As of the last inventory, or of a later read, no connection group {name} exists. In mode Observe, the operator does not create it; it looks for the group in every \
         inventory. To have the operator create the group, set spec.mode to Manage."
    )
}

/// Appended to the message about a group whose IPv6 setting CloudFront has never stated.
pub const IPV6_NOT_STATED: &str = " CloudFront's response does not state whether IPv6 is enabled.";

/// In whole seconds.
fn time(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}
