//! Whatever CloudFront says, what people read stays short, and every reason is a word that Kubernetes takes.

use connection_group_operator::{
    api::ConnectionGroupSpec,
    cloudfront::{
        AnycastIpListId, ApiError, Arn, Config, Deployment, Described, Elements, ErrorClass, Etag, Group, GroupId,
        GroupName, Operation, Tags, Tenants,
    },
    reconcile::{Inputs, ObjectState, Outcome, freshness::UpToDate, ownership::OwnerTag, reconcile},
};
use port::{AnsweredBy, Way};
use proptest::{prelude::*, sample::select};

use super::anything;
use crate::{
    odd::Odd,
    world::{World, now, spec},
};

/// The longest of the texts that AWS documents a limit for, the value of a tag, in characters.
const AWS_LIMIT: usize = 256;

/// What a proxy may answer in CloudFront's place, in characters: up to 100 kB.
const PAGE: usize = 25_000;

/// Eight differences of tags, with keys of 128 characters and twice as long values. Kubernetes takes 32,768.
const WORDIEST: usize = 6_000;

/// Whether it is a reason: `^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`, at most 1,024 characters.
fn is_reason(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_,:".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with([',', ':'])
        && text.chars().all(inner)
        && text.len() <= 1024
}

/// A text of up to that many characters, of any kind.
fn words(longest: usize) -> impl Strategy<Value = String> {
    let unit = prop::collection::vec(any::<char>(), 1..5);
    let length = select(vec![0, 1, longest, longest]);
    (unit, length).prop_map(|(unit, length)| unit.into_iter().cycle().take(length).collect())
}

/// How CloudFront refuses a call.
fn refusal(longest: usize) -> impl Strategy<Value = (Operation, ApiError)> {
    let class = select(ErrorClass::ALL);
    let texts = (prop::option::of(words(longest)), words(longest), prop::option::of(words(longest)));
    (select(Operation::ALL), class, texts).prop_map(|(operation, class, (code, message, request_id))| {
        (operation, ApiError::new(operation, class, code, &message, request_id))
    })
}

/// A spec with such tags, and what CloudFront says of its group: with words of up to that many characters, and errors of
/// up to that many.
fn odd(
    tags: impl Strategy<Value = Tags>,
    longest: usize,
    longest_error: usize,
) -> impl Strategy<Value = (ConnectionGroupSpec, Odd)> {
    let spec = (anything::spec(), tags).prop_map(|(spec, tags)| ConnectionGroupSpec { tags, ..spec });
    let owner = prop_oneof![
        2 => Just(Some("prod/platform/edge".to_owned())),
        1 => Just(None),
        1 => words(longest).prop_map(Some),
    ];
    let texts = prop::collection::vec(words(longest), 8);
    let switches = (any::<[bool; 4]>(), prop::option::of(words(longest)), 0..12_usize);
    let refused = prop::collection::vec(refusal(longest_error), 0..4);
    (spec, owner, texts, switches, refused).prop_map(
        |(spec, owner, texts, ([enabled, ipv6_enabled, exists, beyond_this_page], list, count), refused)| {
            let [id, arn, etag, deployment, endpoint, value, tenant, key] = texts.try_into().unwrap();
            let config = Config { enabled, ipv6_enabled, anycast_ip_list_id: list.map(AnycastIpListId::new) };
            let group = Group {
                id: GroupId::new(id),
                arn: Arn::new(arn),
                name: GroupName::new("edge"),
                etag: Etag::new(etag),
                config: config.into(),
                deployment: Some(Deployment::parse(if deployment.is_empty() { "Deployed" } else { &deployment })),
                routing_endpoint: Some(endpoint),
                is_default: false,
                created: None,
                modified: None,
                elements: Elements::default(),
            };
            let mut tags = spec.tags.keys().map(|key| (key.clone(), value.clone())).collect::<Tags>();
            tags.insert(key, value);
            tags.extend(owner.map(|owner| (OwnerTag::KEY.to_owned(), owner)));
            let tenants = Tenants { count, names: vec![tenant; count.min(10)], beyond_this_page, ..Tenants::default() };
            let odd =
                Odd { described: Described { group, tags }, exists, tenants, refused: refused.into_iter().collect() };
            (spec, odd)
        },
    )
}

/// Some passes in a row, each from the status of the one before.
fn passes(asked: ConnectionGroupSpec, odd: Odd, mut memory: ObjectState, being_deleted: bool) -> Vec<Outcome> {
    let mut world = World::via(Way::Direct, spec());
    world.object.spec = asked;
    if being_deleted {
        world.delete();
    }
    let clock = world.clock();
    let odd = AnsweredBy(odd);
    let around = Inputs {
        port: &odd,
        policy: &world.policy,
        snapshot: None,
        list_error: odd.refused.get(&Operation::ListConnectionGroups),
        clock: &clock,
        freshness: &UpToDate,
    };
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let outcome = now(reconcile(&world.object, &mut memory, &around));
        world.object.status = Some(outcome.status.clone());
        outcomes.push(outcome);
    }
    outcomes
}

/// Whether people and Kubernetes can take it.
fn judge(outcomes: &[Outcome], longest: usize) -> Result<(), TestCaseError> {
    for condition in outcomes.iter().flat_map(|outcome| &outcome.status.conditions) {
        let length = condition.message.chars().count();
        prop_assert!(length < longest, "{} characters: {:.300}", length, condition.message);
        prop_assert!(is_reason(&condition.reason), "{}", condition.reason);
    }
    Ok(())
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn however_much_cloudfront_says_of_an_error_people_read_a_few_lines(
        (asked, odd) in odd(Just(Tags::new()), 60, PAGE),
        memory in anything::memory(),
        being_deleted in any::<bool>(),
    ) {
        judge(&passes(asked, odd, memory, being_deleted), 1_024)?;
    }
}

proptest! {
    #![proptest_config(super::cases(512))]

    #[test]
    fn groups_as_wordy_as_aws_allows_fit_into_a_condition(
        (asked, odd) in odd(anything::most_tags(), AWS_LIMIT, AWS_LIMIT),
        memory in anything::memory(),
        being_deleted in any::<bool>(),
    ) {
        // All that is shown of the differences are tags, whose names and values are the longest.
        let config = &odd.described.group.config;
        let (enabled, ipv6_enabled) = (config.enabled.unwrap(), config.ipv6_enabled.unwrap());
        let asked = ConnectionGroupSpec { enabled, ipv6_enabled, ..asked };
        judge(&passes(asked, odd, memory, being_deleted), WORDIEST)?;
    }
}
