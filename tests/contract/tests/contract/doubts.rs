//! Each switch of the simulator at other values than its default. Pure.

use std::collections::BTreeSet;

use cloudfront_simulator::Switches;
use serde_json::{Map, Value, json};

/// Values that a switch may have besides its default; the last one is used when all are changed at once.
///
/// All at once, the quota leaves room for a second group, since `create_precedence` would hide that its name is taken.
fn other_values() -> Value {
    let values = [
        ("account_id", json!(["210987654321"])),
        ("seed", json!([7])),
        ("propagation", json!(["0s", "5m"])),
        ("status_flap", json!(["1m"])),
        ("read_lag", json!(["5s"])),
        ("tag_lag", json!(["5s"])),
        ("groups_per_account", json!([1, 2])),
        ("groups_per_list", json!([1])),
        ("list_lag", json!(["5s"])),
        ("tenant_lag", json!(["5s"])),
        ("past_versions", json!([3])),
        ("name_reuse_delay", json!(["5s"])),
        ("lists_per_account", json!([0])),
        ("tags_per_resource", json!([3])),
        ("page_size", json!([1])),
        ("page_size_max", json!([1])),
        ("oversized_page", json!(["refuse"])),
        ("unknown_filter", json!(["not-found"])),
        ("names", json!(["conservative"])),
        ("write_by", json!(["any"])),
        ("create_enabled", json!([false])),
        ("list_address_type", json!(["ipv6", "dualstack"])),
        ("create_precedence", json!(["quota-first"])),
        ("update_in_progress", json!(["refuse"])),
        ("delete_in_progress", json!(["refuse"])),
        ("disable_with_tenants", json!(["refuse"])),
        ("empty_update", json!(["unchanged"])),
        ("detach", json!(["never", "rejected"])),
        ("omission_detaches", json!([true])),
        ("omission_clears", json!([true])),
        ("default_group_deletion", json!(["access-denied", "illegal-delete", "invalid-argument"])),
        ("unknown_list", json!(["invalid-argument"])),
        ("full_list", json!(["invalid-argument"])),
        ("ipv6_on_ipv4_list", json!(["unsupported-operation", "resource-in-use"])),
        ("done_answer", json!(["empty"])),
        ("write_precedence", json!(["state-first"])),
        ("if_match_star", json!(["accept"])),
        ("implausible_if_match", json!(["invalid-if-match-version"])),
        ("tags_move_etag", json!([true])),
        ("create_echoes_tags", json!([false])),
        ("get_echoes_tags", json!([true])),
        ("left_out", json!(["times"])),
        ("rate", json!([1000])),
        ("burst", json!([1000])),
        ("throttling", json!(["too-many-requests", "slow-down"])),
    ];
    values.into_iter().map(|(switch, values)| (switch.to_owned(), values)).collect()
}

fn switches() -> Map<String, Value> {
    other_values().as_object().unwrap().clone()
}

/// One change each, and enough calls: `rate` is not an open question about their effect.
pub fn each_other_way() -> Vec<Value> {
    let each = |(switch, values): (String, Value)| {
        let values = values.as_array().unwrap().clone();
        values.into_iter().map(move |value| json!({ "burst": 1000, switch.clone(): value })).collect::<Vec<_>>()
    };
    switches().into_iter().flat_map(each).collect()
}

/// Everything changed at once.
pub fn all_other_ways() -> Value {
    switches()
        .into_iter()
        .map(|(switch, values)| (switch, values.as_array().unwrap().last().unwrap().clone()))
        .collect()
}

#[test]
fn every_switch_is_changed_and_never_to_its_default() {
    let defaults = serde_json::to_value(Switches::DEFAULT).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&other_values()), keys(&defaults));
    for (switch, values) in switches() {
        assert!(!values.as_array().unwrap().contains(&defaults[&switch]), "{switch}");
    }
}
