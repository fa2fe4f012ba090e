//! Faults on demand, over HTTP.

use std::time::{Duration, Instant};

use cloudfront_simulator::admin::{FaultCreated, FaultStatus, GroupState, LoggedCall, State};
use serde_json::{Value, json};

use super::endpoint::{Endpoint, endpoint, eventually, read};

const GROUP: &str = "/2020-05-31/connection-group";
const GROUPS: &str = "/2020-05-31/connection-groups";
const CREATE: &str = "<CreateConnectionGroupRequest><Name>edge</Name></CreateConnectionGroupRequest>";

fn fault(endpoint: &Endpoint, operation: &str, fault: &Value) -> FaultCreated {
    endpoint.admin("POST", "faults", &json!({"operation": operation, "times": 1, "fault": fault}))
}

fn exists(endpoint: &Endpoint) -> bool {
    endpoint.admin::<State>("GET", "state", &json!(null)).group("edge").is_some()
}

fn status_of(endpoint: &Endpoint) -> FaultStatus {
    endpoint.admin::<Vec<FaultStatus>>("GET", "faults", &json!(null)).remove(0)
}

#[test]
fn an_error_comes_before_or_after_the_effect_and_once() {
    for (when, takes_effect) in [("before", false), ("after", true)] {
        let endpoint = endpoint();
        let error = json!({"error": {"status": 500, "code": "InternalError", "message": "no luck", "when": when}});
        fault(&endpoint, "CreateConnectionGroup", &error);
        assert_eq!(endpoint.call("POST", GROUPS, "", "").status, 200, "another operation goes by");
        endpoint.call("POST", GROUP, "", CREATE).is_error(500, "InternalError");
        assert_eq!(exists(&endpoint), takes_effect);
        assert_eq!(endpoint.call("POST", GROUP, "", CREATE).status, if takes_effect { 409 } else { 201 });
        assert_eq!((status_of(&endpoint).matched, status_of(&endpoint).hits), (2, 1));
    }
}

#[test]
fn a_dropped_call_has_no_answer_but_may_have_an_effect() {
    for (when, takes_effect) in [("before", false), ("after", true)] {
        let endpoint = endpoint();
        fault(&endpoint, "*", &json!({"drop": {"when": when}}));
        assert!(endpoint.try_call("POST", GROUP, "", CREATE).is_none());
        assert_eq!(exists(&endpoint), takes_effect);
        let log: Vec<LoggedCall> = endpoint.admin("GET", "requests", &json!(null));
        assert_eq!((log[0].status, log[0].took_effect), (None, takes_effect));
    }
}

#[test]
fn a_held_call_goes_on_when_released() {
    for (when, effect_while_held) in [("before", false), ("after", true)] {
        let endpoint = endpoint();
        let id = fault(&endpoint, "CreateConnectionGroup", &json!({"hold": {"when": when}})).id;
        let call = endpoint.send("POST", GROUP, CREATE);
        eventually("the hold", || status_of(&endpoint).held == 1);
        assert_eq!(exists(&endpoint), effect_while_held);
        endpoint.admin::<Value>("POST", &format!("faults/{id}/release"), &json!(null));
        assert_eq!(read(call).unwrap().status, 201);
        assert_eq!(status_of(&endpoint).held, 0);
    }
}

#[test]
fn a_held_call_goes_on_without_its_client_when_released() {
    let endpoint = endpoint();
    let id = fault(&endpoint, "CreateConnectionGroup", &json!({"hold": {"when": "before"}})).id;
    let call = endpoint.send("POST", GROUP, CREATE);
    eventually("the hold", || status_of(&endpoint).held == 1);
    drop(call);
    assert!(!exists(&endpoint));
    endpoint.admin::<Value>("POST", &format!("faults/{id}/release"), &json!(null));
    eventually("the creation", || exists(&endpoint));
}

#[test]
fn a_held_call_never_happened_when_its_fault_is_deleted() {
    let endpoint = endpoint();
    let id = fault(&endpoint, "CreateConnectionGroup", &json!({"hold": {"when": "before"}})).id;
    let call = endpoint.send("POST", GROUP, CREATE);
    eventually("the hold", || status_of(&endpoint).held == 1);
    endpoint.admin::<Value>("DELETE", &format!("faults/{id}"), &json!(null));
    assert!(read(call).is_none());
    assert!(!exists(&endpoint));
}

#[test]
fn a_late_call_loses_its_client_at_once_and_takes_effect_later() {
    let endpoint = endpoint();
    fault(&endpoint, "CreateConnectionGroup", &json!({"late": {"ms": 1000}}));
    assert!(endpoint.try_call("POST", GROUP, "", CREATE).is_none());
    assert!(!exists(&endpoint));
    eventually("the late creation", || exists(&endpoint));
}

#[test]
fn a_delayed_call_takes_effect_at_once_and_is_answered_later() {
    let endpoint = endpoint();
    fault(&endpoint, "CreateConnectionGroup", &json!({"delay": {"ms": 3_600_000}}));
    let _unanswered = endpoint.send("POST", GROUP, CREATE);
    eventually("the effect", || exists(&endpoint));
    fault(&endpoint, "DeleteConnectionGroup", &json!({"delay": {"ms": 100}}));
    let start = Instant::now();
    endpoint.call("DELETE", &format!("{GROUP}/edge"), "", "").is_error(404, "EntityNotFound");
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_throttled_call_has_no_effect() {
    let endpoint = endpoint();
    fault(&endpoint, "CreateConnectionGroup", &json!("throttle"));
    endpoint.call("POST", GROUP, "", CREATE).is_error(400, "Throttling");
    assert!(!exists(&endpoint));
    endpoint.admin::<Value>("PUT", "switches", &json!({"throttling": "slow-down"}));
    fault(&endpoint, "CreateConnectionGroup", &json!("throttle"));
    endpoint.call("POST", GROUP, "", CREATE).is_error(503, "SlowDown");
}

#[test]
fn a_stale_read_misses_the_last_change_once() {
    let endpoint = endpoint();
    endpoint.call("POST", GROUP, "", CREATE);
    fault(&endpoint, "*", &json!({"stale_read": {}}));
    endpoint.call("GET", &format!("{GROUP}/edge"), "", "").is_error(404, "EntityNotFound");
    assert_eq!(endpoint.call("GET", &format!("{GROUP}/edge"), "", "").status, 200);
}

#[test]
fn a_stale_read_goes_as_many_versions_back_as_it_says() {
    let endpoint = endpoint();
    endpoint.admin::<Value>("PUT", "switches", &json!({"past_versions": 9}));
    endpoint.admin::<Value>("POST", "groups", &json!({"name": "edge"}));
    for ipv6_enabled in [false, true] {
        endpoint.admin::<Value>("PATCH", "groups/edge", &json!({"ipv6_enabled": ipv6_enabled}));
    }
    let seen = [2, 1].map(|versions| {
        fault(&endpoint, "GetConnectionGroup", &json!({"stale_read": {"versions": versions}}));
        endpoint.call("GET", &format!("{GROUP}/edge"), "", "").body.contains("<Ipv6Enabled>true")
    });
    assert_eq!(seen, [true, false]);
}

#[test]
fn somebody_else_comes_before_every_so_manieth_write() {
    let endpoint = endpoint();
    let group: GroupState = endpoint.admin("POST", "groups", &json!({"name": "edge"}));
    let edit = json!({"enabled": false});
    let rule = json!({"target": "edge", "every": 2, "times": 2, "fault": {"overtaken": {"edit": edit}}});
    endpoint.admin::<FaultCreated>("POST", "faults", &rule);
    let current = || endpoint.admin::<State>("GET", "state", &json!(null)).group("edge").unwrap().clone();
    let write = || {
        let update = "<UpdateConnectionGroupRequest><Enabled>true</Enabled></UpdateConnectionGroupRequest>";
        let if_match = format!("If-Match: {}\r\n", current().etag);
        endpoint.call("PUT", &format!("{GROUP}/{}", group.resource.id), &if_match, update).status
    };
    let written = [(); 5].map(|()| (write(), current().resource.enabled));
    assert_eq!(written, [(200, true), (412, false), (200, true), (412, false), (200, true)]);
    assert_eq!(endpoint.call("GET", &format!("{GROUP}/edge"), "", "").status, 200, "reads are not concerned");
}

#[test]
fn tags_lag_for_their_readers_only() {
    let endpoint = endpoint();
    let group: Value = endpoint.admin("POST", "groups", &json!({"name": "edge", "tags": {"k": "v"}}));
    let arn = group["arn"].as_str().unwrap().replace('/', "%2F");
    fault(&endpoint, "*", &json!("tag_lag"));
    assert_eq!(endpoint.call("GET", &format!("{GROUP}/edge"), "", "").status, 200);
    let tags = || endpoint.call("GET", &format!("/2020-05-31/tagging?Resource={arn}"), "", "").body.contains("<Tag>");
    assert_eq!((tags(), tags()), (false, true));
}

#[test]
fn a_raw_answer_is_given_as_it_is() {
    let endpoint = endpoint();
    let raw =
        json!({"raw": {"status": 502, "content_type": "text/html", "body": "<h1>", "headers": {"retry-after": "1"}}});
    fault(&endpoint, "*", &raw);
    let reply = endpoint.call("POST", GROUPS, "", "");
    assert_eq!((reply.status, reply.body.as_str()), (502, "<h1>"));
    assert_eq!((reply.header("content-type"), reply.header("retry-after")), (Some("text/html"), Some("1")));
}

#[test]
fn a_target_is_recognised_by_name_also_when_called_by_id() {
    let endpoint = endpoint();
    let group: Value = endpoint.admin("POST", "groups", &json!({"name": "edge"}));
    endpoint.admin::<Value>("POST", "groups", &json!({"name": "other"}));
    let rule = json!({"operation": "GetConnectionGroup", "target": "edge", "fault": "throttle"});
    endpoint.admin::<FaultCreated>("POST", "faults", &rule);
    assert_eq!(endpoint.call("GET", &format!("{GROUP}/other"), "", "").status, 200);
    let id = group["id"].as_str().unwrap();
    endpoint.call("GET", &format!("{GROUP}/{id}"), "", "").is_error(400, "Throttling");
}

#[test]
fn a_call_that_is_refused_at_the_door_uses_up_no_fault() {
    let endpoint = endpoint();
    fault(&endpoint, "*", &json!("throttle"));
    endpoint.unsigned("POST", GROUPS, "").is_error(403, "MissingAuthenticationToken");
    endpoint.call("POST", GROUP, "", "not xml").is_error(400, "MalformedXML");
    endpoint.call("POST", GROUPS, "", "").is_error(400, "Throttling");
}

#[test]
fn faults_that_make_no_sense_are_refused_with_a_reason() {
    let endpoint = endpoint();
    for rule in [
        json!({"operation": "PaintConnectionGroup", "fault": "throttle"}),
        json!({"fault": {"explode": {}}}),
        json!({"fault": "throttle", "colour": "red"}),
    ] {
        let reply = endpoint.try_admin("POST", "faults", &rule);
        assert_eq!(reply.status, 422);
        assert!(!reply.body.is_empty());
    }
    assert_eq!(endpoint.try_admin("DELETE", "faults/99", &json!(null)).status, 404);
    assert_eq!(endpoint.try_admin("POST", "faults/99/release", &json!(null)).status, 404);
}
