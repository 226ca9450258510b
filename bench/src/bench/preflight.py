"""What a run needs of the machine, asked before anything is started."""

import resource

from bench import wrk
from bench.errors import BenchError
from ops.edge import require_binary

# Two hundred connections through an Envoy are four ends, and each process has its own.
FILES = 4096


def check() -> None:
    """BenchError or OpsError, as one sentence that says what to do, unless everything is there."""
    wrk.require()
    require_binary()
    require_files()


def require_files() -> None:
    """Raise this process's limit of open files if need be; its children get the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        if hard != resource.RLIM_INFINITY and hard < FILES:
            raise BenchError(
                f"A process may open {hard} files here, and the load needs {FILES}: "
                f"raise the hard limit (ulimit -Hn {FILES} as root, or LimitNOFILE)."
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
