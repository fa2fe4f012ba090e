"""The commands of docs/emergency.md for the AWS CLI, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SWITCHES = ["--propagation", "1h"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "emergency.md"

pytestmark = pytest.mark.usefixtures("empty")


def blocks(label):
    """The blocks of shell with this label."""
    found = re.findall(rf"^( *)```sh {label}\n(.*?)^ *```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{DOCUMENT} has no block `sh {label}`"
    return ["\n".join(line.removeprefix(indent) for line in body.splitlines()) for indent, body in found]


@pytest.fixture
def follow(simulator, tmp_path):
    """Runs all blocks with a label, and returns the lines that they print."""
    aws = tmp_path / "aws"
    aws.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m awscli "$@"\n')
    aws.chmod(0o755)
    environment = simulator.environment | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def run(label):
        script = "\n".join(blocks(label))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{script}\n{done.stderr}"
        return done.stdout.splitlines()

    return run


def test_the_tenants_that_an_emergency_hits_are_listed(simulator, follow):
    for group, tenant in [("edge", "customer"), ("other", "bystander")]:
        simulator.admin("POST", "groups", {"name": group})
        simulator.admin("POST", "tenants", {"name": tenant, "connection_group": group})
    assert follow("aws-who") == ["customer\tTrue"]


def test_without_the_operator_a_group_goes_down_and_back_and_keeps_everything_else(simulator, follow):
    anycast = simulator.admin("POST", "anycast-lists", {"name": "ips"})["id"]
    made = {"name": "edge", "ipv6_enabled": False, "anycast_ip_list_id": anycast, "tags": {"team": "edge"}}
    simulator.admin("POST", "groups", made)
    assert follow("aws-down") == ["False\tInProgress", f"InProgress\tFalse\tFalse\t{anycast}"]
    assert follow("aws-back") == ["True\tInProgress"]
    [group] = simulator.admin("GET", "state")["groups"]
    assert {key: group[key] for key in made} == made
