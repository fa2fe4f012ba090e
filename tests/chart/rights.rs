//! The operator with the permissions that the chart grants: the main job succeeds, nothing is refused, and nothing is granted that it does not use.

use std::collections::BTreeSet;

use cloudfront_simulator::admin::{GroupPatch, Moment, NewGroup, Operation};
use connection_group_operator::api::{ConnectionGroup, ConnectionGroupSpec, condition};
use connection_group_operator::reconcile::ownership::OwnerTag;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::{Audited, ControlPlane, Result, Simulator, wait_for, wait_gone, wait_until};

use crate::release::{PATIENCE, Release, create_namespace, hurried};

#[tokio::test]
async fn with_all_namespaces_every_permission_is_used_and_none_is_missing() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), ["--propagation=100ms"]).await?;
    let release = Release::install(&control_plane, "wide", &hurried(&simulator)?).await?;
    create_namespace(&control_plane, "tenant", &[]).await?;
    let account = job(&release, &simulator, &["tenant"]).await?;
    assert_rights_are_used(&release, &account).await
}

#[tokio::test]
async fn with_named_namespaces_every_permission_is_used_and_none_reaches_further() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), ["--propagation=100ms"]).await?;
    for namespace in ["tenant-a", "tenant-b"] {
        create_namespace(&control_plane, namespace, &[]).await?;
    }
    let mut values = hurried(&simulator)?;
    values.push("watchNamespaces={tenant-a,tenant-b}".to_owned());
    let release = Release::install(&control_plane, "narrow", &values).await?;
    let account = job(&release, &simulator, &["tenant-a", "tenant-b"]).await?;
    assert_rights_are_used(&release, &account).await?;
    let granted = granted(&release, &account).await?;
    assert!(granted.iter().all(|right| right.namespace.is_some()), "{granted:#?}");
    Ok(())
}

/// The main job in each namespace, with everything in it that makes the operator talk to the API server; returns the ServiceAccount.
async fn job(release: &Release<'_>, simulator: &Simulator, namespaces: &[&str]) -> Result<String> {
    let operator = release.run(simulator).await?;
    let client = release.control_plane.client().await?;
    for namespace in namespaces {
        let name = format!("edge-{namespace}");
        let api = Api::<ConnectionGroup>::namespaced(client.clone(), namespace);
        let created = create_twice(&api, &name, simulator).await?;
        let e_tag = created.status.and_then(|status| status.e_tag);
        api.patch(&name, &PatchParams::default(), &Patch::Merge(json!({ "spec": { "ipv6Enabled": false } }))).await?;
        let edited = ready(&api, &name).await?;
        assert_ne!(edited.status.and_then(|status| status.e_tag), e_tag);

        // The same event twice becomes one event with a count.
        for _ in 0..2 {
            let off = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
            simulator.admin.edit_group(&name, &off).await?;
            wait_until(PATIENCE, "the group to be on again", async || match simulator.admin.group(&name).await {
                Ok(Some(group)) if group.resource.enabled => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await?;
        }
        api.delete(&name, &DeleteParams::default()).await?;
        wait_gone(&api, &name, PATIENCE).await?;
        assert!(simulator.admin.group(&name).await?.is_none());
    }
    an_orphan_is_told(release, simulator, namespaces[0]).await?;
    let account = operator.account.clone();
    operator.stop().await?;
    let leases = Api::<Lease>::namespaced(client, release.namespace).list(&ListParams::default()).await?.items;
    let holders: Vec<_> = leases.into_iter().filter_map(|lease| lease.spec?.holder_identity).collect();
    assert_eq!(holders, [""], "one Lease, and it is released");
    Ok(account)
}

/// A group with our owner tag that no object names: one event, in the operator's own namespace.
async fn an_orphan_is_told(release: &Release<'_>, simulator: &Simulator, namespace: &str) -> Result<()> {
    let owner = format!("chart-test/{namespace}/gone");
    let tags = [(OwnerTag::KEY.to_owned(), owner.clone())].into();
    simulator.admin.create_group(&NewGroup { tags, ..NewGroup::named("orphan") }).await?;
    let events = Api::<Event>::namespaced(release.control_plane.client().await?, release.namespace);
    let told = async || {
        let all = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let orphaned = all.iter().filter(|event| event.reason.as_deref() == Some("Orphaned"));
        match orphaned.collect::<Vec<_>>()[..] {
            [event] => Ok(event.clone()),
            _ => Err(format!("{all:?}")),
        }
    };
    let event = wait_until(PATIENCE, "the event of the orphan", told).await?;
    assert!(event.note.is_some_and(|note| note.contains(&owner)));
    let regarding = event.regarding.unwrap_or_default();
    assert_eq!((regarding.kind.as_deref(), regarding.name.as_deref()), (Some("Pod"), Some("pod-1")));
    assert!(simulator.admin.group("orphan").await?.is_some(), "it is left alone");
    Ok(())
}

/// Recreates an object while the group of the first one is being created, as an impatient user may.
async fn create_twice(api: &Api<ConnectionGroup>, name: &str, simulator: &Simulator) -> Result<ConnectionGroup> {
    let held = simulator.admin.hold_once(Operation::CreateConnectionGroup, Moment::After).await?;
    create(api, name).await?;
    simulator.admin.wait_until_held(held, PATIENCE).await?;
    api.patch(name, &PatchParams::default(), &Patch::Merge(json!({ "metadata": { "finalizers": null } }))).await?;
    api.delete(name, &DeleteParams::default()).await?;
    create(api, name).await?;
    simulator.admin.release(held).await?;
    ready(api, name).await
}

/// Creates an object with an empty spec.
pub async fn create(api: &Api<ConnectionGroup>, name: &str) -> Result<ConnectionGroup> {
    let object = ConnectionGroup::new(name, ConnectionGroupSpec::default());
    Ok(api.create(&PostParams::default(), &object).await?)
}

/// Waits until the newest spec of an object is Ready.
pub async fn ready(api: &Api<ConnectionGroup>, name: &str) -> Result<ConnectionGroup> {
    wait_for(api, name, PATIENCE, &format!("{name} to be Ready"), |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| {
            Some(status.observed_generation) == object.metadata.generation
                && condition(&status.conditions, "Ready").is_some_and(|ready| ready.status == "True")
        })
    })
    .await
}

/// One thing that may be done. Everywhere, if no namespace is named; to all of them, if no name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    namespace: Option<String>,
    group: String,
    resource: String,
    verb: String,
    name: Option<String>,
}

impl Right {
    fn covers(&self, request: &Audited) -> bool {
        let Self { namespace, group, resource, verb, name } = self;
        (group, resource, verb) == (&request.group, &request.resource, &request.verb)
            && namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
            && name.as_ref().is_none_or(|name| *name == request.name)
    }
}

async fn assert_rights_are_used(release: &Release<'_>, account: &str) -> Result<()> {
    let granted = granted(release, account).await?;
    let used = release.control_plane.audited(release.namespace, account)?;
    let refused: Vec<_> = used.iter().filter(|request| request.code == 403).collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
    let beyond: Vec<_> = used.iter().filter(|request| !granted.iter().any(|right| right.covers(request))).collect();
    assert!(beyond.is_empty(), "done without a permission that the chart grants: {beyond:#?}");
    let own_name = concat!("connection-group-operator/", env!("CARGO_PKG_VERSION"));
    let nameless: Vec<_> = used.iter().filter(|request| request.user_agent != own_name).collect();
    assert!(nameless.is_empty(), "sent under another name: {nameless:#?}");
    let idle: Vec<_> = granted.iter().filter(|right| !used.iter().any(|request| right.covers(request))).collect();
    assert!(idle.is_empty(), "granted and never used: {idle:#?}");
    Ok(())
}

async fn granted(release: &Release<'_>, account: &str) -> Result<BTreeSet<Right>> {
    let client = release.control_plane.client().await?;
    let is_ours = |subjects: &Option<Vec<Subject>>| {
        subjects.iter().flatten().any(|subject| {
            (subject.kind.as_str(), subject.name.as_str()) == ("ServiceAccount", account)
                && subject.namespace.as_deref() == Some(release.namespace)
        })
    };
    let mut granted = BTreeSet::new();
    for binding in Api::<ClusterRoleBinding>::all(client.clone()).list(&ListParams::default()).await? {
        if is_ours(&binding.subjects) {
            let role = Api::<ClusterRole>::all(client.clone()).get(&binding.role_ref.name).await?;
            granted.extend(rights(None, role.rules));
        }
    }
    for binding in Api::<RoleBinding>::all(client.clone()).list(&ListParams::default()).await? {
        if is_ours(&binding.subjects) {
            let namespace = binding.namespace().unwrap_or_default();
            assert_eq!(binding.role_ref.kind, "Role", "the RoleBindings of a namespace can be read");
            let role = Api::<Role>::namespaced(client.clone(), &namespace).get(&binding.role_ref.name).await?;
            granted.extend(rights(Some(&namespace), role.rules));
        }
    }
    assert!(!granted.is_empty(), "nothing is granted to {account}");
    Ok(granted)
}

fn rights(namespace: Option<&str>, rules: Option<Vec<PolicyRule>>) -> Vec<Right> {
    let mut rights = Vec::new();
    for rule in rules.into_iter().flatten() {
        let names = rule.resource_names.filter(|names| !names.is_empty());
        let names: Vec<_> = names.map_or_else(|| vec![None], |names| names.into_iter().map(Some).collect());
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    rights.extend(names.iter().map(|name| Right {
                        namespace: namespace.map(ToOwned::to_owned),
                        group: group.clone(),
                        resource: resource.clone(),
                        verb: verb.clone(),
                        name: name.clone(),
                    }));
                }
            }
        }
    }
    rights
}
