//! Where an object must end once nothing more goes wrong, and how many changes are needed for it. In: a state. Out: nothing, or what is wrong. Pure.

use cloudfront_simulator::{
    Switches,
    model::ConnectionGroup as Shown,
    switches::{Detach, Tolerance},
};
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupSpec, DeletionPolicy, Mode, NO_LIST, RECONCILE_REQUESTED_AT, condition},
    reconcile::ownership::{Installation, OwnerTag, is_reserved},
};
use kube::ResourceExt;

use crate::{
    reviewed::list_matches,
    state::{Scenario, State},
};

/// Whether the object is where it should be, given its spec and the world.
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
    let tags = group.as_ref().and_then(|group| group.tags.clone()).unwrap_or_default();
    let owner = OwnerTag::in_tags(&tags);
    let is_ours = state.claim(operator).is_in(&tags);
    if spec.suspend {
        return Ok(());
    }
    if object.metadata.deletion_timestamp.is_some() {
        // A group that the deletion disabled is enabled again.
        let is_down =
            spec.enabled && is_ours && group.as_ref().is_some_and(|group| !group.enabled && !group.is_default);
        let blocked = |reason| if is_down { Err("the group was left off".to_owned()) } else { says(&[reason]) };
        if spec.deletion_protection && spec.mode == Mode::Manage {
            return blocked("DeletionProtected");
        }
        let in_use = is_ours && group.as_ref().is_some_and(|group| has_tenants(state, group));
        return if in_use { blocked("InUse") } else { Err("the object is still there".to_owned()) };
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
        _ if !is_ours && !deep => Ok(()),
        Some(owner) if owner != ours => says(&["NotOwned"]),
        Some(_) if !is_ours => says(&["AnotherInstallation"]),
        None => says(&["AdoptionRefused"]),
        Some(_) => {
            let refused = has_tenants(state, group) && scenario.switches.disable_with_tenants == Tolerance::Refuse;
            if group.enabled != spec.enabled {
                return if refused && !spec.enabled {
                    says(&["InUse"])
                } else {
                    Err(format!("the group is {group:?}"))
                };
            }
            let asked = spec.anycast_ip_list_id.as_deref().unwrap_or(NO_LIST);
            let keeps = spec.anycast_ip_list_id.is_none() && may_be_of_others(scenario, state, operator, group);
            if !keeps && !list_matches(Some(asked), group.anycast_ip_list_id.as_deref()) {
                return says(may_keep_it_from_being(scenario, spec));
            }
            if group.ipv6_enabled != spec.ipv6_enabled {
                let ipv4_only = spec.ipv6_enabled && group.anycast_ip_list_id.is_some();
                return if ipv4_only { says(&["InvalidArgument"]) } else { Err(format!("the group is {group:?}")) };
            }
            let tagged = spec.tags.iter().all(|(key, value)| tags.get(key) == Some(value));
            if deep && !tagged {
                return Err(format!("the group is {group:?}"));
            }
            if status.id.as_ref() != Some(&group.id) {
                return Err(format!("the status shows {:?}, the group is {}", status.id, group.id));
            }
            let kept = spec.anycast_ip_list_id.is_none() && group.anycast_ip_list_id.is_some();
            if kept && scenario.switches.detach != Detach::EmptyElement && ready.reason == "AnycastDetachRejected" {
                return Ok(());
            }
            says(if spec.enabled { &["Deployed"] } else { &["Disabled"] })
        }
    }
}

/// Whether an attached list may belong to someone else: this object never sent it, its process died before recording it, or others have attached it since.
fn may_be_of_others(scenario: &Scenario, state: &State, operator: usize, group: &Shown) -> bool {
    let sent = &state.object_of(operator).sent.lists;
    state.lists_may_be_anothers(scenario, operator)
        || group.anycast_ip_list_id.as_ref().is_none_or(|list| !sent.contains(list))
}

/// Whether tenants use this group.
fn has_tenants(state: &State, group: &Shown) -> bool {
    state.account.tenants().iter().any(|tenant| tenant.connection_group_id == group.id)
}

/// The reasons for which CloudFront may refuse the group that the spec asks for.
fn may_keep_it_from_being(scenario: &Scenario, spec: &ConnectionGroupSpec) -> &'static [&'static str] {
    match spec.anycast_ip_list_id.as_deref() {
        None | Some(NO_LIST) if scenario.switches.detach != Detach::EmptyElement => &["AnycastDetachRejected"],
        Some(NO_LIST) => &[],
        Some(_) => &["AnycastIpListNotFound", "InvalidArgument", "QuotaExceeded"],
        None if scenario.switches.groups_per_account < 100 => &["QuotaExceeded"],
        None => &[],
    }
}

/// How many changes lie between the world and what one object asks for; `None` where others may interfere.
pub fn distance_of(scenario: &Scenario, state: &State) -> Option<usize> {
    let object = state.current(0).filter(|_| state.operators.len() == 1)?;
    let spec = &object.spec;
    if spec.suspend || spec.mode == Mode::Observe || spec.anycast_ip_list_id.is_some() || scenario.allow_adoption {
        return None;
    }
    // The operator learns only by trying from time to time whether the group can be deleted.
    if scenario.switches.tenant_lag > Switches::DEFAULT.tenant_lag {
        return None;
    }
    let deleting = object.metadata.deletion_timestamp.is_some();
    let Some(group) = state.group() else {
        return Some(usize::from(!deleting));
    };
    let tags = group.tags.clone().unwrap_or_default();
    if !state.claim(0).is_in(&tags) || group.anycast_ip_list_id.is_some() {
        return None;
    }
    let unmarked = usize::from(Installation::in_tags(&tags).is_none());
    if deleting {
        let up_again = usize::from(spec.enabled && !group.enabled);
        return Some(match (spec.deletion_protection, spec.deletion_policy) {
            (true, _) => up_again + unmarked,
            (false, DeletionPolicy::Retain) => 1 + up_again + unmarked,
            (false, DeletionPolicy::Delete) if has_tenants(state, &group) => up_again + unmarked,
            (false, DeletionPolicy::Delete) => 1 + usize::from(group.enabled) + unmarked,
        });
    }
    let (switched, family) = (group.enabled != spec.enabled, group.ipv6_enabled != spec.ipv6_enabled);
    // Disabling is a separate update; everything else that differs goes into one.
    let members = if switched && !spec.enabled { 1 + usize::from(family) } else { usize::from(switched || family) };
    let tagged = spec.tags.iter().all(|(key, value)| tags.get(key) == Some(value));
    let sent = &state.objects[0].sent.tags;
    let is_surplus = |key: &String| !is_reserved(key) && !spec.tags.contains_key(key);
    let surplus = tags.iter().any(|(key, value)| is_surplus(key) && sent.contains(&(key.clone(), value.clone())));
    Some(members + usize::from(!tagged) + usize::from(surplus) + unmarked)
}
