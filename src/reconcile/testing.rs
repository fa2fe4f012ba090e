//! Groups for the tests of this folder. Pure.

use std::collections::BTreeMap;

use crate::cloudfront::{Arn, Config, Deployment, Described, Elements, Etag, Group, GroupId, GroupName};

/// A deployed group of that name, as an empty spec asks for it, without tags.
pub fn described(name: &str) -> Described {
    let group = Group {
        id: GroupId::new("cg_1"),
        arn: Arn::new("arn:aws:cloudfront::123456789012:connection-group/cg_1"),
        name: GroupName::new(name),
        etag: Etag::new("E23ZP02F085DFQ"),
        config: Config { enabled: true, ipv6_enabled: true, anycast_ip_list_id: None }.into(),
        deployment: Some(Deployment::Deployed),
        routing_endpoint: Some("d111111abcdef8.cloudfront.net".to_owned()),
        is_default: false,
        created: None,
        modified: None,
        elements: Elements::default(),
    };
    Described { group, tags: BTreeMap::new() }
}
