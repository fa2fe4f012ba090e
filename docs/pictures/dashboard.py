"""Draws the chart's Grafana dashboard with real data. Arguments: cargo's target folder, the program prometheus, the PNG file to write.

Starts a control plane, a simulated CloudFront and two replicas of the operator, lets Prometheus scrape them while groups are created, edited, disturbed and
deleted, and evaluates the dashboard's own queries. Grafana itself is not used: the panels are drawn in its grid, with its titles, units and legends.
"""

import json
import math
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num  # noqa: E402
from datetime import datetime, timezone  # noqa: E402

TARGET, PROMETHEUS, PNG = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "charts/connection-group-operator/files/dashboard.json"
GROUPS = 20
SECONDS = 300
JOB = "connection-group-operator"

running: list[subprocess.Popen] = []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(args: list[str], folder: Path, name: str, **more) -> subprocess.Popen:
    with open(folder / f"{name}.log", "wb") as log:
        process = subprocess.Popen(args, stdout=more.pop("stdout", log), stderr=log, cwd=ROOT, **more)
    running.append(process)
    return process


def until(what: str, ready, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def ask(url: str):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def send(method: str, url: str, body: dict | None = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    urllib.request.urlopen(request, timeout=30).close()


class Stage:
    """Everything that runs."""

    def __init__(self, folder: Path):
        self.folder = folder
        up = start([str(TARGET / "debug/testbed"), "up"], folder, "testbed", stdout=subprocess.PIPE, text=True)
        self.kubeconfig = up.stdout.readline().split("=", 1)[1].strip()
        self.kubectl_program = up.stdout.readline().split()[0]
        self.kubectl("apply", "--server-side", "-f", "crds/connectiongroups.yaml")
        self.kubectl("wait", "--for=condition=Established", "-f", "crds/connectiongroups.yaml")
        self.kubectl("create", "namespace", "platform")
        port = free_port()
        self.cloudfront = f"http://127.0.0.1:{port}"
        flags = ["--addr", f"127.0.0.1:{port}", "--propagation", "15s", "--latency", "40ms"]
        start([str(TARGET / "debug/cloudfront-simulator"), *flags], folder, "simulator")
        until("the simulator", lambda: answers(f"{self.cloudfront}/_admin/state"))
        self.replicas = {name: self.replica(name) for name in ("operator-6f7d9-4xk2p", "operator-6f7d9-q8zlw")}
        targets = [
            {"targets": [f"127.0.0.1:{metrics}"], "labels": {"pod": pod, "namespace": JOB}}
            for pod, (_, metrics) in self.replicas.items()
        ]
        config = {"global": {"scrape_interval": "2s"}, "scrape_configs": [{"job_name": JOB, "static_configs": targets}]}
        (folder / "prometheus.yaml").write_text(json.dumps(config))
        port = free_port()
        self.prometheus = f"http://127.0.0.1:{port}"
        flags = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
        start([PROMETHEUS, *flags], folder, "prometheus")
        until("Prometheus", lambda: answers(f"{self.prometheus}/-/ready"))

    def replica(self, name: str) -> tuple[subprocess.Popen, int]:
        metrics, health = free_port(), free_port()
        flags = ["run", "--owner-id=picture", f"--kubeconfig={self.kubeconfig}", f"--aws-endpoint-url={self.cloudfront}"]
        flags += ["--allow-insecure-endpoint", "--leader-election", "--leader-election-namespace=platform"]
        flags += ["--inventory-interval=20s", "--inventory-interval-active=5s", "--aws-call-timeout=5s", "--consistency-window=5s"]
        flags += [f"--metrics-addr=127.0.0.1:{metrics}", f"--health-addr=127.0.0.1:{health}"]
        env = {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}
        process = start([str(TARGET / "debug/connection-group-operator"), *flags], self.folder, name, env=env)
        until(name, lambda: answers(f"http://127.0.0.1:{health}/readyz"))
        return process, metrics

    def kubectl(self, *args: str, stdin: str | None = None) -> None:
        command = [self.kubectl_program, "--kubeconfig", self.kubeconfig, *args]
        subprocess.run(command, input=stdin, text=True, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)

    def groups(self, first: int, last: int, spec: dict) -> None:
        def manifest(number: int) -> dict:
            kind = {"apiVersion": "cloudfront.kube-operators.dev/v1alpha1", "kind": "ConnectionGroup"}
            return {**kind, "metadata": {"name": f"group-{number:02}", "namespace": "platform"}, "spec": spec}

        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(manifest(n)) for n in range(first, last + 1)))

    def admin(self, method: str, path: str, body: dict | None = None) -> None:
        send(method, f"{self.cloudfront}/_admin/{path}", body)

    def leader(self) -> str:
        metric = "leader_election_master_status == 1"
        return self.query(metric)[0]["metric"]["pod"]

    def query(self, expression: str):
        words = urllib.parse.urlencode({"query": expression})
        return ask(f"{self.prometheus}/api/v1/query?{words}")["data"]["result"]

    def range(self, expression: str, begin: float, end: float):
        words = urllib.parse.urlencode({"query": expression, "start": begin, "end": end, "step": 2})
        return ask(f"{self.prometheus}/api/v1/query_range?{words}")["data"]["result"]


def play(stage: Stage) -> None:
    """Five minutes with something in every panel."""
    error = {"error": {"status": 403, "code": "AccessDenied", "message": "no", "when": "before"}}
    script = [
        (5, lambda: stage.groups(1, GROUPS, {})),
        (60, lambda: stage.groups(1, 12, {"ipv6Enabled": False})),
        (90, lambda: [stage.admin("PATCH", f"groups/group-{n:02}", {"enabled": False}) for n in range(1, 5)]),
        (120, lambda: stage.admin("POST", "faults", {"operation": "GetConnectionGroup", "times": 12, "fault": "throttle"})),
        (121, lambda: stage.groups(5, 16, {"ipv6Enabled": True})),
        (160, lambda: stage.admin("POST", "faults", {"operation": "UpdateConnectionGroup", "target": "", "times": 8, "fault": error})),
        (161, lambda: stage.groups(17, 20, {"ipv6Enabled": False})),
        (200, lambda: stage.replicas[stage.leader()][0].terminate()),
        (215, lambda: stage.groups(1, 12, {"enabled": False})),
        (245, lambda: stage.kubectl("delete", "cfcg", "--namespace=platform", "--wait=false", *[f"group-{n:02}" for n in range(1, 9)])),
    ]
    began = time.monotonic()
    for at, act in script:
        time.sleep(max(0.0, began + at - time.monotonic()))
        act()
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))


PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#96d98d", "#ffee52", "#c0d8ff"]
BACK, PANEL, INK, QUIET = "#111217", "#181b1f", "#ccccdc", "#8e8e99"


def spoken(value: float, unit: str | None) -> str:
    if value is None or math.isnan(value):
        return "no data"
    match unit:
        case "s":
            return f"{value / 60:.1f} min" if value >= 90 else f"{value:.3g} s"
        case "percentunit":
            return f"{value * 100:.1f} %"
        case "bytes":
            return f"{value / 2**20:.0f} MiB"
        case "cps" | "ops":
            return f"{value:.3g} /s"
    return f"{value:.3g}"


def expression(target: dict) -> str:
    text = target["expr"].replace("$__rate_interval", "20s")
    return text.replace("$job", ".*").replace("$namespace", ".*")


def legend(target: dict, metric: dict) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: metric.get(match[1], ""), target.get("legendFormat") or "").strip()


def draw(stage: Stage, begin: float, end: float) -> list[str]:
    """Draws all panels; returns the titles of those without data."""
    dashboard = json.loads(DASHBOARD.read_text())
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    unit_x, unit_y = 50, 22
    size = (24 * unit_x, rows * unit_y)
    figure = plt.figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor=BACK)
    empty = []
    for panel in dashboard["panels"]:
        grid, defaults = panel["gridPos"], panel.get("fieldConfig", {}).get("defaults", {})
        unit, title = defaults.get("unit"), panel.get("title", "")
        left, top = grid["x"] * unit_x + 4, grid["y"] * unit_y + 3
        width, height = grid["w"] * unit_x - 8, grid["h"] * unit_y - 6
        box = (left / size[0], 1 - (top + height) / size[1], width / size[0], height / size[1])
        if panel["type"] == "row":
            figure.text(box[0], box[1], title, color=INK, fontsize=10, weight="bold")
            continue
        figure.add_axes(box, facecolor=PANEL).set(xticks=[], yticks=[])
        figure.text(box[0] + 6 / size[0], box[1] + box[3] - 14 / size[1], title, color=INK, fontsize=7.5)
        if panel["type"] == "stat":
            found = [(legend(t, r["metric"]), float(r["value"][1])) for t in panel["targets"] for r in stage.query(expression(t))]
            text = next((name or spoken(value, unit) for name, value in found), "no data")
            figure.text(box[0] + box[2] / 2, box[1] + box[3] * 0.36, text, color=PALETTE[0], fontsize=17, ha="center", va="center")
            if not found:
                empty.append(title)
            continue
        axes = figure.add_axes((box[0] + 42 / size[0], box[1] + 40 / size[1], box[2] - 54 / size[0], box[3] - 60 / size[1]), facecolor=PANEL)
        lines = [(legend(t, r["metric"]), r["values"]) for t in panel["targets"] for r in stage.range(expression(t), begin, end)]
        for number, (name, values) in enumerate(sorted(lines)):
            times = [date2num(datetime.fromtimestamp(at, timezone.utc)) for at, _ in values]
            axes.plot(times, [float(value) for _, value in values], color=PALETTE[number % len(PALETTE)], linewidth=1, label=name or title)
        if not lines:
            empty.append(title)
            axes.text(0.5, 0.5, "no data", color=QUIET, fontsize=8, ha="center", transform=axes.transAxes)
        axes.set_xlim(*(date2num(datetime.fromtimestamp(at, timezone.utc)) for at in (begin, end)))
        axes.set_ylim(bottom=0)
        axes.tick_params(colors=QUIET, labelsize=5.5, length=2)
        axes.xaxis.set_major_locator(AutoDateLocator(maxticks=6))
        axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
        axes.yaxis.set_major_locator(plt.MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _, unit=unit: spoken(value, unit))
        axes.grid(color="#2c3235", linewidth=0.4)
        for side in axes.spines.values():
            side.set_visible(False)
        if lines:
            axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.13), ncols=3, fontsize=5, frameon=False, labelcolor=INK, handlelength=1, borderpad=0)
    figure.savefig(PNG, facecolor=BACK, metadata={"Software": None})
    return empty


def main() -> None:
    folder = TARGET / "pictures" / f"run-{int(time.time())}"
    folder.mkdir(parents=True)
    try:
        stage = Stage(folder)
        begin = time.time()
        play(stage)
        empty = draw(stage, begin, time.time())
    finally:
        for process in reversed(running):
            process.terminate()
        for process in reversed(running):
            process.wait(30)
    print(f"{PNG}; panels without data: {', '.join(empty) or 'none'}")


main()
