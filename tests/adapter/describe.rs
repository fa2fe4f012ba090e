//! The full read of one group.

use cloudfront_simulator::{
    Switches,
    admin::{LoggedCall, Moment, NewGroup, Operation},
};
use connection_group_operator::cloudfront::{Arn, CloudFront, GroupId, Lookup};
use testbed::{Result, wait_until};

use crate::{PATIENCE, connected};

#[tokio::test]
async fn once_the_arn_is_known_a_group_and_its_tags_are_read_in_parallel() -> Result<()> {
    let (admin, port) = connected(Switches::default()).await;
    let group = admin.create_group(&NewGroup::named("edge")).await?.resource;
    let held = admin.hold_once(Operation::GetConnectionGroup, Moment::Before).await?;
    let lookup = Lookup::Known { id: GroupId::new(&group.id), arn: Arn::new(&group.arn) };
    let read = tokio::spawn(async move { Box::pin(port.describe(&lookup)).await });
    admin.wait_until_held(held, PATIENCE).await?;
    wait_until(PATIENCE, "the tags to be read while Get is held", async || {
        let calls = admin.requests(0).await.map_err(|error| error.to_string())?;
        let answered =
            |call: &LoggedCall| call.operation == Some(Operation::ListTagsForResource) && call.status == Some(200);
        if calls.iter().any(answered) { Ok(()) } else { Err(format!("{calls:?}")) }
    })
    .await?;
    admin.release(held).await?;
    let described = read.await.unwrap().unwrap().expect("the group exists");
    assert_eq!(described.group.id.as_str(), group.id);
    Ok(())
}
