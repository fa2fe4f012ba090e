//! Tests that run in parallel do not affect each other. Starts a control plane and two simulators; talks to them.

use cloudfront_simulator::admin::NewGroup;
use k8s_openapi::api::core::v1::ConfigMap;
use testbed::Testbed;

#[tokio::test]
async fn each_test_has_its_own_namespace_and_its_own_account() -> testbed::Result<()> {
    let (one, other) = tokio::try_join!(Testbed::start(["--propagation", "0s"]), Testbed::start([""; 0]))?;
    assert_ne!(one.namespace, other.namespace);

    one.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}").await?;
    assert!(one.api::<ConfigMap>().await?.get_opt("mine").await?.is_some());
    assert!(other.api::<ConfigMap>().await?.get_opt("mine").await?.is_none());
    assert!(one.kubectl(&["get", "connectiongroups"]).await?.is_empty());

    one.simulator.admin.create_group(&NewGroup::named("mine")).await?;
    assert!(one.simulator.admin.group("mine").await?.is_some());
    assert!(other.simulator.admin.group("mine").await?.is_none());
    Ok(())
}
