//! Turns of the call queue, as calls over HTTP take them: at a rate of one call in a quarter of an hour.

use std::sync::Arc;

use cloudfront_simulator::{
    Switches,
    admin::{Fault, NewGroup, Operation},
};
use connection_group_operator::cloudfront::{
    self, Arn, CloudFront, ErrorClass, GroupName, Lookup, Members,
    queue::{CallQueue, Class},
};
use futures::{FutureExt, poll};
use testbed::Result;

use crate::connected_through;

fn slow() -> CallQueue {
    CallQueue::new(0.001, 1)
}

#[tokio::test]
async fn the_reads_of_a_change_and_the_change_are_made_in_one_turn() -> Result<()> {
    let queue = slow();
    let (admin, port) = connected_through(queue.clone(), Switches::default()).await;
    admin.create_group(&NewGroup::named("edge")).await?;
    let reservation = Arc::new(queue.reserve(Class::UserRequest));
    let port = port.within(Arc::clone(&reservation));
    let read = Box::pin(port.describe(&Lookup::Name(GroupName::new("edge")))).await.unwrap().unwrap();
    assert!(!port.tenants(&read.group.id).await.unwrap().any());
    let off = Members { enabled: Some(false), ..read.group.config.clone() };
    port.update(&read.group, &off).await.unwrap();
    let calls = admin.requests(0).await?;
    let operations = calls.iter().filter_map(|call| call.operation).collect::<Vec<_>>();
    let one_turn = [
        Operation::GetConnectionGroup,
        Operation::ListTagsForResource,
        Operation::ListDistributionTenants,
        Operation::UpdateConnectionGroup,
    ];
    assert_eq!(operations, one_turn);
    reservation.end();
    let next = queue.reserve(Class::SwitchOff);
    assert!(next.turn(cloudfront::Operation::GetConnectionGroup).now_or_never().is_none());
    Ok(())
}

/// The classes of the waiters.
fn waiting(queue: &CallQueue) -> Vec<Class> {
    queue.depths().into_iter().filter(|depth| depth.waiting > 0).map(|depth| depth.class).collect()
}

#[tokio::test]
async fn a_list_waits_among_lists_and_what_nobody_waits_for_comes_last() {
    let queue = slow();
    queue.reserve(Class::UserRequest).admit(cloudfront::Operation::GetConnectionGroup).await.unwrap();
    let (_admin, port) = connected_through(queue.clone(), Switches::default()).await;
    let mut list = Box::pin(port.for_one_list());
    assert!(poll!(&mut list).is_pending());
    assert_eq!(waiting(&queue), [Class::Inventory]);
    drop(list);
    let (in_background, arn) = (port.in_background(), Arn::new("arn"));
    let mut tags = Box::pin(in_background.tags(&arn));
    assert!(poll!(&mut tags).is_pending());
    assert_eq!(waiting(&queue), [Class::Background]);
}

#[tokio::test]
async fn all_pages_of_a_list_are_read_in_one_turn() -> Result<()> {
    let (admin, port) = connected_through(slow(), Switches { page_size: 1, ..Switches::default() }).await;
    for name in ["first", "second", "third"] {
        admin.create_group(&NewGroup::named(name)).await?;
    }
    let port = port.for_one_list().await;
    assert_eq!(port.list().await.unwrap().len(), 3);
    Ok(())
}

#[tokio::test]
async fn after_cloudfront_throttled_an_operation_its_calls_within_a_turn_are_not_sent_and_others_are() -> Result<()> {
    let queue = CallQueue::new(0.01, 100);
    let (admin, port) = connected_through(queue.clone(), Switches::default()).await;
    admin.create_group(&NewGroup::named("edge")).await?;
    let lookup = Lookup::Name(GroupName::new("edge"));
    let read = Box::pin(port.describe(&lookup)).await.unwrap().unwrap();
    admin.fault_once(Operation::UpdateConnectionGroup, Fault::Throttle).await?;
    let refused = port.update(&read.group, &read.group.config).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Throttled);
    let sent = admin.requests(0).await?.len();

    let port = port.within(Arc::new(queue.reserve(Class::UserRequest)));
    let read = Box::pin(port.describe(&lookup)).await.unwrap().unwrap();
    let held_back = port.update(&read.group, &read.group.config).await.unwrap_err();
    assert_eq!((held_back.class, held_back.request_id), (ErrorClass::Throttled, None));
    assert_eq!(admin.requests(0).await?.len(), sent + 2, "the two reads");
    Ok(())
}
