//! Answers to calls that took effect, and to throttled ones.

use std::collections::BTreeSet;

use cloudfront_simulator::{
    Switches,
    admin::NewGroup,
    switches::{DoneAnswer, Throttling},
};
use connection_group_operator::cloudfront::{ApiError, CloudFront, ErrorClass, GroupName, Lookup};
use testbed::Result;

use crate::connected;

#[tokio::test]
async fn a_deletion_and_a_change_of_tags_succeed_with_204_and_with_200_and_without_a_body() -> Result<()> {
    for done_answer in [DoneAnswer::NoContent, DoneAnswer::Empty] {
        for (call, answer) in done(done_answer).await? {
            assert_eq!(answer, None, "{call} answered with {done_answer:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_success_with_an_unexpected_body_is_not_an_answer_of_cloudfront_although_the_change_is_made() -> Result<()> {
    for (call, answer) in done(DoneAnswer::Document).await? {
        assert_eq!(answer, Some(ErrorClass::Unexpected), "{call}");
        assert!(ErrorClass::Unexpected.leaves_doubt(), "so the group is read again");
    }
    Ok(())
}

/// Tags a group, removes the tag, and deletes the group: the result of each call for the operator. All of them take effect.
async fn done(done_answer: DoneAnswer) -> Result<[(&'static str, Option<ErrorClass>); 3]> {
    let (admin, port) = connected(Switches { done_answer, ..Switches::default() }).await;
    admin.create_group(&NewGroup { enabled: false, ..NewGroup::named("edge") }).await?;
    let read = async || port.describe(&Lookup::Name(GroupName::new("edge"))).await.unwrap();
    let group = read().await.expect("the group").group;
    let class = |answer: std::result::Result<(), ApiError>| answer.err().map(|error| error.class);
    let tags = [("team".to_owned(), "edge".to_owned())].into();
    let tagged = class(port.tag(&group.arn, &tags).await);
    assert_eq!(read().await.expect("the group").tags, tags);
    let untagged = class(port.untag(&group.arn, &BTreeSet::from(["team".to_owned()])).await);
    assert_eq!(read().await.expect("the group").tags.len(), 0);
    let deleted = class(port.delete(&group).await);
    assert_eq!(read().await, None);
    Ok([("TagResource", tagged), ("UntagResource", untagged), ("DeleteConnectionGroup", deleted)])
}

#[tokio::test]
async fn every_throttling_code_counts_as_throttling() {
    for throttling in [Throttling::Throttling, Throttling::TooManyRequests, Throttling::SlowDown] {
        let (_admin, port) = connected(Switches { rate: 1, burst: 0, throttling, ..Switches::default() }).await;
        let error = port.list().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Throttled, "{throttling:?}: {error}");
    }
}
