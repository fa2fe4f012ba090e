//! A release of the chart. In: values. Out: its Deployment, and the operator run as its container specifies. Runs Helm; talks to kube-apiserver.
//!
//! No kubelet runs here, so this stands in for it: arguments, environment and probes are taken from the Deployment as they are; the token of the
//! ServiceAccount comes from a kubeconfig instead of a mounted file.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Namespace, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::{ListParams, ObjectMeta, PostParams};
use testbed::{ControlPlane, Launch, Process, Result, Signal, Simulator, free_port, wait_until};

pub const CHART: &str = "charts/connection-group-operator";
pub const CRD: &str = "connectiongroups.cloudfront.kube-operators.dev";
pub const PATIENCE: Duration = Duration::from_mins(2);

/// An installed release.
pub struct Release<'a> {
    pub control_plane: &'a ControlPlane,
    pub name: &'a str,
    pub namespace: &'a str,
}

impl<'a> Release<'a> {
    /// Installs the chart, with its CRD, in a namespace that accepts only restricted Pods.
    pub async fn install(control_plane: &'a ControlPlane, name: &'a str, values: &[String]) -> Result<Self> {
        let namespace = name;
        let labels = [("pod-security.kubernetes.io/enforce", "restricted")];
        create_namespace(control_plane, namespace, &labels).await?;
        let release = Self { control_plane, name, namespace };
        release.helm("install", values).await?;
        control_plane.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=30s", "crd", CRD]).await?;
        Ok(release)
    }

    /// Runs `helm install`, `upgrade` or the like on this release.
    pub async fn helm(&self, verb: &str, values: &[String]) -> Result<String> {
        let mut words = vec![verb, self.name, CHART, "--namespace", self.namespace];
        for value in values {
            words.extend(["--set", value]);
        }
        self.control_plane.helm_ok(&words).await
    }

    pub async fn deployment(&self) -> Result<Deployment> {
        let deployments = Api::<Deployment>::namespaced(self.control_plane.client().await?, self.namespace);
        let all = deployments.list(&ListParams::default()).await?.items;
        assert_eq!(all.len(), 1, "one Deployment");
        Ok(all.into_iter().next().expect("one"))
    }

    /// Starts the operator as the container of the release's Pods, and waits until its probes succeed.
    pub async fn run(&self, simulator: &Simulator) -> Result<Running> {
        let pod = pod(&self.deployment().await?);
        let account = pod.service_account_name.clone().unwrap_or_default();
        let container = container(&pod);
        let kubeconfig = self.control_plane.kubeconfig_of(self.namespace, &account).await?;
        let binary = testbed::find("connection-group-operator")?;
        let name = format!("{}-{}", self.name, simulator.endpoint().rsplit(':').next().unwrap_or_default());
        let mut launch = Launch::new(name, binary, self.control_plane.folder())
            .args(container.args.iter().flatten())
            .env("KUBECONFIG", kubeconfig.to_string_lossy())
            .env("HOSTNAME", "pod-1")
            // What EKS's webhook would add.
            .env("AWS_ACCESS_KEY_ID", "AKIATESTBED")
            .env("AWS_SECRET_ACCESS_KEY", "testbed");
        for variable in container.env.iter().flatten() {
            let value = variable.value.clone().unwrap_or_default();
            launch = launch.env(&variable.name, value);
        }
        let mut running = Running { process: Process::start(&launch)?, account };
        let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
        for probe in probes.into_iter().flatten() {
            let url = probe_url(&container, probe);
            wait_until(PATIENCE, &format!("the probe {url}"), async || {
                assert!(
                    running.process.is_running(),
                    "the operator has ended; see {}",
                    running.process.log().display()
                );
                let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
                if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
            })
            .await?;
        }
        Ok(running)
    }
}

/// Values for an operator with short intervals that calls the simulator, and serves metrics and health on free ports.
pub fn hurried(simulator: &Simulator) -> Result<Vec<String>> {
    Ok(vec![
        "ownerId=chart-test".to_owned(),
        format!("aws.endpointUrl={}", simulator.endpoint()),
        "aws.allowInsecureEndpoint=true".to_owned(),
        "aws.callTimeout=5s".to_owned(),
        "reconcile.consistencyWindow=5s".to_owned(),
        "inventory.interval=1s".to_owned(),
        "inventory.intervalActive=200ms".to_owned(),
        "budget.callsPerSecond=100".to_owned(),
        "budget.burst=100".to_owned(),
        "bindAddress=127.0.0.1".to_owned(),
        format!("metrics.port={}", free_port()?),
        format!("health.port={}", free_port()?),
    ])
}

/// The operator, run as a Pod would.
pub struct Running {
    process: Process,
    /// Its `ServiceAccount`.
    pub account: String,
}

impl Running {
    /// Stops it as kubelet does.
    pub async fn stop(mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        assert!(self.process.wait_exit(PATIENCE).await?.success());
        Ok(())
    }
}

pub fn pod(deployment: &Deployment) -> PodSpec {
    deployment.spec.clone().and_then(|spec| spec.template.spec).expect("a Deployment has a Pod template")
}

pub fn container(pod: &PodSpec) -> Container {
    assert_eq!(pod.containers.len(), 1, "one container");
    pod.containers[0].clone()
}

fn probe_url(container: &Container, probe: &Probe) -> String {
    let get = probe.http_get.as_ref().expect("probes ask over HTTP");
    let port = match &get.port {
        IntOrString::Int(port) => *port,
        IntOrString::String(name) => {
            let ports = container.ports.iter().flatten();
            let named = ports.clone().find(|port| port.name.as_ref() == Some(name));
            named.unwrap_or_else(|| panic!("no port is named {name}")).container_port
        }
    };
    format!("http://127.0.0.1:{port}{}", get.path.as_deref().unwrap_or_default())
}

pub async fn create_namespace(control_plane: &ControlPlane, name: &str, labels: &[(&str, &str)]) -> Result<()> {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..Default::default() };
    let namespaces = Api::<Namespace>::all(control_plane.client().await?);
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Default::default() }).await?;
    Ok(())
}
