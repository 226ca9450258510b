"""Write what is made: `python -m charts.render [--check]`.

First what the charts' own files are made from (the edge's configuration, the schema of `global`),
then k8s/rendered: one folder an environment, one file a release, what helm would send to the
cluster. `--check` writes nothing and says what is out of step.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from pathlib import Path

from charts.edge import edge_files
from charts.helm import template
from ops.releases import ENVIRONMENTS, HELM, VALUES, releases

ROOT = HELM.parent
RENDERED = ROOT / "k8s" / "rendered"
HEADER = "# Made by `make render` from helm/; edit that.\n"


def sources() -> dict[Path, str]:
    """Every file inside of the charts that is made, with its content."""
    return dict([*edge_files(), *schema_files()])


def schema_files() -> Iterator[tuple[Path, str]]:
    """The schema of every chart's values, with that of `global`, which is one for all."""
    shared = json.loads((VALUES / "global.schema.json").read_text())
    for path in sorted(HELM.glob("*/values.schema.json")):
        schema = json.loads(path.read_text())
        schema["properties"]["global"] = shared
        yield path, json.dumps(schema, indent=2) + "\n"


def rendered() -> dict[Path, str]:
    """Every file of k8s/rendered, with its content, from the charts as they are now."""
    everything = [
        (RENDERED / environment / f"{release.name}.yaml", release)
        for environment in ENVIRONMENTS
        for release in releases(environment)
    ]
    with ThreadPoolExecutor(2) as pool:
        texts = pool.map(template, [release for _, release in everything])
    return {path: HEADER + text for (path, _), text in zip(everything, texts, strict=True)}


def differences(files: Mapping[Path, str]) -> list[str]:
    """What is out of step, as lines of a diff; empty when nothing is."""
    lines: list[str] = []
    for path, text in files.items():
        present = path.read_text() if path.exists() else ""
        name = str(path.relative_to(ROOT))
        lines += unified_diff(
            present.splitlines(), text.splitlines(), name, f"{name} by the charts", lineterm=""
        )
    return lines


def leftovers(files: Mapping[Path, str]) -> list[Path]:
    """Files in k8s/rendered of releases that are gone."""
    return sorted(set(RENDERED.rglob("*.yaml")) - set(files))


def write(files: Mapping[Path, str]) -> None:
    """Write all files."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m charts.render")
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        write(sources())
        write(files := rendered())
        for path in leftovers(files):
            path.unlink()
        return 0
    files = rendered()
    lines = differences(sources()) + differences(files)
    lines += [f"{path.relative_to(ROOT)} comes from no chart." for path in leftovers(files)]
    if lines:
        print("\n".join(lines))
        print("What is rendered is behind the charts: run 'make render' and commit the result.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
