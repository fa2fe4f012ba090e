"""The AWS CLI, as people type it."""

import pytest

SWITCHES = ["--propagation", "1h"]
FIRST, SECOND = "E23ZP02F085DFQ", "ETVPDKIKX0DER"

pytestmark = pytest.mark.usefixtures("empty")


def test_a_group_lives_its_life(simulator):
    made = simulator.aws("create-connection-group", "--name", "my edge/1", "--tags", "Items=[{Key=team,Value=edge}]")
    group = made["ConnectionGroup"]
    assert (made["ETag"], group["Status"]) == (FIRST, "InProgress")
    assert group["Tags"] == {"Items": [{"Key": "team", "Value": "edge"}]}
    for identifier in (group["Name"], group["Arn"]):
        read = simulator.aws("get-connection-group", "--identifier", identifier)
        assert (read["ETag"], read["ConnectionGroup"]["Id"]) == (FIRST, group["Id"])
    found = simulator.aws("get-connection-group-by-routing-endpoint", "--routing-endpoint", group["RoutingEndpoint"])
    assert found["ConnectionGroup"]["Id"] == group["Id"]
    off = simulator.aws("update-connection-group", "--id", group["Id"], "--if-match", FIRST, "--no-enabled")
    assert (off["ETag"], off["ConnectionGroup"]["Enabled"]) == (SECOND, False)
    assert simulator.aws("delete-connection-group", "--id", group["Id"], "--if-match", SECOND) is None
    assert simulator.aws("list-connection-groups")["ConnectionGroups"] == []


def test_groups_come_in_pages(simulator):
    for n in range(3):
        simulator.admin("POST", "groups", {"name": f"g{n}"})
    listed = simulator.aws("list-connection-groups", "--page-size", "2", "--query", "ConnectionGroups[].Name")
    assert listed == ["g0", "g1", "g2"]


def test_tags_are_set_listed_and_removed(simulator):
    arn = simulator.admin("POST", "groups", {"name": "edge"})["arn"]
    tags = '{"Items": [{"Key": "ünï", "Value": "日本語"}, {"Key": "a", "Value": ""}]}'
    assert simulator.aws("tag-resource", "--resource", arn, "--tags", tags) is None
    assert simulator.aws("untag-resource", "--resource", arn, "--tag-keys", "Items=a") is None
    listed = simulator.aws("list-tags-for-resource", "--resource", arn)
    assert listed["Tags"]["Items"] == [{"Key": "ünï", "Value": "日本語"}]


def test_anycast_lists_and_tenants(simulator):
    made = simulator.aws("create-anycast-ip-list", "--name", "ips", "--ip-count", "3")
    anycast = made["AnycastIpList"]["Id"]
    assert simulator.aws("get-anycast-ip-list", "--id", anycast)["AnycastIpList"] == made["AnycastIpList"]
    assert simulator.aws("list-anycast-ip-lists")["AnycastIpLists"]["Quantity"] == 1
    assert simulator.aws("delete-anycast-ip-list", "--id", anycast, "--if-match", FIRST) is None
    group = simulator.admin("POST", "groups", {"name": "edge"})["id"]
    simulator.admin("POST", "tenants", {"name": "customer", "connection_group": "edge"})
    behind = simulator.aws("list-distribution-tenants", "--association-filter", f"ConnectionGroupId={group}")
    assert [tenant["Name"] for tenant in behind["DistributionTenantList"]] == ["customer"]


def test_errors_are_told_as_aws_tells_them(simulator):
    group = simulator.admin("POST", "groups", {"name": "edge"})["id"]
    missing = simulator.aws("get-connection-group", "--identifier", "nobody")
    assert "An error occurred (EntityNotFound) when calling the GetConnectionGroup operation: " in missing
    enabled = simulator.aws("delete-connection-group", "--id", group, "--if-match", FIRST)
    assert "An error occurred (ResourceNotDisabled) when calling the DeleteConnectionGroup operation: " in enabled


def test_the_script_for_many_groups_writes_an_object_for_each_group_without_an_owner(simulator):
    simulator.admin("POST", "groups", {"name": "Edge_1", "ipv6_enabled": False, "tags": {"team": "edge a"}})
    simulator.admin("POST", "groups", {"name": "bare", "enabled": False})
    owner = {"cloudfront.kube-operators.dev/owner": "prod-eu/platform/owned"}
    simulator.admin("POST", "groups", {"name": "owned", "tags": owner})
    simulator.admin("POST", "default-group")
    written = simulator.run("examples/observe-all.sh", "platform")
    assert written.count("kind: ConnectionGroup") == 2
    first, second = written.split("---\n")[1:]
    expected = {"  name: edge-1", '  name: "Edge_1"', "  enabled: true", "  ipv6Enabled: false", '    "team": "edge a"'}
    assert expected <= set(first.splitlines())
    assert "  enabled: false" in second.splitlines()
    assert "tags:" not in second
