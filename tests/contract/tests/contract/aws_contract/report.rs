//! What the program reports about a target is what the target does.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloudfront_simulator::{
    Operation, Switches,
    admin::{Fault, Moment, NewGroup, NewList},
    switches::IpAddressType,
};
use serde_json::{Value, json};

use super::program::{Place, run};

/// The answers, by switch.
fn answers(output: &str) -> BTreeMap<String, String> {
    let (_, report) = output.split_once("where AWS is silent").expect(output);
    let rows = report.lines().skip(1).take_while(|line| line.starts_with("  "));
    rows.map(|line| line.trim().split_once(' ').unwrap())
        .map(|(switch, answer)| (switch.replace('-', "_"), answer.trim().to_owned()))
        .collect()
}

/// Switches that neither one group nor a few neighbours can determine.
const NOT_TRIED: [&str; 21] = [
    "left_out",
    "seed",
    "status_flap",
    "list_lag",
    "tenant_lag",
    "past_versions",
    "name_reuse_delay",
    "groups_per_account",
    "groups_per_list",
    "lists_per_account",
    "list_address_type",
    "create_precedence",
    "disable_with_tenants",
    "omission_clears",
    "default_group_deletion",
    "unknown_list",
    "full_list",
    "ipv6_on_ipv4_list",
    "done_answer",
    "rate",
    "throttling",
];

/// What the program reports about a simulator with these switches. Its pauses outlast the lags, as they do at AWS.
async fn reported(switches: &Value, poll: &str) -> BTreeMap<String, String> {
    let place = Place::switched(switches.clone()).await;
    for number in 0..3 {
        place.simulator.admin.create_group(&NewGroup::named(format!("neighbour-{number}"))).await.unwrap();
    }
    let list = NewList::named("ips", IpAddressType::Ipv4);
    let list = place.simulator.admin.create_list(&list).await.unwrap().id;
    let mut command = place.agreed();
    command.args(["--poll", poll, "--anycast-ip-list", &list]);
    let ended = run(command, "").await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    println!("{}", ended.output);
    answers(&ended.output)
}

#[tokio::test]
async fn for_every_switch_it_reports_what_the_target_does_or_why_that_was_not_tried() {
    // What depends on time is not exact, so it is checked separately below.
    let usual = json!({ "propagation": "1500ms" });
    let unusual = json!({
        "account_id": "210987654321",
        "propagation": "1500ms",
        "tags_per_resource": 12,
        "page_size": 2,
        "page_size_max": 3,
        "unknown_filter": "not-found",
        "names": "conservative",
        "write_by": "any",
        "create_enabled": false,
        "update_in_progress": "refuse",
        "delete_in_progress": "refuse",
        "empty_update": "unchanged",
        "detach": "never",
        "omission_detaches": true,
        "write_precedence": "state-first",
        "if_match_star": "accept",
        "implausible_if_match": "invalid-if-match-version",
        "tags_move_etag": true,
        "create_echoes_tags": false,
        "get_echoes_tags": true,
    });
    let defaults = serde_json::to_value(Switches::DEFAULT).unwrap();
    let all = defaults.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let told = tokio::join!(reported(&usual, "250ms"), reported(&unusual, "250ms"));
    for (switched, told) in [(usual, told.0), (unusual, told.1)] {
        assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), all);
        for (switch, answer) in told {
            let set = switched.get(&switch).unwrap_or(&defaults[&switch]);
            let set = set.as_str().map_or_else(|| set.to_string(), ToOwned::to_owned);
            let expected = match switch.as_str() {
                "propagation" | "burst" => continue,
                switch if NOT_TRIED.contains(&switch) => "not tried: ".to_owned(),
                "page_size" | "page_size_max" if set == "100" => "not tried: all groups of the account fit".to_owned(),
                "tags_per_resource" if set != "50" => "less than 50".to_owned(),
                _ => format!("{set} ("),
            };
            assert!(answer.starts_with(&expected), "{switch} is {set}, but it reports: {answer}");
        }
    }
}

#[tokio::test]
async fn what_takes_time_is_measured() {
    let told = reported(&json!({ "propagation": "1s", "read_lag": "500ms", "tag_lag": "500ms" }), "600ms").await;
    let (propagation, _) = told["propagation"].split_once(" (").unwrap();
    assert!(humantime::parse_duration(propagation).unwrap() >= Duration::from_secs(1), "{told:#?}");
    for lag in ["read_lag", "tag_lag"] {
        let (measured, assumed) = told[lag].split_once(" (").unwrap();
        assert!(humantime::parse_duration(measured).unwrap() > Duration::ZERO, "{told:#?}");
        assert_eq!(assumed, "the simulator assumes 0s)", "{told:#?}");
    }
}

#[tokio::test]
async fn a_target_that_refuses_large_pages_or_empty_lists_is_reported_as_such() {
    let told = reported(&json!({ "oversized_page": "refuse", "detach": "rejected" }), "250ms").await;
    assert!(told["oversized_page"].starts_with("refuse ("), "{told:#?}");
    assert!(told["page_size_max"].starts_with("not tried: "), "{told:#?}");
    assert!(told["detach"].starts_with("rejected ("), "{told:#?}");
}

#[tokio::test]
async fn a_sentence_that_does_not_hold_is_named_and_the_run_fails() {
    let place = Place::switched(json!({})).await;
    // The first deletion is that of an enabled group, which CloudFront ought to refuse as such.
    let error = Fault::Error { status: 400, code: "Teapot".into(), message: "no".into(), when: Moment::Before };
    place.simulator.admin.fault_once(Operation::DeleteConnectionGroup, error).await.unwrap();
    let ended = run(place.agreed(), "").await;
    assert_eq!(ended.code, Some(1), "{}", ended.output);
    assert!(
        ended.output.contains("BROKEN  an enabled group is not deleted: not refused as NotDisabled"),
        "{}",
        ended.output
    );
    assert!(ended.output.contains("19 of 20 sentences hold."), "{}", ended.output);
    place.assert_clean("one sentence broken").await;
}
