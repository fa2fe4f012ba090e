//! Whatever CloudFront answers, messages stay short, and Kubernetes accepts every reason.

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

/// The highest limit that AWS documents for a text, the value of a tag, in characters.
const AWS_LIMIT: usize = 256;

/// What a proxy may answer instead of CloudFront, in characters: up to 100 kB.
const PAGE: usize = 25_000;

/// Eight differences of tags, with keys of 128 characters and values twice as long. Kubernetes accepts 32,768.
const WORDIEST: usize = 6_000;

/// Whether Kubernetes accepts it as a reason: `^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`, at most 1,024 characters.
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

/// A spec with such tags, and CloudFront's answers about its group: with texts of up to that many characters, and errors of
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

/// Three reconciles in a row, each from the status of the one before.
fn reconcile_three_times(
    asked: ConnectionGroupSpec,
    odd: Odd,
    mut object_state: ObjectState,
    being_deleted: bool,
) -> Vec<Outcome> {
    let mut world = World::via(Way::Direct, spec());
    world.object.spec = asked;
    if being_deleted {
        world.delete();
    }
    let clock = world.clock();
    let odd = AnsweredBy(odd);
    let around = Inputs {
        port: &odd,
        settings: &world.settings,
        snapshot: None,
        inventory_error: odd.refused.get(&Operation::ListConnectionGroups),
        clock: &clock,
        freshness: &UpToDate,
    };
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let outcome = now(reconcile(&world.object, &mut object_state, &around));
        world.object.status = Some(outcome.status.clone());
        outcomes.push(outcome);
    }
    outcomes
}

/// Whether the messages are short enough, and the reasons valid.
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
    fn however_long_an_error_message_of_cloudfront_is_people_read_a_few_lines(
        (asked, odd) in odd(Just(Tags::new()), 60, PAGE),
        object_state in anything::object_state(),
        being_deleted in any::<bool>(),
    ) {
        judge(&reconcile_three_times(asked, odd, object_state, being_deleted), 1_024)?;
    }
}

proptest! {
    #![proptest_config(super::cases(512))]

    #[test]
    fn groups_with_the_longest_texts_that_aws_allows_fit_into_a_condition(
        (asked, odd) in odd(anything::most_tags(), AWS_LIMIT, AWS_LIMIT),
        object_state in anything::object_state(),
        being_deleted in any::<bool>(),
    ) {
        // The only differences are tags, which have the longest names and values.
        let config = &odd.described.group.config;
        let (enabled, ipv6_enabled) = (config.enabled.unwrap(), config.ipv6_enabled.unwrap());
        let asked = ConnectionGroupSpec { enabled, ipv6_enabled, ..asked };
        judge(&reconcile_three_times(asked, odd, object_state, being_deleted), WORDIEST)?;
    }
}
