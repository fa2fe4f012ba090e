"""Starts the simulator for each test module, and hands out real clients for it: boto3 and the AWS CLI."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

# Neither the clients in this process nor its children may see the settings of whoever runs the tests.
for name in list(os.environ):
    if name.upper().startswith("AWS_") or name.upper().endswith("_PROXY"):
        del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "AKIDCLIENTTEST",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_PAGER": "",
}


class Simulator:
    """A running simulator and its admin path."""

    def __init__(self, *switches):
        binary = os.environ.get("SIMULATOR", "")
        if not Path(binary).is_file():
            pytest.exit(f"SIMULATOR must name the built cloudfront-simulator binary; it is {binary!r}.", returncode=2)
        command = [binary, "--addr", "127.0.0.1:0", *switches]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.url = line.removeprefix("listening on ").strip()
        self.environment = os.environ | {"AWS_ENDPOINT_URL_CLOUDFRONT": self.url}

    def stop(self):
        """Ends it as an init system would, and expects it to obey."""
        self.process.terminate()
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        return code

    def admin(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/_admin/{path}",
            method=method,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def client(self, region="us-east-1", attempts=1):
        retries = {"mode": "standard", "total_max_attempts": attempts}
        config = Config(retries=retries, connect_timeout=5, read_timeout=10)
        return boto3.client("cloudfront", endpoint_url=self.url, region_name=region, config=config)

    def aws(self, *arguments):
        """Runs the AWS CLI: what it prints as JSON, or its complaint."""
        command = [sys.executable, "-m", "awscli", "cloudfront", *arguments, "--output", "json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            return done.stderr.strip()
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run(self, script, *arguments):
        """Runs a script of this repository that calls the AWS CLI: what it prints."""
        environment = self.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        command = [Path(__file__).parents[2] / script, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def simulator(request):
    running = Simulator(*getattr(request.module, "SWITCHES", []))
    yield running
    code = running.stop()
    assert code == 0, f"SIGTERM ended the simulator with {code}"


@pytest.fixture(scope="module")
def cloudfront(simulator):
    return simulator.client()


@pytest.fixture
def empty(simulator):
    """The account without anything in it."""
    state = simulator.admin("GET", "state")
    for tenant in state["tenants"]:
        simulator.admin("DELETE", f"tenants/{tenant['id']}")
    for group in state["groups"]:
        simulator.admin("DELETE", f"groups/{group['id']}")
    for anycast_list in state["anycast_ip_lists"]:
        simulator.admin("DELETE", f"anycast-lists/{anycast_list['id']}")
    simulator.admin("DELETE", "faults")
