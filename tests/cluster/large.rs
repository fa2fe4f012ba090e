//! Objects and tags of the maximum size, and larger. Only the real API server and etcd know where the limits are.

use std::collections::BTreeMap;

use cloudfront_simulator::admin::{NewGroup, Operation};
use connection_group_operator::api::{ConnectionGroup, finalizer};
use jiff::Timestamp;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::{Operator, Result, wait_gone, wait_until};

use crate::{journal, steps, steps::PATIENCE};

/// An object padded with labels, whose number is not limited, and with an annotation, whose size Kubernetes limits.
pub fn padded(name: &str, labels: usize, annotation: usize) -> ConnectionGroup {
    let label = |n: usize| (format!("{}.example/{n:0>63}", "p".repeat(245)), Value::from("v".repeat(63)));
    let mut manifest = steps::manifest(name, &json!({}));
    manifest["metadata"]["labels"] = Value::Object((0..labels).map(label).collect());
    manifest["metadata"]["annotations"] = json!({ "padding": "x".repeat(annotation) });
    serde_json::from_value(manifest).expect("it is a ConnectionGroup")
}

#[tokio::test]
async fn an_object_of_almost_a_megabyte_is_managed_like_any_other() -> Result<()> {
    let bed = steps::bed().await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    let _operator = steps::hasty_operator(&bed).start().await?;
    let created = objects.create(&PostParams::default(), &padded("edge", 1050, 200_000)).await?;
    let size = serde_json::to_string(&created).expect("an object is JSON").len();
    assert!((900_000..1_000_000).contains(&size), "{size}");

    steps::ready(&bed, "edge").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    let object = steps::settled(&bed, "edge", "Disabled").await?;
    assert_eq!((object.labels(), object.annotations()), (created.labels(), created.annotations()), "as they were");
    objects.delete("edge", &DeleteParams::default()).await?;
    wait_gone(&objects, "edge", PATIENCE).await
}

const LABELS: usize = 3400;

/// The longest annotation with which the API server still stores an object of a name of four letters.
async fn longest_annotation(objects: &Api<ConnectionGroup>) -> Result<usize> {
    let (mut fits, mut refused) = (200_000, 262_000);
    while refused - fits > 16 {
        let middle = usize::midpoint(fits, refused);
        match objects.create(&PostParams::default(), &padded("size", LABELS, middle)).await {
            Ok(_) => {
                objects.delete("size", &DeleteParams::default()).await?;
                fits = middle;
            }
            Err(_) => refused = middle,
        }
    }
    assert!(fits > 200_000, "nothing fits");
    Ok(fits)
}

#[tokio::test]
async fn an_object_without_room_is_reported_retried_with_backoff_and_delays_no_other() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let objects = bed.api::<ConnectionGroup>().await?;
    let longest = longest_annotation(&objects).await?;
    // One without room for a finalizer, one with room for that and not for a status.
    for (name, annotation) in [("full", longest), ("room", longest - 400)] {
        objects.create(&PostParams::default(), &padded(name, LABELS, annotation)).await?;
    }
    let operator = steps::calm_operator(&bed).start().await?;
    steps::create(&bed, "plain", json!({})).await?;
    steps::ready(&bed, "plain").await?;
    refusals(&operator, "room", 1).await?;
    let times = refusals(&operator, "full", 3).await?;
    for (pause, seconds) in times.windows(2).zip([1.0, 2.0]) {
        let pause = pause[1].duration_since(pause[0]);
        assert!(pause.as_secs_f64() >= seconds * 0.8, "{seconds} s, minus at most a fifth, but {pause:?}");
    }
    assert!(steps::get(&bed, "full").await?.finalizers().is_empty());
    assert_eq!(admin.group("full").await?, None, "nothing is created without a finalizer");
    assert_eq!(steps::get(&bed, "room").await?.finalizers(), [finalizer(&bed.namespace)]);
    assert!(admin.group("room").await?.is_some());

    for name in ["full", "room"] {
        steps::patch(&bed, name, json!({ "metadata": { "annotations": null } })).await?;
        steps::ready(&bed, name).await?;
    }
    let calls = steps::calls_but_lists(&bed, 0).await?;
    assert_eq!(steps::operations(&calls), [Operation::CreateConnectionGroup; 3], "no call is repeated");
    Ok(())
}

/// Waits until the log has reported this often that an object cannot be stored because it is too large, and returns when it did.
async fn refusals(operator: &Operator, name: &str, often: usize) -> Result<Vec<Timestamp>> {
    let tells = |line: &Value| {
        let error = line["error"].as_str().unwrap_or_default();
        line["level"] == "ERROR" && line["name"] == name && error.contains("request is too large")
    };
    let time = |line: &Value| line["timestamp"].as_str().expect("a line has its time").parse().expect("it is RFC 3339");
    wait_until(PATIENCE, &format!("{name} to be reported"), async || {
        let lines = journal::lines(operator);
        let told = lines.iter().filter(|line| tells(line)).map(time).collect::<Vec<Timestamp>>();
        if told.len() >= often { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await
}

/// The largest tags that CloudFront accepts, in characters of four bytes each; and two whose keys are only similar in appearance.
fn largest_tags(letter: char) -> BTreeMap<String, String> {
    let key = |n: u32| format!("{}{n:0>2}", "\u{10400}".repeat(126));
    let numbered = (0..38).map(|n| (key(n), letter.to_string().repeat(256)));
    let alike = ["\u{c5}", "\u{212b}"].map(|angstrom| (angstrom.to_owned(), angstrom.repeat(256)));
    numbered.chain(alike).collect()
}

#[tokio::test]
async fn forty_tags_of_the_largest_size_come_back_from_cloudfront_as_they_were_written() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let _operator = steps::hasty_operator(&bed).start().await?;
    for letter in ['\u{20000}', '\u{1d7d8}'] {
        let tags = largest_tags(letter);
        let bytes = tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        assert!(tags.len() == 40 && bytes > 57_000, "{} tags, {bytes} bytes", tags.len());
        bed.apply(&steps::manifest("edge", &json!({ "tags": tags })).to_string()).await?;
        let status = steps::ready(&bed, "edge").await?.status.expect("a status");
        assert_eq!(status.tags, tags);
        let group = admin.group("edge").await?.expect("the group exists").resource;
        let expected = with_claim(&bed.namespace, &status.installation.expect("an identity"), tags);
        assert_eq!(expected, group.tags.unwrap_or_default());
    }

    // If all of them differ, status reports each one, and names it once more in a sentence.
    admin.create_group(&NewGroup::named("seen")).await?;
    let tags = largest_tags('\u{20000}');
    steps::create(&bed, "seen", json!({ "mode": "Observe", "tags": tags })).await?;
    let status = steps::ready(&bed, "seen").await?.status.expect("a status");
    let drift = status.drift.into_iter().map(|drift| (drift.field, drift.desired)).collect::<BTreeMap<_, _>>();
    assert_eq!(drift, tags.into_iter().map(|(key, value)| (format!("tags[{key}]"), value)).collect());

    steps::patch(&bed, "edge", json!({ "spec": { "tags": null } })).await?;
    let status = steps::ready(&bed, "edge").await?.status.expect("a status");
    let group = admin.group("edge").await?.expect("the group exists").resource;
    let expected = with_claim(&bed.namespace, &status.installation.expect("an identity"), BTreeMap::new());
    assert_eq!(expected, group.tags.unwrap_or_default());
    Ok(())
}

fn with_claim(namespace: &str, installation: &str, mut tags: BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.insert("cloudfront.kube-operators.dev/installation".to_owned(), installation.to_owned());
    tags.insert("cloudfront.kube-operators.dev/owner".to_owned(), format!("{namespace}/{namespace}/edge"));
    tags
}
