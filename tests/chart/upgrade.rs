//! A rolling upgrade: the new Pod stands by until the old one, which was told to stop, has released its Lease.

use std::time::Instant;

use cloudfront_simulator::admin::Operation;
use connection_group_operator::api::ConnectionGroup;
use kube::Api;
use testbed::{ControlPlane, Result, Simulator, wait_until};

use crate::release::{PATIENCE, Release, hurried};
use crate::rights::{create, ready};

#[tokio::test]
async fn pods_that_use_another_lease_or_none_have_ended_before_the_new_ones_start() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let values =
        |more: &[&str]| ["ownerId=chart-test"].iter().chain(more).map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let alone = values(&["replicas=1", "leaderElection.enabled=false"]);
    let release = Release::install(&control_plane, "elected", &alone).await?;
    let strategy = async || -> Result<Option<String>> {
        Ok(release.deployment().await?.spec.and_then(|spec| spec.strategy).and_then(|strategy| strategy.type_))
    };
    for (change, expected) in [
        (&[][..], "Recreate"),
        (&["log.level=debug"], "RollingUpdate"),
        (&["leaderElection.leaseName=other"], "Recreate"),
        (&["leaderElection.leaseName=other", "log.level=debug"], "RollingUpdate"),
        (&["leaderElection.leaseName=other", "leaderElection.namespace=default"], "Recreate"),
        (&["replicas=1", "leaderElection.enabled=false"], "Recreate"),
    ] {
        release.helm("upgrade", &values(change)).await?;
        assert_eq!(strategy().await?.as_deref(), Some(expected), "{change:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rolling_upgrade_hands_over_at_once_and_asks_cloudfront_for_nothing_but_a_list() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), ["--propagation=100ms"]).await?;
    let release = Release::install(&control_plane, "upgraded", &hurried(&simulator)?).await?;
    let old = release.run(&simulator).await?;
    let api = Api::<ConnectionGroup>::namespaced(control_plane.client().await?, release.namespace);
    create(&api, "edge").await?;
    let before = ready(&api, "edge").await?;

    let mut values = hurried(&simulator)?;
    values.push("log.level=debug".to_owned());
    release.helm("upgrade", &values).await?;
    let new = release.run(&simulator).await?;
    old.stop().await?;
    let stopped = Instant::now();
    let since = simulator.admin.requests(0).await?.last().map_or(0, |call| call.seq);
    wait_until(PATIENCE, "a call of the new Pod", async || {
        let calls = simulator.admin.requests(since).await.map_err(|error| error.to_string())?;
        if calls.is_empty() { Err("no call") } else { Ok(()) }.map_err(str::to_owned)
    })
    .await?;
    println!("{} ms without a leader", stopped.elapsed().as_millis());
    ready(&api, "edge").await?;
    new.stop().await?;
    let calls = simulator.admin.requests(since).await?;
    assert!(calls.iter().all(|call| call.operation == Some(Operation::ListConnectionGroups)), "{calls:?}");
    assert_eq!(ready(&api, "edge").await?.metadata.resource_version, before.metadata.resource_version);
    Ok(())
}
