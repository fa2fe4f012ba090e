//! The API server: whether it answers, knows `ConnectionGroup`, shows the identity of this installation, and grants what the operator does.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Resource};

use super::{Finding, rights};
use crate::{
    api::ConnectionGroup,
    controller::{RunArgs, RunError, clients, cluster::Cluster, connection::ApiServer},
    leadership::fence::Fence,
    network::{Network, api_failure},
};

/// All findings about Kubernetes. Without an API server, there is only one.
pub async fn check(args: &RunArgs, network: &Network) -> Vec<Finding> {
    const SERVER: &str = "API server";
    let client = match connect(args, network).await {
        Ok(client) => client,
        Err(error) => return vec![Finding::failed(SERVER, error.to_string(), "Correct the configuration")],
    };
    let mut findings = match client.apiserver_version().await {
        Ok(version) => vec![Finding::ok(SERVER, format!("it answers, version {}", version.git_version))],
        Err(error) => return vec![Finding::failed(SERVER, api_failure(&error), advice(&error))],
    };
    findings.push(resource(&client).await);
    findings.push(identity(&client, &args.identity_namespace).await);
    findings.extend(rights::check(args, &client).await);
    findings
}

async fn connect(args: &RunArgs, network: &Network) -> Result<Client, RunError> {
    let fence = Fence::default();
    // Access reviews are POST requests, and store nothing.
    fence.open();
    let server = ApiServer::reached_by(Cluster::of(args).await?, network)?;
    clients::client(server, &fence)
}

async fn resource(client: &Client) -> Finding {
    const SUBJECT: &str = "CustomResourceDefinition";
    let version = ConnectionGroup::api_version(&());
    match client.list_api_group_resources(&version).await {
        Ok(_) => Finding::ok(SUBJECT, format!("the API server serves {version}")),
        // The answer is text, without a reason.
        Err(kube::Error::Api(status)) if status.code == 404 => Finding::failed(
            SUBJECT,
            format!("The API server does not serve {version}"),
            "Install it with the chart (crds.enabled), or with `connection-group-operator crd | kubectl apply --server-side -f -`",
        ),
        Err(error) => Finding::failed(SUBJECT, api_failure(&error), advice(&error)),
    }
}

async fn identity(client: &Client, namespace: &str) -> Finding {
    const SUBJECT: &str = "identity of this installation";
    match Api::<Namespace>::all(client.clone()).get(namespace).await {
        Ok(found) => {
            let uid = found.metadata.uid.unwrap_or_default();
            Finding::ok(SUBJECT, format!("{uid}, the uid of namespace {namespace}"))
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Finding::failed(
            SUBJECT,
            format!("There is no namespace {namespace}"),
            "Name one that exists with --identity-namespace (identity.namespace in the chart)",
        ),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Finding::failed(
            SUBJECT,
            format!("get on namespaces, for the namespace {namespace}, is not allowed"),
            rights::ADVICE,
        ),
        Err(error) => Finding::failed(SUBJECT, api_failure(&error), advice(&error)),
    }
}

/// What to do about it.
pub(super) fn advice(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) if status.code == 401 => {
            "Check the token of the ServiceAccount, or the user of the kubeconfig"
        }
        kube::Error::Api(_) => "Check the state of the API server, and try again",
        _ => {
            "Check the network between this process and the API server: proxies, firewalls, and the NetworkPolicy \
             (networkPolicy.apiServerPorts and networkPolicy.httpsTo in the chart)"
        }
    }
}
