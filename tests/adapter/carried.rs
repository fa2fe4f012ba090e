//! What an update carries along: `ViewerFallback`, which this operator does not manage and its SDK does not know.

use cloudfront_simulator::{
    Switches,
    admin::{Fault, FaultRule, GroupPatch, Moment, NewGroup, Operation, Request},
};
use connection_group_operator::cloudfront::{CloudFront, ErrorClass, Group, GroupName, Lookup, Members, sdk::Sdk};
use testbed::{Result, admin::AdminClient};

use crate::connected;

async fn group_with_a_fallback(admin: &AdminClient, port: &Sdk) -> Result<Group> {
    let viewer_fallback = Some("E1 & <ABC>".to_owned());
    admin.create_group(&NewGroup { viewer_fallback, ..NewGroup::named("edge") }).await?;
    let lookup = Lookup::Name(GroupName::new("edge"));
    Ok(Box::pin(port.describe(&lookup)).await.unwrap().unwrap().group)
}

/// What the updates of the group sent as `ViewerFallback`.
async fn sent(admin: &AdminClient) -> Result<Vec<Option<String>>> {
    let calls = admin.requests(0).await?;
    let updates = calls.into_iter().filter_map(|call| match call.request {
        Some(Request::UpdateConnectionGroup(update)) => Some(update.viewer_fallback),
        _ => None,
    });
    Ok(updates.collect())
}

fn off(group: &Group) -> Members {
    Members { enabled: Some(false), ..group.config.clone() }
}

#[tokio::test]
async fn an_update_keeps_the_viewer_fallback_whether_cloudfront_keeps_or_clears_what_is_left_out() -> Result<()> {
    for omission_clears in [false, true] {
        let (admin, port) = connected(Switches { omission_clears, ..Switches::default() }).await;
        let group = group_with_a_fallback(&admin, &port).await?;
        let updated = port.update(&group, &off(&group)).await.unwrap();
        let shown = admin.group("edge").await?.unwrap().resource;
        assert_eq!((shown.enabled, shown.viewer_fallback.as_deref()), (false, Some("E1 & <ABC>")), "{omission_clears}");
        assert_eq!(sent(&admin).await?, [Some("E1 & <ABC>".to_owned())]);

        // The next one carries what the answer to this one showed.
        let on = Members { enabled: Some(true), ..updated.config.clone() };
        port.update(&updated, &on).await.unwrap();
        assert_eq!(admin.group("edge").await?.unwrap().resource.viewer_fallback.as_deref(), Some("E1 & <ABC>"));
    }
    Ok(())
}

#[tokio::test]
async fn a_group_without_a_fallback_gets_none() -> Result<()> {
    let (admin, port) = connected(Switches::default()).await;
    admin.create_group(&NewGroup::named("edge")).await?;
    let lookup = Lookup::Name(GroupName::new("edge"));
    let group = Box::pin(port.describe(&lookup)).await.unwrap().unwrap().group;
    port.update(&group, &off(&group)).await.unwrap();
    assert_eq!(sent(&admin).await?, [None]);
    Ok(())
}

#[tokio::test]
async fn a_fallback_that_cloudfront_refuses_does_not_delay_the_emergency_switch() -> Result<()> {
    let (admin, port) = connected(Switches::default()).await;
    let group = group_with_a_fallback(&admin, &port).await?;
    let code = "InvalidArgument".to_owned();
    let fault = Fault::Error { status: 400, code, message: String::new(), when: Moment::Before };
    let operation = Operation::UpdateConnectionGroup;
    let refused = |times| FaultRule { times, ..FaultRule::new(operation, fault.clone()) };
    admin.add_fault(&refused(Some(1))).await?;
    port.update(&group, &off(&group)).await.unwrap();
    assert!(!admin.group("edge").await?.unwrap().resource.enabled);
    assert_eq!(sent(&admin).await?, [Some("E1 & <ABC>".to_owned()), None]);

    // Any other update is refused as a whole: it did not ask for the fallback to be removed.
    let group = Box::pin(port.describe(&Lookup::Name(GroupName::new("edge")))).await.unwrap().unwrap().group;
    admin.add_fault(&refused(Some(1))).await?;
    let other = Members { ipv6_enabled: Some(false), ..group.config.clone() };
    let error = port.update(&group, &other).await.unwrap_err();
    assert_eq!((error.class, sent(&admin).await?.len()), (ErrorClass::InvalidArgument, 3));

    // An update that is refused for another reason is refused after the second try, and not sent again.
    admin.edit_group("edge", &GroupPatch { enabled: Some(true), ..GroupPatch::default() }).await?;
    let lookup = Lookup::Name(GroupName::new("edge"));
    let group = Box::pin(port.describe(&lookup)).await.unwrap().unwrap().group;
    admin.add_fault(&refused(None)).await?;
    let error = port.update(&group, &off(&group)).await.unwrap_err();
    assert_eq!((error.class, sent(&admin).await?.len()), (ErrorClass::InvalidArgument, 5));
    Ok(())
}
