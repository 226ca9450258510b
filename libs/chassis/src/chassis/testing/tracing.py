"""Where coverage looks on: tracing costs half as much again as the work that it watches."""

import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

# By it, coverage starts in the children that inherit it.
_CHILDREN = "COVERAGE_PROCESS_CONFIG"


@contextmanager
def untraced() -> Generator[None]:
    """While the body runs, neither this thread is traced nor what it starts."""
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    children = os.environ.pop(_CHILDREN, None)
    sys.settrace(None)
    threading.settrace(None)  # pyright: ignore[reportArgumentType] - as documented
    try:
        yield
    finally:
        sys.settrace(tracer)
        threading.settrace(of_threads)  # pyright: ignore[reportArgumentType] - None means nobody
        if children is not None:
            os.environ[_CHILDREN] = children
