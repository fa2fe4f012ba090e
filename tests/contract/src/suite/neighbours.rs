//! What the operator relies on when it is not alone: tenants, Anycast lists, quotas, users with other tools. These need an account that may be
//! filled and disturbed, so they run only against the simulator.

#![expect(clippy::missing_errors_doc, missing_docs, reason = "each function is a sentence, and broken or not")]

use std::{collections::BTreeSet, future::Future};

use cloudfront_simulator::{
    admin::{GroupPatch, NewGroup as OutsideGroup, NewList, NewTenant},
    switches::IpAddressType,
};
use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, CloudFront, Config, ErrorClass, Group, Lookup, NewGroup, Tags,
};
use serde_json::{Value, json};

use crate::target::{Target, Verdict, ensure, mark, read, refused};

/// An account under control: the test orders what others do to it.
pub trait Neighbourhood: Target {
    /// Changes the switches that `changes` names.
    fn set_switches(&self, changes: Value) -> impl Future<Output = ()>;
    /// Another client creates a group.
    fn outside_group(&self, group: OutsideGroup) -> impl Future<Output = ()>;
    /// Another client edits a group.
    fn outside_edit(&self, group: &str, patch: GroupPatch) -> impl Future<Output = ()>;
    /// Another client deletes a group.
    fn outside_deletion(&self, group: &str) -> impl Future<Output = ()>;
    /// Another client creates an Anycast list; returns its id.
    fn outside_list(&self, list: NewList) -> impl Future<Output = AnycastIpListId>;
    /// Someone attaches a tenant to a group.
    fn outside_tenant(&self, tenant: NewTenant) -> impl Future<Output = ()>;
    /// CloudFront makes the account's default group.
    fn default_group(&self) -> impl Future<Output = ()>;
}

/// Calls a macro with all sentences of this file: a test for each, whatever the target.
#[macro_export]
macro_rules! sentences_about_neighbours {
    ($for_each:ident) => {
        $for_each! {
            an_update_of_a_version_that_somebody_else_has_changed_is_refused,
            a_group_recreated_outside_has_another_id_under_the_same_name,
            tenants_are_counted_and_named,
            a_group_with_tenants_is_not_deleted,
            the_list_is_whole_however_small_its_pages_are,
            a_group_above_the_quota_is_refused,
            an_anycast_list_is_attached_and_detached,
            ipv6_is_refused_with_an_ipv4_anycast_list,
            an_anycast_list_that_is_full_is_refused,
            the_default_group_is_shown_as_such_and_not_deleted,
            too_many_calls_are_throttled,
        }
    };
}

const OFF: Config = Config { enabled: false, ipv6_enabled: false, anycast_ip_list_id: None };

async fn made(target: &impl Target, config: Config) -> Result<Group, ApiError> {
    let tags = mark(target.name());
    target.port().create(&NewGroup { name: target.name().clone(), config, tags }).await
}

fn using(list: &AnycastIpListId) -> Config {
    Config { anycast_ip_list_id: Some(list.clone()), ..OFF }
}

pub async fn an_update_of_a_version_that_somebody_else_has_changed_is_refused(target: &impl Neighbourhood) -> Verdict {
    let group = made(target, OFF).await?;
    let patch = GroupPatch { ipv6_enabled: Some(true), ..GroupPatch::default() };
    target.outside_edit(target.name().as_str(), patch).await;
    refused(target.port().update(&group, &OFF.into()).await, ErrorClass::StaleEtag)?;
    refused(target.port().delete(&group).await, ErrorClass::StaleEtag)?;
    let config = read(target).await?.group.config;
    ensure(config.ipv6_enabled == Some(true), "the other's change is lost", &config)
}

pub async fn a_group_recreated_outside_has_another_id_under_the_same_name(target: &impl Neighbourhood) -> Verdict {
    let before = made(target, OFF).await?;
    target.outside_deletion(before.id.as_str()).await;
    target.outside_group(OutsideGroup::named(target.name().as_str())).await;
    let after = read(target).await?;
    ensure(after.group.id != before.id, "the same id", &after)?;
    ensure(after.tags == Tags::new(), "tags of the group that is gone", &after)?;
    let old = Lookup::Known { id: before.id.clone(), arn: before.arn.clone() };
    let found = target.port().describe(&old).await?;
    ensure(found.is_none(), "the old id is found", &found)?;
    // The ETag is the same: it is the id that protects the new group.
    refused(target.port().delete(&before).await, ErrorClass::NotFound)
}

pub async fn tenants_are_counted_and_named(target: &impl Neighbourhood) -> Verdict {
    let group = made(target, OFF).await?;
    for number in 0..12 {
        target.outside_tenant(NewTenant::behind(target.name().as_str(), format!("tenant-{number}"))).await;
    }
    let tenants = target.port().tenants(&group.id).await?;
    ensure(tenants.count == 12 && !tenants.beyond_this_page, "not twelve", &tenants)?;
    let names = tenants.names.iter().collect::<BTreeSet<_>>();
    ensure(names.len() == 10 && names.iter().all(|name| name.starts_with("tenant-")), "not ten names", &tenants)
}

pub async fn a_group_with_tenants_is_not_deleted(target: &impl Neighbourhood) -> Verdict {
    let group = made(target, OFF).await?;
    target.outside_tenant(NewTenant::behind(target.name().as_str(), "customer")).await;
    refused(target.port().delete(&group).await, ErrorClass::HasTenants)?;
    read(target).await.map(drop)
}

pub async fn the_list_is_whole_however_small_its_pages_are(target: &impl Neighbourhood) -> Verdict {
    let names = (0..7).map(|number| format!("neighbour-{number}")).collect::<BTreeSet<_>>();
    for name in &names {
        target.outside_group(OutsideGroup::named(name)).await;
    }
    for page_size in [1, 2, 7, 100] {
        target.set_switches(json!({ "page_size": page_size })).await;
        let listed = target.port().list().await?;
        let listed_names = listed.iter().map(|item| item.name.to_string()).collect::<BTreeSet<_>>();
        ensure(listed.len() == 7 && listed_names == names, "not each group once", &listed)?;
    }
    Ok(())
}

pub async fn a_group_above_the_quota_is_refused(target: &impl Neighbourhood) -> Verdict {
    target.set_switches(json!({ "groups_per_account": 1 })).await;
    target.outside_group(OutsideGroup::named("neighbour")).await;
    refused(made(target, OFF).await, ErrorClass::LimitExceeded)?;
    let found = target.port().describe(&Lookup::Name(target.name().clone())).await?;
    ensure(found.is_none(), "made all the same", &found)
}

pub async fn an_anycast_list_is_attached_and_detached(target: &impl Neighbourhood) -> Verdict {
    let list = target.outside_list(NewList::named("ips", IpAddressType::Dualstack)).await;
    let family = target.port().anycast_ip_list(&list).await?;
    ensure(family == Some(AddressFamily::Other), "another family", &family)?;
    let group = made(target, Config { ipv6_enabled: true, ..using(&list) }).await?;
    ensure(group.config.anycast_ip_list_id.as_ref() == Some(&list), "not attached", &group)?;
    let group = target.port().update(&group, &OFF.into()).await?;
    ensure(group.config == OFF, "not detached", &group)?;
    let group = target.port().update(&group, &using(&list).into()).await?;
    ensure(group.config == using(&list), "not attached again", &group)
}

pub async fn ipv6_is_refused_with_an_ipv4_anycast_list(target: &impl Neighbourhood) -> Verdict {
    let list = target.outside_list(NewList::named("ips", IpAddressType::Ipv4)).await;
    let family = target.port().anycast_ip_list(&list).await?;
    ensure(family == Some(AddressFamily::Ipv4Only), "another family", &family)?;
    let both = Config { ipv6_enabled: true, ..using(&list) };
    refused(made(target, both.clone()).await, ErrorClass::InvalidArgument)?;
    let group = made(target, using(&list)).await?;
    refused(target.port().update(&group, &both.into()).await, ErrorClass::InvalidArgument)
}

pub async fn an_anycast_list_that_is_full_is_refused(target: &impl Neighbourhood) -> Verdict {
    target.set_switches(json!({ "groups_per_list": 1 })).await;
    let list = target.outside_list(NewList::named("ips", IpAddressType::Ipv4)).await;
    let neighbour = OutsideGroup { anycast_ip_list_id: Some(list.to_string()), ..OutsideGroup::named("neighbour") };
    target.outside_group(OutsideGroup { ipv6_enabled: false, ..neighbour }).await;
    refused(made(target, using(&list)).await, ErrorClass::LimitExceeded)
}

pub async fn the_default_group_is_shown_as_such_and_not_deleted(target: &impl Neighbourhood) -> Verdict {
    target.default_group().await;
    let listed = target.port().list().await?;
    let [item] = listed.as_slice() else { return ensure(false, "not one group", &listed) };
    let Some(found) = target.port().describe(&Lookup::Name(item.name.clone())).await? else {
        return ensure(false, "listed, but not found", item);
    };
    ensure(found.group.is_default, "not shown as the default group", &found)?;
    let answer = target.port().delete(&found.group).await;
    ensure(answer.is_err(), "deleted", &answer)
}

pub async fn too_many_calls_are_throttled(target: &impl Neighbourhood) -> Verdict {
    target.set_switches(json!({ "rate": 1, "burst": 2 })).await;
    let mut answer = Ok(Vec::new());
    for _ in 0..4 {
        answer = target.port().list().await;
        if answer.is_err() {
            break;
        }
    }
    refused(answer, ErrorClass::Throttled)
}
