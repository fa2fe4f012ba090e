//! The life cycle of one group, from before its creation until after its deletion. Needs only the permission to create one group, so it can run
//! against AWS too.

use std::collections::{BTreeMap, BTreeSet};

use connection_group_operator::cloudfront::{
    AnycastIpListId, CloudFront, Config, Described, ErrorClass, Etag, GroupId, Lookup, Members, NewGroup,
};

use super::Finding;
use crate::target::{Broken, Target, Verdict, deployed, ensure, eventually, mark, read, refused};

macro_rules! in_this_order {
    ($($sentence:ident),+ $(,)?) => {
        /// Checks the sentences one after the other, each on what the previous one has left, and reports each at once.
        pub async fn live<T: Target>(target: &T, mut tell: impl FnMut(&Finding)) -> Vec<Finding> {
            let mut findings = Vec::new();
            $(
                let finding = Finding::new(stringify!($sentence), $sentence(target).await);
                tell(&finding);
                findings.push(finding);
            )+
            findings
        }
    };
}

in_this_order! {
    a_name_that_nobody_has_is_no_group_and_no_error,
    a_new_group_is_as_it_was_asked_for,
    its_tags_are_there_from_its_creation_on,
    a_second_group_of_the_same_name_is_refused_and_changes_nothing,
    by_id_and_arn_the_same_group_is_found_as_by_name,
    the_list_shows_the_group_as_a_read_does,
    a_change_is_deployed_in_the_end,
    an_update_moves_the_etag_and_sets_what_was_asked,
    an_update_of_an_outdated_version_is_refused_and_changes_nothing,
    tags_are_set_and_overwritten_and_the_others_stay,
    tags_are_removed_and_the_others_stay,
    removing_a_tag_that_is_not_there_is_no_error,
    a_tag_in_the_name_of_aws_is_refused,
    an_anycast_list_that_does_not_exist_is_none_and_no_error,
    a_group_cannot_use_an_anycast_list_that_does_not_exist,
    a_group_that_nobody_uses_has_no_tenants,
    an_enabled_group_is_not_deleted,
    a_group_can_be_disabled,
    a_deletion_of_an_outdated_version_is_refused,
    a_disabled_group_is_deleted_and_then_gone_for_every_read_and_write,
}

const ON: Config = Config { enabled: true, ipv6_enabled: true, anycast_ip_list_id: None };
/// The `ETag` of the first version of any group, as public traces have it; outdated once a group has been changed.
const FIRST: &str = "E23ZP02F085DFQ";
/// As long as real ids, and not in use.
const NO_LIST: &str = "aip_000000000000000000000000000";

fn wanted(target: &impl Target) -> NewGroup {
    NewGroup { name: target.name().clone(), config: ON, tags: mark(target.name()) }
}

/// Unchanged, whatever its deployment status.
fn unchanged(before: &Described, after: &Described) -> Verdict {
    let same = before.group.id == after.group.id
        && before.group.etag == after.group.etag
        && before.group.config == after.group.config
        && before.tags == after.tags;
    ensure(same, &format!("it was {before:?}"), after)
}

async fn a_name_that_nobody_has_is_no_group_and_no_error(target: &impl Target) -> Verdict {
    let found = target.port().describe(&Lookup::Name(target.name().clone())).await?;
    ensure(found.is_none(), "found one", &found)
}

async fn a_new_group_is_as_it_was_asked_for(target: &impl Target) -> Verdict {
    let answered = target.port().create(&wanted(target)).await?;
    let name = Lookup::Name(target.name().clone());
    let ask = async || Ok(target.port().describe(&name).await?);
    let read = eventually(target, "the new group", ask, Option::is_some).await?;
    let read = read.map(|read| read.group);
    for shown in std::iter::once(&answered).chain(&read) {
        ensure(shown.name == *target.name(), "another name", shown)?;
        ensure(shown.config == ON, "another configuration", shown)?;
        ensure(!shown.is_default, "it is the default group", shown)?;
        ensure(shown.arn.as_str().ends_with(shown.id.as_str()), "the ARN does not end with the id", shown)?;
        ensure(shown.routing_endpoint.is_some(), "there is no routing endpoint", shown)?;
        ensure((&shown.id, &shown.etag) == (&answered.id, &answered.etag), "read otherwise than answered", shown)?;
    }
    Ok(())
}

async fn its_tags_are_there_from_its_creation_on(target: &impl Target) -> Verdict {
    let has_tags = |read: &Described| read.tags == mark(target.name());
    eventually(target, "the tags", async || read(target).await, has_tags).await.map(drop)
}

async fn a_second_group_of_the_same_name_is_refused_and_changes_nothing(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    let other = Config { enabled: false, ..ON };
    let answer = target.port().create(&NewGroup { config: other, ..wanted(target) }).await;
    refused(answer, ErrorClass::AlreadyExists)?;
    unchanged(&before, &read(target).await?)
}

async fn by_id_and_arn_the_same_group_is_found_as_by_name(target: &impl Target) -> Verdict {
    let by_name = read(target).await?;
    let known = Lookup::Known { id: by_name.group.id.clone(), arn: by_name.group.arn.clone() };
    match target.port().describe(&known).await? {
        Some(by_id) => unchanged(&by_name, &by_id),
        None => Err(Broken(format!("not found as {known:?}"))),
    }
}

async fn the_list_shows_the_group_as_a_read_does(target: &impl Target) -> Verdict {
    let group = read(target).await?.group;
    let ask = async || {
        let mut groups = target.port().list().await?;
        groups.retain(|item| item.name == *target.name());
        Ok(groups)
    };
    let listed = eventually(target, "the group in the list", ask, |groups| !groups.is_empty()).await?;
    let [item] = listed.as_slice() else { return ensure(false, "listed more than once", &listed) };
    ensure(
        (&item.id, &item.arn, &item.etag) == (&group.id, &group.arn, &group.etag),
        "another group or version",
        item,
    )?;
    ensure(item.enabled == group.config.enabled, "another value of Enabled", item)?;
    ensure(item.anycast_ip_list_id == group.config.anycast_ip_list_id, "another Anycast list", item)
}

async fn a_change_is_deployed_in_the_end(target: &impl Target) -> Verdict {
    let etag = read(target).await?.group.etag;
    deployed(target, &etag).await.map(drop)
}

async fn an_update_moves_the_etag_and_sets_what_was_asked(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    let config = Members { ipv6_enabled: Some(false), ..before.group.config.clone() };
    let answered = target.port().update(&before.group, &config).await?;
    ensure(answered.config == config, "another configuration", &answered)?;
    ensure(answered.etag != before.group.etag, "the same ETag", &answered)?;
    let after = deployed(target, &answered.etag).await?;
    ensure(after.group.id == before.group.id, "another group", &after)?;
    ensure(after.group.config == config, "another configuration", &after)?;
    ensure(after.tags == before.tags, "other tags", &after)
}

async fn an_update_of_an_outdated_version_is_refused_and_changes_nothing(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    let mut outdated = before.group.clone();
    outdated.etag = Etag::new(FIRST);
    refused(target.port().update(&outdated, &ON.into()).await, ErrorClass::StaleEtag)?;
    unchanged(&before, &read(target).await?)
}

async fn tags_are_set_and_overwritten_and_the_others_stay(target: &impl Target) -> Verdict {
    let arn = read(target).await?.group.arn;
    for value in ["first", "second"] {
        // Unicode, and the characters that XML and URLs treat in their own way.
        let tags =
            BTreeMap::from([("schlüssel +/=".to_owned(), value.to_owned()), ("empty".to_owned(), String::new())]);
        target.port().tag(&arn, &tags).await?;
        let expected = tags.into_iter().chain(mark(target.name())).collect::<BTreeMap<_, _>>();
        eventually(
            target,
            "the tags",
            async || Ok(target.port().tags(&arn).await?),
            |seen| seen.as_ref() == Some(&expected),
        )
        .await?;
    }
    Ok(())
}

async fn tags_are_removed_and_the_others_stay(target: &impl Target) -> Verdict {
    let arn = read(target).await?.group.arn;
    let keys = BTreeSet::from(["schlüssel +/=".to_owned(), "empty".to_owned()]);
    target.port().untag(&arn, &keys).await?;
    let expected = Some(mark(target.name()));
    let ask = async || Ok(target.port().tags(&arn).await?);
    eventually(target, "the tags", ask, |seen| *seen == expected).await.map(drop)
}

async fn removing_a_tag_that_is_not_there_is_no_error(target: &impl Target) -> Verdict {
    let arn = read(target).await?.group.arn;
    Ok(target.port().untag(&arn, &BTreeSet::from(["nowhere".to_owned()])).await?)
}

async fn a_tag_in_the_name_of_aws_is_refused(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    let tags = BTreeMap::from([("aws:contract".to_owned(), "test".to_owned())]);
    refused(target.port().tag(&before.group.arn, &tags).await, ErrorClass::InvalidArgument)?;
    unchanged(&before, &read(target).await?)
}

async fn an_anycast_list_that_does_not_exist_is_none_and_no_error(target: &impl Target) -> Verdict {
    let found = target.port().anycast_ip_list(&AnycastIpListId::new(NO_LIST)).await?;
    ensure(found.is_none(), "found one", &found)
}

async fn a_group_cannot_use_an_anycast_list_that_does_not_exist(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    let config = Members { anycast_ip_list_id: Some(AnycastIpListId::new(NO_LIST)), ..before.group.config.clone() };
    match target.port().update(&before.group, &config).await {
        // AWS documents both codes, but not which one applies here.
        Err(error) if error.class == ErrorClass::InvalidArgument => {}
        answer => refused(answer, ErrorClass::NotFound)?,
    }
    unchanged(&before, &read(target).await?)
}

async fn a_group_that_nobody_uses_has_no_tenants(target: &impl Target) -> Verdict {
    let tenants = target.port().tenants(&read(target).await?.group.id).await?;
    ensure(!tenants.any(), "there are some", &tenants)
}

async fn an_enabled_group_is_not_deleted(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    refused(target.port().delete(&before.group).await, ErrorClass::NotDisabled)?;
    unchanged(&before, &read(target).await?)
}

async fn a_group_can_be_disabled(target: &impl Target) -> Verdict {
    let before = read(target).await?.group;
    let config = Members { enabled: Some(false), ..before.config.clone() };
    let answered = target.port().update(&before, &config).await?;
    let after = deployed(target, &answered.etag).await?;
    ensure(after.group.config == config, "another configuration", &after)
}

async fn a_deletion_of_an_outdated_version_is_refused(target: &impl Target) -> Verdict {
    let before = read(target).await?;
    let mut outdated = before.group.clone();
    outdated.etag = Etag::new(FIRST);
    refused(target.port().delete(&outdated).await, ErrorClass::StaleEtag)?;
    unchanged(&before, &read(target).await?)
}

async fn a_disabled_group_is_deleted_and_then_gone_for_every_read_and_write(target: &impl Target) -> Verdict {
    let port = target.port();
    let group = read(target).await?.group;
    port.delete(&group).await?;
    let (name, known) =
        (Lookup::Name(group.name.clone()), Lookup::Known { id: group.id.clone(), arn: group.arn.clone() });
    for lookup in [name, known] {
        eventually(target, "the end of the group", async || Ok(port.describe(&lookup).await?), Option::is_none).await?;
    }
    eventually(target, "the end of its tags", async || Ok(port.tags(&group.arn).await?), Option::is_none).await?;
    let listed = |groups: &Vec<GroupId>| groups.contains(&group.id);
    let list = async || Ok(port.list().await?.into_iter().map(|item| item.id).collect());
    eventually(target, "its end in the list", list, |groups| !listed(groups)).await?;
    refused(port.update(&group, &group.config).await, ErrorClass::NotFound)?;
    refused(port.delete(&group).await, ErrorClass::NotFound)?;
    refused(port.tag(&group.arn, &mark(target.name())).await, ErrorClass::NotFound)
}
