"""Write k8s/rendered: `python -m charts.render [--check]`.

One folder an environment, one file a release: what helm would send to the cluster. `--check` writes
nothing and says what is out of step.
"""

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from pathlib import Path

from charts.helm import template
from charts.releases import ENVIRONMENTS, HELM, releases

ROOT = HELM.parent
RENDERED = ROOT / "k8s" / "rendered"
HEADER = "# Made by `make render` from helm/; edit that.\n"


def wanted() -> dict[Path, str]:
    """Every file that is made, with its content."""
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
    for path in sorted(set(RENDERED.rglob("*.yaml")) - set(files)):
        lines.append(f"{path.relative_to(ROOT)} comes from no chart.")
    return lines


def write(files: Mapping[Path, str]) -> None:
    """Write all files, and remove those of releases that are gone."""
    for path in set(RENDERED.rglob("*.yaml")) - set(files):
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m charts.render")
    parser.add_argument("--check", action="store_true")
    files = wanted()
    if not parser.parse_args().check:
        write(files)
        return 0
    lines = differences(files)
    if lines:
        print("\n".join(lines))
        print("What is rendered is behind the charts: run 'make render' and commit the result.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
