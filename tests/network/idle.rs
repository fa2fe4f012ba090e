//! A NAT that silently forgets connections that were idle for a while.

use std::time::Duration;

use cloudfront_simulator::admin::Operation;
use testbed::{Operator, Proxy, Result, wait_until};

use crate::steps::{self, PATIENCE};

/// How soon this NAT forgets a connection, and a pause that is longer.
const FORGETS: Duration = Duration::from_secs(16);
const PAUSE: &str = "--inventory-interval=18s";

#[tokio::test]
async fn no_call_is_made_on_a_connection_that_a_nat_has_forgotten() -> Result<()> {
    let bed = steps::bed().await?;
    let nat = Proxy::start(steps::address(&bed)).await?;
    nat.forget_idle(FORGETS);
    let plane = &bed.control_plane;
    let operator = Operator::builder(plane.folder(), plane.kubeconfig(), format!("http://{}", nat.address()))
        .owner_id(&bed.namespace)
        .watch_namespace(&bed.namespace)
        .args([PAUSE])
        .start()
        .await?;
    wait_until(PATIENCE, "two inventories", async || {
        let calls = bed.simulator.admin.requests(0).await.map_err(|error| error.to_string())?;
        let lists = calls.iter().filter(|call| call.operation == Some(Operation::ListConnectionGroups)).count();
        let text = steps::text(operator.log());
        assert!(!text.contains("\"WARN\"") && !text.contains("\"ERROR\""), "{text}");
        if lists >= 2 { Ok(()) } else { Err(lists.to_string()) }
    })
    .await?;
    assert!(nat.accepted() >= 2, "the second inventory has a connection of its own");
    Ok(())
}
