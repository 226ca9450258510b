"""A way from here to one process in the cluster, past the mesh, the edge and network policies.

The edge takes the header away that names a slot, and a slot's own port wants the mesh's
certificates. What kubectl forwards comes to the process from its own pod.
"""

import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import IO

from ops.errors import OpsError
from ops.releases import NAMESPACE
from ops.rollout.eks.programs import program

SECONDS = 15.0
PAUSE = 0.05
_OPENED = re.compile(rb"Forwarding from (127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class Target:
    """A port of one of the pods behind `resource`, such as `deployment/booking-service-green`."""

    resource: str
    port: int
    namespace: str = NAMESPACE


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
    """One way to each target that was asked for, opened anew when its pod is gone."""

    seconds: float = SECONDS
    _open: dict[Target, Forward] = field(default_factory=dict[Target, Forward])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, target: Target) -> str:
        """Base URL of a target, after a while if need be; OpsError when it can't be reached.

        Threads may ask side by side.
        """
        with self._lock:
            found = self._open.get(target)
            if found is None or found.process.poll() is not None:
                if found is not None:
                    found.close()
                found = self._open[target] = self._opened(target)
        return f"http://{found.address}"

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, target: Target) -> Forward:
        # A file, since nobody reads on what it says of each connection.
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process that writes it
        process = subprocess.Popen(  # noqa: S603 - kubectl with arguments of ours
            [
                program("kubectl"),
                "port-forward",
                f"--namespace={target.namespace}",
                "--address=127.0.0.1",
                target.resource,
                f":{target.port}",
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
                raise OpsError(f"{target.resource} can't be reached: {words[0]}")
            time.sleep(PAUSE)
