"""Every operation, as boto3 calls it."""

import datetime

import pytest
from botocore.exceptions import ClientError

SWITCHES = ["--propagation", "1h"]
FIRST, SECOND, THIRD = "E23ZP02F085DFQ", "ETVPDKIKX0DER", "E3UN6WX5RRO2AG"

pytestmark = pytest.mark.usefixtures("empty")


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def create(cloudfront, name="edge", **members):
    return cloudfront.create_connection_group(Name=name, **members)


def test_a_group_is_created_with_defaults_and_all_members_parse(cloudfront):
    answer = create(cloudfront)
    group = answer["ConnectionGroup"]
    assert (status(answer), answer["ETag"]) == (201, FIRST)
    assert set(group) == {
        "Id", "Name", "Arn", "CreatedTime", "LastModifiedTime", "Ipv6Enabled", "RoutingEndpoint", "Status", "Enabled",
        "IsDefault",
    }
    assert (group["Enabled"], group["Ipv6Enabled"], group["IsDefault"]) == (True, True, False)
    assert group["Status"] == "InProgress"
    age = datetime.datetime.now(datetime.timezone.utc) - group["CreatedTime"]
    assert abs(age) < datetime.timedelta(minutes=1)
    assert answer["ResponseMetadata"]["RequestId"]


def test_a_group_is_created_with_every_member(cloudfront, simulator):
    anycast = simulator.admin("POST", "anycast-lists", {"name": "ips"})["id"]
    tags = {"Items": [{"Key": "team", "Value": "edge"}]}
    group = create(cloudfront, AnycastIpListId=anycast, Enabled=False, Ipv6Enabled=False, Tags=tags)["ConnectionGroup"]
    assert (group["AnycastIpListId"], group["Tags"]) == (anycast, tags)
    assert (group["Enabled"], group["Ipv6Enabled"]) == (False, False)


def test_a_group_is_found_by_id_name_arn_and_endpoint(cloudfront):
    group = create(cloudfront)["ConnectionGroup"]
    for identifier in (group["Id"], group["Name"], group["Arn"]):
        answer = cloudfront.get_connection_group(Identifier=identifier)
        assert (status(answer), answer["ETag"], answer["ConnectionGroup"]) == (200, FIRST, group)
    answer = cloudfront.get_connection_group_by_routing_endpoint(RoutingEndpoint=group["RoutingEndpoint"])
    assert (answer["ETag"], answer["ConnectionGroup"]) == (FIRST, group)


def test_an_update_changes_what_it_names_and_keeps_the_rest(cloudfront):
    group = create(cloudfront, Ipv6Enabled=False)["ConnectionGroup"]
    answer = cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST, Enabled=False)
    assert (status(answer), answer["ETag"]) == (200, SECOND)
    assert (answer["ConnectionGroup"]["Enabled"], answer["ConnectionGroup"]["Ipv6Enabled"]) == (False, False)


def test_an_update_without_members_is_sent_with_an_empty_body_and_taken(cloudfront):
    group = create(cloudfront)["ConnectionGroup"]
    answer = cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST)
    assert (status(answer), answer["ETag"], answer["ConnectionGroup"]["Enabled"]) == (200, SECOND, True)


def test_an_empty_list_id_detaches_the_list(cloudfront, simulator):
    anycast = simulator.admin("POST", "anycast-lists", {"name": "ips", "ip_address_type": "dualstack"})["id"]
    group = create(cloudfront, AnycastIpListId=anycast)["ConnectionGroup"]
    answer = cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST, AnycastIpListId="")
    assert "AnycastIpListId" not in answer["ConnectionGroup"]


def test_a_viewer_fallback_is_set_shown_kept_by_an_update_without_it_and_changed(cloudfront):
    group = create(cloudfront, ViewerFallback={"DistributionId": "E1ABC"})["ConnectionGroup"]
    assert group["ViewerFallback"] == {"DistributionId": "E1ABC"}
    [summary] = cloudfront.list_connection_groups()["ConnectionGroups"]
    assert summary["ViewerFallback"] == {"DistributionId": "E1ABC"}
    kept = cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST, Enabled=False)["ConnectionGroup"]
    assert kept["ViewerFallback"] == {"DistributionId": "E1ABC"}
    fallback = {"DistributionId": "E2DEF"}
    changed = cloudfront.update_connection_group(Id=group["Id"], IfMatch=SECOND, ViewerFallback=fallback)
    assert changed["ConnectionGroup"]["ViewerFallback"] == fallback
    without = cloudfront.update_connection_group(Id=group["Id"], IfMatch=THIRD, ViewerFallback={})["ConnectionGroup"]
    assert "ViewerFallback" not in without


def test_where_omission_clears_an_update_without_the_fallback_takes_it_off(cloudfront, simulator):
    group = create(cloudfront, ViewerFallback={"DistributionId": "E1ABC"})["ConnectionGroup"]
    simulator.admin("PUT", "switches", {"omission_clears": True})
    try:
        updated = cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST, Enabled=False)["ConnectionGroup"]
    finally:
        simulator.admin("PUT", "switches", {"omission_clears": False})
    assert "ViewerFallback" not in updated


def test_an_update_is_written_as_the_operator_writes_one_that_carries_a_fallback(cloudfront):
    """boto3 writes members in the order of its arguments; src/cloudfront/sdk/carried.rs has the same body, but for how an empty element is spelt."""
    bodies = []
    event = "before-send.cloudfront.UpdateConnectionGroup"
    cloudfront.meta.events.register(event, lambda request, **_: bodies.append(request.body))
    group = create(cloudfront)["ConnectionGroup"]
    members = {"AnycastIpListId": "", "Enabled": False, "Ipv6Enabled": True, "ViewerFallback": {"DistributionId": "E1&A"}}
    cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST, **members)
    assert bodies == [
        b'<UpdateConnectionGroupRequest xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">'
        b"<AnycastIpListId /><Enabled>false</Enabled><Ipv6Enabled>true</Ipv6Enabled>"
        b"<ViewerFallback><DistributionId>E1&amp;A</DistributionId></ViewerFallback></UpdateConnectionGroupRequest>"
    ]


def test_a_group_is_deleted(cloudfront):
    group = create(cloudfront, Enabled=False)["ConnectionGroup"]
    answer = cloudfront.delete_connection_group(Id=group["Id"], IfMatch=FIRST)
    assert status(answer) == 204
    assert cloudfront.list_connection_groups()["ConnectionGroups"] == []


def test_groups_are_listed_with_their_etags(cloudfront):
    group = create(cloudfront)["ConnectionGroup"]
    answer = cloudfront.list_connection_groups()
    assert "NextMarker" not in answer
    [summary] = answer["ConnectionGroups"]
    expected = {name: value for name, value in group.items() if name != "Ipv6Enabled"}
    assert summary == expected | {"ETag": FIRST}


def test_groups_come_in_pages(cloudfront):
    names = [f"g{n}" for n in range(7)]
    for name in names:
        create(cloudfront, name)
    paginator = cloudfront.get_paginator("list_connection_groups")
    pages = [page["ConnectionGroups"] for page in paginator.paginate(PaginationConfig={"PageSize": 3})]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [group["Name"] for page in pages for group in page] == names


def test_groups_are_filtered_by_list(cloudfront, simulator):
    anycast = simulator.admin("POST", "anycast-lists", {"name": "ips", "ip_address_type": "dualstack"})["id"]
    create(cloudfront, "with", AnycastIpListId=anycast)
    create(cloudfront, "without")
    answer = cloudfront.list_connection_groups(AssociationFilter={"AnycastIpListId": anycast})
    assert [(group["Name"], group["AnycastIpListId"]) for group in answer["ConnectionGroups"]] == [("with", anycast)]


def test_tags_are_set_listed_and_removed(cloudfront):
    arn = create(cloudfront, Tags={"Items": [{"Key": "a", "Value": "1"}]})["ConnectionGroup"]["Arn"]
    answer = cloudfront.tag_resource(Resource=arn, Tags={"Items": [{"Key": "b", "Value": ""}, {"Key": "novalue"}]})
    assert status(answer) == 204
    items = cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"]
    assert items == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}, {"Key": "novalue", "Value": ""}]
    assert status(cloudfront.untag_resource(Resource=arn, TagKeys={"Items": ["a", "novalue", "other"]})) == 204
    assert cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [{"Key": "b", "Value": ""}]
    assert cloudfront.get_connection_group(Identifier="edge")["ETag"] == FIRST


def test_a_group_without_tags_has_an_empty_list_of_them(cloudfront):
    arn = create(cloudfront)["ConnectionGroup"]["Arn"]
    assert cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == []


@pytest.mark.parametrize(("address_type", "addresses"), [("ipv4", 3), ("dualstack", 6)])
def test_an_anycast_list_lives_its_life(cloudfront, address_type, addresses):
    made = cloudfront.create_anycast_ip_list(
        Name="ips", IpCount=3, IpAddressType=address_type, Tags={"Items": [{"Key": "k", "Value": "v"}]}
    )
    anycast = made["AnycastIpList"]
    assert (status(made), made["ETag"], len(anycast["AnycastIps"])) == (202, FIRST, addresses)
    read = cloudfront.get_anycast_ip_list(Id=anycast["Id"])
    assert (read["ETag"], read["AnycastIpList"]) == (FIRST, anycast)
    assert cloudfront.list_tags_for_resource(Resource=anycast["Arn"])["Tags"]["Items"] == [{"Key": "k", "Value": "v"}]
    assert status(cloudfront.delete_anycast_ip_list(Id=anycast["Id"], IfMatch=FIRST)) == 204
    assert cloudfront.list_anycast_ip_lists()["AnycastIpLists"]["Quantity"] == 0


def test_anycast_lists_come_in_pages(cloudfront):
    for name in ("a", "b", "c"):
        cloudfront.create_anycast_ip_list(Name=name, IpCount=3)
    first = cloudfront.list_anycast_ip_lists(MaxItems=2)["AnycastIpLists"]
    assert (first["MaxItems"], first["IsTruncated"], first["Quantity"], first["Marker"]) == (2, True, 2, "")
    second = cloudfront.list_anycast_ip_lists(MaxItems=2, Marker=first["NextMarker"])["AnycastIpLists"]
    assert [item["Name"] for item in first["Items"] + second["Items"]] == ["a", "b", "c"]
    assert (second["IsTruncated"], second["Items"][0]["ETag"]) == (False, FIRST)


def test_tenants_are_listed_by_group_in_pages(cloudfront, simulator):
    group = create(cloudfront)["ConnectionGroup"]["Id"]
    create(cloudfront, "other")
    for name, behind in (("t1", "edge"), ("t2", "edge"), ("t3", "other")):
        tenant = {"name": name, "connection_group": behind, "domains": [f"{name}.example.com"]}
        simulator.admin("POST", "tenants", tenant)
    paginator = cloudfront.get_paginator("list_distribution_tenants")
    pages = list(paginator.paginate(AssociationFilter={"ConnectionGroupId": group}, PaginationConfig={"PageSize": 1}))
    tenants = [tenant for page in pages for tenant in page["DistributionTenantList"]]
    assert (len(pages), [tenant["Name"] for tenant in tenants]) == (2, ["t1", "t2"])
    assert tenants[0]["Domains"] == [{"Domain": "t1.example.com", "Status": "active"}]
    assert tenants[0]["ConnectionGroupId"] == group
    only = {"name": "t4", "connection_group": "other", "domains": ["t4.example.com"], "serve_on": "anycast-ip-list-only"}
    simulator.admin("POST", "tenants", only)
    domains = cloudfront.list_distribution_tenants()["DistributionTenantList"][3]["Domains"]
    assert domains == [{"Domain": "t4.example.com", "Status": "active", "ServeOn": "anycast-ip-list-only"}]
    assert len(cloudfront.list_distribution_tenants()["DistributionTenantList"]) == 4


def test_the_status_becomes_deployed(cloudfront, simulator):
    create(cloudfront)
    simulator.admin("POST", "clock", {"advance_ms": 3_600_000})
    assert cloudfront.get_connection_group(Identifier="edge")["ConnectionGroup"]["Status"] == "Deployed"


ODD_NAMES = ["a b", "a/b", "a%2Fb", "a+b", "a&b<c>\"d'", "ünï 日本語", "a?b=c#d", "..", "x" * 300]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_with_odd_characters_come_back_and_are_found(cloudfront, name):
    made = create(cloudfront, name)["ConnectionGroup"]
    assert made["Name"] == name
    assert cloudfront.get_connection_group(Identifier=name)["ConnectionGroup"]["Id"] == made["Id"]
    assert cloudfront.list_connection_groups()["ConnectionGroups"][0]["Name"] == name


ODD_TAGS = [("ünï cödé", "日本語 ½"), ("a_.:/=+-@", "x = y + z"), ("k", " "), ("k" * 128, "v" * 256)]


@pytest.mark.parametrize(("key", "value"), ODD_TAGS)
def test_tags_with_odd_characters_are_set_listed_and_removed(cloudfront, key, value):
    tag = {"Key": key, "Value": value}
    arn = create(cloudfront, Tags={"Items": [tag]})["ConnectionGroup"]["Arn"]
    assert cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == [tag]
    cloudfront.untag_resource(Resource=arn, TagKeys={"Items": [key]})
    assert cloudfront.list_tags_for_resource(Resource=arn)["Tags"]["Items"] == []


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-northwest-1"])
def test_any_signing_region_will_do(simulator, region):
    assert simulator.client(region).list_connection_groups()["ConnectionGroups"] == []


def test_the_log_knows_who_called_and_what(cloudfront, simulator):
    simulator.admin("DELETE", "requests")
    group = create(cloudfront)["ConnectionGroup"]
    with pytest.raises(ClientError):
        cloudfront.delete_connection_group(Id=group["Id"], IfMatch=THIRD)
    calls = simulator.admin("GET", "requests?since=0")
    told = [(call["operation"], call["target"], call["if_match"], call["status"], call["error"]) for call in calls]
    assert told == [
        ("CreateConnectionGroup", "edge", None, 201, None),
        ("DeleteConnectionGroup", group["Id"], THIRD, 412, "PreconditionFailed"),
    ]
    assert {call["access_key_id"] for call in calls} == {"AKIDCLIENTTEST"}
