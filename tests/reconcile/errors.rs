//! Every error that CloudFront's model names for every operation we call, and those that it does not name: what the object reports, when it is retried,
//! and that it recovers. The model's part is `api-errors.json`: AWS's own service model, cut down to operation, code and HTTP status.

use std::{collections::BTreeMap, time::Duration};

use connection_group_operator::{
    cloudfront::{
        ErrorClass,
        Operation::{
            self, CreateConnectionGroup, DeleteConnectionGroup, GetAnycastIpList, GetConnectionGroup,
            ListConnectionGroups, ListDistributionTenants, ListTagsForResource, TagResource, UntagResource,
            UpdateConnectionGroup,
        },
    },
    reconcile::Finalizer,
};
use port::{CODES, Fault};

use crate::world::{BY_ITSELF, PROPAGATION, World, spec};

/// Codes that any operation may return, and that are not in the model. One of each class is enough: that the others mean the same is tested
/// in `ports.rs`.
const UNMODELLED: [(&str, u16); 4] =
    [("Throttling", 400), ("ServiceUnavailable", 503), ("ExpiredToken", 403), ("NobodyKnowsThisOne", 400)];

/// The documented meaning of a code.
fn meaning(code: &str, status: u16) -> ErrorClass {
    let known = CODES.iter().find(|(known, its_status, _)| (*known, *its_status) == (code, status));
    known.unwrap_or_else(|| panic!("{code} with {status} is not documented")).2
}

/// Reason, the other condition beside Ready, the longest first pause in seconds.
type Verdict = (&'static str, &'static str, u64);

/// What a class of error means for any operation.
fn usually(class: ErrorClass) -> Verdict {
    match class {
        ErrorClass::Throttled => ("Throttled", "Reconciling", 1),
        ErrorClass::ServiceUnavailable | ErrorClass::TimedOut | ErrorClass::Unreachable => {
            ("ServiceUnavailable", "Reconciling", 1)
        }
        ErrorClass::Credentials => ("CredentialsUnavailable", "Reconciling", 1),
        ErrorClass::AccessDenied => ("AccessDenied", "Reconciling", 30),
        ErrorClass::LimitExceeded => ("QuotaExceeded", "Reconciling", 30),
        ErrorClass::InvalidArgument => ("InvalidArgument", "Stalled", 30),
        ErrorClass::InUse | ErrorClass::HasTenants => ("InUse", "Reconciling", 30),
        ErrorClass::AlreadyExists => ("AlreadyExists", "Reconciling", 1),
        ErrorClass::NotFound | ErrorClass::NotDisabled | ErrorClass::StaleEtag => ("Conflict", "Reconciling", 1),
        ErrorClass::Unexpected => ("UnexpectedResponse", "Reconciling", 1),
    }
}

/// Where the operation makes a difference.
fn verdict(operation: Operation, class: ErrorClass) -> Verdict {
    match (operation, class) {
        // After a stale ETag, the group is read and sent again within the reconcile. A failed list does not keep a reconcile from reading the group itself.
        (UpdateConnectionGroup, ErrorClass::StaleEtag) | (ListConnectionGroups, _) => ("Deploying", "Reconciling", 30),
        (DeleteConnectionGroup, ErrorClass::StaleEtag) => ("Deleting", "Reconciling", 30),
        // It is about the member that was sent, like every error by which CloudFront refuses the content of a call.
        (UpdateConnectionGroup, ErrorClass::AlreadyExists) => ("AlreadyExists", "Reconciling", 30),
        // One answer may be stale: a list has to confirm it.
        (GetConnectionGroup, ErrorClass::NotFound) => ("ConfirmingAbsence", "Reconciling", 30),
        // Called only to explain why an update of the list found something missing: that list, unless it turns out to exist.
        (GetAnycastIpList, _) => ("AnycastIpListNotFound", "Reconciling", 30),
        _ => usually(class),
    }
}

/// A world whose next reconcile, or inventory, calls that operation.
fn about_to(operation: Operation) -> World {
    let mut world = World::new(spec());
    if operation == CreateConnectionGroup {
        return world;
    }
    world.settle();
    world.take_inventory();
    let tag = |world: &mut World| {
        world.edit(|spec| {
            spec.tags.insert("team".into(), "edge".into());
        });
    };
    match operation {
        CreateConnectionGroup => {}
        GetConnectionGroup | UpdateConnectionGroup | ListTagsForResource | ListConnectionGroups => {
            world.edit(|spec| spec.enabled = false);
        }
        TagResource => tag(&mut world),
        UntagResource => {
            tag(&mut world);
            world.settle();
            world.edit(|spec| spec.tags.clear());
        }
        GetAnycastIpList => world.edit(|spec| spec.anycast_ip_list_id = Some("aip_nowhere".into())),
        ListDistributionTenants => world.delete(),
        DeleteConnectionGroup => {
            world.delete();
            world.reconcile();
            world.advance(PROPAGATION);
            world.take_inventory();
        }
    }
    world.calls();
    world
}

#[test]
fn every_error_of_every_operation_is_reported_and_retried_and_recovers() {
    let text = include_str!("api-errors.json");
    let modelled: BTreeMap<&'static str, BTreeMap<&'static str, u16>> = serde_json::from_str(text).unwrap();
    assert_eq!(modelled.len(), Operation::ALL.len());
    for operation in Operation::ALL.iter().copied() {
        let codes = modelled[operation.as_str()].iter().map(|(code, status)| (*code, *status));
        for (code, status) in codes.chain(UNMODELLED) {
            assert_row(operation, code, status);
        }
    }
}

fn assert_row(operation: Operation, code: &'static str, status: u16) {
    let class = meaning(code, status);
    let mut world = about_to(operation);
    // If there is no group with the id, the name is tried too.
    for _ in 0..2 {
        world.fail(operation, Fault::Code(status, code));
    }
    if operation == ListConnectionGroups {
        world.take_inventory();
    }
    let outcome = world.reconcile();
    assert!(world.calls().contains(&operation), "{operation} is not called");

    let (reason, beside, pause) = verdict(operation, class);
    // No edit of the spec helps a deletion, so it is never Stalled.
    let beside = if world.object.metadata.deletion_timestamp.is_some() { "Reconciling" } else { beside };
    assert_eq!(world.ready(), ("False".into(), reason.into(), vec![beside.into()]), "{code} at {operation}");
    assert!(outcome.requeue <= Duration::from_secs(pause), "{code} at {operation}: {:?}", outcome.requeue);
    assert_eq!(outcome.finalizer, Finalizer::Keep, "{code} at {operation}");

    world.faults_stop();
    let healed = world.settle_within(BY_ITSELF, 24);
    if world.object.metadata.deletion_timestamp.is_some() {
        assert_eq!(world.group(), None, "{code} at {operation}");
    } else if operation == GetAnycastIpList {
        assert_eq!(world.ready().1, "AnycastIpListNotFound", "{code} at {operation}");
    } else {
        assert_eq!(
            (world.ready().0, healed.observed_generation),
            ("True".into(), world.object.metadata.generation.unwrap())
        );
    }
}
