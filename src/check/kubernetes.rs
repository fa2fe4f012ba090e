//! The API server: whether it answers, knows `ConnectionGroup`, shows the identity of this installation, and grants what the operator does.

use k8s_openapi::api::{authentication::v1::SelfSubjectReview, core::v1::Namespace};
use kube::{Api, Client, Resource, api::PostParams};

use super::{Finding, held, rights};
use crate::{
    api::ConnectionGroup,
    controller::{RunArgs, RunError, clients, cluster::Cluster, connection::ApiServer},
    flag_values::EndpointUrl,
    leadership::fence::Fence,
    network::{Network, api_failure},
};

/// All findings about Kubernetes. Without an API server, there is only one.
pub async fn check(args: &RunArgs, network: &Network) -> Vec<Finding> {
    const SERVER: &str = "API server";
    let (client, place) = match connect(args, network).await {
        Ok(connected) => connected,
        Err(error) => return vec![Finding::failed(SERVER, error.to_string(), "Correct the configuration")],
    };
    let mut findings = match client.apiserver_version().await {
        Ok(version) => {
            let who = who(&client).await;
            vec![Finding::ok(SERVER, format!("{place} answers, version {}; {who}", version.git_version))]
        }
        Err(error) => {
            let what = if matches!(error, kube::Error::Api(_)) { "refuses the request" } else { "cannot be reached" };
            let cause = format!("{place} {what}: {}", api_failure(&error));
            return vec![Finding::failed(SERVER, cause, advice(&error))];
        }
    };
    findings.push(resource(&client).await);
    findings.push(identity(&client, &args.identity_namespace).await);
    for namespace in args.namespaces() {
        findings.push(watched(&client, &namespace).await);
    }
    findings.extend(rights::check(args, &client).await);
    findings.extend(held::check(args, &client).await);
    findings
}

/// A client, and where it goes.
async fn connect(args: &RunArgs, network: &Network) -> Result<(Client, String), RunError> {
    let fence = Fence::default();
    // Reviews are POST requests, and store nothing.
    fence.open();
    let cluster = Cluster::of(args).await?;
    let url = EndpointUrl::from(cluster.config.cluster_url.to_string().trim_end_matches('/'));
    let source = match &cluster.context {
        Some(context) => format!("context {context} of the kubeconfig"),
        None => "the Pod's ServiceAccount".to_owned(),
    };
    let server = ApiServer::reached_by(cluster, network)?;
    Ok((clients::client(server, &fence)?, format!("{url} ({source})")))
}

/// As whom the API server knows this process. Older API servers do not tell, nor do those where nobody may ask.
async fn who(client: &Client) -> String {
    let reviews = Api::<SelfSubjectReview>::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let user = answer.ok().and_then(|answer| answer.status?.user_info?.username);
    user.map_or_else(|| "it does not tell which user this is".to_owned(), |user| format!("the user is {user}"))
}

/// The operator starts without it, and waits: a name that is wrong would show no error.
async fn watched(client: &Client, namespace: &str) -> Finding {
    let subject = format!("watched namespace {namespace}");
    match Api::<Namespace>::all(client.clone()).get(namespace).await {
        Ok(_) => Finding::ok(subject, "it exists"),
        Err(kube::Error::Api(status)) if status.is_not_found() => Finding::failed(
            subject,
            "There is no such namespace; the operator waits until there is",
            "Create it, or correct --watch-namespace (watchNamespaces in the chart)",
        ),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            Finding::ok(subject, "not checked, because get on it is not allowed; the operator does not need that right")
        }
        Err(error) => Finding::failed(subject, api_failure(&error), advice(&error)),
    }
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
