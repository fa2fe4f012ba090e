//! The class of each kind of reconcile.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt;

use super::*;
use crate::{
    api::{
        ConditionReason, ConnectionGroupSpec, ConnectionGroupStatus, RECONCILE_REQUESTED_AT, Standing, set_standing,
    },
    clock::{Clock, Moment},
    cloudfront::{Arn, Deployment, ErrorClass, Etag, GroupId, GroupName, Operation, Summary},
    reconcile::{
        Inputs, ObjectState, Settings,
        ownership::{Installation, OwnerTag},
    },
};

const INTERVAL: Duration = Duration::from_hours(6);
const NOW: Moment = Moment::after_start(Duration::from_hours(1));

struct Still;

impl Clock for Still {
    fn moment(&self) -> Moment {
        NOW
    }

    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// An object that is Ready, and an inventory that agrees with its status.
fn in_sync() -> (ConnectionGroup, Snapshot) {
    let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
    object.metadata.generation = Some(1);
    object.status = Some(ConnectionGroupStatus {
        observed_generation: 1,
        id: Some("cg_1".into()),
        owner: Some(OwnerTag::new("prod", "", "edge").to_string()),
        installation: Some("uid-here".into()),
        e_tag: Some("E1".into()),
        enabled: Some(true),
        conditions: set_standing(
            &[],
            (Standing::Ready, ConditionReason::Deployed, "m"),
            None,
            1,
            Timestamp::UNIX_EPOCH,
        ),
        ..ConnectionGroupStatus::UNSEEN
    });
    let group = Summary {
        id: GroupId::new("cg_1"),
        arn: Arn::new("arn"),
        name: GroupName::new("edge"),
        etag: Etag::new("E1"),
        enabled: Some(true),
        anycast_ip_list_id: None,
        deployment: Some(Deployment::Deployed),
        modified: None,
    };
    (object, Snapshot { began: NOW, groups: BTreeMap::from([(group.name.clone(), group)]) })
}

fn listed(list: &mut Snapshot, etag: &str, enabled: bool) {
    for group in list.groups.values_mut() {
        (group.etag, group.enabled) = (Etag::new(etag), Some(enabled));
    }
}

fn status(object: &mut ConnectionGroup) -> &mut ConnectionGroupStatus {
    object.status.as_mut().unwrap()
}

/// The spec says off, and a reconcile has observed that.
fn off(object: &mut ConnectionGroup) {
    object.spec.enabled = false;
}

fn deleted(object: &mut ConnectionGroup) {
    object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
}

fn off_for_its_deletion(object: &mut ConnectionGroup) {
    deleted(object);
    status(object).enabled = Some(false);
}

fn class(object: &ConnectionGroup, list: &Snapshot, last_try: LastTry, resync_at: Moment) -> Class {
    let settings = Settings {
        owner_id: "prod".to_owned(),
        installation: Installation::new("uid-here"),
        predecessor: None,
        allow_adoption: false,
        inventory_interval: Duration::from_mins(1),
        inventory_interval_active: Duration::from_secs(10),
        resync_interval: INTERVAL,
        consistency_window: Duration::from_mins(1),
    };
    let inputs = Inputs {
        port: &(),
        settings: &settings,
        snapshot: None,
        inventory_error: None,
        clock: &Still,
        freshness: &crate::reconcile::freshness::UpToDate,
    };
    let memory = ObjectState { resync_at: Some(resync_at), ..ObjectState::default() };
    class_of(object, &ObjectView::of(object, &memory, &inputs), Some(list), last_try)
}

/// A situation, how it is produced, and the expected class for each end of the last try.
type Row = (&'static str, fn(&mut ConnectionGroup, &mut Snapshot), [(LastTry, Class); 3]);

#[test]
fn a_user_request_goes_first_until_it_is_answered_then_what_has_begun_and_then_what_nobody_waits_for() {
    use LastTry::{CutShort, Done, Refused};
    let table: [Row; 15] = [
        ("in sync", |_, _| {}, [(Done, Class::Background), (CutShort, Class::Progress), (Refused, Class::Background)]),
        (
            "a reconcile was requested",
            |object, _| {
                object.annotations_mut().insert(RECONCILE_REQUESTED_AT.to_owned(), "now".to_owned());
            },
            [Done, CutShort, Refused].map(|last| (last, Class::UserRequest)),
        ),
        (
            "the spec was edited",
            |object, _| object.metadata.generation = Some(2),
            [Done, CutShort, Refused].map(|last| (last, Class::UserRequest)),
        ),
        (
            "it has no status yet",
            |object, _| object.status = None,
            [Done, CutShort, Refused].map(|last| (last, Class::UserRequest)),
        ),
        (
            "it was deleted just now",
            |object, _| {
                deleted(object);
                object.metadata.generation = Some(2);
            },
            [Done, CutShort, Refused].map(|last| (last, Class::UserRequest)),
        ),
        (
            "its deletion continues",
            |object, _| deleted(object),
            [(Done, Class::Progress), (CutShort, Class::Progress), (Refused, Class::Background)],
        ),
        (
            "its deletion has taken it out of service",
            |object, _| off_for_its_deletion(object),
            [Done, CutShort, Refused].map(|last| (last, Class::Progress)),
        ),
        (
            "its deletion has taken it out of service, and an edit holds it back",
            |object, _| {
                off_for_its_deletion(object);
                object.metadata.generation = Some(3);
            },
            [Done, CutShort, Refused].map(|last| (last, Class::UserRequest)),
        ),
        (
            "it is rolled out",
            |object, _| status(object).conditions.clear(),
            [(Done, Class::Progress), (CutShort, Class::Progress), (Refused, Class::Background)],
        ),
        (
            "another client changed the group, and it stays in service",
            |_, list| listed(list, "E2", true),
            [(Done, Class::Progress), (CutShort, Class::Progress), (Refused, Class::Background)],
        ),
        (
            "the group is gone",
            |_, list| list.groups.clear(),
            [(Done, Class::Progress), (CutShort, Class::Progress), (Refused, Class::Background)],
        ),
        (
            "the list shows that another client disabled it",
            |_, list| listed(list, "E2", false),
            [Done, CutShort, Refused].map(|last| (last, Class::UserRequest)),
        ),
        (
            "it is off against the spec, and that was read before",
            |object, list| {
                listed(list, "E1", false);
                status(object).enabled = Some(false);
            },
            [(Done, Class::UserRequest), (CutShort, Class::Progress), (Refused, Class::Background)],
        ),
        (
            "the spec says off by now",
            |object, _| {
                off(object);
                object.metadata.generation = Some(2);
            },
            [Done, CutShort, Refused].map(|last| (last, Class::SwitchOff)),
        ),
        (
            "it serves against the spec, and that was read before",
            |object, _| off(object),
            [(Done, Class::SwitchOff), (CutShort, Class::SwitchOff), (Refused, Class::Background)],
        ),
    ];
    for (what, change, expected) in table {
        let (mut object, mut list) = in_sync();
        change(&mut object, &mut list);
        for (last, expected) in expected {
            for resync_at in [NOW + INTERVAL, NOW] {
                let class = class(&object, &list, last, resync_at);
                assert_eq!(class, expected, "{what}, last try {last:?}, full resync at {resync_at:?}");
            }
        }
    }
}

#[test]
fn a_group_that_another_client_enabled_again_is_disabled_before_anything_else_and_one_that_is_not_managed_is_not() {
    let (mut object, mut list) = in_sync();
    off(&mut object);
    status(&mut object).enabled = Some(false);
    listed(&mut list, "E2", true);
    assert_eq!(class(&object, &list, LastTry::Refused, NOW), Class::SwitchOff);
    let not_managed: [fn(&mut ConnectionGroup); 4] = [
        |object| object.spec.mode = Mode::Observe,
        |object| object.spec.suspend = true,
        |object| deleted(object),
        |object| status(object).id = Some("cg_2".into()),
    ];
    for change in not_managed {
        let mut object = object.clone();
        change(&mut object);
        assert_ne!(class(&object, &list, LastTry::Done, NOW), Class::SwitchOff);
    }
}

#[test]
fn without_a_record_a_group_in_service_against_the_spec_goes_first_until_a_try_was_refused() {
    let (mut object, list) = in_sync();
    off(&mut object);
    status(&mut object).id = None;
    for (last, expected) in [
        (LastTry::Done, Class::SwitchOff),
        (LastTry::CutShort, Class::SwitchOff),
        (LastTry::Refused, Class::Background),
    ] {
        assert_eq!(class(&object, &list, last, NOW + INTERVAL), expected, "{last:?}");
    }
}

#[test]
fn a_try_that_a_transient_failure_interrupted_is_distinguished_from_one_that_was_refused() {
    let error = |class| ApiError::new(Operation::CreateConnectionGroup, class, None, "", None);
    assert_eq!(LastTry::of(0, None), LastTry::Done);
    assert_eq!(LastTry::of(3, None), LastTry::Refused, "it waits for a user");
    for (class, last) in [
        (ErrorClass::Throttled, LastTry::CutShort),
        (ErrorClass::TimedOut, LastTry::CutShort),
        (ErrorClass::AlreadyExists, LastTry::Refused),
        (ErrorClass::AccessDenied, LastTry::Refused),
    ] {
        assert_eq!(LastTry::of(1, Some(&error(class))), last, "{class:?}");
    }
}
