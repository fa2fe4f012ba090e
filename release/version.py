#!/usr/bin/env python3
"""Keeps the version the same in all places that name it.

    release/version.py check             the version, if all places agree
    release/version.py check 0.2.0       ... and if it is 0.2.0 and the changelog has that heading
    release/version.py bump 0.2.0        writes 0.2.0 to all places, and the heading to the changelog

Works on the current folder, the root of a clone. Needs Python 3.11 and git; `bump` needs cargo.
"""

import datetime
import pathlib
import re
import subprocess
import sys
import tomllib

# 9.9.9 is what tests call another version.
NUMBER = r"(?!9\.9\.9)\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?"
# Where a version is the version of this project: what stands before it, by the end of the file's path.
PLACES = [
    ("Cargo.toml", r'^version = "'),
    ("Dockerfile", r"^ARG VERSION="),
    ("connection-group-operator/Chart.yaml", r"^(?:version|appVersion): "),
    ("Chart.yaml", r"^  - name: connection-group-operator\n    version: "),
    ("connection-group-operator/README.md", r" Chart |, operator "),
    (".yaml", r"app\.kubernetes\.io/version: "),
    (".yaml", r"connection-group-operator-"),
    ("", r"connection-group-operator:v?"),
    (".md", r"connection-group-operator-"),
    (".md", r"connection-group-operator --version "),
    (".md", r"^version="),
    ("notes_test.yaml", r"connection-group-operator "),
    ("notes_test.yaml", r"\(chart "),
]
# Without these, the project would not name its version at all.
REQUIRED = ["Cargo.toml", "Cargo.lock", "Dockerfile", "charts/connection-group-operator/Chart.yaml"]
CHANGELOG = pathlib.Path("CHANGELOG.md")


def fail(sentence):
    sys.exit(f"release/version.py: {sentence}")


def patterns(path):
    return [re.compile(f"({before})({NUMBER})", re.MULTILINE) for end, before in PLACES if path.endswith(end)]


def files():
    # New files count before they are committed, so that a test sees them.
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True
    )
    for path in sorted(listed.stdout.split("\0")):
        if path and path not in ("CHANGELOG.md", "Cargo.lock") and not path.startswith("release/") and pathlib.Path(path).is_file():
            try:
                yield path, pathlib.Path(path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def members():
    """The members of the workspace in Cargo.lock: those that come from no registry."""
    packages = tomllib.loads(pathlib.Path("Cargo.lock").read_text(encoding="utf-8"))["package"]
    return [("Cargo.lock", package["name"], package["version"]) for package in packages if "source" not in package]


def places():
    found = members()
    for path, text in files():
        for pattern in patterns(path):
            found += [(path, match.group(1), match.group(2)) for match in pattern.finditer(text)]
    return found


def check(wanted=None):
    found = places()
    for path in REQUIRED:
        if not any(path == place[0] for place in found):
            fail(f"{path} names no version")
    version = wanted or next(version for path, _, version in found if path == "Cargo.toml")
    others = [f"{path}: {before.strip()} {number}" for path, before, number in found if number != version]
    if others:
        fail(f"the version is {version}, but there is\n  " + "\n  ".join(others))
    heading = re.compile(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", re.MULTILINE)
    if wanted and not heading.search(CHANGELOG.read_text(encoding="utf-8")):
        fail(f"{CHANGELOG} has no heading '## [{version}] - <date>'")
    print(version)


def bump(version):
    if not re.fullmatch(NUMBER, version):
        fail(f"{version} is not a version such as 0.2.0 or 0.2.0-rc.1")
    changelog = CHANGELOG.read_text(encoding="utf-8")
    if f"## [{version}]" in changelog:
        fail(f"{CHANGELOG} has {version} already")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    unreleased = re.compile(r"^## \[Unreleased\]\n(?:\nTo be released as .*\n)?", re.MULTILINE)
    changelog, number = unreleased.subn(f"## [Unreleased]\n\n## [{version}] - {today}\n", changelog)
    if number != 1:
        fail(f"{CHANGELOG} should have one heading '## [Unreleased]'")
    CHANGELOG.write_text(changelog, encoding="utf-8")
    for path, text in files():
        new = text
        for pattern in patterns(path):
            new = pattern.sub(rf"\g<1>{version}", new)
        if new != text:
            pathlib.Path(path).write_text(new, encoding="utf-8")
    subprocess.run(["cargo", "update", "--workspace", "--offline", "--quiet"], check=True)
    check(version)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["check"]:
            check()
        case ["check", wanted]:
            check(wanted)
        case ["bump", version]:
            bump(version)
        case _:
            sys.exit(__doc__)
