//! Where an object should have got to once nothing more goes wrong, and how many changes lie before it. In: a state. Out: nothing, or what is amiss.
//! Pure.

use cloudfront_simulator::switches::{Detach, Tolerance};
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupSpec, Mode, RECONCILE_REQUESTED_AT, condition},
    reconcile::ownership::{OwnerTag, is_reserved},
};
use kube::ResourceExt;

use crate::state::{Scenario, State};

/// Whether the object is where its spec and the world ask it to be.
pub fn expected(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    object: &ConnectionGroup,
    deep: bool,
) -> Result<(), String> {
    let Some(status) = &object.status else { return Err("no status was written".to_owned()) };
    let Some(ready) = condition(&status.conditions, "Ready") else { return Err("there is no Ready".to_owned()) };
    let says = |reasons: &[&str]| {
        if reasons.contains(&ready.reason.as_str()) {
            Ok(())
        } else {
            Err(format!("{} is not {reasons:?}", ready.reason))
        }
    };
    let spec = &object.spec;
    let group = state.group();
    let ours = state.owner_tag(operator);
    let owner = group.as_ref().and_then(|group| OwnerTag::in_tags(group.tags.as_ref()?));
    if spec.suspend {
        return Ok(());
    }
    if object.metadata.deletion_timestamp.is_some() {
        if spec.deletion_protection && spec.mode == Mode::Manage {
            return says(&["DeletionProtected"]);
        }
        let in_use = owner.as_ref() == Some(&ours) && !state.account.tenants().is_empty();
        return if in_use { says(&["InUse"]) } else { Err("the object is still there".to_owned()) };
    }
    let request = object.annotations().get(RECONCILE_REQUESTED_AT);
    if request.is_some() && request != status.last_handled_reconcile_at.as_ref() {
        return Err(format!("request {request:?} was not answered"));
    }
    let (Mode::Manage, Some(group)) = (spec.mode, &group) else {
        return match (spec.mode, &group) {
            (Mode::Observe, None) => says(&["GroupNotFound"]),
            (Mode::Observe, Some(_)) => says(&["Deployed", "Disabled", "Drifted"]),
            (Mode::Manage, _) => says(may_keep_it_from_being(scenario, spec)),
        };
    };
    match owner {
        _ if group.is_default => says(&["DefaultGroup"]),
        // Tags are not in the list.
        other if other.as_ref() != Some(&ours) && !deep => Ok(()),
        Some(owner) if owner != ours => says(&["NotOwned"]),
        None => says(&["AdoptionRefused"]),
        Some(_) => {
            let refused = group.anycast_ip_list_id.is_some() && spec.anycast_ip_list_id.is_none();
            if refused && scenario.switches.detach != Detach::EmptyElement {
                return says(&["AnycastDetachRejected"]);
            }
            if spec.anycast_ip_list_id.is_some() && group.anycast_ip_list_id != spec.anycast_ip_list_id {
                return says(may_keep_it_from_being(scenario, spec));
            }
            let tags = group.tags.clone().unwrap_or_default();
            let tagged = spec.tags.iter().all(|(key, value)| tags.get(key) == Some(value));
            let same = (group.enabled, group.ipv6_enabled) == (spec.enabled, spec.ipv6_enabled);
            if !same && spec.anycast_ip_list_id.is_some() {
                return says(may_keep_it_from_being(scenario, spec));
            }
            let in_use = !state.account.tenants().is_empty() && !spec.enabled;
            if !same && in_use && scenario.switches.disable_with_tenants == Tolerance::Refuse {
                return says(&["InUse"]);
            }
            if !same || (deep && !tagged) {
                return Err(format!("the group is {group:?}"));
            }
            if status.id.as_ref() != Some(&group.id) {
                return Err(format!("the status shows {:?}, the group is {}", status.id, group.id));
            }
            says(if spec.enabled { &["Deployed"] } else { &["Disabled"] })
        }
    }
}

/// What CloudFront may have against a group that is asked for.
fn may_keep_it_from_being(scenario: &Scenario, spec: &ConnectionGroupSpec) -> &'static [&'static str] {
    match &spec.anycast_ip_list_id {
        Some(_) => &["AnycastIpListNotFound", "InvalidArgument"],
        None if scenario.switches.groups_per_account < 100 => &["QuotaExceeded"],
        None => &[],
    }
}

/// How many changes lie between the world and what one object asks for; not told where others may have a say.
pub fn distance_of(scenario: &Scenario, state: &State) -> Option<usize> {
    let object = state.current(0).filter(|_| state.operators.len() == 1)?;
    let spec = &object.spec;
    if spec.suspend || spec.mode == Mode::Observe || spec.anycast_ip_list_id.is_some() || scenario.allow_adoption {
        return None;
    }
    let deleting = object.metadata.deletion_timestamp.is_some();
    let Some(group) = state.group() else {
        return Some(usize::from(!deleting));
    };
    let tags = group.tags.clone().unwrap_or_default();
    if OwnerTag::in_tags(&tags) != Some(state.owner_tag(0)) || group.anycast_ip_list_id.is_some() {
        return None;
    }
    if deleting {
        return Some(1 + usize::from(group.enabled));
    }
    let configured = (group.enabled, group.ipv6_enabled) == (spec.enabled, spec.ipv6_enabled);
    let tagged = spec.tags.iter().all(|(key, value)| tags.get(key) == Some(value));
    let surplus = tags.keys().any(|key| !is_reserved(key) && !spec.tags.contains_key(key));
    Some(usize::from(!configured) + usize::from(!tagged) + usize::from(surplus))
}
