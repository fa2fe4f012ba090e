//! The latency of a user's change: from the request to the API server to the call that CloudFront receives.

use std::future::Future;
use std::time::{Duration, SystemTime};

use cloudfront_simulator::admin::Operation;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::Result;

use crate::scene::{Scene, UNLIMITED, arrival, names};
use crate::table;

/// After each change: long enough for the reconcile to end, so that the next change meets an idle operator.
const PAUSE: Duration = Duration::from_millis(100);
const DEADLINE: Duration = Duration::from_mins(1);

/// Creates and patches, one after the other, with a CloudFront that answers at once.
pub async fn no_delay() -> Result<()> {
    let scene = Scene::set(&[], UNLIMITED).await?;
    warm_up(&scene).await?;
    let names = names(50);
    let mut created = Vec::new();
    for name in &names {
        created.push(time(&scene, Operation::CreateConnectionGroup, name, scene.create(name)).await?);
    }
    let (answered, received): (Vec<_>, Vec<_>) = created.into_iter().unzip();
    table::row("apply -> CreateConnectionGroup received, p50 / p99", table::p50_p99(&received), "13 ms", "<= 7 ms");
    table::row("  for comparison: the API server's answer", table::p50_p99(&answered), "", "");

    scene.all_ready(names.len() + 1, DEADLINE).await?;
    let (answered, received) = patches(&scene, &names).await?;
    let what = "patch -> UpdateConnectionGroup received, p50 / p99";
    table::row(what, table::p50_p99(&received), "13.4 / 19.0 ms", "<= 6 / 10 ms");
    table::row("  for comparison: the API server's answer", table::p50_p99(&answered), "", "");
    Ok(())
}

/// Patches, with a CloudFront that takes 100 ms to answer.
pub async fn with_delay() -> Result<()> {
    let scene = Scene::set(&["--latency", "100ms"], UNLIMITED).await?;
    let names = names(20);
    scene.create_all(&names).await?;
    scene.all_ready(names.len(), DEADLINE).await?;
    let (_, received) = patches(&scene, &names).await?;
    table::row("  each CloudFront call taking 100 ms", table::p50_p99(&received), "214 ms", "<= 112 ms");
    Ok(())
}

/// The first object of its kind costs a fresh API server two seconds, whichever client writes it.
async fn warm_up(scene: &Scene) -> Result<()> {
    scene.create("warm-up").await?;
    scene.call(Operation::CreateConnectionGroup, Some("warm-up"), DEADLINE).await.map(drop)
}

/// Patches one object after the other: how long until the API server's answer, and until the call.
async fn patches(scene: &Scene, names: &[String]) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let mut times = Vec::new();
    for name in names {
        let patch = Patch::Merge(json!({"spec": {"ipv6Enabled": false}}));
        let patched = async {
            scene.objects.patch(name, &PatchParams::default(), &patch).await?;
            Ok(())
        };
        times.push(time(scene, Operation::UpdateConnectionGroup, name, patched).await?);
    }
    Ok(times.into_iter().unzip())
}

/// How long a change took to be answered by the API server, and to be followed by a call.
async fn time(
    scene: &Scene,
    operation: Operation,
    name: &str,
    change: impl Future<Output = Result<()>>,
) -> Result<(Duration, Duration)> {
    scene.forget_calls().await?;
    let sent = SystemTime::now();
    change.await?;
    let answered = sent.elapsed().unwrap_or_default();
    // The simulator is not polled while the operator's call is on its way.
    tokio::time::sleep(PAUSE).await;
    let call = scene.call(operation, Some(name), DEADLINE).await?;
    Ok((answered, arrival(&call).duration_since(sent).unwrap_or_default()))
}
