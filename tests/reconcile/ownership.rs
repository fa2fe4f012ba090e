//! Whose group is it: owner tags, adoption, and two objects for one name.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{
    Account,
    admin::{GroupPatch, NewGroup},
};
use connection_group_operator::{
    api::{AdoptionPolicy, DeletionPolicy},
    cloudfront::{
        ErrorClass,
        Operation::{GetConnectionGroup, ListConnectionGroups, TagResource},
    },
    reconcile::Finalizer,
};

use port::Fault;

use crate::world::{IDENTITY, OWNER, PROPAGATION, World, marks, spec};

/// An old, unowned group of the object's name.
pub fn beside_an_unowned_group(policy: AdoptionPolicy, allowed: bool) -> World {
    let mut world = World::new(spec());
    world.settings.allow_adoption = allowed;
    world.edit(|spec| spec.adoption_policy = policy);
    world.someone_creates(|_| {});
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.calls();
    world
}

#[test]
fn another_owners_group_is_never_touched_and_the_owner_is_named() {
    for policy in [AdoptionPolicy::Never, AdoptionPolicy::IfUnchanged, AdoptionPolicy::Always] {
        let mut world = World::new(spec());
        world.settings.allow_adoption = true;
        world.edit(|spec| {
            spec.adoption_policy = policy;
            spec.enabled = false;
        });
        world.someone_creates(|group| {
            group.tags.insert(OWNER.into(), "dev/shop/edge".into());
        });
        world.take_inventory();
        world.settle();
        assert_eq!(world.mutations(), [], "{policy:?}");
        assert_eq!(world.ready(), ("False".into(), "NotOwned".into(), vec!["Stalled".into()]));
        assert!(world.message().contains("'dev/shop/edge'"), "{}", world.message());
        assert_eq!(world.status().id, None, "another owner's group is not shown as ours");
    }
}

#[test]
fn an_owner_that_differs_only_in_case_is_another_owner() {
    for owner in ["PROD/platform/edge", "prod/Platform/edge", "prod/platform/Edge"] {
        let mut world = World::new(spec());
        world.edit(|spec| spec.enabled = false);
        world.someone_creates(|group| {
            group.tags.insert(OWNER.into(), owner.into());
        });
        world.advance(std::time::Duration::from_hours(1));
        world.take_inventory();
        world.settle();
        assert_eq!((world.mutations(), world.ready().1), (vec![], "NotOwned".into()), "{owner}");
    }
}

#[test]
fn a_changed_owner_id_is_noticed_in_the_first_reconcile_although_nothing_else_differs() {
    let mut world = World::new(spec());
    world.settle();
    let before = world.status();
    world.crash();
    world.take_inventory();
    world.calls();
    world.settings.owner_id = "stage".into();
    world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "NotOwned".into(), vec!["Stalled".into()]));
    for text in ["'prod/platform/edge'", "owner id is 'stage'", "back to 'prod'; do not delete this object"] {
        assert!(world.message().contains(text), "{text}: {}", world.message());
    }
    assert!(!world.message().contains("delete it"), "that object is this one: {}", world.message());
    world.settings.owner_id = "prod".into();
    world.settle();
    assert_eq!((world.status().id, world.ready().1), (before.id, "Deployed".into()));
    assert_eq!(world.mutations(), [], "nothing was touched either way");
}

#[test]
fn a_name_taken_after_the_last_list_is_detected_by_the_refused_create() {
    let mut world = World::new(spec());
    world.someone_creates(|group| {
        group.tags.insert(OWNER.into(), "dev/shop/edge".into());
    });
    world.reconcile();
    assert_eq!(world.ready().1, "NotOwned");
    assert_eq!(world.group_count(), 1);
}

#[test]
fn adoption_needs_both_permissions_and_a_refusal_names_the_missing_ones() {
    for (policy, allowed, adopted, says) in [
        (AdoptionPolicy::Never, false, false, &["spec.adoptionPolicy is Never", "--allow-adoption"][..]),
        (AdoptionPolicy::Never, true, false, &["spec.adoptionPolicy is Never"]),
        (AdoptionPolicy::Always, false, false, &["--allow-adoption"]),
        (AdoptionPolicy::IfUnchanged, false, false, &["--allow-adoption"]),
        (AdoptionPolicy::IfUnchanged, true, true, &[]),
        (AdoptionPolicy::Always, true, true, &[]),
    ] {
        let mut world = beside_an_unowned_group(policy, allowed);
        world.settle();
        if adopted {
            assert_eq!(world.mutations(), [TagResource], "{policy:?}");
            assert_eq!(world.ready().1, "Deployed");
            assert_eq!(world.tags()[OWNER], "prod/platform/edge");
            assert!(world.event_reasons().contains(&"Adopted"));
        } else {
            assert_eq!(world.mutations(), [], "{policy:?} {allowed}");
            assert_eq!(world.ready(), ("False".into(), "AdoptionRefused".into(), vec!["Stalled".into()]));
            assert!(says.iter().all(|text| world.message().contains(text)), "{}", world.message());
            assert!(allowed != world.message().contains("--allow-adoption"), "{}", world.message());
        }
    }
}

#[test]
fn if_unchanged_refuses_a_group_that_differs_and_says_where() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::IfUnchanged, true);
    world.edit(|spec| spec.ipv6_enabled = false);
    world.settle();
    assert_eq!(world.mutations(), []);
    assert!(world.message().contains("ipv6Enabled is 'true', the spec says 'false'"), "{}", world.message());
}

#[test]
fn whoever_is_told_how_a_group_becomes_the_objects_is_told_first_if_it_would_then_be_disabled() {
    let warning = "The group is enabled, and spec.enabled is false: once the group belongs to this object, the operator disables it";
    for (enabled, enabled_now, warned) in
        [(false, true, true), (true, true, false), (true, false, false), (false, false, false)]
    {
        let worlds = [
            ("NotOwned", taken_by("dev/shop/edge")),
            ("AnotherInstallation", taken_by("prod/platform/edge")),
            ("AdoptionRefused", beside_an_unowned_group(AdoptionPolicy::Never, true)),
            ("AdoptionRefused", beside_an_unowned_group(AdoptionPolicy::IfUnchanged, false)),
            ("AdoptionRefused", beside_an_unowned_group(AdoptionPolicy::Always, false)),
            ("Adopting", beside_an_unowned_group(AdoptionPolicy::Always, true)),
        ];
        for (reason, mut world) in worlds {
            world.edit(|spec| spec.enabled = enabled);
            world.someone_edits(GroupPatch { enabled: Some(enabled_now), ..GroupPatch::default() });
            world.advance(Duration::from_hours(1));
            world.take_inventory();
            world.reconcile();
            assert_eq!((world.ready().1.as_str(), world.mutations()), (reason, vec![]));
            let at = world.message().find(warning);
            assert_eq!(at.is_some(), warned, "{enabled} {enabled_now}: {}", world.message());
            let advice = ["set the policy to", "(set it to", "then delete it", "--take-over-installation"];
            let advised = advice.iter().filter_map(|advice| world.message().find(advice)).min();
            assert!(at.is_none() || advised.is_none_or(|advised| at < Some(advised)), "{}", world.message());
        }
    }
}

/// An object whose group of that name carries that owner tag, and the identity of another installation.
fn taken_by(owner: &str) -> World {
    let world = World::new(spec());
    let tags = [(OWNER.to_owned(), owner.to_owned()), (IDENTITY.to_owned(), "uid-elsewhere".to_owned())];
    world.someone_creates(|group| group.tags.extend(tags));
    world
}

#[test]
fn the_advice_for_a_group_that_differs_is_to_make_the_spec_match_first() {
    for policy in [AdoptionPolicy::Never, AdoptionPolicy::IfUnchanged] {
        let mut world = beside_an_unowned_group(policy, true);
        world.edit(|spec| spec.ipv6_enabled = false);
        world.settle();
        let (matching, always) =
            (world.message().find("make the spec match the group"), world.message().find("Always would change"));
        assert!(matching.is_some() && matching < always, "{}", world.message());
    }
}

#[test]
fn a_refusal_ends_when_its_cause_is_gone() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Never, true);
    world.settle();
    world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
    world.settle_within(world.settings.consistency_window + Duration::from_secs(5), 10);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn always_adopts_first_and_makes_the_group_match_in_the_next_reconcile() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.edit(|spec| spec.ipv6_enabled = false);
    world.confirm_unowned();
    world.reconcile();
    assert_eq!(world.mutations(), [TagResource]);
    world.settle();
    assert!(!world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn the_tags_of_an_adopted_group_that_the_spec_does_not_name_stay() {
    let mut world = World::new(spec());
    world.settings.allow_adoption = true;
    world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
    world.someone_creates(|group| {
        group.tags.insert("cost".into(), "42".into());
    });
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.settle();
    assert_eq!(world.tags()["cost"], "42");
}

#[test]
fn a_group_whose_owner_tag_shows_before_the_second_read_is_not_adopted() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "Adopting".into(), vec!["Reconciling".into()]));
    assert!(world.message().contains("if no owner tag appears"), "{}", world.message());
    let owner = [(OWNER.to_owned(), "dev/shop/edge".to_owned())].into();
    world.someone_edits(GroupPatch { set_tags: owner, ..GroupPatch::default() });
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "NotOwned".into()));
    assert_eq!(world.tags()[OWNER], "dev/shop/edge");
}

#[test]
fn an_adoption_is_one_event() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.settle();
    assert_eq!(world.event_reasons(), ["Adopted", "Deployed"]);
}

#[test]
fn a_forged_status_removes_no_tag_that_no_spec_can_hold() {
    let mut world = World::new(spec());
    world.settle();
    let aws = "aws:cloudformation:stack-name";
    world.someone_edits(GroupPatch { set_tags: [(aws.into(), "x".into())].into(), ..GroupPatch::default() });
    let forged = world.object.status.as_mut().unwrap();
    forged.tags = [(aws.to_owned(), "x".to_owned()), (OWNER.to_owned(), String::new())].into();
    world.calls();
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "Deployed".into()));
}

#[test]
fn a_young_group_without_owner_tag_may_be_our_own_and_is_read_again() {
    let mut world = World::new(spec());
    world.settings.allow_adoption = true;
    world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
    world.someone_creates(|_| {});
    world.take_inventory();
    world.calls();
    world.reconcile();
    assert_eq!(world.mutations(), []);
    assert_eq!(world.ready(), ("False".into(), "TagsPending".into(), vec!["Reconciling".into()]));
}

#[test]
fn an_adoption_that_was_refused_is_not_taken_for_one_whose_tags_are_not_visible_yet() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.reconcile();
    world.advance(world.settings.consistency_window);
    for _ in 0..2 {
        world.fail(TagResource, Fault::Error(ErrorClass::AccessDenied));
        world.advance(Duration::from_secs(30));
        world.reconcile();
        assert_eq!(world.ready().1, "AccessDenied", "{}", world.message());
    }
}

#[test]
fn an_owner_tag_that_others_removed_stops_us_at_once() {
    let mut world = World::new(spec());
    world.settle();
    let patch = GroupPatch { remove_tags: vec![OWNER.into()], enabled: Some(false), ..Default::default() };
    world.someone_edits(patch);
    world.take_inventory();
    world.calls();
    world.settle();
    assert_eq!(world.mutations(), []);
    assert_eq!(world.ready().1, "AdoptionRefused");
}

#[test]
fn the_default_group_is_never_changed_or_deleted_even_if_it_carries_our_owner_tag() {
    for deletion_policy in [DeletionPolicy::Delete, DeletionPolicy::Retain] {
        let mut world = World::new(spec());
        let default = world.port.account(Account::outside_create_default_group).resource.name;
        let owner = [(OWNER.to_owned(), "prod/platform/edge".to_owned())].into();
        let ours = GroupPatch { set_tags: owner, ..GroupPatch::default() };
        let before = world.port.account(|account, now| account.outside_edit_group(now, &default, ours)).unwrap();
        world.edit(|spec| {
            spec.name = Some(default.clone());
            spec.enabled = false;
            spec.deletion_policy = deletion_policy;
        });
        world.advance(PROPAGATION);
        world.take_inventory();
        world.settle();
        assert_eq!(world.ready(), ("False".into(), "DefaultGroup".into(), vec!["Stalled".into()]));
        world.delete();
        world.settle();
        assert_eq!(world.reconcile().finalizer, Finalizer::Release, "{}", world.message());
        assert_eq!(world.mutations(), [], "{deletion_policy:?}");
        let after = world.port.account(|account, now| account.groups(now));
        assert_eq!(after.iter().map(|group| &group.etag).collect::<Vec<_>>(), [&before.etag]);
        assert_eq!(after[0].resource.tags, before.resource.tags);
    }
}

#[test]
fn the_default_group_is_never_managed() {
    let mut world = World::new(spec());
    world.settings.allow_adoption = true;
    let default = world.port.account(Account::outside_create_default_group).resource;
    world.edit(|spec| {
        spec.name = Some(default.name.clone());
        spec.adoption_policy = AdoptionPolicy::Always;
        spec.enabled = false;
    });
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.calls();
    world.settle();
    assert_eq!(world.mutations(), []);
    assert_eq!(world.ready(), ("False".into(), "DefaultGroup".into(), vec!["Stalled".into()]));
}

#[test]
fn a_status_that_points_at_another_group_is_not_followed() {
    let mut world = World::new(spec());
    world.settle();
    let victim = cloudfront_simulator::admin::NewGroup::named("victim");
    let victim = world.port.account(|account, now| account.outside_create_group(now, victim)).unwrap();
    let status = world.object.status.as_mut().unwrap();
    status.id = Some(victim.resource.id.clone());
    status.arn = Some(victim.resource.arn.clone());
    status.e_tag = Some(victim.etag.clone());
    world.edit(|spec| spec.enabled = false);
    world.settle();
    let after = world.port.account(|account, now| account.group(now, "victim")).unwrap();
    assert_eq!(after.etag, victim.etag, "not touched");
    assert!(!world.group().unwrap().resource.enabled);
}

#[test]
fn a_name_that_reads_as_another_groups_id_does_not_reach_that_group() {
    // Whatever the other group carries: it may even be one that this object created under another name.
    for tags in [BTreeMap::new(), marks()] {
        let mut world = World::new(spec());
        world.settings.allow_adoption = true;
        let victim = NewGroup { tags: tags.clone(), ..NewGroup::named("victim") };
        let victim = world.port.account(|account, now| account.outside_create_group(now, victim)).unwrap().resource.id;
        world.advance(Duration::from_hours(1));
        let before = world.groups()[&victim].clone();
        world.edit(|spec| {
            spec.name = Some(victim.clone());
            spec.adoption_policy = AdoptionPolicy::Always;
            spec.enabled = false;
            spec.tags.insert("team".into(), "edge".into());
        });
        // Without lists, every reconcile reads the group by its name.
        world.snapshot = None;
        world.keep_failing(ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
        world.settle_within(Duration::from_mins(10), 60);
        assert!(world.calls().contains(&GetConnectionGroup));
        assert_eq!(world.groups()[&victim], before, "{tags:?}");
        world.faults_stop();
        world.delete();
        world.settle_within(Duration::from_mins(10), 60);
        assert!(world.is_released(), "{}", world.message());
        assert_eq!(world.groups(), [(victim, before)].into(), "{tags:?}");
    }
}

#[test]
fn after_a_refused_read_by_id_the_group_is_read_by_name_and_no_other_failure_is_ignored() {
    let classes = [ErrorClass::AccessDenied, ErrorClass::InvalidArgument, ErrorClass::Unexpected];
    for (class, passed_over) in classes
        .map(|class| (class, true))
        .into_iter()
        .chain([(ErrorClass::Throttled, false), (ErrorClass::TimedOut, false)])
    {
        let mut world = World::new(spec());
        world.settle();
        world.object.status.as_mut().unwrap().id = Some("cg_forged".into());
        world.edit(|spec| spec.enabled = false);
        world.fail(GetConnectionGroup, Fault::Error(class));
        world.calls();
        world.reconcile();
        assert_eq!(!world.group().unwrap().resource.enabled, passed_over, "{class:?}: {}", world.message());
    }
}
