//! The policies of `docs/iam/`, evaluated as IAM would: what the operator does in the life cycle of groups is allowed, and with the conditions on the owner tag
//! nothing of another owner can be changed. Only what these policies use is supported: Allow, `*` in resources and values, three operators.

use std::collections::BTreeMap;

use cloudfront_simulator::admin::{LoggedCall, NewGroup, Operation, Request, Tags};
use serde_json::{Value, json};
use testbed::{Operator, Result, wait_gone};

use crate::cluster::{Cluster, PATIENCE, hurried};

const OWNER: &str = "cloudfront.kube-operators.dev/owner";
const BOTH: [&str; 2] = ["docs/iam/policy.json", "docs/iam/policy-owner-tag.json"];
const GROUP: &str = "arn:aws:cloudfront::123456789012:connection-group/cg_1";

/// What IAM evaluates for a call.
#[derive(Debug, Default)]
struct Asked {
    action: String,
    resource: String,
    /// Tags that the request carries.
    request: Tags,
    /// Tags that are on the resource.
    on_resource: Tags,
}

fn statements(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    let policy: Value = serde_json::from_str(&text).expect(path);
    policy["Statement"].as_array().expect("a list").clone()
}

fn allows(path: &str, asked: &Asked) -> bool {
    statements(path).iter().any(|statement| {
        assert_eq!(statement["Effect"], "Allow", "Deny is not supported here");
        let actions = statement["Action"].as_array().cloned().unwrap_or_else(|| vec![statement["Action"].clone()]);
        actions.iter().any(|action| *action == asked.action)
            && like(statement["Resource"].as_str().expect("one resource"), &asked.resource)
            && statement.get("Condition").is_none_or(|condition| holds(condition, asked))
    })
}

fn holds(condition: &Value, asked: &Asked) -> bool {
    let operators = condition.as_object().expect("operators").iter();
    operators
        .flat_map(|(operator, keys)| {
            keys.as_object().expect("keys").iter().map(move |(key, value)| (operator, key, value))
        })
        .all(|(operator, key, value)| {
            let (kind, tag) = key.split_once('/').expect("a key with a tag");
            let tags = match kind {
                "aws:RequestTag" => &asked.request,
                "aws:ResourceTag" => &asked.on_resource,
                other => panic!("{other} is not supported here"),
            };
            let (found, value) = (tags.get(tag), value.as_str().expect("one value"));
            match operator.as_str() {
                "StringLike" => found.is_some_and(|found| like(value, found)),
                "StringLikeIfExists" => found.is_none_or(|found| like(value, found)),
                "Null" => found.is_none() == (value == "true"),
                other => panic!("{other} is not supported here"),
            }
        })
}

/// `*` stands for any text at the end, which is the only place where these policies have it.
fn like(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |start| text.starts_with(start))
}

/// What IAM would evaluate for a call, given the tags on each group by name; a Create is evaluated twice.
fn asked(call: &LoggedCall, tags: &BTreeMap<String, Tags>) -> Vec<Asked> {
    let operation = call.operation.expect("the operator sends valid requests");
    let action = format!("cloudfront:{}", operation.as_str());
    let on_resource = call.group_name.as_ref().and_then(|name| tags.get(name)).cloned().unwrap_or_default();
    let request = sent(call);
    match operation {
        Operation::CreateConnectionGroup => vec![
            Asked { action, resource: "*".into(), request: request.clone(), ..Asked::default() },
            Asked { action: "cloudfront:TagResource".into(), resource: GROUP.into(), request, ..Asked::default() },
        ],
        Operation::ListConnectionGroups | Operation::ListDistributionTenants => {
            vec![Asked { action, resource: "*".into(), ..Asked::default() }]
        }
        Operation::GetAnycastIpList => {
            let resource = "arn:aws:cloudfront::123456789012:anycast-ip-list/aip_1".into();
            vec![Asked { action, resource, ..Asked::default() }]
        }
        _ => vec![Asked { action, resource: GROUP.into(), request, on_resource }],
    }
}

fn sent(call: &LoggedCall) -> Tags {
    match &call.request {
        Some(Request::CreateConnectionGroup(create)) => create.tags.iter().cloned().collect(),
        Some(Request::TagResource { tags, .. }) => tags.iter().cloned().collect(),
        _ => Tags::new(),
    }
}

/// The tags on the group after a call.
fn follow(call: &LoggedCall, tags: &mut BTreeMap<String, Tags>) {
    match &call.request {
        Some(Request::CreateConnectionGroup(create)) if call.took_effect => {
            tags.insert(create.name.clone(), sent(call));
        }
        Some(Request::TagResource { .. }) => {
            tags.entry(call.group_name.clone().unwrap_or_default()).or_default().extend(sent(call));
        }
        Some(Request::UntagResource { keys, .. }) => {
            let on_group = tags.entry(call.group_name.clone().unwrap_or_default()).or_default();
            on_group.retain(|key, _| !keys.contains(key));
        }
        _ => {}
    }
}

#[tokio::test]
async fn both_policies_allow_every_call_in_the_life_cycle_of_groups() -> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.control_plane.install_crds().await?;
    account.admin.advance_clock(std::time::Duration::from_mins(2)).await?;
    account.admin.create_group(&NewGroup::named("found")).await?;
    let (folder, kubeconfig) = (cluster.control_plane.folder(), cluster.control_plane.kubeconfig());
    let operator =
        Operator::builder(folder, kubeconfig, account.endpoint()).owner_id("prod-eu").args(["--allow-adoption"]);
    let _operator = hurried(operator).start().await?;

    cluster.run("kubectl create namespace platform; kubectl apply -f examples/connection-group.yaml").await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    for change in [json!({ "ipv6Enabled": false }), json!({ "tags": { "team": "other" } }), json!({ "tags": null })] {
        cluster.patch("platform", "edge", json!({ "spec": change })).await?;
        cluster.settled("platform", "edge", "Deployed").await?;
    }
    cluster.run("kubectl -n platform create -f - <<'EOF'\n{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: found}, spec: {adoptionPolicy: Always, deletionPolicy: Retain, tags: {team: edge}}}\nEOF").await?;
    cluster.settled("platform", "found", "Deployed").await?;
    cluster.run("kubectl -n platform create -f - <<'EOF'\n{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: listed}, spec: {anycastIpListId: aip_none}}\nEOF").await?;
    cluster.settled("platform", "listed", "AnycastIpListNotFound").await?;
    cluster.run("kubectl -n platform delete connectiongroup --all --timeout=1m").await?;
    wait_gone(&cluster.objects("platform").await?, "edge", PATIENCE).await?;

    let mut tags = BTreeMap::from([("found".to_owned(), Tags::new())]);
    let calls = account.admin.requests(0).await?;
    let mut judged = std::collections::BTreeSet::new();
    for call in &calls {
        for asked in asked(call, &tags) {
            for path in BOTH {
                assert!(allows(path, &asked), "{path} does not allow {asked:?}");
            }
            judged.insert(asked.action);
        }
        follow(call, &mut tags);
    }
    assert_eq!(judged.len(), 10, "every action occurred: {judged:?}");
    Ok(())
}

#[test]
fn with_the_conditions_no_foreign_or_unowned_group_can_be_changed_and_no_group_given_away() {
    let owned = |owner: &str| Tags::from([(OWNER.to_owned(), owner.to_owned())]);
    let team = Tags::from([("team".to_owned(), "edge".to_owned())]);
    let (ours, theirs) = (owned("prod-eu/platform/edge"), owned("prod-us/platform/edge"));
    let mark = Tags::from([("cloudfront.kube-operators.dev/installation".to_owned(), "uid-here".to_owned())]);
    let none = Tags::new();
    let refused = [
        ("CreateConnectionGroup", &theirs, &none),
        ("CreateConnectionGroup", &none, &none),
        ("UpdateConnectionGroup", &none, &theirs),
        ("UpdateConnectionGroup", &none, &none),
        ("DeleteConnectionGroup", &none, &theirs),
        ("DeleteConnectionGroup", &none, &none),
        ("UntagResource", &none, &theirs),
        ("TagResource", &ours, &theirs),
        ("TagResource", &team, &theirs),
        ("TagResource", &team, &none),
        ("TagResource", &mark, &theirs),
        ("TagResource", &mark, &none),
        ("TagResource", &theirs, &ours),
        ("TagResource", &theirs, &none),
    ];
    for (operation, request, on_resource) in refused {
        let resource = if operation == "CreateConnectionGroup" { "*" } else { GROUP };
        let asked = Asked {
            action: format!("cloudfront:{operation}"),
            resource: resource.to_owned(),
            request: request.clone(),
            on_resource: on_resource.clone(),
        };
        assert!(!allows(BOTH[1], &asked), "{asked:?}");
        assert!(allows(BOTH[0], &asked), "the other policy has no conditions: {asked:?}");
    }
    let marks_ours = Asked {
        action: "cloudfront:TagResource".to_owned(),
        resource: GROUP.to_owned(),
        request: mark,
        on_resource: ours.clone(),
    };
    assert!(BOTH.iter().all(|path| allows(path, &marks_ours)), "a group of ours is marked, and taken over");
    let elsewhere = Asked {
        action: "cloudfront:UpdateConnectionGroup".to_owned(),
        resource: GROUP.replace("connection-group/", "distribution/"),
        on_resource: ours,
        ..Asked::default()
    };
    assert!(BOTH.iter().all(|path| !allows(path, &elsewhere)), "connection groups only");
}
