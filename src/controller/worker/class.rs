//! How soon the calls of one reconcile are made. Pure: (object, last inventory, how the last try ended) -> [`Class`].

use crate::{
    api::{ConnectionGroup, Mode},
    cloudfront::{ApiError, Snapshot, queue::Class},
    reconcile::ObjectView,
};

/// How the last reconcile of an object by this process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastTry {
    /// Nothing to retry, or this is the first reconcile.
    #[default]
    Done,
    /// With a transient error, such as throttling.
    CutShort,
    /// Refused, or waiting for someone else: it is retried with backoff.
    Refused,
}

impl LastTry {
    /// From the number of consecutive failures, and the error of the call that failed, if one did.
    pub fn of(failures: u32, error: Option<&ApiError>) -> Self {
        match (failures, error) {
            (0, _) => Self::Done,
            (_, Some(error)) if error.class.is_transient() => Self::CutShort,
            _ => Self::Refused,
        }
    }
}

/// The class of the next reconcile.
pub fn class_of(object: &ConnectionGroup, view: &ObjectView<'_>, list: Option<&Snapshot>, last_try: LastTry) -> Class {
    let is_asked_anew = view.is_asked_anew();
    match Traffic::while_deleted(object, view) {
        Traffic::OnAgainstSpec(_) => return Class::SwitchOff,
        // A tenant may have appeared, even if the last try was refused, so the class is not `Background`. It is not `UserRequest` either: hundreds of deletions that wait
        // must not hold up an edit.
        Traffic::OffAgainstSpec(_) if !is_asked_anew => return Class::Progress,
        Traffic::OffAgainstSpec(_) | Traffic::AsTheSpecSays => {}
    }
    match Traffic::of(object, view, list) {
        Traffic::OnAgainstSpec(Since::TheList) => return Class::SwitchOff,
        Traffic::OnAgainstSpec(Since::Longer) if is_asked_anew || last_try != LastTry::Refused => {
            return Class::SwitchOff;
        }
        Traffic::OffAgainstSpec(Since::TheList) => return Class::UserRequest,
        Traffic::OffAgainstSpec(Since::Longer) if last_try == LastTry::Done => return Class::UserRequest,
        Traffic::OnAgainstSpec(_) | Traffic::OffAgainstSpec(_) | Traffic::AsTheSpecSays => {}
    }
    match last_try {
        _ if is_asked_anew => Class::UserRequest,
        LastTry::Refused => Class::Background,
        LastTry::Done if view.is_in_sync(list) => Class::Background,
        LastTry::Done | LastTry::CutShort => Class::Progress,
    }
}

/// Whether a group that this object manages serves traffic as the spec says, as far as known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    AsTheSpecSays,
    OnAgainstSpec(Since),
    OffAgainstSpec(Since),
}

/// Whether the group serves traffic, as far as known. If an update of ours was not answered, the worse case is assumed.
fn serves(view: &ObjectView<'_>) -> Option<bool> {
    view.status.enabled.or_else(|| view.enablement_is_in_doubt().then_some(!view.spec_enabled))
}

/// Since when this has been known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// The last inventory shows it, and no reconcile has observed it yet.
    TheList,
    /// An earlier reconcile has observed it.
    Longer,
}

impl Traffic {
    /// For a group that is being deleted: if a tenant appears, or the deletion is held back, its traffic is corrected.
    fn while_deleted(object: &ConnectionGroup, view: &ObjectView<'_>) -> Self {
        let managed = object.spec.mode == Mode::Manage && !object.spec.suspend && view.deleting;
        match serves(view).filter(|_| managed) {
            Some(serves) => Self::against(serves, view.spec_enabled, Since::Longer),
            None => Self::AsTheSpecSays,
        }
    }

    fn of(object: &ConnectionGroup, view: &ObjectView<'_>, list: Option<&Snapshot>) -> Self {
        let managed = object.spec.mode == Mode::Manage && !object.spec.suspend && !view.deleting;
        let row = list.and_then(|list| list.groups.get(&view.name)).filter(|_| managed);
        let Some(id) = view.status.id.as_deref().filter(|_| managed) else {
            // Only the reconcile determines the owner of the group; the emergency switch does not wait for that.
            let on = row.is_some_and(|row| row.enabled == Some(true));
            return if on && !object.spec.enabled { Self::OnAgainstSpec(Since::Longer) } else { Self::AsTheSpecSays };
        };
        let row = row.filter(|row| row.id.as_str() == id);
        // The last change by the reconcile itself may be newer than the inventory.
        let listed = row.filter(|row| !view.is_on_record(row)).and_then(|row| row.enabled);
        let Some(serves) = listed.or(serves(view)) else { return Self::AsTheSpecSays };
        let since = if listed.is_some() && listed != view.status.enabled { Since::TheList } else { Since::Longer };
        Self::against(serves, object.spec.enabled, since)
    }

    const fn against(serves: bool, wanted: bool, since: Since) -> Self {
        match (serves, wanted) {
            (true, true) | (false, false) => Self::AsTheSpecSays,
            (true, false) => Self::OnAgainstSpec(since),
            (false, true) => Self::OffAgainstSpec(since),
        }
    }
}

#[cfg(test)]
mod tests;
