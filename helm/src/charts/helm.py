"""helm, as far as it works without a cluster."""

import subprocess
import sys
from pathlib import Path

from ops.releases import Release


class HelmRefused(Exception):
    """helm doesn't take a chart or its values. The message is helm's own."""


def template(release: Release) -> str:
    """The release's manifests as YAML; HelmRefused tells what is wrong with it."""
    return _helm("template", *release.arguments)


def lint(release: Release) -> None:
    """Raise HelmRefused unless the chart with these values passes `helm lint --strict`."""
    arguments = [argument for argument in release.arguments if argument != release.name]
    _helm("lint", "--strict", "--quiet", *arguments)


def _helm(*arguments: str) -> str:
    # Beside the interpreter, where `make install` puts it.
    program = Path(sys.executable).with_name("helm")
    done = subprocess.run(  # noqa: S603 - the program is ours, and no shell is involved
        [str(program), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise HelmRefused(done.stderr.strip() or done.stdout.strip())
    return done.stdout
