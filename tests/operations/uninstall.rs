//! `docs/uninstall.md`, run as it is written.

use connection_group_operator::reconcile::ownership::Claim;
use testbed::{Result, Simulator};

use crate::cluster::{self, Cluster};
use crate::document::labelled;

const DOCUMENT: &str = "docs/uninstall.md";

async fn installed() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.run_all(&labelled("docs/install-eks.md", "pod-identity")).await?;
    cluster.run_all(&labelled("docs/install.md", "check")).await?;
    Ok((cluster, account))
}

#[tokio::test]
async fn keeping_everything_leaves_objects_and_groups_and_a_new_installation_continues() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let before = cluster::group(&account, "edge").await?;
    let since = cluster::now(&account).await?;
    cluster.run_all(&labelled(DOCUMENT, "keep")).await?;
    assert!(cluster.operator.is_none(), "it is uninstalled");
    cluster.objects("platform").await?.get("edge").await?;
    cluster.run_all(&labelled("docs/install-eks.md", "pod-identity")).await?;
    cluster.look_now("platform", "edge", "1").await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    assert_eq!(cluster::group(&account, "edge").await?, before);
    Ok(())
}

#[tokio::test]
async fn keeping_the_groups_removes_only_the_tags_that_mark_ownership() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let mut expected = cluster::tags(&account, "edge").await?;
    for key in Claim::KEYS {
        expected.remove(key).expect("it marks the group as ours");
    }
    cluster.run_all(&labelled(DOCUMENT, "retain")).await?;
    let printed = cluster.run_all(&labelled(DOCUMENT, "crd")).await?;
    assert!(printed.contains("deleted"), "{printed}");
    assert_eq!(cluster::tags(&account, "edge").await?, expected);
    assert!(cluster::group(&account, "edge").await?.resource.enabled);
    Ok(())
}

#[tokio::test]
async fn deleting_the_groups_leaves_nothing_behind() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.run_all(&labelled(DOCUMENT, "delete")).await?;
    cluster.run_all(&labelled(DOCUMENT, "crd")).await?;
    assert!(account.admin.state().await?.groups.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_object_left_without_an_operator_can_be_released_and_its_group_stays() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.run_all(&labelled(DOCUMENT, "keep")).await?;
    cluster.run("kubectl -n platform delete connectiongroup/edge --wait=false").await?;
    cluster.run_all(&labelled(DOCUMENT, "stuck")).await?;
    assert!(cluster.objects("platform").await?.get_opt("edge").await?.is_none());
    cluster::group(&account, "edge").await?;
    Ok(())
}
