//! Killed (SIGKILL) between an answer of CloudFront and the resulting write to the API server; after a restart everything is as if nothing had happened.

use cloudfront_simulator::admin::Operation;
use connection_group_operator::api::ConnectionGroup;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::{Result, Testbed, wait_gone, wait_until};

use crate::{kill_points::effects, steps, steps::PATIENCE};

#[tokio::test]
async fn killed_between_an_answer_and_the_status_write_it_writes_the_actual_state_and_repeats_nothing() -> Result<()> {
    let bed = steps::bed().await?;
    let mut operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edited", json!({})).await?;
    steps::ready(&bed, "edited").await?;

    let denied = deny(&bed, "status", "connectiongroups/status", "true").await?;
    steps::create(&bed, "created", json!({})).await?;
    steps::patch(&bed, "edited", json!({ "spec": { "enabled": false } })).await?;
    let admin = &bed.simulator.admin;
    wait_until(PATIENCE, "both groups to be as asked", async || {
        let state = admin.state().await.map_err(|error| error.to_string())?;
        let enabled = |name| state.group(name).map(|group| group.resource.enabled);
        if (enabled("created"), enabled("edited")) == (Some(true), Some(false)) {
            Ok(())
        } else {
            Err(format!("{state:?}"))
        }
    })
    .await?;
    operator.kill().await?;
    let since = steps::now(&bed).await?;
    denied.lift(&bed).await?;
    operator.restart().await?;
    steps::ready(&bed, "created").await?;
    steps::settled(&bed, "edited", "Disabled").await?;
    assert!(steps::writes(&bed.simulator.admin.requests(since).await?).is_empty());
    Ok(())
}

#[tokio::test]
async fn killed_before_a_finalizer_is_stored_or_removed_it_has_changed_nothing_or_all() -> Result<()> {
    let bed = steps::bed().await?;
    let mut operator = steps::hasty_operator(&bed).start().await?;
    steps::create(&bed, "leaving", json!({})).await?;
    steps::ready(&bed, "leaving").await?;

    let finalizers = "object.metadata.?finalizers.orValue([]) != oldObject.metadata.?finalizers.orValue([])";
    let denied = deny(&bed, "finalizers", "connectiongroups", finalizers).await?;
    bed.api::<ConnectionGroup>().await?.delete("leaving", &DeleteParams::default()).await?;
    steps::create(&bed, "coming", json!({})).await?;
    let admin = &bed.simulator.admin;
    wait_until(PATIENCE, "the group to be gone", async || match admin.state().await {
        Ok(state) if state.groups.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    steps::an_inventory(&bed).await?;
    assert!(admin.state().await?.groups.is_empty(), "nothing is created without a finalizer");
    operator.kill().await?;
    denied.lift(&bed).await?;
    operator.restart().await?;
    wait_gone(&bed.api::<ConnectionGroup>().await?, "leaving", PATIENCE).await?;
    steps::ready(&bed, "coming").await?;
    let calls = admin.requests(0).await?;
    let once = [
        ("coming", Operation::CreateConnectionGroup),
        ("leaving", Operation::CreateConnectionGroup),
        ("leaving", Operation::UpdateConnectionGroup),
        ("leaving", Operation::DeleteConnectionGroup),
    ];
    assert_eq!(effects(&calls), once.map(|(name, operation)| ((name.to_owned(), operation), 1)).into());
    Ok(())
}

/// Writes in the test's namespace that the API server refuses for now.
struct Denied(String);

/// Refuses updates of a resource for which the expression is true.
async fn deny(bed: &Testbed, name: &str, resource: &str, expression: &str) -> Result<Denied> {
    let name = format!("{}-{name}", bed.namespace);
    let policy: Value = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": {
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": bed.namespace } },
                "resourceRules": [{
                    "apiGroups": ["cloudfront.kube-operators.dev"],
                    "apiVersions": ["*"],
                    "resources": [resource],
                    "operations": ["UPDATE"],
                }],
            },
            "validations": [{ "expression": format!("!({expression})"), "message": "refused by the test" }],
        },
    });
    let binding: Value = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    for manifest in [&policy, &binding] {
        bed.apply(&manifest.to_string()).await?;
    }
    // It becomes effective a moment later.
    steps::create(bed, "probe", json!({ "suspend": true })).await?;
    wait_until(PATIENCE, "the API server to refuse", async || {
        let patch = [r#"{"metadata":{"finalizers":["probe.example/1"]}}"#, r#"{"status":{"observedGeneration":7}}"#];
        let (subresource, patch) = if resource.ends_with("/status") { ("status", patch[1]) } else { ("", patch[0]) };
        let subresource = format!("--subresource={subresource}");
        let mut words = vec!["patch", "cfcg", "probe", "--type=merge", "--dry-run=server", "-p", patch];
        if subresource != "--subresource=" {
            words.push(&subresource);
        }
        match bed.kubectl(&words).await {
            Err(error) if error.to_string().contains("refused by the test") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(Denied(name))
}

impl Denied {
    async fn lift(self, bed: &Testbed) -> Result<()> {
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
            bed.kubectl(&["delete", kind, &self.0]).await?;
        }
        Ok(())
    }
}
