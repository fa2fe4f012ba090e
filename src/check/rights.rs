//! Rights in Kubernetes, each asked for with a `SelfSubjectAccessReview`. What is asked for is what the chart grants; `tests/chart/check.rs` compares them.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};

use super::{Finding, kubernetes::advice};
use crate::{controller::RunArgs, network::api_failure};

/// What to do about a missing right.
pub const ADVICE: &str = "Grant it to the operator's ServiceAccount; the chart does so with rbac.create";

/// Verbs on one resource in one place.
struct Rule {
    group: &'static str,
    /// A resource, or `resource/subresource`.
    resource: &'static str,
    verbs: &'static [&'static str],
    /// All namespaces if `None`.
    namespace: Option<String>,
    /// Every object if `None`.
    name: Option<String>,
}

impl Rule {
    fn subject(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let place = self.namespace.as_ref().map_or("all namespaces".to_owned(), |it| format!("namespace {it}"));
        format!("rights on {}{name} in {place}", self.resource)
    }
}

/// One finding for each rule.
pub async fn check(args: &RunArgs, client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules(args, client.default_namespace()) {
        findings.push(review(client, &rule).await);
    }
    findings
}

fn rules(args: &RunArgs, own_namespace: &str) -> Vec<Rule> {
    const OURS: &str = "cloudfront.kube-operators.dev";
    let rule = |group, resource, verbs, namespace: Option<&str>| Rule {
        group,
        resource,
        verbs,
        namespace: namespace.map(ToOwned::to_owned),
        name: None,
    };
    let watched = args.namespaces();
    let scopes = if watched.is_empty() { vec![None] } else { watched.iter().map(|it| Some(it.as_str())).collect() };
    let mut rules = Vec::new();
    for scope in scopes {
        rules.push(rule(OURS, "connectiongroups", &["get", "list", "watch", "patch"], scope));
        rules.push(rule(OURS, "connectiongroups/status", &["patch"], scope));
        rules.push(rule("events.k8s.io", "events", &["create", "patch"], scope));
    }
    if !watched.is_empty() && !watched.contains(own_namespace) {
        rules.push(rule("events.k8s.io", "events", &["create"], Some(own_namespace)));
    }
    let election = &args.leader_election;
    if election.enabled {
        let namespace = election.namespace.as_deref().unwrap_or(own_namespace);
        let leases = |verbs| rule("coordination.k8s.io", "leases", verbs, Some(namespace));
        rules.push(leases(&["create"]));
        rules.push(Rule { name: Some(election.lease.clone()), ..leases(&["get", "update"]) });
    }
    rules
}

async fn review(client: &Client, rule: &Rule) -> Finding {
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let mut refused = Vec::new();
    for &verb in rule.verbs {
        match reviews.create(&PostParams::default(), &question(rule, verb)).await {
            Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => refused.push(verb),
            Err(error) => return Finding::failed(rule.subject(), api_failure(&error), advice(&error)),
        }
    }
    let verbs = if refused.is_empty() { rule.verbs } else { &refused }.join(", ");
    if refused.is_empty() {
        return Finding::ok(rule.subject(), verbs);
    }
    Finding::failed(rule.subject(), format!("Not allowed: {verbs}"), ADVICE)
}

fn question(rule: &Rule, verb: &str) -> SelfSubjectAccessReview {
    let (resource, subresource) = rule.resource.split_once('/').unwrap_or((rule.resource, ""));
    let attributes = ResourceAttributes {
        group: Some(rule.group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        verb: Some(verb.to_owned()),
        namespace: rule.namespace.clone(),
        name: rule.name.clone(),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..Default::default()
    }
}
