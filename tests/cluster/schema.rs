//! The rules of the CRD as the API server applies them: each with what it accepts, and with what it refuses and the message.
//! No operator runs here.

use std::path::PathBuf;

use serde_json::{Value, json};
use testbed::{Result, Testbed};

use crate::steps;

const OWNER: &str = "cloudfront.kube-operators.dev/owner";

/// A document that is applied.
struct Case {
    name: String,
    spec: Value,
}

fn case(name: impl Into<String>, spec: Value) -> Case {
    Case { name: name.into(), spec }
}

fn tags(key: impl Into<String>, value: impl Into<String>) -> Value {
    json!({ "tags": { key.into(): value.into() } })
}

fn many_tags(number: usize) -> Value {
    json!({ "tags": (0..number).map(|n| (format!("key-{n}"), json!("v"))).collect::<serde_json::Map<_, _>>() })
}

/// kubectl's output for all documents together; the server alone decides, and stores nothing.
async fn dry_run(bed: &Testbed, cases: &[Case]) -> Result<(String, String)> {
    dry_run_of(bed, "apply", cases).await
}

/// The same, with this command of kubectl. With `apply`, kubectl itself leaves out what is null.
async fn dry_run_of(bed: &Testbed, command: &str, cases: &[Case]) -> Result<(String, String)> {
    let items = cases.iter().map(|Case { name, spec }| steps::manifest(name, spec)).collect::<Vec<_>>();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let path: PathBuf = bed.control_plane.folder().join(format!("{}-cases.json", bed.namespace));
    std::fs::write(&path, list.to_string()).expect("the run's folder can be written to");
    let path = path.to_string_lossy();
    let args = ["--namespace", &bed.namespace, command, "--dry-run=server", "--validate=false", "-f", &path];
    let output = bed.control_plane.kubectl(&args).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}

#[tokio::test]
async fn what_the_schema_allows_is_accepted_up_to_the_bounds() -> Result<()> {
    let bed = steps::bed().await?;
    let cases = [
        case("empty-spec", json!({})),
        case("n".repeat(63), json!({})),
        case("a.dotted.name", json!({ "name": "dotless" })),
        case("shortest-name", json!({ "name": "7" })),
        case("longest-name", json!({ "name": "N".repeat(64) })),
        case("name-characters", json!({ "name": "Edge_front-1" })),
        case("shortest-list", json!({ "anycastIpListId": "aip_1" })),
        case("no-list", json!({ "anycastIpListId": "none" })),
        case("longest-list", json!({ "anycastIpListId": format!("aip_{}", "Z".repeat(60)) })),
        case("forty-tags", many_tags(40)),
        case("longest-tag", tags("k".repeat(128), "v".repeat(256))),
        case("longest-tag-in-umlauts", tags("ä".repeat(128), "ö".repeat(256))),
        case("empty-value", tags("key", "")),
        case("tag-characters", tags("ä 1_.:/=+-@", "日本 1_.:/=+-@")),
        case("tag-longest", tags("\u{10400}".repeat(128), "\u{20000}".repeat(256))),
        case("aws-without-colon", tags("aws", "aws:x")),
        case("almost-our-prefix", tags("cloudfront.kube-operators.dev", OWNER)),
        case("observe", json!({ "mode": "Observe" })),
        case("if-unchanged", json!({ "adoptionPolicy": "IfUnchanged" })),
        case("always", json!({ "adoptionPolicy": "Always" })),
        case("retain", json!({ "deletionPolicy": "Retain" })),
        case("all-off", json!({ "enabled": false, "ipv6Enabled": false })),
        case("all-on", json!({ "deletionProtection": true, "suspend": true })),
    ];
    let (stdout, stderr) = dry_run(&bed, &cases).await?;
    assert_eq!(stderr, "");
    for Case { name, .. } in &cases {
        let created = format!("connectiongroup.cloudfront.kube-operators.dev/{name} created (server dry run)");
        assert!(stdout.lines().any(|line| line == created), "{name}: {stdout}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_schema_forbids_is_refused_with_a_message_that_states_what_is_allowed() -> Result<()> {
    const NAME: &str = "`name` must start with a letter or digit and hold only letters, digits, '-' and '_'";
    const LIST: &str = "`anycastIpListId` must be the id of an Anycast static IP list: 'aip_' and up to 60";
    const CHARACTERS: &str = "`tags` keys and values must hold only letters, digits, spaces and _ . : / = + - @";
    const AWS: &str = "`tags` keys must not start with 'aws:', in any case of letters: AWS reserves them";
    const OURS: &str =
        "`tags` keys must not start with 'cloudfront.kube-operators.dev/', in any case of letters: the operator";
    const SPACE: &str = "`tags` keys and values must not begin or end with a space";
    const KEY_SIZE: &str = "`tags` keys must be 1 to 128 characters long";
    let bed = steps::bed().await?;
    let table = [
        (case("m".repeat(64), json!({ "name": "edge" })), "`metadata.name` must be at most 63 characters"),
        (case("a.dot", json!({})), "set `spec.name` when the object's name has a dot"),
        (case("name-empty", json!({ "name": "" })), "spec.name in body should be at least 1 chars long"),
        (case("name-hyphen", json!({ "name": "-edge" })), NAME),
        (case("name-dot", json!({ "name": "edge.front" })), NAME),
        (case("name-space", json!({ "name": "edge " })), NAME),
        (case("name-umlaut", json!({ "name": "ädge" })), NAME),
        (case("name-long", json!({ "name": "n".repeat(65) })), "spec.name: Too long: may not be more than 64"),
        (
            case("list-short", json!({ "anycastIpListId": "aip" })),
            "spec.anycastIpListId in body should be at least 4 chars",
        ),
        (case("list-empty", json!({ "anycastIpListId": "aip_" })), LIST),
        (case("list-none", json!({ "anycastIpListId": "None" })), LIST),
        (case("list-other", json!({ "anycastIpListId": "list_1" })), LIST),
        (case("list-hyphen", json!({ "anycastIpListId": "aip_1-2" })), LIST),
        (
            case("list-long", json!({ "anycastIpListId": format!("aip_{}", "Z".repeat(61)) })),
            "spec.anycastIpListId: Too long: may not be more than 64",
        ),
        (case("tags-many", many_tags(41)), "spec.tags: Too many: 41: must have at most 40 items"),
        (case("tag-key-long", tags("k".repeat(129), "v")), KEY_SIZE),
        (case("tag-key-empty", tags("", "v")), KEY_SIZE),
        (case("tag-value-long", tags("key", "v".repeat(257))), "spec.tags.key: Too long: may not be more than 256"),
        (case("tag-key-star", tags("a*", "v")), CHARACTERS),
        (case("tag-value-star", tags("key", "<v>")), CHARACTERS),
        (case("tag-value-tab", tags("key", "a\tb")), CHARACTERS),
        (case("tag-key-combining", tags("cafe\u{301}", "v")), CHARACTERS),
        (case("tag-value-combining", tags("key", "cafe\u{301}")), CHARACTERS),
        (case("tag-value-emoji", tags("key", "\u{1f980}")), CHARACTERS),
        (case("tag-aws", tags("aws:x", "v")), AWS),
        (case("tag-aws-upper", tags("AWS:x", "v")), AWS),
        (case("tag-aws-mixed", tags("aWs:", "v")), AWS),
        (case("tag-owner", tags(OWNER, "v")), OURS),
        (case("tag-ours", tags("cloudfront.kube-operators.dev/", "v")), OURS),
        (case("tag-owner-upper", tags("Cloudfront.kube-operators.dev/owner", "v")), OURS),
        (case("tag-installation", tags("CLOUDFRONT.KUBE-OPERATORS.DEV/installation", "v")), OURS),
        (case("tag-key-space-before", tags(" key", "v")), SPACE),
        (case("tag-key-space-behind", tags("key ", "v")), SPACE),
        (case("tag-key-only-space", tags(" ", "v")), SPACE),
        (case("tag-value-space-before", tags("key", " v")), SPACE),
        (case("tag-value-space-behind", tags("key", "v\u{a0}")), SPACE),
        (case("mode", json!({ "mode": "observe" })), r#"supported values: "Manage", "Observe""#),
        (case("adoption", json!({ "adoptionPolicy": "" })), r#"supported values: "Never", "IfUnchanged", "Always""#),
        (case("deletion", json!({ "deletionPolicy": "Orphan" })), r#"supported values: "Delete", "Retain""#),
        (case("type-enabled", json!({ "enabled": "maybe" })), "must be of type boolean"),
        (case("type-ipv6", json!({ "ipv6Enabled": 1 })), "must be of type boolean"),
        (case("type-name", json!({ "name": 5 })), "must be of type string"),
        (case("type-tags", json!({ "tags": ["a"] })), "must be of type object"),
        (case("type-tag-value", json!({ "tags": { "n": 5 } })), "must be of type string"),
    ];
    let (cases, phrases): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    let (stdout, stderr) = dry_run(&bed, &cases).await?;
    assert_eq!(stdout, "", "none may be accepted");
    for (Case { name, .. }, phrase) in cases.iter().zip(phrases) {
        let message = message_of(name, &stderr);
        assert!(message.contains(phrase), "{name}: {phrase} is not in: {message}\nof:\n{stderr}");
    }
    Ok(())
}

#[tokio::test]
async fn null_is_refused_where_absence_means_a_default_and_is_absence_everywhere_else() -> Result<()> {
    let bed = steps::bed().await?;
    let table = [
        (
            case("null-enabled", json!({ "enabled": null })),
            "`enabled` must not be null: leave it out for its default, true",
        ),
        (case("null-ipv6", json!({ "ipv6Enabled": null })), "`ipv6Enabled` must not be null"),
        (case("null-protection", json!({ "deletionProtection": null })), "`deletionProtection` must not be null"),
        (case("null-suspend", json!({ "suspend": null })), "`suspend` must not be null"),
        (case("null-mode", json!({ "mode": null })), "Unsupported value: null"),
        (case("null-adoption", json!({ "adoptionPolicy": null })), "Unsupported value: null"),
        (case("null-deletion", json!({ "deletionPolicy": null })), "Unsupported value: null"),
    ];
    let (mut cases, phrases): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    cases.push(case("null-is-absent", json!({ "name": null, "anycastIpListId": null, "tags": null })));
    let (stdout, stderr) = dry_run_of(&bed, "create", &cases).await?;
    assert_eq!(stdout.trim(), "connectiongroup.cloudfront.kube-operators.dev/null-is-absent created (server dry run)");
    for (Case { name, .. }, phrase) in cases.iter().zip(phrases) {
        let message = message_of(name, &stderr);
        assert!(message.contains(phrase), "{name}: {phrase} is not in: {message}\nof:\n{stderr}");
    }
    Ok(())
}

#[tokio::test]
async fn null_that_a_client_turns_into_absence_is_the_default_and_null_that_is_sent_over_false_is_refused() -> Result<()>
{
    let bed = steps::bed().await?;
    steps::create(&bed, "edge", json!({ "enabled": false })).await?;
    let null = json!([{ "op": "add", "path": "/spec/enabled", "value": null }]).to_string();
    let refusal = bed.kubectl(&["patch", "cfcg", "edge", "--type=json", "-p", &null]).await.expect_err("it is sent");
    assert!(refusal.to_string().contains("`enabled` must not be null"), "{refusal}");
    assert!(!steps::get(&bed, "edge").await?.spec.enabled);
    let merged = steps::patch(&bed, "edge", json!({ "spec": { "enabled": null } })).await?;
    assert!(merged.spec.enabled, "a merge patch removes the field");
    Ok(())
}

#[tokio::test]
async fn a_misspelt_field_is_refused_and_named() -> Result<()> {
    let bed = steps::bed().await?;
    steps::explained(&bed, "spec").await?;
    let misspelt = steps::manifest("edge", &json!({ "enable": false })).to_string();
    let refusal = bed.apply(&misspelt).await.expect_err("kubectl refuses it").to_string();
    assert!(refusal.contains(r#"unknown field "spec.enable""#), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn the_name_of_the_group_never_changes() -> Result<()> {
    const PHRASE: &str =
        "`name` must not change, nor be set or unset later: CloudFront cannot rename a connection group";
    let bed = steps::bed().await?;
    steps::create(&bed, "named", json!({ "name": "edge" })).await?;
    steps::create(&bed, "unnamed", json!({})).await?;
    let refused = [
        ("renamed", "named", json!({ "name": "other" })),
        ("unset", "named", json!({ "name": null })),
        ("set later", "unnamed", json!({ "name": "edge" })),
        ("set later to what it means", "unnamed", json!({ "name": "unnamed" })),
    ];
    for (what, name, spec) in refused {
        let text = steps::patch(&bed, name, json!({ "spec": spec })).await.expect_err(what).to_string();
        assert!(text.contains(PHRASE), "{what}: {text}");
    }
    steps::patch(&bed, "named", json!({ "spec": { "name": "edge", "enabled": false } })).await?;
    steps::patch(&bed, "unnamed", json!({ "spec": { "enabled": false } })).await?;
    Ok(())
}

/// The part of kubectl's output that is about one object: from its name to the next error.
fn message_of<'a>(name: &str, stderr: &'a str) -> &'a str {
    let is_a_complaint = |line: &str| line.starts_with("The ConnectionGroup ") || line.starts_with("Error from server");
    let mut from = 0;
    let mut parts = Vec::new();
    for (at, _) in stderr.match_indices('\n') {
        if stderr.get(at + 1..).is_some_and(is_a_complaint) {
            parts.extend(stderr.get(from..at));
            from = at + 1;
        }
    }
    parts.extend(stderr.get(from..));
    let quoted = [format!("\"{name}\""), format!("name: \"{name}\"")];
    parts.into_iter().find(|part| quoted.iter().any(|quoted| part.contains(quoted))).unwrap_or_default()
}
