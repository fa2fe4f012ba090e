//! Random values: tags that CloudFront accepts, specs, object states, texts that nobody should write, and statuses that
//! nobody should store. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use connection_group_operator::{
    api::{
        AdoptionPolicy, BlockedBy, ConditionReason, ConnectionGroupSpec, ConnectionGroupStatus, DeletionPolicy, Drift,
        Member, Mode, RefusalCause, RefusedMember,
    },
    clock::Moment,
    cloudfront::GroupId,
    reconcile::{
        ObjectState,
        drift_backoff::{Continuation, DriftBackoff},
        members::MemberAttempts,
        object_state::Awaits,
        tags::{ConfirmedTags, TagHistory},
        unlisted_use::UnlistedUse,
        unowned::Unowned,
        versions::OwnVersions,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use proptest::{prelude::*, sample::select};

use crate::world::HERE;

/// Letters, separators and numbers of several scripts, one of them of four bytes, and the signs that AWS allows.
const TAG_CHARACTERS: &str = "aZéßΩжあ語𝒳0½Ⅷ \u{a0}\u{3000}\u{2028}_.:/=+-@";

/// A key or value of that length in characters, often of the shortest or longest.
fn tag_text(length: RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let unit = prop::collection::vec(select(TAG_CHARACTERS.chars().collect::<Vec<_>>()), 1..8);
    let length = prop_oneof![Just(*length.start()), Just(*length.end()), length];
    (unit, length).prop_map(|(unit, length)| unit.into_iter().cycle().take(length).collect())
}

/// As many tags, and as long ones, as a spec can hold.
pub fn most_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    (tag_text(126..=126), tag_text(256..=256))
        .prop_map(|(key, value)| (10..50).map(|number| (format!("{number}{key}"), value.clone())).collect())
}

/// Tags as the schema and CloudFront allow them.
pub fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop_oneof![
        3 => prop::collection::btree_map(tag_text(1..=128), tag_text(0..=256), 0..8),
        1 => most_tags(),
    ]
}

/// Any spec without a name of its own.
pub fn spec() -> impl Strategy<Value = ConnectionGroupSpec> {
    let modes = (
        select(vec![Mode::Manage, Mode::Manage, Mode::Observe]),
        select(vec![AdoptionPolicy::Never, AdoptionPolicy::IfUnchanged, AdoptionPolicy::Always]),
        select(vec![DeletionPolicy::Delete, DeletionPolicy::Retain]),
    );
    let list = prop::option::of(Just("aip_nowhere".to_owned()));
    let tags = prop_oneof![prop::collection::btree_map("[a-c]", "[a-c]", 0..3), tags()];
    (modes, any::<[bool; 2]>(), prop::bool::weighted(0.1), prop::bool::weighted(0.2), list, tags).prop_map(
        |((mode, adoption_policy, deletion_policy), [enabled, ipv6_enabled], suspend, protection, list, tags)| {
            ConnectionGroupSpec {
                name: None,
                enabled,
                ipv6_enabled,
                anycast_ip_list_id: list,
                tags,
                mode,
                adoption_policy,
                deletion_policy,
                deletion_protection: protection,
                suspend,
            }
        },
    )
}

/// Any object state of a process, two hours after its start.
pub fn object_state() -> impl Strategy<Value = ObjectState> {
    let moment = || (0..7200_u64).prop_map(|seconds| Moment::after_start(Duration::from_secs(seconds)));
    let maybe = || prop::option::of(moment());
    let unowned = (prop::sample::select(vec!["cg_1", "cg_2"]), moment())
        .prop_map(|(id, since)| Unowned { id: GroupId::new(id), since });
    let moments = (maybe(), moment(), maybe(), prop::option::of(unowned), maybe());
    let members = prop::sample::subsequence(Member::ALL.to_vec(), 0..=Member::ALL.len());
    let drift_backoff = (prop::collection::vec(moment(), 0..5), members);
    let awaits =
        select(vec![Awaits::Unknown, Awaits::Inventory, Awaits::DisabledGroup, Awaits::Absence, Awaits::Other]);
    (any::<u32>(), any::<(bool, bool)>(), awaits, moments, drift_backoff).prop_map(
        |(
            failures,
            (unanswered, has_seen_group),
            awaits,
            (last_write, last_claim, resync_at, unowned, absent_since),
            (rounds, uncorrected),
        )| {
            let mut drift_backoff = DriftBackoff::default();
            for round in rounds {
                drift_backoff.corrected(&BTreeSet::new(), Continuation::Nothing, round);
            }
            drift_backoff.record_uncorrected(uncorrected.into_iter().collect());
            ObjectState {
                failures,
                awaits,
                last_write,
                has_seen_group,
                unanswered,
                versions: OwnVersions::default(),
                tags: TagHistory { confirmed: ConfirmedTags::default(), visible_at: last_write },
                rereads: 0,
                last_claim,
                resync_at,
                drift_backoff,
                unowned,
                absent_since,
                deleted: None,
                member_attempts: MemberAttempts::default(),
                tenants_left_out_since: None,
                usage_unknown_since: None,
                owner_unstated_since: None,
                unlisted_use: UnlistedUse::default(),
            }
        },
    )
}

/// Any text, of any characters.
pub fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

fn time() -> impl Strategy<Value = Time> {
    // Whole seconds, as the API server stores them: from the year 0 to the year 9999.
    (-62_135_596_800..=253_402_207_200_i64).prop_map(|second| Time(jiff::Timestamp::from_second(second).unwrap()))
}

/// Reasons that the operator gives, and others.
fn reason() -> impl Strategy<Value = String> {
    let known = [
        ConditionReason::Deploying,
        ConditionReason::Deployed,
        ConditionReason::Disabled,
        ConditionReason::Disabling,
        ConditionReason::Deleting,
        ConditionReason::AnycastDetachRejected,
        ConditionReason::Suspended,
    ];
    prop_oneof![4 => select(known.map(ConditionReason::as_str).to_vec()).prop_map(str::to_owned), 1 => text()]
}

fn condition() -> impl Strategy<Value = Condition> {
    let type_ = prop_oneof![select(vec!["Ready", "Reconciling", "Stalled", "Drifted"]).prop_map(str::to_owned), text()];
    let status = prop_oneof![select(vec!["True", "False", "Unknown"]).prop_map(str::to_owned), text()];
    (type_, status, reason(), text(), any::<Option<i64>>(), time()).prop_map(
        |(type_, status, reason, message, observed_generation, last_transition_time)| Condition {
            type_,
            status,
            reason,
            message,
            observed_generation,
            last_transition_time,
        },
    )
}

fn drift() -> impl Strategy<Value = Drift> {
    (text(), text(), text()).prop_map(|(field, desired, observed)| Drift { field, desired, observed })
}

/// A refusal that CloudFront may or may not have reported, of something that a spec may ask for.
fn refused() -> impl Strategy<Value = RefusedMember> {
    use RefusalCause::{
        AlreadyExists, DetachIgnored, DetachRefused, InUse, Invalid, ListIsIpv4Only, ListNotFound, QuotaExceeded,
    };
    let causes =
        vec![AlreadyExists, DetachIgnored, DetachRefused, InUse, Invalid, ListIsIpv4Only, ListNotFound, QuotaExceeded];
    let desired = select(vec!["true", "false", "", "aip_nowhere"]).prop_map(str::to_owned);
    (select(Member::ALL), desired, select(causes), text()).prop_map(|(member, desired, cause, detail)| RefusedMember {
        member,
        desired,
        cause,
        detail,
    })
}

fn blocked_by() -> impl Strategy<Value = BlockedBy> {
    let tenants = prop::collection::vec(text(), 0..4);
    (any::<i64>(), tenants).prop_map(|(count, tenants)| BlockedBy { count, tenants })
}

/// Any status that the types allow.
pub fn status() -> impl Strategy<Value = ConnectionGroupStatus> {
    let texts = prop::array::uniform10(prop::option::of(text()));
    let switches = any::<[Option<bool>; 3]>();
    let times = [prop::option::of(time()), prop::option::of(time())];
    let tags = prop::collection::btree_map(text(), text(), 0..4);
    let lists = (
        prop::collection::vec(drift(), 0..4),
        prop::collection::vec(condition(), 0..5),
        prop::collection::vec(refused(), 0..4),
    );
    let generation = prop_oneof![-1..4_i64, any::<i64>()];
    let installation = prop::option::of(prop_oneof![3 => Just(HERE.to_owned()), 1 => text()]);
    let identity = (installation, prop::option::of(-1..4_i64), any::<bool>());
    (generation, texts, switches, times, tags, prop::option::of(blocked_by()), lists, identity).prop_map(
        |(
            observed_generation,
            texts,
            switches,
            [created_time, last_modified_time],
            tags,
            blocked_by,
            lists,
            identity,
        )| {
            let (installation, synced_generation, carries_owner_tag) = identity;
            let [id, arn, name, owner, e_tag, status, routing_endpoint, anycast_ip_list_id, attached, last_handled] =
                texts;
            let [enabled, ipv6_enabled, is_default] = switches;
            let (drift, conditions, refused) = lists;
            ConnectionGroupStatus {
                observed_generation,
                id,
                arn,
                name,
                owner,
                installation,
                synced_generation,
                e_tag,
                status,
                routing_endpoint,
                enabled,
                ipv6_enabled,
                anycast_ip_list_id,
                is_default,
                created_time,
                last_modified_time,
                attached_anycast_ip_list_id: attached,
                refused,
                tags,
                drift,
                carries_owner_tag,
                blocked_by,
                last_handled_reconcile_at: last_handled,
                conditions,
            }
        },
    )
}
