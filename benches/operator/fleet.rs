//! A hundred objects created at once: with a CloudFront that accepts all calls, with one that throttles, and idle afterwards.

use std::time::{Duration, SystemTime};

use cloudfront_simulator::admin::{LoggedCall, Operation};
use testbed::Result;

use crate::scene::{Scene, UNLIMITED, arrival, names, summary};
use crate::table;

const COUNT: usize = 100;
const DEADLINE: Duration = Duration::from_mins(5);
/// The default of --inventory-interval.
const INVENTORY_INTERVAL: Duration = Duration::from_mins(1);

/// The result of a hundred creates.
struct Storm {
    calls: Vec<LoggedCall>,
    last_create: Duration,
    all_ready: Duration,
}

impl Storm {
    async fn watch(scene: &Scene) -> Result<Self> {
        scene.forget_calls().await?;
        let began = SystemTime::now();
        scene.create_all(&names(COUNT)).await?;
        scene.all_ready(COUNT, DEADLINE).await?;
        let all_ready = began.elapsed().unwrap_or_default();
        let calls = scene.calls().await?;
        let creates = calls.iter().filter(|call| call.operation == Some(Operation::CreateConnectionGroup));
        let last_create = creates.map(arrival).max().and_then(|last| last.duration_since(began).ok());
        Ok(Self { calls, last_create: last_create.unwrap_or_default(), all_ready })
    }

    fn throttled(&self) -> usize {
        self.calls.iter().filter(|call| call.error.as_deref() == Some("Throttling")).count()
    }
}

/// Unlimited rate, and then idle.
pub async fn unlimited() -> Result<()> {
    let mut scene = Scene::set(&[], UNLIMITED).await?;
    let storm = Storm::watch(&scene).await?;
    table::row("100 creates, unlimited rate: calls", storm.calls.len().to_string(), "700", "<= 115");
    table::row(&format!("  {}", summary(&storm.calls)), "", "", "");
    table::row("  last Create received", table::seconds(storm.last_create), "", "");
    table::row("  all Ready", table::seconds(storm.all_ready), "33 s", "<= 15 s");

    scene.forget_calls().await?;
    scene.call(Operation::ListConnectionGroups, None, INVENTORY_INTERVAL * 2).await?;
    scene.forget_calls().await?;
    // From just after one inventory to just after the next.
    tokio::time::sleep(INVENTORY_INTERVAL + Duration::from_millis(500)).await;
    let calls = scene.calls().await?;
    let (what, incumbent) = ("calls per minute at rest, 100 objects (one inventory)", "200 in 10 h");
    table::row(what, calls.len().to_string(), incumbent, "drift found in 60 s");
    table::row("memory at rest, 100 objects", table::megabytes(scene.resident_memory()?), "", "");
    Ok(())
}

/// An account whose rate limit is the operator's default rate.
pub async fn limited() -> Result<()> {
    let scene = Scene::set(&["--rate", "2", "--burst", "10"], &[]).await?;
    let storm = Storm::watch(&scene).await?;
    let last_create = table::seconds(storm.last_create);
    table::row("100 creates, 2 calls/s, burst 10: last Create received", last_create, "148 s", "");
    table::row("  all Ready", table::seconds(storm.all_ready), "247 s", "<= 65 s");
    table::row("  throttled answers", storm.throttled().to_string(), "215", "0");
    table::row("  calls", storm.calls.len().to_string(), "917", "<= 120");
    table::row(&format!("  {}", summary(&storm.calls)), "", "", "");
    Ok(())
}
