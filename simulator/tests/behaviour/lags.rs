//! Reads that lag, each operation by its own time and however many changes are made meanwhile; names that stay taken; a status that goes back.

use cloudfront_simulator::admin::{GroupPatch, NewGroup};
use cloudfront_simulator::model::DeploymentStatus::{self, Deployed, InProgress};
use cloudfront_simulator::request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup};
use cloudfront_simulator::{ErrorCode, Freshness, Millis, Request, Response, Switches, Tags};

use super::account::{ETAGS, World, named, tags, update_of, world, world_where};

const SECOND: Millis = Millis::seconds(1);

/// A group `edge` that is updated, and tagged with the same number, at each of the next `updates` seconds.
fn busy(switches: impl FnOnce(&mut Switches), updates: usize) -> (World, String) {
    let mut world = world_where(switches);
    let input = CreateConnectionGroup { tags: vec![("n".into(), "0".into())], ..named("edge") };
    let mut group = world.create(input).unwrap();
    for n in 1..=updates {
        world.wait(SECOND);
        let ipv6_enabled = Some(n % 2 == 0);
        group = world.update(UpdateConnectionGroup { ipv6_enabled, ..update_of(&group) }).unwrap();
        world.tag(&group.resource.arn, &[("n", &n.to_string())]).unwrap();
    }
    (world, group.resource.arn)
}

fn numbered(n: usize) -> Tags {
    tags(&[("n", &n.to_string())])
}

fn listed(world: &mut World) -> Vec<(String, DeploymentStatus)> {
    let request = Request::ListConnectionGroups { anycast_ip_list_id: None, page: PageRequest::default() };
    match world.call(&request) {
        Ok(Response::ListConnectionGroups(page)) => {
            page.items.into_iter().map(|group| (group.etag, group.status)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_read_that_lags_goes_through_every_version_in_turn() {
    let lag = Millis(2500);
    let (mut world, _) = busy(|switches| switches.read_lag = lag, 2);
    assert_eq!(world.get("edge").unwrap_err(), ErrorCode::EntityNotFound, "three changes ago");
    for etag in ETAGS {
        world.wait(SECOND);
        assert_eq!(world.get("edge").unwrap().etag, etag);
    }
}

#[test]
fn each_operation_lags_by_its_own_time() {
    let lags = |switches: &mut Switches| {
        (switches.read_lag, switches.list_lag, switches.tag_lag) = (Millis(500), Millis(1500), Millis(2500));
    };
    let (mut world, arn) = busy(lags, 2);
    world.wait(SECOND);
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[2]);
    assert_eq!(listed(&mut world)[0].0, ETAGS[1]);
    assert_eq!(world.tags_of(&arn), Ok(numbered(0)));
}

#[test]
fn no_lag_of_one_operation_is_one_of_another() {
    for (lagging, lag) in [("get", 0), ("list", 1), ("tags", 2)] {
        let lags = |switches: &mut Switches| {
            let lags = [&mut switches.read_lag, &mut switches.list_lag, &mut switches.tag_lag];
            *lags.into_iter().nth(lag).unwrap() = Millis(500);
        };
        let (mut world, arn) = busy(lags, 1);
        let shown = [
            ("get", world.get("edge").unwrap().etag == ETAGS[1]),
            ("list", listed(&mut world)[0].0 == ETAGS[1]),
            ("tags", world.tags_of(&arn) == Ok(numbered(1))),
        ];
        for (operation, is_fresh) in shown {
            assert_eq!(is_fresh, operation != lagging, "{operation} while {lagging} lags");
        }
    }
}

#[test]
fn a_read_that_lags_shows_the_status_of_its_time() {
    let lag = Millis::seconds(10);
    let mut world = world_where(|switches| (switches.read_lag, switches.list_lag) = (lag, lag));
    world.create(named("edge")).unwrap();
    for (wait, status) in [(Switches::DEFAULT.propagation, InProgress), (lag, Deployed)] {
        world.wait(wait);
        assert_eq!(world.get("edge").unwrap().resource.status, status);
        assert_eq!(listed(&mut world)[0].1, status);
    }
}

#[test]
fn several_groups_that_are_gone_show_for_as_long_as_reads_lag() {
    let lag = Millis::seconds(5);
    let mut world = world_where(|switches| (switches.read_lag, switches.list_lag) = (lag, lag));
    for name in ["a", "b"] {
        world.disabled(name);
    }
    world.wait(lag);
    for name in ["a", "b"] {
        world.account.outside_delete_group(world.now, name).unwrap();
        world.wait(SECOND);
    }
    assert!(world.get("a").is_ok() && world.get("b").is_ok());
    assert_eq!(listed(&mut world).len(), 2);
    world.wait(lag);
    assert_eq!(listed(&mut world).len(), 0);
    assert_eq!(world.get("a").unwrap_err(), ErrorCode::EntityNotFound);
}

#[test]
fn a_stale_read_misses_as_many_changes_as_it_is_told_to_and_as_the_account_keeps() {
    for (past_versions, expected) in [(1, [ETAGS[1], ETAGS[1]]), (2, [ETAGS[1], ETAGS[0]])] {
        let (mut world, arn) = busy(|switches| switches.past_versions = past_versions, 2);
        let seen = [1, 2].map(|versions| world.read("edge", Freshness::Stale { versions }).unwrap().etag);
        assert_eq!(seen, expected);
        let two_back = world.read_tags(&arn, Freshness::Stale { versions: 2 });
        assert_eq!(two_back, Ok(numbered(usize::from(past_versions == 1))));
    }
}

#[test]
fn without_a_lag_an_account_does_not_grow_with_its_history() {
    let (short, _) = busy(|_| (), 2);
    let (long, _) = busy(|_| (), 20);
    let size = |world: &World| format!("{:?}", world.account).len();
    assert!(size(&long) < size(&short) + 50, "{} and {}", size(&short), size(&long));
}

#[test]
fn a_tenant_that_came_and_one_that_left_show_after_the_time_switched() {
    let lag = Millis::seconds(5);
    let mut world = world_where(|switches| switches.tenant_lag = lag);
    let edge = world.disabled("edge");
    let names = |world: &mut World| {
        let connection_group_id = Some(edge.resource.id.clone());
        let page = PageRequest::default();
        match world.call(&Request::ListDistributionTenants { distribution_id: None, connection_group_id, page }) {
            Ok(Response::ListDistributionTenants(page)) => page.items.len(),
            other => panic!("{other:?}"),
        }
    };
    world.tenant("edge", "shop");
    assert_eq!(names(&mut world), 0);
    world.wait(lag);
    assert_eq!(names(&mut world), 1);
    world.account.outside_delete_tenant(world.now, "shop").unwrap();
    assert_eq!((names(&mut world), world.account.tenants().len()), (1, 0), "it has left, and is listed");
    assert!(world.account.outside_delete_tenant(world.now, "shop").is_err());
    world.wait(lag);
    assert_eq!(names(&mut world), 0);
}

#[test]
fn a_deletion_is_decided_by_the_tenants_that_are_there_whatever_lists_show() {
    let lag = Millis::seconds(5);
    let mut world = world_where(|switches| switches.tenant_lag = lag);
    let edge = world.disabled("edge");
    world.tenant("edge", "shop");
    let delete = |world: &mut World| world.delete(&edge.resource.id, Some(&edge.etag));
    assert_eq!(delete(&mut world).unwrap_err(), ErrorCode::CannotDeleteEntityWhileInUse);
    world.wait(lag);
    world.account.outside_delete_tenant(world.now, "shop").unwrap();
    delete(&mut world).unwrap();
}

#[test]
fn the_name_of_a_deleted_group_stays_taken_for_the_time_switched() {
    for delay in [Millis(0), Millis::seconds(5)] {
        let mut world = world_where(|switches| switches.name_reuse_delay = delay);
        for name in ["edge", "other"] {
            let group = world.disabled(name);
            world.delete(&group.resource.id, Some(&group.etag)).unwrap();
        }
        assert_eq!(world.get("edge").unwrap_err(), ErrorCode::EntityNotFound);
        let taken = delay > Millis(0);
        assert_eq!(world.create(named("edge")).err(), taken.then_some(ErrorCode::EntityAlreadyExists));
        let outside = world.account.clone().outside_create_group(world.now, NewGroup::named("edge"));
        assert!(outside.is_err(), "{delay}: by the first one, or because it is held");
        world.wait(delay);
        assert_eq!(world.create(named("edge")).is_ok(), taken);
    }
}

#[test]
fn a_status_may_go_back_once() {
    let flap = Millis::seconds(10);
    let mut world = world_where(|switches| switches.status_flap = flap);
    let group = world.create(named("edge")).unwrap();
    let first = Switches::DEFAULT.propagation;
    for (wait, status) in [(Millis(0), InProgress), (first, Deployed), (flap, InProgress), (flap, Deployed)] {
        world.wait(wait);
        let shown = world.get("edge").unwrap();
        assert_eq!((shown.etag, shown.resource.status), (group.etag.clone(), status));
    }
    world.wait(Millis::seconds(3600));
    assert_eq!(world.get("edge").unwrap().resource.status, Deployed);
}

#[test]
fn what_is_everywhere_at_once_does_not_go_back() {
    let mut world = world_where(|switches| switches.status_flap = Millis::seconds(10));
    world.deployed("edge");
    world.wait(Millis::seconds(15));
    assert_eq!(world.get("edge").unwrap().resource.status, Deployed);
}

#[test]
fn somebody_who_saves_a_group_makes_a_new_version_of_it_whether_or_not_it_differs() {
    let mut world = world();
    let group = world.deployed("edge");
    let saved = world.account.outside_save_group(world.now, "edge", GroupPatch::default()).unwrap();
    assert_eq!((saved.etag.as_str(), saved.resource.enabled), (ETAGS[1], group.resource.enabled));
    assert_eq!(world.update(update_of(&group)).unwrap_err(), ErrorCode::PreconditionFailed);
}
