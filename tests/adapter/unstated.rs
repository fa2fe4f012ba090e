//! Complete answers without members that the API's model calls optional, and answers that are written in another way. Generated from that model.

use std::sync::Arc;

use cloudfront_simulator::wire::Answer;
use connection_group_operator::cloudfront::{CloudFront, Elements, ErrorClass, GroupName, Lookup, Operation};

use crate::{
    adapter,
    calls::{NOW, account, ask},
    remote::Remote,
    server::{Server, Spoil, http},
    xml::{Element, optional_members},
};

/// The shape of an answer's body, as the model calls it.
fn shape(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::CreateConnectionGroup | Operation::GetConnectionGroup | Operation::UpdateConnectionGroup => {
            Some("ConnectionGroup")
        }
        Operation::ListConnectionGroups => Some("ListConnectionGroupsResult"),
        Operation::ListTagsForResource => Some("Tags"),
        Operation::ListDistributionTenants => Some("ListDistributionTenantsResult"),
        Operation::GetAnycastIpList => Some("AnycastIpList"),
        Operation::DeleteConnectionGroup | Operation::TagResource | Operation::UntagResource => None,
    }
}

/// What is omitted from an operation's answers: each optional member alone, and all at once.
fn cases() -> Vec<(Operation, Vec<Vec<String>>)> {
    let of = |operation: Operation| {
        let all = shape(operation).map(optional_members).unwrap_or_default();
        let alone = all.iter().map(|path| vec![path.clone()]).collect::<Vec<_>>();
        alone.into_iter().chain((!all.is_empty()).then_some(all)).map(move |paths| (operation, paths))
    };
    Operation::ALL.iter().copied().flat_map(of).collect()
}

fn without(paths: &[Vec<String>]) -> Spoil {
    let paths = paths.to_vec();
    Arc::new(move |answer: &Answer| {
        let mut document = Element::parse(&answer.body);
        for path in &paths {
            document.remove(path);
        }
        http(answer.status, &answer.headers, &document.write())
    })
}

/// What identifies the group: without it an answer is useless, and nothing may be done.
fn identifies(operation: Operation, paths: &[Vec<String>]) -> bool {
    let named = |path: &Vec<String>| ["Id", "Arn", "Name"].iter().any(|name| *path == [*name]);
    shape(operation) == Some("ConnectionGroup") && paths.iter().any(named)
}

#[tokio::test]
async fn an_answer_that_leaves_out_any_optional_member_of_the_api_model_is_read() {
    let (account, known) = account();
    let server = Server::start(account, NOW).await;
    let sdk = adapter(&server.url);
    let mut wrong = Vec::new();
    for (operation, paths) in cases() {
        server.spoil(operation, &without(&paths));
        let answer = ask(&sdk, operation, &known).await;
        let expected = identifies(operation, &paths).then_some(ErrorClass::Unexpected);
        if answer.as_ref().err().map(|error| error.class) != expected {
            wrong.push(format!("{operation} without {paths:?}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn whatever_an_answer_leaves_out_a_group_at_rest_stays_ready_and_is_not_changed() {
    let mut wrong = Vec::new();
    for (operation, paths) in cases() {
        let mut remote = Remote::new().await;
        remote.settle().await;
        assert_eq!(remote.ready(), ("True", "Deployed"));
        remote.server.take_calls();
        remote.server.spoil(operation, &without(&paths));
        remote.advance(std::time::Duration::from_secs(10)).await;
        remote.request_reconcile();
        for _ in 0..2 {
            remote.pass().await;
        }
        let (mutations, ready) = (remote.mutations(), remote.ready());
        if !mutations.is_empty() || ready != ("True", "Deployed") {
            wrong.push(format!("{operation} without {paths:?}: {ready:?} {mutations:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn whatever_an_answer_leaves_out_a_deletion_ends() {
    let mut wrong = Vec::new();
    for (operation, paths) in cases() {
        let mut remote = Remote::new().await;
        remote.settle().await;
        remote.server.take_calls();
        remote.server.spoil(operation, &without(&paths));
        remote.delete();
        let mut released = remote.is_released().await;
        let of_tags = operation == Operation::ListTagsForResource;
        let values_are_missing = of_tags && paths == [["Items", "Tag", "Value"]];
        if operation == Operation::GetConnectionGroup && identifies(operation, &paths) || values_are_missing {
            // Nothing may be done to a group whose identity or owner is not stated.
            let mutations = remote.mutations();
            if released || !mutations.is_empty() {
                wrong.push(format!("{operation} without {paths:?}: {released} {mutations:?}"));
            }
            remote.server.heal();
            released = remote.is_released().await;
        }
        // As long as no read shows its owner, a group is not ours to delete.
        let left = usize::from(of_tags && !values_are_missing);
        let mutations = if left == 1 { remote.mutations() } else { Vec::new() };
        let groups = remote.server.account(|account, now| account.groups(now).len());
        if (released, groups, mutations.len()) != (true, left, 0) {
            wrong.push(format!("{operation} without {paths:?}: {released}, {groups} groups, {mutations:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn whatever_answers_left_out_one_group_exists_and_is_ready_once_they_are_whole() {
    let mut wrong = Vec::new();
    for (operation, paths) in cases() {
        let mut remote = Remote::new().await;
        remote.server.spoil(operation, &without(&paths));
        for _ in 0..3 {
            remote.pass().await;
        }
        remote.server.heal();
        remote.settle().await;
        let groups = remote.server.account(|account, now| account.groups(now).len());
        if (groups, remote.ready()) != (1, ("True", "Deployed")) {
            wrong.push(format!("{operation} without {paths:?}: {groups} groups, {:?}", remote.ready()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_default_group_is_known_by_its_name_where_isdefault_is_left_out() {
    let (mut account, _) = account();
    let default = account.outside_create_default_group(NOW).resource;
    let server = Server::start(account, NOW).await;
    server.spoil(Operation::GetConnectionGroup, &without(&[vec!["IsDefault".to_owned()]]));
    for (name, is_default) in [(default.name.as_str(), true), ("edge", false)] {
        let lookup = Lookup::Name(GroupName::new(name));
        let read = Box::pin(adapter(&server.url).describe(&lookup)).await.unwrap().unwrap();
        assert_eq!(read.group.is_default, is_default, "{name}");
    }
}

#[tokio::test]
async fn a_tenant_counts_with_or_without_a_name() {
    let (account, known) = account();
    let ids = account.tenants().into_iter().map(|tenant| tenant.id).collect::<Vec<_>>();
    let server = Server::start(account, NOW).await;
    let of_a_tenant = |names: &[&str]| {
        let path =
            |name: &&str| ["DistributionTenantList", "DistributionTenantSummary", name].map(String::from).to_vec();
        names.iter().map(path).collect::<Vec<_>>()
    };
    let unnamed = vec!["(unnamed)".to_owned(); 2];
    for (left_out, names) in [(of_a_tenant(&["Name"]), ids), (of_a_tenant(&["Name", "Id", "Domains", "Arn"]), unnamed)]
    {
        server.spoil(Operation::ListDistributionTenants, &without(&left_out));
        let tenants = adapter(&server.url).tenants(known.id()).await.unwrap();
        assert_eq!((tenants.count, tenants.names), (2, names));
    }
}

/// The same document, written in another way.
fn in_other_words() -> Vec<(&'static str, Spoil)> {
    fn spoil(write: impl Fn(&Element) -> String + Send + Sync + 'static) -> Spoil {
        Arc::new(move |answer: &Answer| {
            let body = if answer.body.is_empty() { String::new() } else { write(&Element::parse(&answer.body)) };
            http(answer.status, &answer.headers, &body)
        })
    }
    let leaf = |element: &Element, inner: &str, write: &dyn Fn(&str) -> String| {
        let inner = if element.children.is_empty() && !inner.is_empty() { write(inner) } else { inner.to_owned() };
        format!("<{0}>{inner}</{0}>", element.name)
    };
    vec![
        (
            "with unknown elements everywhere",
            spoil(|root| {
                root.write_as(&|element, inner| {
                    let later = if element.children.is_empty() { "" } else { "<Later><Name>x</Name><Id/></Later>" };
                    format!("<{0}>{later}{inner}{later}</{0}>", element.name)
                })
            }),
        ),
        (
            "with attributes",
            spoil(|root| {
                root.write_as(&|element, inner| format!("<{0} later=\"a &gt; b\">{inner}</{0}>", element.name))
            }),
        ),
        (
            "with a prefix",
            spoil(|root| {
                let body = root.write_as(&|element, inner| format!("<c:{0}>{inner}</c:{0}>", element.name));
                body.replacen('>', " xmlns:c=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">", 1)
            }),
        ),
        (
            "with CDATA sections",
            spoil(move |root| {
                root.write_as(&|element, inner| leaf(element, inner, &|text| format!("<![CDATA[{text}]]>")))
            }),
        ),
        (
            "with comments and processing instructions in its texts",
            spoil(move |root| {
                let split = |text: &str| {
                    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
                    format!("{first}<!-- {first} --><?later x?>{rest}")
                };
                root.write_as(&|element, inner| leaf(element, inner, &split))
            }),
        ),
        (
            "with character references",
            spoil(move |root| {
                let escape =
                    |text: &str| text.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect::<Vec<_>>().concat();
                root.write_as(&|element, inner| leaf(element, inner, &escape))
            }),
        ),
    ]
}

#[tokio::test]
async fn however_an_answer_is_written_it_reads_the_same() {
    let (account, known) = account();
    let server = Server::start(account, NOW).await;
    let sdk = adapter(&server.url);
    let lookup = Lookup::Name(GroupName::new("edge"));
    let read = async || {
        let mut described = Box::pin(sdk.describe(&lookup)).await.unwrap().unwrap();
        // What it carries along is the same; there may be more unknown elements.
        let carried = described.group.elements.carried().map(|(_, xml)| xml.to_owned()).collect::<Vec<_>>();
        described.group.elements = Elements::default();
        (described, carried, sdk.list().await.unwrap(), sdk.tenants(known.id()).await.unwrap())
    };
    let expected = read().await;
    assert_eq!(expected.1, ["<ViewerFallback><DistributionId>E1ABC</DistributionId></ViewerFallback>"]);
    for (what, spoil) in in_other_words() {
        for operation in Operation::ALL.iter().copied() {
            server.spoil(operation, &spoil);
            ask(&sdk, operation, &known).await.unwrap_or_else(|error| panic!("{operation} {what}: {error}"));
            let (described, carried, list, tenants) = read().await;
            assert_eq!((&described, &list, &tenants), (&expected.0, &expected.2, &expected.3), "{operation} {what}");
            if !what.contains("unknown elements") && !what.contains("character") {
                assert_eq!(carried, expected.1, "{operation} {what}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_code_is_read_however_it_is_written() {
    let (account, known) = account();
    let server = Server::start(account, NOW).await;
    let sdk = adapter(&server.url);
    for code in ["<![CDATA[Throttling]]>", "Thrott<!-- -->ling", "Thrott&#108;ing"] {
        let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>");
        let spoil: Spoil = Arc::new(move |answer: &Answer| http(400, &answer.headers, &body));
        for operation in Operation::ALL.iter().copied() {
            server.spoil(operation, &spoil);
            let error = ask(&sdk, operation, &known).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Throttled, "{operation}, {code}: {error}");
        }
    }
}

#[tokio::test]
async fn a_412_without_a_code_is_a_stale_etag_and_no_other_refusal_without_a_code_is_taken_for_cloudfronts() {
    let (account, known) = account();
    let server = Server::start(account, NOW).await;
    let sdk = adapter(&server.url);
    for (status, class) in [
        (412, ErrorClass::StaleEtag),
        (400, ErrorClass::Unexpected),
        (403, ErrorClass::Unexpected),
        (404, ErrorClass::Unexpected),
        (409, ErrorClass::Unexpected),
    ] {
        let spoil: Spoil = Arc::new(move |answer: &Answer| http(status, &answer.headers, ""));
        for operation in [Operation::UpdateConnectionGroup, Operation::DeleteConnectionGroup] {
            server.spoil(operation, &spoil);
            let error = ask(&sdk, operation, &known).await.unwrap_err();
            assert_eq!(error.class, class, "{operation}, {status}: {error}");
        }
    }
}
