"""Every error of the API model that a caller can provoke: boto3 must recognise it as the modelled exception."""

import pytest
from botocore.exceptions import ClientError

SWITCHES = [
    "--groups-per-account", "6", "--groups-per-list", "2", "--lists-per-account", "1",
    "--disable-with-tenants", "refuse",
]
FIRST, SECOND, WRONG = "E23ZP02F085DFQ", "ETVPDKIKX0DER", "E1F83G8C2ARO7P"

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def group(cloudfront):
    return cloudfront.create_connection_group(Name="edge")["ConnectionGroup"]


def refused(cloudfront, code, status, call, **arguments):
    """The call must fail with the exception that the model has for this code."""
    with pytest.raises(getattr(cloudfront.exceptions, code)) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert answer["Error"]["Type"] == "Sender"
    assert answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["RequestId"]


def test_a_taken_name(cloudfront, group):
    refused(cloudfront, "EntityAlreadyExists", 409, cloudfront.create_connection_group, Name=group["Name"])


def test_more_groups_than_the_quota(cloudfront):
    for n in range(6):
        cloudfront.create_connection_group(Name=f"g{n}")
    refused(cloudfront, "EntityLimitExceeded", 400, cloudfront.create_connection_group, Name="g6")


def test_more_groups_on_a_list_than_the_quota(cloudfront, simulator, group):
    anycast = simulator.admin("POST", "anycast-lists", {"name": "ips", "ip_address_type": "dualstack"})["id"]
    for name in ("a", "b"):
        cloudfront.create_connection_group(Name=name, AnycastIpListId=anycast)
    create = {"Name": "c", "AnycastIpListId": anycast}
    refused(cloudfront, "EntityLimitExceeded", 400, cloudfront.create_connection_group, **create)
    update = {"Id": group["Id"], "IfMatch": FIRST, "AnycastIpListId": anycast}
    refused(cloudfront, "EntityLimitExceeded", 400, cloudfront.update_connection_group, **update)


def test_an_unknown_list(cloudfront, group):
    refused(cloudfront, "EntityNotFound", 404, cloudfront.create_connection_group, Name="a", AnycastIpListId="aip_none")
    update = {"Id": group["Id"], "IfMatch": FIRST, "AnycastIpListId": "aip_none"}
    refused(cloudfront, "EntityNotFound", 404, cloudfront.update_connection_group, **update)


def test_an_ipv4_list_with_ipv6_by_default_and_by_update(cloudfront, simulator):
    anycast = simulator.admin("POST", "anycast-lists", {"name": "ips"})["id"]
    refused(cloudfront, "InvalidArgument", 400, cloudfront.create_connection_group, Name="a", AnycastIpListId=anycast)
    made = cloudfront.create_connection_group(Name="a", AnycastIpListId=anycast, Ipv6Enabled=False)["ConnectionGroup"]
    update = {"Id": made["Id"], "IfMatch": FIRST, "Ipv6Enabled": True}
    refused(cloudfront, "InvalidArgument", 400, cloudfront.update_connection_group, **update)


def test_an_empty_name(cloudfront):
    refused(cloudfront, "InvalidArgument", 400, cloudfront.create_connection_group, Name="")


BAD_TAGS = [("aws:reserved", "v"), ("a&b", "v"), ("k", "a<b"), ("emoji", "🦀"), ("tab\t", "v")]


@pytest.mark.parametrize(("key", "value"), BAD_TAGS)
def test_bad_tags(cloudfront, group, key, value):
    tags = {"Items": [{"Key": key, "Value": value}]}
    refused(cloudfront, "InvalidTagging", 400, cloudfront.create_connection_group, Name="a", Tags=tags)
    refused(cloudfront, "InvalidTagging", 400, cloudfront.tag_resource, Resource=group["Arn"], Tags=tags)


def test_tags_that_are_too_long_or_too_many(cloudfront, group):
    for items in (
        [{"Key": "k" * 129, "Value": ""}],
        [{"Key": "k", "Value": "v" * 257}],
        [{"Key": f"k{n}", "Value": ""} for n in range(51)],
        [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
    ):
        refused(cloudfront, "InvalidTagging", 400, cloudfront.tag_resource, Resource=group["Arn"], Tags={"Items": items})


def test_tags_of_what_does_not_exist(cloudfront, group):
    arn = group["Arn"] + "x"
    refused(cloudfront, "NoSuchResource", 404, cloudfront.list_tags_for_resource, Resource=arn)
    refused(cloudfront, "NoSuchResource", 404, cloudfront.tag_resource, Resource=arn, Tags={"Items": []})
    refused(cloudfront, "NoSuchResource", 404, cloudfront.untag_resource, Resource=arn, TagKeys={"Items": ["k"]})


def test_what_is_no_arn(cloudfront, group):
    refused(cloudfront, "InvalidArgument", 400, cloudfront.list_tags_for_resource, Resource=group["Id"])


def test_a_group_that_does_not_exist(cloudfront):
    refused(cloudfront, "EntityNotFound", 404, cloudfront.get_connection_group, Identifier="nobody")
    by_endpoint = cloudfront.get_connection_group_by_routing_endpoint
    refused(cloudfront, "EntityNotFound", 404, by_endpoint, RoutingEndpoint="dnobody.cloudfront.net")
    refused(cloudfront, "EntityNotFound", 404, cloudfront.update_connection_group, Id="cg_none", IfMatch=FIRST)
    refused(cloudfront, "EntityNotFound", 404, cloudfront.delete_connection_group, Id="cg_none", IfMatch=FIRST)


@pytest.mark.parametrize("operation", ["update_connection_group", "delete_connection_group"])
def test_a_version_that_is_missing_or_wrong(cloudfront, group, operation):
    call = getattr(cloudfront, operation)
    refused(cloudfront, "InvalidIfMatchVersion", 400, call, Id=group["Id"], IfMatch="")
    refused(cloudfront, "InvalidIfMatchVersion", 400, call, Id=group["Id"], IfMatch="*")
    refused(cloudfront, "PreconditionFailed", 412, call, Id=group["Id"], IfMatch=WRONG)


def test_deleting_a_group_that_is_enabled_in_use_or_the_default(cloudfront, simulator, group):
    delete = cloudfront.delete_connection_group
    refused(cloudfront, "ResourceNotDisabled", 409, delete, Id=group["Id"], IfMatch=FIRST)
    cloudfront.update_connection_group(Id=group["Id"], IfMatch=FIRST, Enabled=False)
    simulator.admin("POST", "tenants", {"name": "t", "connection_group": "edge"})
    refused(cloudfront, "CannotDeleteEntityWhileInUse", 409, delete, Id=group["Id"], IfMatch=SECOND)
    default = simulator.admin("POST", "default-group")
    refused(cloudfront, "CannotDeleteEntityWhileInUse", 409, delete, Id=default["id"], IfMatch=FIRST)


def test_disabling_a_group_in_use_where_that_is_refused(cloudfront, simulator, group):
    simulator.admin("POST", "tenants", {"name": "t", "connection_group": "edge"})
    update = {"Id": group["Id"], "IfMatch": FIRST, "Enabled": False}
    refused(cloudfront, "ResourceInUse", 409, cloudfront.update_connection_group, **update)


def test_pages_that_make_no_sense(cloudfront):
    refused(cloudfront, "InvalidArgument", 400, cloudfront.list_connection_groups, MaxItems=0)
    refused(cloudfront, "InvalidArgument", 400, cloudfront.list_connection_groups, Marker="nonsense")
    refused(cloudfront, "InvalidArgument", 400, cloudfront.list_distribution_tenants, MaxItems=0)


def test_anycast_lists_that_cannot_be(cloudfront, simulator):
    create = cloudfront.create_anycast_ip_list
    refused(cloudfront, "InvalidArgument", 400, create, Name="ips", IpCount=4)
    refused(cloudfront, "InvalidArgument", 400, create, Name="a b", IpCount=3)
    reserved = {"Items": [{"Key": "aws:x", "Value": ""}]}
    refused(cloudfront, "InvalidTagging", 400, create, Name="a", IpCount=3, Tags=reserved)
    pool = {"Cidr": "203.0.113.0/24", "IpamPoolArn": "arn:aws:ec2::123456789012:ipam-pool/ipam-pool-1"}
    refused(cloudfront, "UnsupportedOperation", 400, create, Name="a", IpCount=3, IpamCidrConfigs=[pool])
    made = create(Name="ips", IpCount=3)["AnycastIpList"]
    refused(cloudfront, "EntityAlreadyExists", 409, create, Name="ips", IpCount=3)
    refused(cloudfront, "EntityLimitExceeded", 400, create, Name="more", IpCount=3)
    delete = cloudfront.delete_anycast_ip_list
    refused(cloudfront, "InvalidIfMatchVersion", 400, delete, Id=made["Id"], IfMatch="")
    refused(cloudfront, "PreconditionFailed", 412, delete, Id=made["Id"], IfMatch=WRONG)
    cloudfront.create_connection_group(Name="user", AnycastIpListId=made["Id"], Ipv6Enabled=False)
    refused(cloudfront, "CannotDeleteEntityWhileInUse", 409, delete, Id=made["Id"], IfMatch=FIRST)
    refused(cloudfront, "EntityNotFound", 404, cloudfront.get_anycast_ip_list, Id="aip_none")
    refused(cloudfront, "EntityNotFound", 404, delete, Id="aip_none", IfMatch=FIRST)


def test_access_denied_as_a_fault(cloudfront, simulator):
    error = {"status": 403, "code": "AccessDenied", "message": "not authorized to perform: cloudfront:ListConnectionGroups"}
    rule = {"operation": "ListConnectionGroups", "times": 1, "fault": {"error": error}}
    simulator.admin("POST", "faults", rule)
    refused(cloudfront, "AccessDenied", 403, cloudfront.list_connection_groups)


def test_what_the_simulator_does_not_know_is_said_so(cloudfront):
    with pytest.raises(ClientError) as caught:
        cloudfront.list_distributions()
    assert caught.value.response["Error"]["Code"] == "UnknownOperation"
    assert "GET /2020-05-31/distribution" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "fault",
    ["throttle", {"error": {"status": 503, "code": "ServiceUnavailable"}}, {"drop": {"when": "before"}}],
    ids=["throttle", "unavailable", "drop"],
)
def test_boto3_retries_what_it_should(simulator, fault):
    made = simulator.admin("POST", "faults", {"operation": "ListConnectionGroups", "times": 1, "fault": fault})
    assert simulator.client(attempts=2).list_connection_groups()["ConnectionGroups"] == []
    [placed] = [one for one in simulator.admin("GET", "faults") if one["id"] == made["id"]]
    assert (placed["matched"], placed["hits"]) == (2, 1)
