"""A way from here to one slot's process, past the mesh and past the edge.

The edge takes the header away that names a slot, and a slot's own port wants the mesh's
certificates. What kubectl forwards comes to the process from its own pod.
"""

import re
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO

from ops.errors import OpsError
from ops.releases import NAMESPACE
from ops.rollout.eks.programs import program

PORT = 8080
SECONDS = 15.0
PAUSE = 0.05
_OPENED = re.compile(rb"Forwarding from (127\.0\.0\.1:\d+)")


@dataclass(frozen=True, kw_only=True)
class Forward:
    """A running kubectl, what it says, and the address where it listens."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]
    address: str

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        self.said.close()


@dataclass
class Forwards:
    """One way to each Deployment that was asked for, opened anew when its pod is gone."""

    seconds: float = SECONDS
    _open: dict[str, Forward] = field(default_factory=dict[str, Forward])

    def url(self, deployment: str) -> str:
        """Base URL of one of its pods; OpsError when none can be reached."""
        found = self._open.get(deployment)
        if found is None or found.process.poll() is not None:
            if found is not None:
                found.close()
            found = self._open[deployment] = self._opened(deployment)
        return f"http://{found.address}"

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, deployment: str) -> Forward:
        # A file, since nobody reads on what it says of each connection.
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process that writes it
        process = subprocess.Popen(  # noqa: S603 - kubectl with arguments of ours
            [
                program("kubectl"),
                "port-forward",
                f"--namespace={NAMESPACE}",
                "--address=127.0.0.1",
                f"deployment/{deployment}",
                f":{PORT}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        deadline = time.monotonic() + self.seconds
        while True:
            ended = process.poll() is not None or time.monotonic() > deadline
            said.seek(0)
            text = said.read()
            if opened := _OPENED.search(text):
                return Forward(process=process, said=said, address=opened[1].decode())
            if ended:
                Forward(process=process, said=said, address="").close()
                words = text.decode(errors="replace").strip().splitlines()[-1:] or ["no answer"]
                raise OpsError(f"{deployment} can't be reached: {words[0]}")
            time.sleep(PAUSE)
