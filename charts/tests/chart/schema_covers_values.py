"""Every key of values.schema.json is in values.yaml, where its description is. Helm itself checks the other direction.

In: the chart's folder. Out: exit code 1 and the keys that are missing.
"""

import json
import sys
from pathlib import Path

from ruamel.yaml import YAML

# Helm's own, and what charts that have this one as a dependency may use.
NOT_OURS = {"global", "enabled"}


def missing(schema, values, definitions, path=()):
    schema = definitions.get(schema.get("$ref", "").removeprefix("#/definitions/"), schema)
    for key, below in schema.get("properties", {}).items():
        here = (*path, key)
        if here in {(key,) for key in NOT_OURS}:
            continue
        if key not in values:
            yield ".".join(here)
        elif isinstance(values[key], dict):
            yield from missing(below, values[key], definitions, here)


def main():
    chart = Path(sys.argv[1])
    schema = json.loads((chart / "values.schema.json").read_text())
    values = YAML(typ="safe").load((chart / "values.yaml").read_text())
    # What Kubernetes defines is described there: probes have more keys than we set, resources too.
    theirs = ("startupProbe.", "livenessProbe.", "readinessProbe.", "resources.")
    keys = [key for key in missing(schema, values, schema["definitions"]) if not key.startswith(theirs)]
    for key in keys:
        print(f"{key} is in values.schema.json and not in values.yaml", file=sys.stderr)
    return bool(keys)


sys.exit(main())
