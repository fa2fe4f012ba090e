//! An administrator's mistakes in the configuration of AWS: the region, and everything that leaves the operator without credentials. It reports that
//! and harms nothing.

use cloudfront_simulator::admin::{Fault, Moment, OperationFilter};
use testbed::Result;

use crate::cluster::{Cluster, hurried, message};

#[tokio::test]
async fn a_signature_for_the_wrong_region_is_reported_in_a_condition_a_log_line_and_a_metric() -> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.control_plane.install_crds().await?;
    let refusal = Fault::Error {
        status: 403,
        code: "SignatureDoesNotMatch".into(),
        message: "Credential should be scoped to a valid region.".into(),
        when: Moment::Before,
    };
    account.admin.fault_always(OperationFilter::Any, refusal).await?;
    let (folder, kubeconfig) = (cluster.control_plane.folder(), cluster.control_plane.kubeconfig());
    let operator = testbed::Operator::builder(folder, kubeconfig, account.endpoint()).args(["--aws-region=eu-west-1"]);
    let operator = hurried(operator).start().await?;
    cluster.run("kubectl create namespace platform; kubectl apply -f examples/connection-group.yaml").await?;
    let told = cluster.settled("platform", "edge", "CredentialsUnavailable").await?;
    // Not in the words of AWS: they may quote the request, including the session token.
    for part in ["SignatureDoesNotMatch", "--aws-region"] {
        assert!(message(&told).contains(part), "{part}: {}", message(&told));
    }
    let log = std::fs::read_to_string(operator.log()).expect("there is a log");
    assert!(log.contains("SignatureDoesNotMatch"));
    let metrics = operator.metrics().await?;
    assert!(metrics.contains(r#"error_code="SignatureDoesNotMatch""#), "{metrics}");
    assert!(account.admin.state().await?.groups.is_empty());
    Ok(())
}
