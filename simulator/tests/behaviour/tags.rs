//! Tags of groups and lists.

use cloudfront_simulator::request::{CreateAnycastIpList, CreateConnectionGroup};
use cloudfront_simulator::{ErrorCode, Freshness, Millis, Request, Response};

use super::account::{ETAGS, named, tags, world, world_where};

#[test]
fn tags_are_added_replaced_and_removed_one_by_one() {
    let mut world = world();
    let input =
        CreateConnectionGroup { tags: vec![("a".into(), "1".into()), ("b".into(), "2".into())], ..named("edge") };
    let arn = world.create(input).unwrap().resource.arn;
    world.tag(&arn, &[("b", "3"), ("c", "")]).unwrap();
    assert_eq!(world.tags_of(&arn), Ok(tags(&[("a", "1"), ("b", "3"), ("c", "")])));
    world.untag(&arn, &["a", "never-set"]).unwrap();
    assert_eq!(world.tags_of(&arn), Ok(tags(&[("b", "3"), ("c", "")])));
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[0]);
}

#[test]
fn lists_have_tags_too() {
    let mut world = world();
    let input = CreateAnycastIpList {
        name: "ips".into(),
        ip_count: Some(3),
        tags: vec![("a".into(), "1".into())],
        ..CreateAnycastIpList::default()
    };
    let Ok(Response::CreateAnycastIpList(list)) = world.call(&Request::CreateAnycastIpList(input)) else { panic!() };
    world.tag(&list.arn, &[("b", "2")]).unwrap();
    world.untag(&list.arn, &["a"]).unwrap();
    assert_eq!(world.tags_of(&list.arn), Ok(tags(&[("b", "2")])));
}

#[test]
fn tags_of_what_does_not_exist_are_no_such_resource() {
    let mut world = world();
    let arn = world.deployed("edge").resource.arn;
    world.account.outside_delete_group(world.now, "edge").unwrap();
    for arn in [arn.as_str(), "arn:aws:cloudfront::123456789012:distribution/E1"] {
        assert_eq!(world.tags_of(arn), Err(ErrorCode::NoSuchResource));
        assert_eq!(world.tag(arn, &[("k", "v")]), Err(ErrorCode::NoSuchResource));
        assert_eq!(world.untag(arn, &["k"]), Err(ErrorCode::NoSuchResource));
    }
}

#[test]
fn what_is_no_arn_is_an_invalid_argument() {
    let mut world = world();
    let id = world.deployed("edge").resource.id;
    for arn in [
        id.as_str(),
        "edge",
        "arn:aws:s3:::bucket",
        "arn:aws:cloudfront::x:connection-group/cg_1",
        "arn:aws:cloudfront::",
    ] {
        assert_eq!(world.tags_of(arn), Err(ErrorCode::InvalidArgument), "{arn}");
    }
}

#[test]
fn a_resource_has_at_most_fifty_tags() {
    let mut world = world();
    let many: Vec<_> = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
    let create = |count: usize| CreateConnectionGroup { tags: many[..count].to_vec(), ..named("edge") };
    assert_eq!(world.create(create(51)).unwrap_err(), ErrorCode::InvalidTagging);
    let arn = world.create(create(50)).unwrap().resource.arn;
    assert_eq!(world.tag(&arn, &[("one-more", "")]), Err(ErrorCode::InvalidTagging));
    world.tag(&arn, &[("k0", "replaced")]).unwrap();
}

#[test]
fn a_bad_tag_stops_a_creation_and_a_tagging_whole() {
    let mut world = world();
    let bad = CreateConnectionGroup { tags: vec![("a&b".into(), String::new())], ..named("edge") };
    assert_eq!(world.create(bad).unwrap_err(), ErrorCode::InvalidTagging);
    let arn = world.deployed("edge").resource.arn;
    assert_eq!(world.tag(&arn, &[("good", ""), ("aws:bad", "")]), Err(ErrorCode::InvalidTagging));
    assert_eq!(world.tags_of(&arn), Ok(tags(&[])));
}

#[test]
fn a_stale_read_shows_the_tags_before_the_last_change() {
    let mut world = world();
    let arn = world.deployed("edge").resource.arn;
    world.tag(&arn, &[("k", "1")]).unwrap();
    world.tag(&arn, &[("k", "2")]).unwrap();
    for freshness in [Freshness::Stale { versions: 1 }, Freshness::StaleTags] {
        assert_eq!(world.read_tags(&arn, freshness), Ok(tags(&[("k", "1")])));
    }
}

#[test]
fn who_still_sees_a_deleted_group_sees_its_tags() {
    let lag = Millis::seconds(5);
    let mut world = world_where(|switches| switches.read_lag = lag);
    let arn = world.deployed("edge").resource.arn;
    world.tag(&arn, &[("k", "v")]).unwrap();
    world.wait(lag);
    world.account.outside_delete_group(world.now, "edge").unwrap();
    assert_eq!(world.tags_of(&arn), Ok(tags(&[("k", "v")])));
    world.wait(lag);
    assert_eq!(world.tags_of(&arn), Err(ErrorCode::NoSuchResource));
    assert_eq!(world.read_tags(&arn, Freshness::Stale { versions: 1 }), Ok(tags(&[("k", "v")])));
}
