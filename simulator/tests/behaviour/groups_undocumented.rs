//! Every switch of what AWS does not document: its default, and what turning it does.

use cloudfront_simulator::admin::GroupPatch;
use cloudfront_simulator::request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup};
use cloudfront_simulator::switches::{
    CreatePrecedence, DefaultGroupDeletion, Detach, EmptyUpdate, FullList, ImplausibleIfMatch, IpAddressType,
    Ipv6OnIpv4List, Names, OversizedPage, Throttling, Tolerance, UnknownFilter, UnknownList, WriteBy, WritePrecedence,
};
use cloudfront_simulator::{ErrorCode, Freshness, Millis, Request, Response, Switches};

use super::account::{ETAGS, World, named, tags, update_of, world, world_where};

fn disable(world: &mut World, name: &str) -> Result<(), ErrorCode> {
    let group = world.get(name)?;
    world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).map(drop)
}

#[test]
fn an_update_while_in_progress_is_accepted_or_refused_until_deployed() {
    let mut lenient = world();
    lenient.create(named("edge")).unwrap();
    disable(&mut lenient, "edge").unwrap();

    let mut strict = world_where(|switches| switches.update_in_progress = Tolerance::Refuse);
    strict.create(named("edge")).unwrap();
    assert_eq!(disable(&mut strict, "edge").unwrap_err(), ErrorCode::ResourceInUse);
    strict.wait(Switches::DEFAULT.propagation);
    disable(&mut strict, "edge").unwrap();
}

#[test]
fn a_deletion_while_in_progress_is_accepted_or_refused_until_deployed() {
    for (tolerance, expected) in [(Tolerance::Accept, None), (Tolerance::Refuse, Some(ErrorCode::ResourceNotDisabled))]
    {
        let mut world = world_where(|switches| switches.delete_in_progress = tolerance);
        let group = world.create(CreateConnectionGroup { enabled: Some(false), ..named("edge") }).unwrap();
        assert_eq!(world.delete(&group.resource.id, Some(&group.etag)).err(), expected);
        if expected.is_some() {
            world.wait(Switches::DEFAULT.propagation);
            world.delete(&group.resource.id, Some(&group.etag)).unwrap();
        }
    }
}

#[test]
fn disabling_a_group_with_tenants_is_accepted_or_refused() {
    for (tolerance, expected) in [(Tolerance::Accept, None), (Tolerance::Refuse, Some(ErrorCode::ResourceInUse))] {
        let mut world = world_where(|switches| switches.disable_with_tenants = tolerance);
        world.deployed("edge");
        world.tenant("edge", "customer");
        assert_eq!(disable(&mut world, "edge").err(), expected);
    }
}

#[test]
fn an_empty_list_id_detaches_or_does_nothing_or_is_rejected() {
    for (detach, expected) in [
        (Detach::EmptyElement, Ok(false)),
        (Detach::Never, Ok(true)),
        (Detach::Rejected, Err(ErrorCode::InvalidArgument)),
    ] {
        let mut world = world_where(|switches| switches.detach = detach);
        let list = world.list("ips", IpAddressType::Dualstack);
        let group = world.create(CreateConnectionGroup { anycast_ip_list_id: Some(list), ..named("edge") }).unwrap();
        let outcome =
            world.update(UpdateConnectionGroup { anycast_ip_list_id: Some(String::new()), ..update_of(&group) });
        assert_eq!(outcome.map(|group| group.resource.anycast_ip_list_id.is_some()), expected, "{detach:?}");
    }
}

#[test]
fn an_update_keeps_or_clears_the_newer_members_that_it_omits() {
    for omission_clears in [false, true] {
        let mut world = world_where(|switches| switches.omission_clears = omission_clears);
        let fallback = || Some("E1ABC".to_owned());
        let group = world.create(CreateConnectionGroup { viewer_fallback: fallback(), ..named("edge") }).unwrap();
        let kept = world.update(UpdateConnectionGroup { viewer_fallback: fallback(), ..update_of(&group) }).unwrap();
        assert_eq!(kept.resource.viewer_fallback, fallback(), "sent along, it stays either way");
        let further_elements = [("Later".to_owned(), "x".to_owned())].into();
        let patch = GroupPatch { further_elements, ..GroupPatch::default() };
        world.account.outside_edit_group(world.now, "edge", patch).unwrap();
        disable(&mut world, "edge").unwrap();
        let shown = world.get("edge").unwrap().resource;
        let cleared = (shown.viewer_fallback.is_none(), shown.further_elements.is_empty());
        assert_eq!(cleared, (omission_clears, omission_clears));
    }
}

#[test]
fn an_empty_fallback_takes_it_off() {
    let mut world = world();
    let viewer_fallback = Some("E1ABC".to_owned());
    let group = world.create(CreateConnectionGroup { viewer_fallback, ..named("edge") }).unwrap();
    let input = UpdateConnectionGroup { viewer_fallback: Some(String::new()), ..update_of(&group) };
    assert_eq!(world.update(input).unwrap().resource.viewer_fallback, None);
}

#[test]
fn omitting_the_list_keeps_it_or_detaches_it() {
    for omission_detaches in [false, true] {
        let mut world = world_where(|switches| switches.omission_detaches = omission_detaches);
        let list = world.list("ips", IpAddressType::Dualstack);
        world.create(CreateConnectionGroup { anycast_ip_list_id: Some(list), ..named("edge") }).unwrap();
        disable(&mut world, "edge").unwrap();
        assert_eq!(world.get("edge").unwrap().resource.anycast_ip_list_id.is_none(), omission_detaches);
    }
}

#[test]
fn an_update_that_changes_nothing_makes_a_new_version_or_not() {
    for (empty_update, etag) in [(EmptyUpdate::NewVersion, ETAGS[1]), (EmptyUpdate::Unchanged, ETAGS[0])] {
        let mut world = world_where(|switches| switches.empty_update = empty_update);
        let group = world.deployed("edge");
        assert_eq!(world.update(update_of(&group)).unwrap().etag, etag);
    }
}

#[test]
fn the_default_group_can_never_be_deleted() {
    for (switch, code) in [
        (DefaultGroupDeletion::CannotDeleteEntityWhileInUse, ErrorCode::CannotDeleteEntityWhileInUse),
        (DefaultGroupDeletion::AccessDenied, ErrorCode::AccessDenied),
        (DefaultGroupDeletion::IllegalDelete, ErrorCode::IllegalDelete),
        (DefaultGroupDeletion::InvalidArgument, ErrorCode::InvalidArgument),
    ] {
        let mut world = world_where(|switches| switches.default_group_deletion = switch);
        let group = world.account.outside_create_default_group(world.now);
        assert!(group.resource.is_default && group.resource.enabled && group.resource.ipv6_enabled);
        assert_eq!(group.resource.name, format!("CreatedByCloudFront-{}", group.resource.id));
        assert_eq!(world.delete(&group.resource.id, Some(&group.etag)).unwrap_err(), code);
        disable(&mut world, &group.resource.id).unwrap();
        assert_eq!(world.delete(&group.resource.id, Some(ETAGS[1])).unwrap_err(), code);
    }
}

/// How a creation and an update are refused that put a group with IPv6 on `list`.
fn refused_on(world: &mut World, list: &str) -> [ErrorCode; 2] {
    let list = || Some(list.to_owned());
    let created = world.create(CreateConnectionGroup { anycast_ip_list_id: list(), ..named("refused") });
    let group = world.deployed("edge");
    let updated = world.update(UpdateConnectionGroup { anycast_ip_list_id: list(), ..update_of(&group) });
    [created.unwrap_err(), updated.unwrap_err()]
}

#[test]
fn a_group_on_a_list_that_does_not_exist_is_refused_with_the_code_switched() {
    for (switch, code) in [
        (UnknownList::EntityNotFound, ErrorCode::EntityNotFound),
        (UnknownList::InvalidArgument, ErrorCode::InvalidArgument),
    ] {
        let mut world = world_where(|switches| switches.unknown_list = switch);
        assert_eq!(refused_on(&mut world, "aip_none"), [code; 2]);
    }
}

#[test]
fn a_group_too_many_on_a_list_is_refused_with_the_code_switched() {
    for (switch, code) in [
        (FullList::EntityLimitExceeded, ErrorCode::EntityLimitExceeded),
        (FullList::InvalidArgument, ErrorCode::InvalidArgument),
    ] {
        let mut world = world_where(|switches| (switches.full_list, switches.groups_per_list) = (switch, 0));
        let list = world.list("ips", IpAddressType::Dualstack);
        assert_eq!(refused_on(&mut world, &list), [code; 2]);
    }
}

#[test]
fn ipv6_on_an_ipv4_only_list_is_refused_with_the_code_switched() {
    for (switch, code) in [
        (Ipv6OnIpv4List::InvalidArgument, ErrorCode::InvalidArgument),
        (Ipv6OnIpv4List::UnsupportedOperation, ErrorCode::UnsupportedOperation),
        (Ipv6OnIpv4List::ResourceInUse, ErrorCode::ResourceInUse),
    ] {
        let mut world = world_where(|switches| switches.ipv6_on_ipv4_list = switch);
        let list = world.list("ips", IpAddressType::Ipv4);
        assert_eq!(refused_on(&mut world, &list), [code; 2]);
    }
}

#[test]
fn a_write_both_outdated_and_in_conflict_gives_the_error_that_goes_first() {
    for (precedence, expected) in [
        (WritePrecedence::VersionFirst, ErrorCode::PreconditionFailed),
        (WritePrecedence::StateFirst, ErrorCode::ResourceNotDisabled),
    ] {
        let mut world = world_where(|switches| switches.write_precedence = precedence);
        let group = world.deployed("edge");
        assert_eq!(world.delete(&group.resource.id, Some(ETAGS[1])).unwrap_err(), expected);
    }
}

#[test]
fn a_taken_name_beyond_the_quota_gives_the_error_that_goes_first() {
    for (precedence, expected) in [
        (CreatePrecedence::NameFirst, ErrorCode::EntityAlreadyExists),
        (CreatePrecedence::QuotaFirst, ErrorCode::EntityLimitExceeded),
    ] {
        let mut world = world_where(|switches| {
            switches.create_precedence = precedence;
            switches.groups_per_account = 1;
        });
        world.create(named("edge")).unwrap();
        assert_eq!(world.create(named("edge")).unwrap_err(), expected);
    }
}

#[test]
fn a_star_matches_any_version_if_it_is_accepted() {
    let mut world = world_where(|switches| switches.if_match_star = Tolerance::Accept);
    let group = world.disabled("edge");
    world.delete(&group.resource.id, Some("*")).unwrap();
}

#[test]
fn an_if_match_that_is_no_etag_can_be_told_from_a_wrong_one() {
    let mut world = world_where(|switches| switches.implausible_if_match = ImplausibleIfMatch::InvalidIfMatchVersion);
    let group = world.disabled("edge");
    assert_eq!(world.delete(&group.resource.id, Some("nonsense")).unwrap_err(), ErrorCode::InvalidIfMatchVersion);
    assert_eq!(world.delete(&group.resource.id, Some(ETAGS[2])).unwrap_err(), ErrorCode::PreconditionFailed);
}

#[test]
fn writes_find_a_group_by_id_only_or_as_reads_do() {
    let mut by_id = world();
    let group = by_id.disabled("edge");
    assert_eq!(by_id.delete("edge", Some(&group.etag)).unwrap_err(), ErrorCode::EntityNotFound);
    let mut by_any = world_where(|switches| switches.write_by = WriteBy::Any);
    let group = by_any.disabled("edge");
    by_any.update(UpdateConnectionGroup { id: group.resource.arn.clone(), ..update_of(&group) }).unwrap();
    by_any.delete("edge", Some(ETAGS[1])).unwrap();
}

#[test]
fn names_can_be_held_to_a_narrow_alphabet() {
    let mut world = world_where(|switches| switches.names = Names::Conservative);
    for name in ["-edge", "a b", "a/b", "\u{fc}", &"x".repeat(65)] {
        assert_eq!(world.create(named(name)).unwrap_err(), ErrorCode::InvalidArgument, "{name}");
    }
    world.create(named("Edge_1-a")).unwrap();
}

#[test]
fn a_group_created_without_enabled_is_what_the_switch_says() {
    for enabled in [true, false] {
        let mut world = world_where(|switches| switches.create_enabled = enabled);
        assert_eq!(world.create(named("edge")).unwrap().resource.enabled, enabled);
    }
}

#[test]
fn pages_have_a_default_and_a_largest_size() {
    let small = |switches: &mut Switches| (switches.page_size, switches.page_size_max) = (2, 3);
    let mut world = world_where(small);
    for n in 0..5 {
        world.create(named(&format!("g{n}"))).unwrap();
    }
    let size = |world: &mut World, max_items| {
        world.page(None, PageRequest { marker: None, max_items }).map(|page| page.0.len())
    };
    assert_eq!(size(&mut world, None), Ok(2));
    assert_eq!(size(&mut world, Some(1000)), Ok(3));
    world.account.set_switches(Switches { oversized_page: OversizedPage::Refuse, ..*world.account.switches() });
    assert_eq!(size(&mut world, Some(1000)), Err(ErrorCode::InvalidArgument));
}

#[test]
fn filtering_by_what_does_not_exist_gives_nothing_or_an_error() {
    let tenants_of = |id: &str| Request::ListDistributionTenants {
        distribution_id: None,
        connection_group_id: Some(id.to_owned()),
        page: PageRequest::default(),
    };
    let mut lenient = world();
    assert_eq!(lenient.page(Some("aip_none"), PageRequest::default()), Ok((Vec::new(), None)));
    assert!(
        matches!(lenient.call(&tenants_of("cg_none")), Ok(Response::ListDistributionTenants(page)) if page.items.is_empty())
    );
    let mut strict = world_where(|switches| switches.unknown_filter = UnknownFilter::NotFound);
    assert_eq!(strict.page(Some("aip_none"), PageRequest::default()), Err(ErrorCode::EntityNotFound));
    assert_eq!(strict.call(&tenants_of("cg_none")).unwrap_err().code, ErrorCode::EntityNotFound);
}

#[test]
fn reads_lag_behind_every_kind_of_change() {
    let lag = Millis::seconds(5);
    let mut world = world_where(|switches| (switches.read_lag, switches.list_lag) = (lag, lag));
    let group = world.create(named("edge")).unwrap();
    assert_eq!(world.get("edge").unwrap_err(), ErrorCode::EntityNotFound);
    world.wait(lag);
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[0]);
    let off = world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).unwrap();
    assert_eq!(off.etag, ETAGS[1], "a write answers with what it wrote");
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[0]);
    world.wait(lag);
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[1]);
    world.delete(&group.resource.id, Some(ETAGS[1])).unwrap();
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[1]);
    assert_eq!(world.page(None, PageRequest::default()).unwrap().0, ["edge"]);
    world.wait(lag);
    assert_eq!(world.get("edge").unwrap_err(), ErrorCode::EntityNotFound);
}

#[test]
fn a_stale_read_shows_the_version_before_the_last_change() {
    let mut world = world();
    let group = world.create(named("edge")).unwrap();
    assert_eq!(world.read("edge", Freshness::Stale { versions: 1 }).unwrap_err(), ErrorCode::EntityNotFound);
    world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).unwrap();
    assert!(world.read("edge", Freshness::Stale { versions: 1 }).unwrap().resource.enabled);
    world.delete(&group.resource.id, Some(ETAGS[1])).unwrap();
    assert!(!world.read("edge", Freshness::Stale { versions: 1 }).unwrap().resource.enabled);
    assert_eq!(world.get("edge").unwrap_err(), ErrorCode::EntityNotFound);
}

#[test]
fn tags_are_echoed_where_the_switches_say() {
    let with_tag = || CreateConnectionGroup { tags: vec![("k".into(), "v".into())], ..named("edge") };
    for (create, get) in [(true, false), (false, true)] {
        let mut world = world_where(|s| (s.create_echoes_tags, s.get_echoes_tags) = (create, get));
        let echo = |yes: bool| yes.then(|| tags(&[("k", "v")]));
        assert_eq!(world.create(with_tag()).unwrap().resource.tags, echo(create));
        let read = world.get("edge").unwrap();
        assert_eq!(read.resource.tags, echo(get));
        assert_eq!(world.update(update_of(&read)).unwrap().resource.tags, echo(get));
    }
}

#[test]
fn a_change_of_tags_moves_the_etag_only_if_switched_so() {
    for (moves, etag) in [(false, ETAGS[0]), (true, ETAGS[1])] {
        let mut world = world_where(|switches| switches.tags_move_etag = moves);
        let arn = world.deployed("edge").resource.arn;
        world.tag(&arn, &[("k", "v")]).unwrap();
        assert_eq!(world.get("edge").unwrap().etag, etag);
    }
}

#[test]
fn calls_beyond_the_rate_are_throttled_until_time_has_passed() {
    let mut world = world_where(|switches| (switches.rate, switches.burst) = (2, 3));
    let outcomes =
        |world: &mut World, calls: usize| -> Vec<_> { (0..calls).map(|_| world.get("nobody").unwrap_err()).collect() };
    let (through, throttled) = (ErrorCode::EntityNotFound, ErrorCode::Throttling);
    assert_eq!(outcomes(&mut world, 4), [through, through, through, throttled]);
    world.wait(Millis(499));
    assert_eq!(outcomes(&mut world, 1), [throttled]);
    world.wait(Millis(1));
    assert_eq!(outcomes(&mut world, 2), [through, throttled]);
    world.wait(Millis::seconds(60));
    assert_eq!(outcomes(&mut world, 4), [through, through, through, throttled]);
}

#[test]
fn a_call_too_many_is_refused_with_the_code_switched() {
    for (switch, code, status) in [
        (Throttling::Throttling, ErrorCode::Throttling, 400),
        (Throttling::TooManyRequests, ErrorCode::TooManyRequests, 429),
        (Throttling::SlowDown, ErrorCode::SlowDown, 503),
    ] {
        let mut world = world_where(|s| (s.rate, s.burst, s.throttling) = (1, 0, switch));
        assert_eq!(world.get("edge").unwrap_err(), code);
        assert_eq!(code.status(), status);
    }
}
