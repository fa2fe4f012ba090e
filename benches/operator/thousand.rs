//! A thousand objects in sync: memory, and a restart.

use std::time::{Duration, Instant};

use testbed::Result;

use crate::scene::{Scene, UNLIMITED, names, summary};
use crate::table;

const COUNT: usize = 1000;
const DEADLINE: Duration = Duration::from_mins(5);
/// Long enough to finish what a start or a burst of work leaves behind.
const REST: Duration = Duration::from_secs(5);

/// Creates them with unlimited rate, and restarts the operator with its defaults.
pub async fn run() -> Result<()> {
    let mut scene = Scene::set(&["--groups-per-account", "2000"], UNLIMITED).await?;
    scene.create_all(&names(COUNT)).await?;
    scene.all_ready(COUNT, DEADLINE).await?;
    tokio::time::sleep(REST).await;
    table::row("memory, 1,000 objects, just created", table::megabytes(scene.resident_memory()?), "", "");

    scene.operator.terminate(Duration::from_secs(10)).await?;
    scene.forget_calls().await?;
    let began = Instant::now();
    scene.operator = scene.bed.operator().start().await?;
    while passes(&scene.operator.metrics().await?) < COUNT {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let time = began.elapsed();
    let calls = scene.calls().await?;
    table::row("restart with 1,000 objects in sync: calls", calls.len().to_string(), "2,000", "<= 12");
    table::row(&format!("  {}", summary(&calls)), "", "", "");
    table::row("  from start to the last reconcile", table::seconds(time), "10.1 s", "<= 2 s");
    tokio::time::sleep(REST).await;
    let memory = table::megabytes(scene.resident_memory()?);
    table::row("memory at rest, 1,000 objects", memory, "67 MB", "<= 25 MB");
    Ok(())
}

/// Reconciles that have ended, whatever their result, in an answer of /metrics.
fn passes(metrics: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with("controller_runtime_reconcile_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
