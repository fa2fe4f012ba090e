//! One object, from its creation to Ready.

use std::time::{Duration, SystemTime};

use cloudfront_simulator::admin::Operation;
use testbed::{Result, wait_for};

use crate::scene::{PROPAGATION, Scene, arrival, is_ready, names, summary};
use crate::table;

/// The creates come at different moments between two inventories, because an inventory decides when the operator notices the roll-out.
const PAUSES: [Duration; 4] = [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(6), Duration::from_secs(9)];
const DEADLINE: Duration = Duration::from_mins(1);

/// Some life cycles, one after the other.
pub async fn one() -> Result<()> {
    let scene = Scene::set(&[], &[]).await?;
    let mut most_calls = Vec::new();
    let mut delays = Vec::new();
    for (pause, name) in PAUSES.into_iter().zip(names(PAUSES.len())) {
        tokio::time::sleep(pause).await;
        scene.forget_calls().await?;
        scene.create(&name).await?;
        wait_for(&scene.objects, &name, DEADLINE, "Ready", is_ready).await?;
        let ready = SystemTime::now();
        let created = scene.call(Operation::CreateConnectionGroup, Some(&name), DEADLINE).await?;
        delays.push(ready.duration_since(arrival(&created) + PROPAGATION).unwrap_or_default());
        let calls = scene.calls().await?;
        if calls.len() > most_calls.len() {
            most_calls = calls;
        }
    }
    let delays: Vec<_> = delays.iter().map(|delay| format!("{:.1}", delay.as_secs_f64())).collect();
    table::row("one create to Ready: calls, most of 4 lives", most_calls.len().to_string(), "", "");
    table::row(&format!("  {}", summary(&most_calls)), "", "", "");
    table::row("Ready after Deployed, 4 lives", format!("{} s", delays.join(" ")), "up to 30 s", "<= 10 s");
    Ok(())
}
