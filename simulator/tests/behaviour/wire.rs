//! The API over HTTP: paths, bodies, status codes, headers, and the envelope of errors.

use std::time::{Duration, Instant};

use cloudfront_simulator::admin::GroupState;
use cloudfront_simulator::switches::DoneAnswer;
use serde_json::json;

use super::endpoint::{Endpoint, endpoint, endpoint_after, endpoint_where};

const GROUP: &str = "/2020-05-31/connection-group";
const GROUPS: &str = "/2020-05-31/connection-groups";
const LISTS: &str = "/2020-05-31/anycast-ip-list";
const TENANTS: &str = "/2020-05-31/distribution-tenants";
const NS: &str = r#"xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/""#;
const FIRST: &str = "If-Match: E23ZP02F085DFQ\r\n";

fn create(endpoint: &Endpoint, name: &str) -> String {
    let body = format!("<CreateConnectionGroupRequest {NS}><Name>{name}</Name></CreateConnectionGroupRequest>");
    let reply = endpoint.call("POST", GROUP, "", &body);
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.element("Id").to_owned()
}

#[test]
fn a_group_lives_its_life_as_the_sdk_for_rust_sends_it() {
    let endpoint = endpoint();
    let created = endpoint.call("POST", GROUP, "content-type: application/xml\r\n", r#"<CreateConnectionGroupRequest xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Enabled>true</Enabled><Ipv6Enabled>false</Ipv6Enabled><Name>my name/1</Name><Tags><Items><Tag><Key>a</Key><Value>b</Value></Tag></Items></Tags></CreateConnectionGroupRequest>"#);
    assert_eq!(created.status, 201);
    assert_eq!(created.header("etag"), Some("e23zp02f085dfq"));
    assert_eq!(created.header("content-type"), Some("text/xml"));
    assert!(created.header("x-amzn-requestid").is_some());
    assert!(created.body.starts_with(&format!("<?xml version=\"1.0\"?>\n<ConnectionGroup {NS}><Id>cg_")));
    assert!(created.body.contains("<Tags><Items><Tag><Key>a</Key><Value>b</Value></Tag></Items></Tags>"));
    assert!(!created.body.contains("AnycastIpListId"), "what is absent is left out");
    let (id, arn) = (created.element("Id"), created.element("Arn").replace(':', "%3A").replace('/', "%2F"));

    for identifier in [id, arn.as_str(), "my%20name%2F1"] {
        let read = endpoint.call("GET", &format!("{GROUP}/{identifier}"), "", "");
        assert_eq!((read.status, read.element("Id"), read.element("Ipv6Enabled")), (200, id, "false"));
        assert!(!read.body.contains("<Tags>"));
    }
    let by_endpoint = format!("{GROUP}?RoutingEndpoint={}", created.element("RoutingEndpoint"));
    assert_eq!(endpoint.call("GET", &by_endpoint, "", "").element("Id"), id);

    let off = format!("<UpdateConnectionGroupRequest {NS}><Enabled>false</Enabled></UpdateConnectionGroupRequest>");
    let updated = endpoint.call("PUT", &format!("{GROUP}/{id}"), FIRST, &off);
    assert_eq!((updated.status, updated.header("etag")), (200, Some("etvpdkikx0der")));
    let deleted = endpoint.call("DELETE", &format!("{GROUP}/{id}"), "if-match: ETVPDKIKX0DER\r\n", "");
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert!(deleted.header("x-amzn-requestid").is_some());
    endpoint.call("GET", &format!("{GROUP}/{id}"), "", "").is_error(404, "EntityNotFound");
}

#[test]
fn a_call_with_nothing_to_say_is_answered_with_204_or_with_200_and_a_body_or_none() {
    for (done_answer, status, body) in
        [(DoneAnswer::NoContent, 204, ""), (DoneAnswer::Empty, 200, ""), (DoneAnswer::Document, 200, "<Done ")]
    {
        let endpoint = endpoint_where(|switches| switches.done_answer = done_answer);
        let group: GroupState = endpoint.admin("POST", "groups", &json!({ "name": "edge", "enabled": false }));
        let arn = group.resource.arn.replace('/', "%2F");
        let tags = format!("<Tags {NS}><Items><Tag><Key>a</Key></Tag></Items></Tags>");
        let tagged = endpoint.call("POST", &format!("/2020-05-31/tagging?Operation=Tag&Resource={arn}"), "", &tags);
        let deleted = endpoint.call("DELETE", &format!("{GROUP}/{}", group.resource.id), FIRST, "");
        for done in [tagged, deleted] {
            assert_eq!((done.status, done.body.is_empty()), (status, body.is_empty()), "{done:?}");
            assert!(done.body.contains(body) && done.header("x-amzn-requestid").is_some());
        }
        assert_eq!(endpoint.call("POST", GROUPS, "", "").status, 200, "what has something to say says it");
    }
}

#[test]
fn an_update_without_members_may_have_an_empty_body_or_none() {
    let endpoint = endpoint();
    let id = create(&endpoint, "edge");
    let empty = endpoint.call("PUT", &format!("{GROUP}/{id}"), FIRST, "");
    assert_eq!(empty.status, 200);
    let root_only = format!("<UpdateConnectionGroupRequest {NS}></UpdateConnectionGroupRequest>");
    let second = endpoint.call("PUT", &format!("{GROUP}/{id}"), "If-Match: ETVPDKIKX0DER\r\n", &root_only);
    assert_eq!((second.status, second.element("Enabled")), (200, "true"));
}

#[test]
fn both_ways_of_writing_an_empty_element_detach_the_list() {
    for empty in ["<AnycastIpListId></AnycastIpListId>", "<AnycastIpListId />"] {
        let endpoint = endpoint();
        let list = format!(
            "<CreateAnycastIpListRequest {NS}><Name>ips</Name><IpCount>3</IpCount><IpAddressType>dualstack</IpAddressType></CreateAnycastIpListRequest>"
        );
        let list = endpoint.call("POST", LISTS, "", &list);
        assert_eq!((list.status, list.header("etag")), (202, Some("e23zp02f085dfq")));
        let id = list.element("Id");
        let group = format!(
            "<CreateConnectionGroupRequest {NS}><AnycastIpListId>{id}</AnycastIpListId><Name>edge</Name></CreateConnectionGroupRequest>"
        );
        let group = endpoint.call("POST", GROUP, "", &group);
        assert_eq!(group.element("AnycastIpListId"), id);
        let body = format!("<UpdateConnectionGroupRequest {NS}>{empty}</UpdateConnectionGroupRequest>");
        let updated = endpoint.call("PUT", &format!("{GROUP}/{}", group.element("Id")), FIRST, &body);
        assert_eq!(updated.status, 200);
        assert!(!updated.body.contains("AnycastIpListId"));
    }
}

#[test]
fn writes_without_if_match_are_invalid_versions() {
    let endpoint = endpoint();
    let id = create(&endpoint, "edge");
    endpoint.call("PUT", &format!("{GROUP}/{id}"), "", "").is_error(400, "InvalidIfMatchVersion");
    endpoint.call("DELETE", &format!("{GROUP}/{id}"), "", "").is_error(400, "InvalidIfMatchVersion");
    endpoint
        .call("DELETE", &format!("{GROUP}/{id}"), "If-Match: E1F83G8C2ARO7P\r\n", "")
        .is_error(412, "PreconditionFailed");
    endpoint.call("DELETE", &format!("{GROUP}/{id}"), FIRST, "").is_error(409, "ResourceNotDisabled");
}

#[test]
fn lists_of_groups_are_paged_whatever_the_order_of_the_members() {
    let endpoint = endpoint();
    for name in ["a", "b", "c"] {
        create(&endpoint, name);
    }
    let all = endpoint.call("POST", GROUPS, "", "");
    assert_eq!((all.status, all.body.matches("<ConnectionGroupSummary>").count()), (200, 3));
    assert!(!all.body.contains("NextMarker") && !all.body.contains("Ipv6Enabled"));
    assert_eq!(all.element("ETag"), "E23ZP02F085DFQ");
    let page = |members: &str| {
        let body = format!("<ListConnectionGroupsRequest {NS}>{members}</ListConnectionGroupsRequest>");
        endpoint.call("POST", GROUPS, "", &body)
    };
    let first = page("<MaxItems>2</MaxItems>");
    let marker = first.element("NextMarker");
    for members in [
        format!("<Marker>{marker}</Marker><MaxItems>2</MaxItems>"),
        format!("<MaxItems>2</MaxItems>\n  <Marker>{marker}</Marker>"),
    ] {
        assert_eq!(page(&members).element("Name"), "c");
    }
    let filtered = page("<AssociationFilter><AnycastIpListId>aip_x</AnycastIpListId></AssociationFilter>");
    assert!(!filtered.body.contains("ConnectionGroupSummary"));
    assert!(filtered.body.starts_with(&format!("<?xml version=\"1.0\"?>\n<ListConnectionGroupsResult {NS}>")));
}

#[test]
fn tags_are_set_read_and_removed_with_odd_characters() {
    let endpoint = endpoint();
    let id = create(&endpoint, "edge");
    let arn = format!("arn%3Aaws%3Acloudfront%3A%3A123456789012%3Aconnection-group%2F{id}");
    let tags = format!(
        "<Tags {NS}><Items><Tag><Key>\u{fc}nï \u{65e5}\u{672c}</Key><Value></Value></Tag><Tag><Key>a+b=c</Key></Tag></Items></Tags>"
    );
    let set = endpoint.call("POST", &format!("/2020-05-31/tagging?Operation=Tag&Resource={arn}"), "", &tags);
    assert_eq!((set.status, set.body.as_str()), (204, ""));
    let read = || endpoint.call("GET", &format!("/2020-05-31/tagging?Resource={arn}"), "", "");
    assert!(read().body.contains("<Tag><Key>\u{fc}nï \u{65e5}\u{672c}</Key><Value></Value></Tag>"));
    let keys = format!("<TagKeys {NS}><Items><Key>\u{fc}nï \u{65e5}\u{672c}</Key></Items></TagKeys>");
    assert_eq!(
        endpoint.call("POST", &format!("/2020-05-31/tagging?Operation=Untag&Resource={arn}"), "", &keys).status,
        204
    );
    assert_eq!(
        read().body,
        format!("<?xml version=\"1.0\"?>\n<Tags {NS}><Items><Tag><Key>a+b=c</Key><Value></Value></Tag></Items></Tags>")
    );
}

#[test]
fn names_with_markup_come_back_escaped() {
    let endpoint = endpoint();
    create(&endpoint, "a &amp; &lt;b&gt; &quot;c&quot;");
    let read = endpoint.call("GET", &format!("{GROUP}/a%20%26%20%3Cb%3E%20%22c%22"), "", "");
    assert_eq!((read.status, read.element("Name")), (200, "a &amp; &lt;b&gt; &quot;c&quot;"));
    let missing = endpoint.call("GET", &format!("{GROUP}/%3Cnobody%3E"), "", "");
    missing.is_error(404, "EntityNotFound");
    assert!(missing.body.contains("&lt;nobody&gt;"));
}

#[test]
fn anycast_lists_and_tenants_have_their_own_shapes() {
    let endpoint = endpoint();
    for name in ["a", "b"] {
        let body = format!(
            "<CreateAnycastIpListRequest {NS}><IpCount>3</IpCount><Name>{name}</Name></CreateAnycastIpListRequest>"
        );
        assert_eq!(endpoint.call("POST", LISTS, "", &body).body.matches("<AnycastIp>").count(), 3);
    }
    let page = endpoint.call("GET", &format!("{LISTS}?MaxItems=1"), "", "");
    let shape =
        ["Marker", "NextMarker", "MaxItems", "IsTruncated", "Quantity"].map(|name| page.element(name).is_empty());
    assert_eq!(shape, [true, false, false, false, false]);
    assert!(page.body.contains("<AnycastIpListCollection") && page.body.contains("<Items><AnycastIpListSummary>"));
    let id = page.element("Id");
    assert_eq!(endpoint.call("GET", &format!("{LISTS}/{id}"), "", "").element("IpCount"), "3");
    assert_eq!(endpoint.call("DELETE", &format!("{LISTS}/{id}"), FIRST, "").status, 204);

    let group = create(&endpoint, "edge");
    let tenant = serde_json::json!({"name": "t", "connection_group": "edge", "domains": ["a.example.com"]});
    endpoint.admin::<serde_json::Value>("POST", "tenants", &tenant);
    let filter = format!(
        "<ListDistributionTenantsRequest {NS}><AssociationFilter><ConnectionGroupId>{group}</ConnectionGroupId></AssociationFilter><MaxItems>1</MaxItems></ListDistributionTenantsRequest>"
    );
    let tenants = endpoint.call("POST", TENANTS, "", &filter);
    assert!(tenants.body.contains("<DistributionTenantList><DistributionTenantSummary><Id>dt_"));
    assert!(
        tenants
            .body
            .contains("<Domains><member><Domain>a.example.com</Domain><Status>active</Status></member></Domains>")
    );
}

#[test]
fn bodies_that_are_not_understood_are_malformed_xml() {
    let endpoint = endpoint();
    let create = |content: &str| format!("<CreateConnectionGroupRequest {NS}>{content}</CreateConnectionGroupRequest>");
    for body in [
        String::new(),
        "{\"Name\": \"edge\"}".to_owned(),
        "<CreateConnectionGroupRequest><Name>edge</Name>".to_owned(),
        "<Other><Name>edge</Name></Other>".to_owned(),
        create(""),
        create("<Name>a</Name><Name>b</Name>"),
        create("<Name>edge</Name><Enabled>maybe</Enabled>"),
        create("<Name>edge</Name><Color>red</Color>"),
        create("<Name><First>edge</First></Name>"),
        create("<Name>edge</Name>loose text"),
        create("<Name>edge</Name><Tags><Items><Tag><Value>v</Value></Tag></Items></Tags>"),
    ] {
        endpoint.call("POST", GROUP, "", &body).is_error(400, "MalformedXML");
    }
    endpoint.call("GET", &format!("{LISTS}?MaxItems=many"), "", "").is_error(400, "MalformedXML");
}

#[test]
fn what_no_operation_answers_is_said_so() {
    let endpoint = endpoint();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/2020-05-31/distribution"),
        ("GET", "/2020-05-31/connection-groups"),
        ("PATCH", "/2020-05-31/connection-group/cg_1"),
        ("GET", "/2020-05-31/connection-group/"),
        ("GET", "/2020-05-31/connection-group/a/b"),
        ("PUT", "/2020-05-31/anycast-ip-list/aip_1"),
    ] {
        let reply = endpoint.call(method, path, "", "");
        reply.is_error(404, "UnknownOperation");
        assert!(reply.element("Message").contains(&format!("{method} {path}")));
    }
    endpoint.call("GET", GROUP, "", "").is_error(400, "InvalidArgument");
    endpoint.call("POST", "/2020-05-31/tagging?Operation=Paint&Resource=x", "", "").is_error(400, "InvalidArgument");
}

#[test]
fn a_call_without_a_signature_is_refused_and_changes_nothing() {
    let endpoint = endpoint();
    let body = format!("<CreateConnectionGroupRequest {NS}><Name>edge</Name></CreateConnectionGroupRequest>");
    endpoint.unsigned("POST", GROUP, &body).is_error(403, "MissingAuthenticationToken");
    endpoint.call("GET", &format!("{GROUP}/edge"), "", "").is_error(404, "EntityNotFound");
}

#[test]
fn addresses_of_ones_own_are_an_unsupported_operation() {
    let body = format!(
        "<CreateAnycastIpListRequest {NS}><Name>ips</Name><IpCount>3</IpCount><IpamCidrConfigs></IpamCidrConfigs></CreateAnycastIpListRequest>"
    );
    endpoint().call("POST", LISTS, "", &body).is_error(400, "UnsupportedOperation");
}

#[test]
fn throttling_is_http_400_as_it_is_at_aws() {
    let endpoint = endpoint_where(|switches| (switches.rate, switches.burst) = (1, 1));
    assert_eq!(endpoint.call("POST", GROUPS, "", "").status, 200);
    let reply = endpoint.call("POST", GROUPS, "", "");
    reply.is_error(400, "Throttling");
    assert_eq!(reply.element("Message"), "Rate exceeded");
}

#[test]
fn latency_holds_back_each_answer() {
    let latency = Duration::from_millis(100);
    let endpoint = endpoint_after(latency);
    let start = Instant::now();
    assert_eq!(endpoint.call("POST", GROUPS, "", "").status, 200);
    assert!(start.elapsed() >= latency);
}
