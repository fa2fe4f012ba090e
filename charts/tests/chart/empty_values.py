"""A value that is left empty (null) renders as nothing, in the Pod of the test too, or is refused by its name.

In: helm, the chart's folder, a file of values that makes the chart render everything. Out: exit code 1 and the values that fail otherwise.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ruamel.yaml import YAML

# These kinds are off in the file, because it is applied where they are not known.
MONITORS = "serviceMonitor.enabled=true,prometheusRule.enabled=true"


def paths(values, above=()):
    for key, below in values.items():
        here = (*above, key.replace(".", "\\."))
        yield here
        if isinstance(below, dict):
            yield from paths(below, here)


def main():
    helm, chart, everything = sys.argv[1:]

    def failure(path):
        empty = ".".join(path) + "=null"
        command = [helm, "template", "op", chart, "--values", everything, "--set", MONITORS, "--set", empty]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        refused = "missing property" in done.stderr or "execution error at" in done.stderr
        if done.returncode == 0 or (refused and path[-1] in done.stderr):
            return None
        return f"{empty}: {done.stderr}"

    values = YAML(typ="safe").load((Path(chart) / "values.yaml").read_text())
    with ThreadPoolExecutor(2) as pool:
        failures = [failed for failed in pool.map(failure, paths(values)) if failed]
    for failed in failures:
        print(failed, file=sys.stderr)
    return bool(failures)


sys.exit(main())
