//! Answers that are wrong, late or missing, produced over HTTP: what the object reports meanwhile, and that it recovers by itself.

use cloudfront_simulator::admin::{Fault, FaultRule, Moment, NewTenant, Operation};
use connection_group_operator::api::{ConnectionGroup, RECONCILE_REQUESTED_AT};
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use testbed::{Launch, Operator, Process, Result, Testbed, wait_for, wait_gone, wait_until};

use crate::{journal, steps, steps::PATIENCE};

/// The group that Create answers with, complete except for what its header should contain.
const GROUP: &str = r#"<?xml version="1.0"?><ConnectionGroup xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>cg_1</Id>
    <Name>no-etag</Name><Arn>arn:aws:cloudfront::123456789012:connection-group/cg_1</Arn><CreatedTime>2026-01-01T00:00:00Z</CreatedTime>
    <LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><Ipv6Enabled>true</Ipv6Enabled><Status>Deployed</Status>
    <RoutingEndpoint>d1.cloudfront.net</RoutingEndpoint><Enabled>true</Enabled><IsDefault>false</IsDefault></ConnectionGroup>"#;

fn raw(status: u16, content_type: &str, body: &str) -> Fault {
    Fault::Raw { status, content_type: content_type.into(), body: body.into(), headers: [].into() }
}

#[tokio::test]
async fn without_cloudfront_it_starts_stays_ready_reports_why_and_continues_when_it_is_back() -> Result<()> {
    let bed = steps::bed().await?;
    let port = testbed::free_port()?;
    let (folder, kubeconfig) = (bed.control_plane.folder(), bed.control_plane.kubeconfig());
    let operator = Operator::builder(folder, kubeconfig, format!("http://127.0.0.1:{port}"));
    let operator = operator.owner_id(&bed.namespace).watch_namespace(&bed.namespace);
    // Starting includes that /readyz answers 200.
    let mut operator = steps::hurried(operator).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::settled(&bed, "edge", "ServiceUnavailable").await?;
    let message = steps::message(&object);
    for part in ["The connection to CloudFront failed", "exponential backoff", "the Pod's network path"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(operator.process().is_running());

    let program = testbed::find("cloudfront-simulator")?;
    let late = Launch::new(format!("simulator-late-{}", bed.namespace), program, folder)
        .args([format!("--addr=127.0.0.1:{port}"), "--propagation=100ms".into()]);
    let _late = Process::start(&late)?;
    steps::ready(&bed, "edge").await?;
    Ok(())
}

#[tokio::test]
async fn throttled_it_reports_that_nothing_was_changed_and_that_it_retries() -> Result<()> {
    let bed = steps::bed().await?;
    bed.simulator.admin.throttle(Operation::CreateConnectionGroup, 2).await?;
    let operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::settled(&bed, "edge", "Throttled").await?;
    let message = steps::message(&object);
    for part in ["CloudFront is throttling CreateConnectionGroup", "Nothing was changed", "1 second to 10 seconds"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    steps::ready(&bed, "edge").await?;
    let counted = r#"aws_api_call_throttled_errors_total{operation="CreateConnectionGroup",service="CloudFront"} 2"#;
    let metrics = operator.metrics().await?;
    assert!(metrics.contains(counted), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn an_unreadable_answer_is_reported_and_recovers() -> Result<()> {
    let table = [
        ("cut-off", raw(200, "text/xml", "<ConnectionGroup><Id>cg_"), "UnexpectedResponse", "cannot be read"),
        ("empty-body", raw(201, "text/xml", ""), "UnexpectedResponse", "cannot be read"),
        ("no-etag", raw(201, "text/xml", GROUP), "UnexpectedResponse", "the answer has no ETag"),
        (
            "html-page",
            raw(502, "text/html", "<html><h1>Bad Gateway</h1></html>"),
            "ServiceUnavailable",
            "HTTP status 502",
        ),
        ("html-at-200", raw(200, "text/html", "<html><h1>Log in</h1></html>"), "UnexpectedResponse", "text/html"),
        ("unknown-code", error(418, "Teapot"), "UnexpectedResponse", "Teapot"),
        ("redirect", raw(302, "text/html", ""), "UnexpectedResponse", "302"),
    ];
    let bed = steps::bed().await?;
    let _operator = steps::operator(&bed).start().await?;
    for (name, fault, ..) in &table {
        let operation = Operation::CreateConnectionGroup;
        let target = Some((*name).to_owned());
        let rule = FaultRule { target, ..FaultRule::new(operation, fault.clone()) };
        bed.simulator.admin.add_fault(&rule).await?;
        steps::create(&bed, name, json!({})).await?;
    }
    for (name, _, reason, phrase) in &table {
        let object = steps::settled(&bed, name, reason).await?;
        let message = steps::message(&object);
        let says_when = message.contains("from about 1 second to 5 minutes");
        assert!(message.contains(phrase) && says_when, "{name}: {message}");
    }
    bed.simulator.admin.delete_faults().await?;
    for (name, ..) in &table {
        steps::ready(&bed, name).await?;
    }
    Ok(())
}

fn error(status: u16, code: &str) -> Fault {
    Fault::Error { status, code: code.to_owned(), message: String::new(), when: Moment::Before }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_not_an_empty_account() -> Result<()> {
    let cut_off = "<ListConnectionGroupsResult><ConnectionGroups>";
    let bodies = [("text/xml", ""), ("text/html", "<html></html>"), ("text/xml", "not XML"), ("text/xml", cut_off)];
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let operator = steps::hasty_operator(&bed).start().await?;
    for name in ["stays", "goes"] {
        steps::create(&bed, name, json!({})).await?;
        steps::ready(&bed, name).await?;
    }
    for (content_type, body) in bodies {
        let fault = admin.fault_always(Operation::ListConnectionGroups, raw(200, content_type, body)).await?;
        let since = steps::now(&bed).await?;
        steps::an_inventory(&bed).await?;
        admin.delete_fault(fault).await?;
        // After a list that shows nothing the operator would read both.
        let calls = steps::calls_but_lists(&bed, since).await?;
        assert_eq!(steps::operations(&calls), [], "{body}");
    }
    journal::says(&operator, "could not be listed").await?;

    // Nor does it prove that a deleted group is gone.
    let empty = admin.fault_always(Operation::ListConnectionGroups, raw(200, "text/xml", "")).await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    objects.delete("goes", &DeleteParams::default()).await?;
    steps::settled(&bed, "goes", "Deleting").await?;
    wait_until(PATIENCE, "the group to be gone", async || match admin.group("goes").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    steps::an_inventory(&bed).await?;
    let waiting = steps::settled(&bed, "goes", "Deleting").await?;
    let message = steps::message(&waiting);
    assert!(message.contains("complete list"), "{message}");
    admin.delete_fault(empty).await?;
    wait_gone(&objects, "goes", PATIENCE).await
}

#[tokio::test]
async fn truncated_lists_of_tenants_or_tags_let_no_group_be_disabled_and_no_object_be_released() -> Result<()> {
    let table = [
        ("tenants", Operation::ListDistributionTenants, "<ListDistributionTenantsResult><DistributionTenantList>"),
        ("tags", Operation::ListTagsForResource, "<Tags><Items>"),
        ("no-tags", Operation::ListTagsForResource, ""),
    ];
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let _operator = steps::hasty_operator(&bed).start().await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    for (name, operation, body) in table {
        steps::create(&bed, name, json!({})).await?;
        steps::ready(&bed, name).await?;
        admin.create_tenant(&NewTenant::behind(name, format!("shop-behind-{name}"))).await?;
        let target = admin.group(name).await?.map(|group| group.resource.id);
        let fault = raw(200, "text/xml", body);
        admin.add_fault(&FaultRule { target, ..FaultRule::new(operation, fault) }).await?;
    }
    let before = admin.state().await?.groups;
    for (name, ..) in table {
        objects.delete(name, &DeleteParams::default()).await?;
    }
    for (name, operation, _) in table {
        let message = steps::message(&steps::settled(&bed, name, "UnexpectedResponse").await?).to_owned();
        assert!(message.contains(operation.as_str()) && message.contains("cannot be read"), "{name}: {message}");
    }
    assert_eq!(admin.state().await?.groups, before);

    admin.delete_faults().await?;
    for (name, ..) in table {
        steps::settled(&bed, name, "InUse").await?;
    }
    assert_eq!(admin.state().await?.groups, before);
    Ok(())
}

#[tokio::test]
async fn a_forged_status_leads_to_no_write_to_the_group_it_names_and_is_corrected() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let mut operator = steps::hasty_operator(&bed).start().await?;
    for name in ["edge", "victim"] {
        steps::create(&bed, name, json!({})).await?;
        steps::ready(&bed, name).await?;
    }
    let own = admin.group("edge").await?.expect("edge exists").resource.id;
    let victim = admin.group("victim").await?.expect("victim exists");
    let forge = async || {
        let (id, arn) = (&victim.resource.id, &victim.resource.arn);
        let status = json!({ "status": { "id": id, "arn": arn, "eTag": victim.etag } }).to_string();
        bed.kubectl(&["patch", "cfcg", "edge", "--subresource=status", "--type=merge", "-p", &status]).await
    };
    let since = steps::now(&bed).await?;

    forge().await?;
    corrected(&bed, &own).await?;

    operator.kill().await?;
    forge().await?;
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    operator.restart().await?;
    corrected(&bed, &own).await?;
    steps::ready(&bed, "edge").await?;

    operator.kill().await?;
    forge().await?;
    bed.api::<ConnectionGroup>().await?.delete("edge", &DeleteParams::default()).await?;
    operator.restart().await?;
    wait_gone(&bed.api::<ConnectionGroup>().await?, "edge", PATIENCE).await?;

    assert_eq!(admin.group("edge").await?, None);
    assert_eq!(admin.group("victim").await?, Some(victim.clone()));
    let calls = steps::calls_but_lists(&bed, since).await?;
    for write in steps::writes(&calls) {
        assert!(write.target().is_some_and(|target| target.contains(&own)), "{write:?}");
    }
    Ok(())
}

async fn corrected(bed: &Testbed, id: &str) -> Result<()> {
    let is_own =
        |object: &ConnectionGroup| object.status.as_ref().is_some_and(|status| status.id.as_deref() == Some(id));
    testbed::wait_for(&bed.api().await?, "edge", PATIENCE, "status to name its own group", is_own).await.map(drop)
}

#[tokio::test]
async fn an_object_that_does_not_decode_causes_one_warning_and_the_others_continue() -> Result<()> {
    let bed = Testbed::on(testbed::ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    weaken_the_schema(&bed).await?;
    let broken = steps::manifest("broken", &json!({ "enabled": "maybe" })).to_string();
    // The API server takes a moment to apply the weaker schema.
    wait_until(PATIENCE, "the broken object to be accepted", async || bed.apply(&broken).await).await?;

    let operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    steps::an_inventory(&bed).await?;
    let lines = journal::lines(&operator);
    let warnings = lines.iter().filter(|line| line["level"] == "WARN" && line["name"] == "broken").collect::<Vec<_>>();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings.iter().all(|line| line["error"].as_str().is_some_and(|error| error.contains("maybe"))));

    bed.apply(&steps::manifest("broken", &json!({ "enabled": true })).to_string()).await?;
    steps::ready(&bed, "broken").await?;
    assert_eq!(bed.api::<ConnectionGroup>().await?.list(&ListParams::default()).await?.items.len(), 2);
    Ok(())
}

/// As after a botched upgrade of the CRD: every object is accepted.
async fn weaken_the_schema(bed: &Testbed) -> Result<()> {
    let crd = bed.kubectl(&["get", "crd", "connectiongroups.cloudfront.kube-operators.dev", "-o", "json"]).await?;
    let mut crd: serde_json::Value = serde_json::from_str(&crd).expect("kubectl prints JSON");
    let version = &mut crd["spec"]["versions"][0];
    version["selectableFields"] = json!([]);
    version["schema"]["openAPIV3Schema"] = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let path = bed.control_plane.folder().join("weak-crd.json");
    std::fs::write(&path, crd.to_string()).expect("the run's folder can be written to");
    bed.kubectl(&["replace", "-f", &path.to_string_lossy()]).await.map(drop)
}

#[tokio::test]
async fn a_refused_create_is_not_retried_before_its_backoff() -> Result<()> {
    let bed = steps::bed().await?;
    bed.simulator.admin.fault_always(Operation::CreateConnectionGroup, error(403, "AccessDenied")).await?;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::settled(&bed, "edge", "AccessDenied").await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(steps::operations(&steps::calls_but_lists(&bed, 0).await?), [Operation::CreateConnectionGroup]);
    Ok(())
}

#[tokio::test]
async fn an_edit_during_a_long_backoff_is_applied_at_once() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let denied = admin.fault_always(Operation::CreateConnectionGroup, error(403, "AccessDenied")).await?;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::settled(&bed, "edge", "AccessDenied").await?;
    // Refused once more, the next scheduled try is at least 48 seconds away: longer than this test waits.
    let request = json!({ "metadata": { "annotations": { RECONCILE_REQUESTED_AT: "now" } } });
    steps::patch(&bed, "edge", request).await?;
    let again = |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.as_deref() == Some("now"))
    };
    wait_for(&bed.api().await?, "edge", PATIENCE, "another refusal", again).await?;
    assert_eq!(steps::writes(&steps::calls_but_lists(&bed, 0).await?).len(), 2);
    admin.delete_fault(denied).await?;

    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    Ok(())
}
