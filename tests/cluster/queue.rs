//! Whose call is next, with the real binary: user requests, beside many failing objects.

use std::time::{Duration, Instant};

use cloudfront_simulator::admin::{NewGroup, Operation};
use connection_group_operator::api::ConnectionGroup;
use kube::api::ListParams;
use serde_json::{Value, json};
use testbed::{Result, Testbed, wait_until};

use crate::{steps, steps::PATIENCE};

async fn apply(bed: &Testbed, objects: impl Iterator<Item = (String, Value)>) -> Result<()> {
    let items = objects.map(|(name, spec)| steps::manifest(&name, &spec)).collect::<Vec<_>>();
    bed.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()).await?;
    Ok(())
}

/// Waits until this many objects have this reason.
async fn many_have(bed: &Testbed, count: usize, reason: &str) -> Result<()> {
    let objects = bed.api::<ConnectionGroup>().await?;
    wait_until(PATIENCE * 4, reason, async || {
        let objects = objects.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let have = objects.items.iter().filter(|object| {
            let conditions = object.status.iter().flat_map(|status| &status.conditions);
            conditions.filter(|condition| condition.type_ == "Ready").any(|ready| ready.reason == reason)
        });
        match have.count() {
            n if n >= count => Ok(()),
            n => Err(format!("{n} of {count}")),
        }
    })
    .await
}

#[tokio::test]
async fn ten_new_objects_are_created_before_eighty_failing_ones_are_retried() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let tags = [("cloudfront.kube-operators.dev/owner".to_owned(), "other/platform/edge".to_owned())].into();
    admin.create_group(&NewGroup { tags, ..NewGroup::named("foreign") }).await?;
    let operator = steps::operator(&bed).start().await?;
    apply(&bed, (0..80).map(|n| (format!("refused-{n}"), json!({ "name": "foreign" })))).await?;
    many_have(&bed, 80, "NotOwned").await?;
    drop(operator);

    admin.clear_requests().await?;
    let _operator = bed.operator().args(["--aws-rate=0.5", "--aws-burst=1"]).start().await?;
    // The list that every start begins with, and the first retries.
    wait_until(PATIENCE, "a retry", async || match admin.requests(0).await {
        Ok(calls) if calls.iter().any(|call| call.operation == Some(Operation::GetConnectionGroup)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let last_call = async || admin.requests(0).await.map(|calls| calls.last().map_or(0, |call| call.seq));
    let before = last_call().await?;
    apply(&bed, (0..10).map(|n| (format!("new-{n}"), json!({})))).await?;
    let (asked, since) = (Instant::now(), last_call().await?);
    let created = wait_until(Duration::from_mins(4), "ten groups", async || {
        let calls = admin.requests(before).await.map_err(|error| error.to_string())?;
        let creates = steps::operations(&calls).into_iter().filter(|made| *made == Operation::CreateConnectionGroup);
        // The first may have been made before the last object was stored.
        let later = calls.into_iter().filter(|call| call.seq > since).collect::<Vec<_>>();
        if creates.count() >= 10 { Ok(steps::operations(&later)) } else { Err(format!("{later:?}")) }
    })
    .await?;
    println!("ten groups beside eighty failing objects, at 0.5 calls a second: {:?}", asked.elapsed());
    let last = created.iter().rposition(|operation| *operation == Operation::CreateConnectionGroup).unwrap_or_default();
    let gets = created[..last].iter().filter(|operation| **operation == Operation::GetConnectionGroup).count();
    // One that was in flight, and one turn in nine.
    assert!(gets <= 3, "{gets} retries among the creates: {created:?}");
    many_have(&bed, 10, "Deploying").await
}
