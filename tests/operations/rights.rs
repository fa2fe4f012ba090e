//! Each action that IAM refuses: the object names it, and nothing is done that was not requested. `docs/iam.md` says what each is for.

use cloudfront_simulator::admin::{Fault, GroupPatch, Moment, Operation};
use connection_group_operator::api::{ConnectionGroup, condition};
use serde_json::{Value, json};
use testbed::{Operator, Result, Testbed, wait_for, wait_gone};

use crate::cluster::{PATIENCE, hurried};

fn refusal(operation: Operation) -> Fault {
    let action = operation.as_str();
    // Without the action in AWS's own words, which the operator must not rely on.
    Fault::Error {
        status: 403,
        code: "AccessDenied".into(),
        message: format!("no {}", action.len()),
        when: Moment::Before,
    }
}

async fn apply(bed: &Testbed, name: &str, spec: &Value) -> Result<()> {
    let object = json!({
        "apiVersion": "cloudfront.kube-operators.dev/v1alpha1",
        "kind": "ConnectionGroup",
        "metadata": { "name": name },
        "spec": spec,
    });
    bed.apply(&object.to_string()).await.map(drop)
}

async fn until(bed: &Testbed, name: &str, what: &str, met: impl Fn(&str, &str, &str) -> bool) -> Result<()> {
    let met = |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| {
            Some(status.observed_generation) == object.metadata.generation
                && condition(&status.conditions, "Ready")
                    .is_some_and(|ready| met(&ready.status, &ready.reason, &ready.message))
        })
    };
    wait_for(&bed.api().await?, name, PATIENCE, what, met).await.map(drop)
}

async fn ready(bed: &Testbed, name: &str) -> Result<()> {
    until(bed, name, "it to be Ready", |status, _, _| status == "True").await
}

/// What makes the operator call each operation, once the object is Ready.
async fn provoke(bed: &Testbed, name: &str, operation: Operation) -> Result<()> {
    let spec = match operation {
        Operation::UpdateConnectionGroup => json!({ "ipv6Enabled": false, "tags": { "team": "edge" } }),
        Operation::TagResource => json!({ "ipv6Enabled": false, "tags": { "team": "other" } }),
        Operation::UntagResource => json!({ "ipv6Enabled": false }),
        _ => {
            let request = format!("cloudfront.kube-operators.dev/reconcile-requested-at={operation:?}");
            return bed.kubectl(&["annotate", "--overwrite", "connectiongroup", name, &request]).await.map(drop);
        }
    };
    apply(bed, name, &spec).await
}

async fn assert_told(bed: &Testbed, operator: &Operator, name: &str, operation: Operation) -> Result<()> {
    let action = format!("cloudfront:{}", operation.as_str());
    until(bed, name, &format!("{name} to name {action}"), |_, _, message| message.contains(&action)).await?;
    let metrics = operator.metrics().await?;
    let counted = format!("aws_api_call_permission_errors_total{{operation=\"{}\"", operation.as_str());
    assert!(metrics.contains(&counted), "{counted}: {metrics}");
    let log = std::fs::read_to_string(operator.log()).expect("there is a log");
    assert!(log.contains(&format!("{}: AccessDenied", operation.as_str())), "a log line names {operation:?}");
    Ok(())
}

#[tokio::test]
async fn each_refused_action_is_named_and_the_object_recovers_once_it_is_allowed() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let operator = hurried(bed.operator()).start().await?;
    let admin = &bed.simulator.admin;
    let creating =
        admin.fault_always(Operation::CreateConnectionGroup, refusal(Operation::CreateConnectionGroup)).await?;
    apply(&bed, "edge", &json!({ "tags": { "team": "edge" } })).await?;
    assert_told(&bed, &operator, "edge", Operation::CreateConnectionGroup).await?;
    assert!(admin.state().await?.groups.is_empty());
    admin.delete_fault(creating).await?;
    let request = "cloudfront.kube-operators.dev/reconcile-requested-at=now";
    bed.kubectl(&["annotate", "connectiongroup", "edge", request]).await?;
    ready(&bed, "edge").await?;

    for operation in [
        Operation::GetConnectionGroup,
        Operation::ListTagsForResource,
        Operation::UpdateConnectionGroup,
        Operation::TagResource,
        Operation::UntagResource,
    ] {
        let before = admin.group("edge").await?;
        let fault = admin.fault_always(operation, refusal(operation)).await?;
        provoke(&bed, "edge", operation).await?;
        assert_told(&bed, &operator, "edge", operation).await?;
        assert_eq!(admin.group("edge").await?, before, "{operation:?}");
        admin.delete_fault(fault).await?;
        // A refused action is retried slowly; after correcting the policy, a user need not wait.
        let request = format!("cloudfront.kube-operators.dev/reconcile-requested-at=allowed-{operation:?}");
        bed.kubectl(&["annotate", "--overwrite", "connectiongroup", "edge", &request]).await?;
        ready(&bed, "edge").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_deletion_without_permission_names_the_action_at_each_of_its_steps() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let operator = hurried(bed.operator()).start().await?;
    let admin = &bed.simulator.admin;
    for operation in [
        Operation::ListDistributionTenants,
        Operation::UpdateConnectionGroup,
        Operation::DeleteConnectionGroup,
        Operation::ListConnectionGroups,
    ] {
        let name = operation.as_str().to_lowercase();
        apply(&bed, &name, &json!({})).await?;
        ready(&bed, &name).await?;
        let fault = admin.fault_always(operation, refusal(operation)).await?;
        bed.kubectl(&["delete", "connectiongroup", &name, "--wait=false"]).await?;
        assert_told(&bed, &operator, &name, operation).await?;
        let enabled = admin.group(&name).await?.map(|group| group.resource.enabled);
        let expected = match operation {
            Operation::DeleteConnectionGroup => Some(false),
            Operation::ListConnectionGroups => None,
            _ => Some(true),
        };
        assert_eq!(enabled, expected, "{operation:?}");
        admin.delete_fault(fault).await?;
        // The last list may have arrived already, and the object may be gone.
        let request = "cloudfront.kube-operators.dev/reconcile-requested-at=allowed";
        let _ = bed.kubectl(&["annotate", "connectiongroup", &name, request]).await;
        wait_gone(&bed.api::<ConnectionGroup>().await?, &name, PATIENCE).await?;
    }
    Ok(())
}

#[tokio::test]
async fn without_permission_to_read_lists_the_message_still_names_the_list() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let operator = hurried(bed.operator()).start().await?;
    let admin = &bed.simulator.admin;
    admin.fault_always(Operation::GetAnycastIpList, refusal(Operation::GetAnycastIpList)).await?;
    apply(&bed, "edge", &json!({ "anycastIpListId": "aip_none" })).await?;
    until(&bed, "edge", "the list to be named", |_, reason, message| {
        reason == "AnycastIpListNotFound" && message.contains("aip_none")
    })
    .await?;
    let metrics = operator.metrics().await?;
    assert!(metrics.contains("permission_errors_total{operation=\"GetAnycastIpList\""), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn without_permission_to_list_groups_are_created_and_drift_is_corrected_by_full_reads() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let admin = &bed.simulator.admin;
    admin.fault_always(Operation::ListConnectionGroups, refusal(Operation::ListConnectionGroups)).await?;
    let operator = hurried(bed.operator()).args(["--resync-interval=2s"]).start().await?;
    apply(&bed, "edge", &json!({})).await?;
    ready(&bed, "edge").await?;
    let off = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
    admin.edit_group("edge", &off).await?;
    testbed::wait_until(PATIENCE, "the group to be on again", async || match admin.group("edge").await {
        Ok(Some(group)) if group.resource.enabled => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let metrics = operator.metrics().await?;
    assert!(metrics.contains("connection_group_operator_inventory_age_seconds inf"), "{metrics}");
    let log = std::fs::read_to_string(operator.log()).expect("there is a log");
    assert!(log.contains("could not be listed") && log.contains("ListConnectionGroups: AccessDenied"), "{log}");
    Ok(())
}
