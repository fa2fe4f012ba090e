//! Each switch of the simulator at other values than its default. Pure.

use std::collections::BTreeSet;

use cloudfront_simulator::Switches;
use serde_json::{Map, Value, json};

/// Values that a switch may have besides its default; the last one is for when all are turned at once.
///
/// All at once, the quota leaves room for a second group, since `create_precedence` would hide that its name is taken.
fn other_values() -> Value {
    json!({
        "account_id": ["210987654321"],
        "seed": [7],
        "propagation": ["0s", "5m"],
        "status_flap": ["1m"],
        "read_lag": ["5s"],
        "tag_lag": ["5s"],
        "groups_per_account": [1, 2],
        "groups_per_list": [1],
        "list_lag": ["5s"],
        "tenant_lag": ["5s"],
        "past_versions": [3],
        "name_reuse_delay": ["5s"],
        "lists_per_account": [0],
        "tags_per_resource": [3],
        "page_size": [1],
        "page_size_max": [1],
        "oversized_page": ["refuse"],
        "unknown_filter": ["not-found"],
        "names": ["conservative"],
        "write_by": ["any"],
        "create_enabled": [false],
        "list_address_type": ["ipv6", "dualstack"],
        "create_precedence": ["quota-first"],
        "update_in_progress": ["refuse"],
        "delete_in_progress": ["refuse"],
        "disable_with_tenants": ["refuse"],
        "empty_update": ["unchanged"],
        "detach": ["never", "rejected"],
        "omission_detaches": [true],
        "omission_clears": [true],
        "default_group_deletion": ["access-denied", "illegal-delete", "invalid-argument"],
        "unknown_list": ["invalid-argument"],
        "full_list": ["invalid-argument"],
        "ipv6_on_ipv4_list": ["unsupported-operation", "resource-in-use"],
        "done_answer": ["empty", "document"],
        "write_precedence": ["state-first"],
        "if_match_star": ["accept"],
        "implausible_if_match": ["invalid-if-match-version"],
        "tags_move_etag": [true],
        "create_echoes_tags": [false],
        "get_echoes_tags": [true],
        "left_out": ["times"],
        "rate": [1000],
        "burst": [1000],
        "throttling": ["too-many-requests", "slow-down"],
    })
}

fn switches() -> Map<String, Value> {
    other_values().as_object().unwrap().clone()
}

/// One change each, and calls enough: `rate` is no doubt about what they do.
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
fn every_switch_is_turned_and_to_no_default() {
    let defaults = serde_json::to_value(Switches::DEFAULT).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&other_values()), keys(&defaults));
    for (switch, values) in switches() {
        assert!(!values.as_array().unwrap().contains(&defaults[&switch]), "{switch}");
    }
}
