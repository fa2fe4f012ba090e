//! One call of the port for each operation, and an account in which it succeeds. In: an adapter, an operation. Out: the result.

use cloudfront_simulator::{
    Account, Switches, Timestamp,
    admin::{NewGroup as Outside, NewList, NewTenant},
    switches::IpAddressType,
};
use connection_group_operator::cloudfront::{
    AnycastIpListId, ApiError, Arn, CloudFront, Config, Deployment, Elements, Etag, Group, GroupId, GroupName, Lookup,
    NewGroup, Operation, sdk::Sdk,
};

/// When the calls are made.
pub const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// The group that the calls are about.
pub struct Known {
    group: Group,
    disabled: Group,
    list: AnycastIpListId,
}

impl Known {
    /// The group that tenants use.
    pub const fn id(&self) -> &GroupId {
        &self.group.id
    }
}

/// An account in which each of the calls succeeds, with more than one of everything that is listed.
pub fn account() -> (Account, Known) {
    let mut account = Account::new(Switches::default());
    let created = Timestamp(NOW.0 - 3_600_000);
    let tags = [
        ("cloudfront.kube-operators.dev/owner".to_owned(), "prod/platform/edge".to_owned()),
        ("team".to_owned(), "edge".to_owned()),
    ];
    let viewer_fallback = Some("E1ABC".to_owned());
    let edge = Outside { tags: tags.into(), viewer_fallback, ..Outside::named("edge") };
    let disabled = Outside { enabled: false, ..Outside::named("disabled") };
    let [edge, disabled] = [edge, disabled].map(|group| account.outside_create_group(created, group).unwrap());
    for tenant in ["shop", "blog"] {
        account.outside_create_tenant(created, NewTenant::behind("edge", tenant)).unwrap();
    }
    let list = account.outside_create_list(created, NewList::named("list", IpAddressType::Ipv4));
    let [group, disabled] = [edge, disabled].map(|shown| read(&shown.resource.id, &shown.resource.arn, &shown.etag));
    (account, Known { group, disabled, list: AnycastIpListId::new(list.id) })
}

fn read(id: &str, arn: &str, etag: &str) -> Group {
    Group {
        id: GroupId::new(id),
        arn: Arn::new(arn),
        name: GroupName::new("edge"),
        etag: Etag::new(etag),
        config: config().into(),
        deployment: Some(Deployment::Deployed),
        routing_endpoint: None,
        is_default: false,
        created: None,
        modified: None,
        elements: Elements::default(),
    }
}

fn config() -> Config {
    Config { enabled: true, ipv6_enabled: true, anycast_ip_list_id: None }
}

/// A group that is not there yet.
pub fn new_group() -> NewGroup {
    let tags = [("team".to_owned(), "edge".to_owned())].into();
    NewGroup { name: GroupName::new("new"), config: config(), tags }
}

/// One call of the port that makes this call to CloudFront.
pub async fn ask(sdk: &Sdk, operation: Operation, known: &Known) -> Result<(), ApiError> {
    let Known { group, disabled, list } = known;
    let tags = [("team".to_owned(), "edge".to_owned())].into();
    match operation {
        Operation::CreateConnectionGroup => sdk.create(&new_group()).await.map(drop),
        Operation::GetConnectionGroup => Box::pin(sdk.describe(&Lookup::Name(group.name.clone()))).await.map(drop),
        Operation::UpdateConnectionGroup => sdk.update(group, &config().into()).await.map(drop),
        Operation::DeleteConnectionGroup => sdk.delete(disabled).await,
        Operation::ListConnectionGroups => sdk.list().await.map(drop),
        Operation::TagResource => sdk.tag(&group.arn, &tags).await,
        Operation::UntagResource => sdk.untag(&group.arn, &["team".to_owned()].into()).await,
        Operation::ListTagsForResource => sdk.tags(&group.arn).await.map(drop),
        Operation::ListDistributionTenants => sdk.tenants(&group.id).await.map(drop),
        Operation::GetAnycastIpList => sdk.anycast_ip_list(list).await.map(drop),
    }
}
