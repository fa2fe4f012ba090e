//! The admin path: the log, the clock, the state, the switches, and edits from outside.

use cloudfront_simulator::admin::{
    AnycastIpList, Clock, DistributionTenant, GroupState, LoggedCall, Operation, Request, State,
};
use cloudfront_simulator::switches::Detach;
use cloudfront_simulator::{Millis, Switches};
use serde_json::{Value, json};

use super::endpoint::{Endpoint, endpoint};

const GROUP: &str = "/2020-05-31/connection-group";

fn log(endpoint: &Endpoint, since: u64) -> Vec<LoggedCall> {
    endpoint.admin("GET", &format!("requests?since={since}"), &json!(null))
}

fn state(endpoint: &Endpoint) -> State {
    endpoint.admin("GET", "state", &json!(null))
}

#[test]
fn the_log_tells_each_call_and_what_became_of_it() {
    let endpoint = endpoint();
    let group: GroupState = endpoint.admin("POST", "groups", &json!({"name": "edge"}));
    let path = format!("{GROUP}/{}", group.resource.id);
    let reply = endpoint.call("DELETE", &path, "If-Match: E23ZP02F085DFQ\r\n", "");
    endpoint.call("POST", GROUP, "", "not xml");
    endpoint.unsigned("GET", &path, "");
    let log = log(&endpoint, 0);
    assert_eq!(log.len(), 3, "edits from outside are no calls of the API");
    let (first, malformed, unsigned) = (&log[0], &log[1], &log[2]);
    assert_eq!(first.operation, Some(Operation::DeleteConnectionGroup));
    assert_eq!(first.target.as_ref(), Some(&group.resource.id));
    assert_eq!(first.group_name.as_deref(), Some("edge"));
    assert!(matches!(&first.request, Some(Request::DeleteConnectionGroup { .. })));
    assert_eq!(first.if_match.as_deref(), Some("E23ZP02F085DFQ"));
    assert_eq!((first.status, first.error.as_deref()), (Some(409), Some("ResourceNotDisabled")));
    assert!(!first.took_effect);
    assert_eq!(Some(first.request_id.as_str()), reply.header("x-amzn-requestid"));
    assert_eq!(first.access_key_id.as_deref(), Some("AKIDEXAMPLE"));
    assert_eq!((malformed.operation, malformed.status), (None, Some(400)));
    assert_eq!((unsigned.status, unsigned.access_key_id.as_ref()), (Some(403), None));
}

#[test]
fn the_log_is_read_from_a_number_on_and_cleared_without_counting_anew() {
    let endpoint = endpoint();
    for name in ["a", "b"] {
        endpoint.call("GET", &format!("{GROUP}/{name}"), "", "");
    }
    assert_eq!(log(&endpoint, 1).iter().map(|call| call.seq).collect::<Vec<_>>(), [2]);
    endpoint.admin::<Value>("DELETE", "requests", &json!(null));
    endpoint.call("GET", &format!("{GROUP}/c"), "", "");
    assert_eq!(log(&endpoint, 0).iter().map(|call| call.seq).collect::<Vec<_>>(), [3]);
}

#[test]
fn the_clock_is_moved_ahead_and_deploys_what_was_in_progress() {
    let endpoint = endpoint();
    endpoint.admin::<Value>("POST", "groups", &json!({"name": "edge"}));
    let status = || endpoint.call("GET", &format!("{GROUP}/edge"), "", "").element("Status").to_owned();
    assert_eq!(status(), "InProgress");
    let before: Clock = endpoint.admin("GET", "clock", &json!(null));
    let after: Clock = endpoint.admin("POST", "clock", &json!({"advance_ms": 150_000}));
    assert!(after.now >= before.now.after(Millis(150_000)));
    assert_eq!(status(), "Deployed");
}

#[test]
fn switches_are_changed_by_name_and_the_others_stay() {
    let endpoint = endpoint();
    let all: Switches = endpoint.admin("PUT", "switches", &json!({"detach": "never", "propagation": "0s"}));
    assert_eq!(all, Switches { detach: Detach::Never, propagation: Millis(0), ..Switches::DEFAULT });
    assert_eq!(endpoint.admin::<Switches>("GET", "switches", &json!(null)), all);
    endpoint.admin::<Value>("POST", "groups", &json!({"name": "edge"}));
    assert_eq!(endpoint.call("GET", &format!("{GROUP}/edge"), "", "").element("Status"), "Deployed");
    for wrong in [json!({"detach": "sometimes"}), json!({"colour": "red"}), json!({"propagation": "soon"})] {
        assert_eq!(endpoint.try_admin("PUT", "switches", &wrong).status, 422);
    }
    assert_eq!(endpoint.admin::<Switches>("GET", "switches", &json!(null)), all);
}

#[test]
fn groups_lists_and_tenants_come_and_go_from_outside() {
    let endpoint = endpoint();
    let list: AnycastIpList =
        endpoint.admin("POST", "anycast-lists", &json!({"name": "ips", "ip_address_type": "dualstack"}));
    let group = json!({"name": "a b/c", "anycast_ip_list_id": list.id, "tags": {"k": "v"}});
    let group: GroupState = endpoint.admin("POST", "groups", &group);
    let tenant: DistributionTenant =
        endpoint.admin("POST", "tenants", &json!({"name": "t", "connection_group": "a b/c"}));
    assert_eq!(tenant.connection_group_id, group.resource.id);
    let edited: GroupState =
        endpoint.admin("PATCH", "groups/a%20b%2Fc", &json!({"enabled": false, "remove_tags": ["k"]}));
    assert_eq!((edited.resource.enabled, edited.etag.as_str()), (false, "ETVPDKIKX0DER"));
    let list: AnycastIpList =
        endpoint.admin("PATCH", &format!("anycast-lists/{}", list.id), &json!({"ip_address_type": "ipv4"}));
    assert_eq!(list.etag, "ETVPDKIKX0DER");
    let default: GroupState = endpoint.admin("POST", "default-group", &json!(null));
    assert!(default.resource.is_default);
    let all = state(&endpoint);
    assert_eq!((all.groups.len(), all.anycast_ip_lists.len(), all.tenants.len()), (2, 1, 1));
    assert_eq!(all.group("a b/c"), Some(&edited));

    endpoint.admin::<Value>("DELETE", "tenants/t", &json!(null));
    endpoint.admin::<Value>("DELETE", &format!("anycast-lists/{}", list.id), &json!(null));
    endpoint.admin::<Value>("DELETE", "groups/a%20b%2Fc", &json!(null));
    let all = state(&endpoint);
    assert_eq!((all.groups.len(), all.anycast_ip_lists.len(), all.tenants.len()), (1, 0, 0));
    assert!(log(&endpoint, 0).is_empty());
}

#[test]
fn what_the_admin_path_cannot_do_is_said_in_words() {
    let endpoint = endpoint();
    endpoint.admin::<Value>("POST", "groups", &json!({"name": "edge"}));
    for (method, path, body, status, words) in [
        ("POST", "groups", json!({"name": "edge"}), 409, "exists already"),
        ("PATCH", "groups/nobody", json!({}), 404, "no connection group nobody"),
        ("DELETE", "tenants/nobody", json!(null), 404, "no tenant nobody"),
        ("GET", "nowhere", json!(null), 404, "no such admin path"),
    ] {
        let reply = endpoint.try_admin(method, path, &body);
        assert_eq!(reply.status, status);
        assert!(reply.body.contains(words), "{}", reply.body);
    }
}
