//! `helm test`: its Pod, run with the account and the arguments that the chart gives it, says in one sentence each what an installation lacks.

use std::process::Stdio;

use cloudfront_simulator::admin::Operation;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::{ControlPlane, Result, Simulator, free_port, wait_until};

use crate::release::{CRD, PATIENCE, Release, create_namespace, hurried};

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIATESTBED"), ("AWS_SECRET_ACCESS_KEY", "testbed")];

/// The Pod of `helm test`, as the API server admits it beside the operator's.
struct TestPod {
    args: Vec<String>,
    kubeconfig: std::path::PathBuf,
}

/// What a check printed, and whether it passed.
#[derive(Debug)]
struct Checked {
    passed: bool,
    lines: String,
}

impl Checked {
    /// Fails unless the check failed with one line, about this, which has these parts.
    fn assert_lacks(&self, subject: &str, parts: &[&str]) {
        let failed = self.lines.lines().filter(|line| line.starts_with("FAILED")).collect::<Vec<_>>();
        assert!(!self.passed && failed.len() == 1, "one thing is wrong: {self:?}");
        assert!(failed[0].starts_with(&format!("FAILED  {subject}: ")), "{subject}: {self:?}");
        for part in parts {
            assert!(failed[0].contains(part), "{part}: {self:?}");
        }
    }
}

impl TestPod {
    async fn of(release: &Release<'_>) -> Result<Self> {
        let control_plane = release.control_plane;
        let hooks = control_plane.helm_ok(&["get", "hooks", release.name, "--namespace", release.namespace]).await?;
        let path = control_plane.folder().join(format!("hooks-{}.yaml", release.name));
        std::fs::write(&path, hooks).expect("the hooks can be written");
        let create =
            ["create", "--dry-run=server", "--warnings-as-errors", "-o", "json", "-f", &path.to_string_lossy()];
        let pod: Pod = serde_json::from_str(&control_plane.kubectl_ok(&create).await?).expect("one Pod");
        let spec = pod.spec.expect("a Pod has a spec");
        let account = spec.service_account_name.unwrap_or_default();
        let kubeconfig = control_plane.kubeconfig_of(release.namespace, &account).await?;
        Ok(Self { args: spec.containers[0].args.clone().unwrap_or_default(), kubeconfig })
    }

    async fn run(&self, environment: &[(&str, &str)]) -> Result<Checked> {
        let output = tokio::process::Command::new(testbed::find("connection-group-operator")?)
            .args(&self.args)
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("KUBECONFIG", &self.kubeconfig)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("the operator can be started");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ok(Checked { passed: output.status.success(), lines })
    }
}

#[tokio::test]
async fn with_all_namespaces_helm_test_passes_and_names_each_right_that_is_taken_away() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), [""; 0]).await?;
    let release = Release::install(&control_plane, "wide", &hurried(&simulator)?).await?;
    each_right_is_missed(&release).await
}

#[tokio::test]
async fn with_named_namespaces_helm_test_passes_and_names_each_right_that_is_taken_away() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), [""; 0]).await?;
    create_namespace(&control_plane, "tenant", &[]).await?;
    let mut values = hurried(&simulator)?;
    values.push("watchNamespaces={tenant}".to_owned());
    let release = Release::install(&control_plane, "narrow", &values).await?;
    each_right_is_missed(&release).await
}

/// Takes each verb of each rule of the release's roles away and gives it back.
async fn each_right_is_missed(release: &Release<'_>) -> Result<()> {
    let pod = TestPod::of(release).await?;
    let passes = async || {
        let checked = pod.run(&KEYS).await.map_err(|error| error.to_string())?;
        if checked.passed { Ok(checked) } else { Err(checked.lines) }
    };
    let complete = wait_until(PATIENCE, "helm test to pass", passes).await?;
    assert!(complete.lines.lines().all(|line| line.starts_with("ok ")), "{complete:?}");
    let mut tried = 0;
    for (api, role) in roles(release).await? {
        let rules = role.data["rules"].clone();
        for (at, rule) in rules.as_array().into_iter().flatten().enumerate() {
            for (nth, verb) in rule["verbs"].as_array().into_iter().flatten().enumerate() {
                let mut fewer = rules.clone();
                fewer[at]["verbs"].as_array_mut().expect("a rule has verbs").remove(nth);
                if fewer[at]["verbs"] == json!([]) {
                    fewer.as_array_mut().expect("a role has rules").remove(at);
                }
                replace_rules(&api, &role, &fewer).await?;
                let (verb, resource) = (verb.as_str().expect("a word"), rule["resources"][0].as_str().expect("a word"));
                wait_until(PATIENCE, &format!("{verb} on {resource} to be missed"), async || {
                    let checked = pod.run(&KEYS).await.map_err(|error| error.to_string())?;
                    let mut lines = checked.lines.lines();
                    let told = lines.any(|line| {
                        line.starts_with("FAILED")
                            && line.contains(verb)
                            && line.contains(resource)
                            && line.contains("Grant it")
                    });
                    if told && !checked.passed { Ok(()) } else { Err(checked.lines) }
                })
                .await?;
                replace_rules(&api, &role, &rules).await?;
                wait_until(PATIENCE, "helm test to pass again", passes).await?;
                tried += 1;
            }
        }
    }
    assert!(tried > 10, "the roles were not understood: {tried}");
    Ok(())
}

/// The roles that the chart grants to the operator.
async fn roles(release: &Release<'_>) -> Result<Vec<(Api<DynamicObject>, DynamicObject)>> {
    let client = release.control_plane.client().await?;
    let mut found = Vec::new();
    for kind in ["Role", "ClusterRole"] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind));
        let all = Api::<DynamicObject>::all_with(client.clone(), &resource);
        for role in all.list(&kube::api::ListParams::default().labels("app.kubernetes.io/managed-by=Helm")).await? {
            let aggregated = role.labels().keys().any(|key| key.starts_with("rbac.authorization.k8s.io/aggregate-to"));
            let api = match role.namespace() {
                Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
                None => all.clone(),
            };
            if !aggregated {
                found.push((api, role));
            }
        }
    }
    Ok(found)
}

async fn replace_rules(api: &Api<DynamicObject>, role: &DynamicObject, rules: &Value) -> Result<()> {
    let patch = Patch::Merge(json!({ "rules": rules }));
    api.patch(&role.name_any(), &PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test]
async fn helm_test_says_what_is_wrong_with_credentials_endpoint_resource_and_api_server() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), [""; 0]).await?;
    let mut values = hurried(&simulator)?;
    values.push("admissionPolicies.crdProtection.enabled=false".to_owned());
    let release = Release::install(&control_plane, "lacking", &values).await?;
    let mut pod = TestPod::of(&release).await?;
    assert!(pod.run(&KEYS).await?.passed);

    pod.run(&[]).await?.assert_lacks("CloudFront", &["no usable AWS credentials", "IRSA"]);
    let denied = "User is not authorized to perform: cloudfront:ListConnectionGroups";
    simulator.admin.fail_once(Operation::ListConnectionGroups, 403, "AccessDenied", denied).await?;
    pod.run(&KEYS).await?.assert_lacks("CloudFront", &[denied, "docs/iam.md"]);
    assert!(simulator.admin.state().await?.groups.is_empty(), "nothing was made");
    drop(simulator);
    pod.run(&KEYS).await?.assert_lacks("CloudFront", &["cannot be reached", "NetworkPolicy"]);

    let simulator = Simulator::start(control_plane.folder(), [""; 0]).await?;
    let endpoint = pod.args.iter_mut().find(|arg| arg.starts_with("--aws-endpoint-url=")).expect("it is set");
    *endpoint = format!("--aws-endpoint-url={}", simulator.endpoint());
    control_plane.kubectl_ok(&["delete", "crd", CRD]).await?;
    let unknown = async || {
        let checked = pod.run(&KEYS).await.map_err(|error| error.to_string())?;
        if checked.passed { Err(checked.lines) } else { Ok(checked) }
    };
    let checked = wait_until(PATIENCE, "the resource to be gone", unknown).await?;
    checked.assert_lacks("CustomResourceDefinition", &["does not serve", "connection-group-operator crd"]);

    let nobody = format!("https://127.0.0.1:{}", free_port()?);
    pod.kubeconfig = control_plane.kubeconfig_via(&pod.kubeconfig, &nobody)?;
    pod.run(&KEYS).await?.assert_lacks("API server", &["refused", "network"]);
    Ok(())
}
