//! Each situation of the resource (design: the table of conditions), produced by the production reconcile. Each object is also written to
//! `target/states`, where kstatus itself and Argo CD's health check are tested with it (`charts/tests/operations`).

use std::{fs, path::Path};

use cloudfront_simulator::{
    Switches,
    admin::{GroupPatch, NewList},
    switches::{Detach, IpAddressType, Tolerance},
};
use connection_group_operator::{
    api::{ConnectionGroupStatus, Mode},
    cloudfront::{
        ErrorClass,
        Operation::{CreateConnectionGroup, GetConnectionGroup, UpdateConnectionGroup},
    },
};
use port::Fault;

use crate::world::{PROPAGATION, World, spec};

/// A situation, the `Ready` condition's status and reason, and the other conditions.
type Row = (&'static str, fn() -> World, &'static str, &'static str, &'static [&'static str]);

const TABLE: [Row; 23] = [
    ("deploying", deploying, "False", "Deploying", &["Reconciling"]),
    ("deployed", deployed, "True", "Deployed", &[]),
    ("disabled", disabled, "True", "Disabled", &[]),
    ("drifted", drifted, "True", "Deployed", &["Drifted"]),
    ("throttled", || refused(ErrorClass::Throttled), "False", "Throttled", &["Reconciling"]),
    ("throttled-in-sync", throttled_in_sync, "True", "Deployed", &[]),
    (
        "service-unavailable",
        || refused(ErrorClass::ServiceUnavailable),
        "False",
        "ServiceUnavailable",
        &["Reconciling"],
    ),
    ("conflict", conflict, "False", "Conflict", &["Reconciling"]),
    ("access-denied", || refused(ErrorClass::AccessDenied), "False", "AccessDenied", &["Reconciling"]),
    ("quota-exceeded", || refused(ErrorClass::LimitExceeded), "False", "QuotaExceeded", &["Reconciling"]),
    ("list-not-found", list_not_found, "False", "AnycastIpListNotFound", &["Reconciling"]),
    ("invalid-argument", || refused(ErrorClass::InvalidArgument), "False", "InvalidArgument", &["Stalled"]),
    ("not-owned", not_owned, "False", "NotOwned", &["Stalled"]),
    ("adoption-refused", adoption_refused, "False", "AdoptionRefused", &["Stalled"]),
    ("detach-rejected", detach_rejected, "False", "AnycastDetachRejected", &["Stalled"]),
    ("suspended", suspended, "True", "Deployed", &[]),
    ("deleting-in-use", || deleting(|world| world.tenant_comes("shop")), "False", "InUse", &["Reconciling"]),
    ("deleting-disabling", || deleting(|_| {}), "False", "Disabling", &["Reconciling"]),
    ("deleting-deploying", deleting_while_deploying, "False", "Deploying", &["Reconciling"]),
    ("deleting-deleting", deleting_deleting, "False", "Deleting", &["Reconciling"]),
    (
        "deleting-suspended",
        || deleting(|world| world.edit(|spec| spec.suspend = true)),
        "False",
        "Suspended",
        &["Reconciling"],
    ),
    (
        "deleting-protected",
        || deleting(|world| world.edit(|spec| spec.deletion_protection = true)),
        "False",
        "DeletionProtected",
        &["Reconciling"],
    ),
    ("generation-ahead", generation_ahead, "True", "Deployed", &[]),
];

#[test]
fn each_situation_has_its_conditions() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("states");
    fs::create_dir_all(&folder).unwrap();
    // A situation that is no longer in the table must not be tested.
    let written = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    written
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .for_each(|path| fs::remove_file(path).unwrap());
    for (name, world, ready, reason, beside) in TABLE {
        let world = world();
        let beside = beside.iter().map(ToString::to_string).collect();
        assert_eq!(world.ready(), (ready.to_owned(), reason.to_owned(), beside), "{name}");
        write(&folder, name, &world);
    }
    let mut unseen = World::new(spec());
    unseen.object.status = Some(ConnectionGroupStatus::UNSEEN);
    write(&folder, "unseen", &unseen);
}

fn write(folder: &Path, name: &str, world: &World) {
    let text = serde_json::to_string_pretty(&world.object).unwrap();
    fs::write(folder.join(format!("{name}.json")), text + "\n").unwrap();
}

fn deploying() -> World {
    let mut world = World::new(spec());
    world.reconcile();
    world
}

fn deployed() -> World {
    let mut world = World::new(spec());
    world.settle();
    world.take_inventory();
    world
}

fn disabled() -> World {
    let mut world = deployed();
    world.edit(|spec| spec.enabled = false);
    world.settle();
    world
}

fn drifted() -> World {
    let mut world = World::new(spec());
    world.edit(|spec| {
        spec.mode = Mode::Observe;
        spec.ipv6_enabled = false;
    });
    world.someone_creates(|_| {});
    world.take_inventory();
    world.settle();
    world
}

fn refused(class: ErrorClass) -> World {
    let mut world = World::new(spec());
    world.fail(CreateConnectionGroup, Fault::Error(class));
    world.reconcile();
    world
}

fn throttled_in_sync() -> World {
    let mut world = deployed();
    world.request_reconcile("now");
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    world
}

/// Another client that is always faster.
fn conflict() -> World {
    let mut world = deployed();
    world.edit(|spec| spec.enabled = false);
    for _ in 0..3 {
        world.fail(UpdateConnectionGroup, Fault::ChangedJustBefore);
    }
    world.reconcile();
    world
}

fn list_not_found() -> World {
    let mut world = World::new(spec());
    world.edit(|spec| spec.anycast_ip_list_id = Some("aip_nowhere".into()));
    world.reconcile();
    world
}

fn not_owned() -> World {
    let mut world = World::new(spec());
    world.someone_creates(|group| {
        group.tags.insert("cloudfront.kube-operators.dev/owner".into(), "dev/shop/edge".into());
    });
    world.settle();
    world
}

fn adoption_refused() -> World {
    let mut world = World::new(spec());
    world.someone_creates(|_| {});
    world.advance(PROPAGATION);
    world.take_inventory();
    world.settle();
    world
}

fn detach_rejected() -> World {
    let mut world = World::with_switches(spec(), Switches { detach: Detach::Never, ..Switches::default() });
    let list = NewList::named("static", IpAddressType::Dualstack);
    let id = world.port.account(|account, now| account.outside_create_list(now, list)).id;
    world.edit(|spec| spec.anycast_ip_list_id = Some(id));
    world.settle();
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.settle();
    world
}

fn suspended() -> World {
    let mut world = deployed();
    world.edit(|spec| spec.suspend = true);
    world.someone_edits(GroupPatch { ipv6_enabled: Some(false), ..Default::default() });
    world.reconcile();
    world
}

fn deleting(before: fn(&mut World)) -> World {
    let mut world = deployed();
    before(&mut world);
    world.delete();
    world.reconcile();
    world
}

/// CloudFront accepts no second change while the first is rolled out.
fn deleting_while_deploying() -> World {
    let switches = Switches { update_in_progress: Tolerance::Refuse, ..Switches::default() };
    let mut world = World::with_switches(spec(), switches);
    world.reconcile();
    world.delete();
    world.reconcile();
    world
}

fn deleting_deleting() -> World {
    let mut world = disabled();
    world.take_inventory();
    world.delete();
    world.reconcile();
    world
}

fn generation_ahead() -> World {
    let mut world = deployed();
    world.edit(|spec| spec.enabled = false);
    world
}
