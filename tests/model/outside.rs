//! Out-of-band changes of the account, and of the status of objects. In: a state. Out: the next one, if the change is possible in it. Pure.

use std::sync::Arc;

use cloudfront_simulator::{
    Timestamp,
    admin::{GroupPatch, NewGroup, NewTenant},
};
use connection_group_operator::{api::ConnectionGroupStatus, reconcile::ownership::OwnerTag};

use crate::state::State;

/// An out-of-band change of the account or of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outside {
    TurnsIpv6Off,
    Disables,
    Enables,
    Deletes,
    CreatesUnowned,
    CreatesForeign,
    TakesOwnerTagOff,
    PutsForeignOwnerTag,
    TakesTagsOff,
    TenantComes,
    TenantGoes,
    /// Makes the status name someone else's group.
    ForgesStatus,
    PutsOldStatusBack,
    AttachesList,
    /// Sets a tag of the spec, with its value.
    PutsTheTag,
    /// Gives that tag another value.
    ChangesTheTag,
    /// Restores the first object, with its status, into the second cluster.
    RestoresBackup,
    ReplacesByUnowned,
}

pub fn interfere(state: &mut State, what: Outside) -> bool {
    let (now, group) = (state.timestamp(), state.group());
    let owner = |value: &str| [(OwnerTag::KEY.to_owned(), value.to_owned())].into();
    let patch = GroupPatch::default;
    match (what, group) {
        (Outside::TurnsIpv6Off, Some(group)) if group.ipv6_enabled => {
            edit_outside(state, now, GroupPatch { ipv6_enabled: Some(false), ..patch() })
        }
        (Outside::Disables, Some(group)) if group.enabled => {
            edit_outside(state, now, GroupPatch { enabled: Some(false), ..patch() })
        }
        (Outside::Enables, Some(group)) if !group.enabled => {
            edit_outside(state, now, GroupPatch { enabled: Some(true), ..patch() })
        }
        (Outside::Deletes, Some(_)) => state.account.outside_delete_group(now, &state.name.clone()).is_ok(),
        (Outside::TakesOwnerTagOff, Some(_)) => {
            edit_outside(state, now, GroupPatch { remove_tags: vec![OwnerTag::KEY.to_owned()], ..patch() })
        }
        (Outside::PutsForeignOwnerTag, Some(_)) => {
            edit_outside(state, now, GroupPatch { set_tags: owner("somebody/else/edge"), ..patch() })
        }
        (Outside::TakesTagsOff, Some(_)) => {
            edit_outside(state, now, GroupPatch { remove_tags: vec!["team".to_owned()], ..patch() })
        }
        (Outside::AttachesList, Some(group)) if group.anycast_ip_list_id.is_none() => {
            let Some(list) = state.account.anycast_ip_lists(now).into_iter().next() else { return false };
            let anycast_ip_list_id = Some(list.id);
            edit_outside(state, now, GroupPatch { anycast_ip_list_id, ..patch() })
        }
        (Outside::PutsTheTag, Some(group)) if !group.tags.clone().unwrap_or_default().contains_key("team") => {
            let set_tags = [("team".to_owned(), "edge".to_owned())].into();
            edit_outside(state, now, GroupPatch { set_tags, ..patch() })
        }
        (Outside::ChangesTheTag, Some(group)) if group.tags.clone().unwrap_or_default().contains_key("team") => {
            let set_tags = [("team".to_owned(), "theirs".to_owned())].into();
            edit_outside(state, now, GroupPatch { set_tags, ..patch() })
        }
        (Outside::RestoresBackup, _) => {
            let status = state.current(0).and_then(|object| object.status.clone());
            let Some(restored) = state.objects[1].current.as_mut().filter(|_| status.is_some()) else { return false };
            Arc::make_mut(restored).status = status;
            true
        }
        (Outside::ReplacesByUnowned, Some(_)) => {
            state.account.outside_delete_group(now, &state.name.clone()).is_ok()
                && state.account.outside_create_group(now, NewGroup::named(&*state.name)).is_ok()
        }
        (Outside::CreatesUnowned, None) => {
            state.account.outside_create_group(now, NewGroup::named(&*state.name)).is_ok()
        }
        (Outside::CreatesForeign, None) => {
            let foreign = NewGroup { tags: owner("somebody/else/edge"), ..NewGroup::named(&*state.name) };
            state.account.outside_create_group(now, foreign).is_ok()
        }
        (Outside::TenantComes, Some(_)) if state.account.tenants().is_empty() => {
            state.account.outside_create_tenant(now, NewTenant::behind(&*state.name, "shop")).is_ok()
        }
        (Outside::TenantGoes, _) => state.account.outside_delete_tenant(now, "shop").is_ok(),
        (Outside::ForgesStatus, _) => forge(state, |status, state| {
            let neighbour = state.neighbours.first()?;
            status.id = Some(neighbour.resource.id.clone());
            status.arn = Some(neighbour.resource.arn.clone());
            status.e_tag = Some(neighbour.etag.clone());
            Some(())
        }),
        (Outside::PutsOldStatusBack, _) => forge(state, |status, state| {
            status.clone_from(state.objects[0].former_status.as_ref()?);
            Some(())
        }),
        _ => false,
    }
}

/// Someone has permission to write the status of objects.
fn forge(state: &mut State, change: impl FnOnce(&mut ConnectionGroupStatus, &State) -> Option<()>) -> bool {
    let Some(mut object) = state.current(0).cloned() else { return false };
    let done = change(object.status.get_or_insert(ConnectionGroupStatus::UNSEEN), state).is_some();
    state.objects[0].current = Some(Arc::new(object));
    done
}

fn edit_outside(state: &mut State, now: Timestamp, patch: GroupPatch) -> bool {
    state.account.outside_edit_group(now, &state.name.clone(), patch).is_ok()
}
