//! The life cycle of one connection group, shown with kubectl. In: the built programs, and optionally a cluster. Out: a narration on stdout, and an error as
//! soon as anything differs from it. Starts a control plane unless a cluster is given, the simulator and the operator; talks to all three.

mod cluster;
mod stage;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use cloudfront_simulator::admin::{GroupPatch, LoggedCall, NewTenant, Operation};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use testbed::{Operator, Simulator, wait_for, wait_gone, wait_until};

use cluster::{Cluster, Refusal};
use stage::{command, kubectl, request_log, say, title, writes};

const EXAMPLE: &str = "examples/connection-group.yaml";
const NAMESPACE: &str = "platform";
const NAME: &str = "edge";
const TENANT: &str = "shop-example-com";
/// Maximum for each wait. Propagation takes 6 s here and the inventory comes every 10 s.
const DEADLINE: Duration = Duration::from_secs(40);

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
    #[error(transparent)]
    Simulator(#[from] testbed::admin::Error),
    #[error(transparent)]
    Cluster(#[from] Refusal),
    #[error("expected {0}")]
    Unexpected(String),
    #[error("interrupted")]
    Interrupted,
}

type Result<T> = std::result::Result<T, DemoError>;

/// Runs the demo on a cluster of its own, or on that of a context; on a terminal, leaves everything running until Ctrl-C. An error says what went wrong and
/// where the logs are.
pub(crate) async fn run(context: Option<&str>) -> std::result::Result<(), String> {
    let start = Instant::now();
    let cluster = match context {
        None => {
            title("A real kube-apiserver, a simulated CloudFront and the operator, on this machine");
            Cluster::own().await.map_err(|error| error.to_string())?
        }
        Some(context) => {
            title(&format!("The cluster {context}; a simulated CloudFront and the operator, on this machine"));
            Cluster::given(context).await.map_err(|error| error.to_string())?
        }
    };
    let shown = tokio::select! {
        // Ctrl-C after the end of the demo is no interruption.
        biased;
        shown = show(&cluster, start) => shown,
        Ok(()) = tokio::signal::ctrl_c() => Err(DemoError::Interrupted),
    };
    let left = cluster.leave().await;
    let logs = cluster.folder().display();
    shown.and(left).map_err(|error| format!("the demo failed: {error}\nall logs: {logs}"))
}

async fn show(cluster: &Cluster, start: Instant) -> Result<()> {
    let demo = Demo::start(cluster).await?;
    say(&format!("All up after {:.1} s.", start.elapsed().as_secs_f32()));
    demo.play().await?;
    say(&format!("That was all, in {:.0} s.", start.elapsed().as_secs_f32()));
    if std::io::stdout().is_terminal() {
        demo.stay().await;
    }
    Ok(())
}

struct Demo<'a> {
    operator: Operator,
    simulator: Simulator,
    cluster: &'a Cluster,
    objects: Api<DynamicObject>,
}

impl<'a> Demo<'a> {
    async fn start(cluster: &'a Cluster) -> Result<Self> {
        cluster.install().await?;
        let folder = cluster.folder();
        let simulator = Simulator::start(folder, ["--propagation", "6s"]).await?;
        let operator = Operator::builder(folder, cluster.kubeconfig(), simulator.endpoint())
            .owner_id(cluster::owner_id())
            .args(["--inventory-interval", "10s", "--inventory-interval-active", "2s", "--log-format", "text"])
            .start()
            .await?;
        let kind = GroupVersionKind::gvk("cloudfront.kube-operators.dev", "v1alpha1", "ConnectionGroup");
        let client = cluster.client().await?;
        let objects = Api::namespaced_with(client, NAMESPACE, &ApiResource::from_gvk(&kind));
        Ok(Self { operator, simulator, cluster, objects })
    }

    async fn play(&self) -> Result<()> {
        self.create().await?;
        self.edit().await?;
        self.put_right().await?;
        self.hold_deletion().await?;
        self.delete().await
    }

    async fn create(&self) -> Result<()> {
        title("1. A connection group is written down, and comes to be");
        say("A change takes minutes to reach every edge location; here it takes 6 s.");
        kubectl(self.cluster, &["create", "namespace", NAMESPACE]).await?;
        kubectl(self.cluster, &["apply", "-f", EXAMPLE]).await?;
        self.wait("CloudFront to begin", |status| status["status"] == "InProgress").await?;
        self.show().await?;
        let status = self.wait_deployed().await?;
        self.show().await?;
        let group = self.simulator.admin.group(NAME).await?;
        let group = group.ok_or_else(|| unexpected("a connection group at CloudFront"))?;
        expect(status["id"] == group.resource.id.as_str(), "status.id to be CloudFront's id")?;
        expect(
            status["routingEndpoint"] == group.resource.routing_endpoint.as_str(),
            "the routing endpoint in status",
        )?;
        self.expect_writes(0, &[Operation::CreateConnectionGroup]).await
    }

    async fn edit(&self) -> Result<()> {
        title("2. A field is edited: one update, against the version that was read");
        let (before, seen) = (self.etag().await?, self.last_call().await?);
        let patch = r#"{"spec":{"ipv6Enabled":false}}"#;
        kubectl(self.cluster, &["patch", "cfcg", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch]).await?;
        self.wait("IPv6 to be off", |status| status["ipv6Enabled"] == false).await?;
        self.wait_deployed().await?;
        self.expect_writes(seen, &[Operation::UpdateConnectionGroup]).await?;
        let after = self.etag().await?;
        expect(before != after, "a new ETag")?;
        say(&format!("The ETag was {before}, and is now:"));
        self.show_field(".status.eTag").await
    }

    async fn put_right(&self) -> Result<()> {
        title("3. Another client disables the group; the operator corrects it after the next inventory");
        let seen = self.last_call().await?;
        command(&self.curl("PATCH", "groups/edge", r#"{"enabled": false}"#));
        let patch = GroupPatch { enabled: Some(false), ..Default::default() };
        let group = self.simulator.admin.edit_group(NAME, &patch).await?;
        expect(!group.resource.enabled, "the group to be off")?;
        let flipped = Instant::now();
        wait_until(DEADLINE, "the group to be on again", async || match self.simulator.admin.group(NAME).await {
            Ok(Some(group)) if group.resource.enabled => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
        say(&format!("Enabled again after {:.1} s.", flipped.elapsed().as_secs_f32()));
        self.expect_writes(seen, &[Operation::UpdateConnectionGroup]).await?;
        let etag = self.simulator.admin.group(NAME).await?.map(|group| group.etag).unwrap_or_default();
        self.wait("the new version to be deployed", |status| is_deployed(status) && status["eTag"] == etag.as_str())
            .await?;
        self.show().await
    }

    async fn hold_deletion(&self) -> Result<()> {
        title("4. The object is deleted while a tenant's traffic still runs through the group");
        let seen = self.last_call().await?;
        let tenant = format!(r#"{{"name": "{TENANT}", "connection_group": "{NAME}"}}"#);
        command(&self.curl("POST", "tenants", &tenant));
        self.simulator.admin.create_tenant(&NewTenant::behind(NAME, TENANT)).await?;
        kubectl(self.cluster, &["delete", "cfcg", NAME, "-n", NAMESPACE, "--wait=false"]).await?;
        let status = self.wait("the tenant to be named", |status| ready(status)["reason"] == "InUse").await?;
        let message = ready(&status)["message"].as_str().unwrap_or_default().to_owned();
        expect(message.contains(TENANT), &format!("the message to name {TENANT}: {message}"))?;
        self.show().await?;
        self.show_field(".status.conditions[?(@.type==\"Ready\")].message").await?;
        let group = self.simulator.admin.group(NAME).await?;
        expect(group.is_some_and(|group| group.resource.enabled), "the group to be enabled still")?;
        self.expect_writes(seen, &[]).await?;
        say("Nothing was disabled: the tenant's traffic continues.");
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        title("5. The tenant leaves: the group is disabled, then deleted, and only then the object goes");
        let seen = self.last_call().await?;
        command(&format!("curl -X DELETE {}/_admin/tenants/{TENANT}", self.simulator.endpoint()));
        self.simulator.admin.delete_tenant(TENANT).await?;
        say("The operator reads the group again by itself, every 30 s at first; we request a reconcile now.");
        let now = "cloudfront.kube-operators.dev/reconcile-requested-at=now";
        kubectl(self.cluster, &["annotate", "cfcg", NAME, "-n", NAMESPACE, now]).await?;
        self.wait("the group to be disabled", |status| status["enabled"] == false).await?;
        self.show().await?;
        wait_gone(&self.objects, NAME, DEADLINE).await?;
        kubectl(self.cluster, &["get", "cfcg", "-n", NAMESPACE]).await?;
        let left = self.simulator.admin.state().await?.groups;
        expect(left.is_empty(), &format!("no group to be left at CloudFront: {left:?}"))?;
        self.expect_writes(seen, &[Operation::UpdateConnectionGroup, Operation::DeleteConnectionGroup]).await
    }

    /// Waits until the object's status is as expected; returns it.
    async fn wait(&self, what: &str, met: impl Fn(&Value) -> bool) -> Result<Value> {
        let object = wait_for(&self.objects, NAME, DEADLINE, what, |object| met(&object.data["status"])).await?;
        Ok(object.data["status"].clone())
    }

    async fn wait_deployed(&self) -> Result<Value> {
        let generation = |object: &DynamicObject| object.metadata.generation;
        let met = |object: &DynamicObject| {
            let status = &object.data["status"];
            is_deployed(status) && status["observedGeneration"].as_i64() == generation(object)
        };
        let object = wait_for(&self.objects, NAME, DEADLINE, "the group to be deployed", met).await?;
        Ok(object.data["status"].clone())
    }

    /// Shows the changes that CloudFront was asked to make since a call, which must be exactly these.
    async fn expect_writes(&self, since: u64, expected: &[Operation]) -> Result<()> {
        let calls = self.simulator.admin.requests(since).await?;
        let writes = writes(&calls);
        if !writes.is_empty() {
            request_log(&writes);
        }
        let operations: Vec<_> = writes.iter().filter_map(|call: &&LoggedCall| call.operation).collect();
        expect(operations == expected, &format!("exactly {expected:?} instead of {operations:?}"))
    }

    async fn last_call(&self) -> Result<u64> {
        Ok(self.simulator.admin.requests(0).await?.last().map_or(0, |call| call.seq))
    }

    async fn etag(&self) -> Result<String> {
        let status = self.wait("an ETag", |status| status["eTag"].is_string()).await?;
        Ok(status["eTag"].as_str().unwrap_or_default().to_owned())
    }

    async fn show(&self) -> Result<()> {
        Ok(kubectl(self.cluster, &["get", "cfcg", NAME, "-n", NAMESPACE]).await?)
    }

    async fn show_field(&self, path: &str) -> Result<()> {
        let path = format!(r#"jsonpath={{{path}}}{{"\n"}}"#);
        Ok(kubectl(self.cluster, &["get", "cfcg", NAME, "-n", NAMESPACE, "-o", &path]).await?)
    }

    /// How to do manually what the demo does through the admin client.
    fn curl(&self, method: &str, path: &str, body: &str) -> String {
        let endpoint = self.simulator.endpoint();
        format!("curl -X {method} {endpoint}/_admin/{path} -H 'Content-Type: application/json' -d '{body}'")
    }

    /// Leaves everything running for the audience until Ctrl-C.
    async fn stay(&self) {
        let endpoint = self.simulator.endpoint();
        title("Everything still runs. Play with it in another terminal; Ctrl-C here ends it all");
        println!("export KUBECONFIG={}", self.cluster.kubeconfig().display());
        println!("alias kubectl={}", self.cluster.kubectl_program().display());
        println!("kubectl apply -f {EXAMPLE}; kubectl get cfcg -A -w");
        println!("curl {endpoint}/_admin/state");
        println!("{}", self.curl("PATCH", "groups/edge", r#"{"enabled": false}"#));
        print!("AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo ");
        println!("aws cloudfront list-connection-groups --region us-east-1 --endpoint-url {endpoint}");
        println!("tail -f {}", self.operator.log().display());
        // If the handler cannot be installed, the signal ends this process, and the guards end the rest.
        let _ = tokio::signal::ctrl_c().await;
    }
}

fn ready(status: &Value) -> &Value {
    let conditions = status["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready").unwrap_or(&Value::Null)
}

fn is_deployed(status: &Value) -> bool {
    status["status"] == "Deployed" && ready(status)["status"] == "True"
}

fn expect(met: bool, what: &str) -> Result<()> {
    if met { Ok(()) } else { Err(unexpected(what)) }
}

fn unexpected(what: &str) -> DemoError {
    DemoError::Unexpected(what.to_owned())
}
