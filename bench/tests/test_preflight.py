import resource

import pytest

from bench import preflight
from bench.errors import BenchError


class Limits:
    """Stands in for the kernel's limits of open files."""

    def __init__(self, soft: int, hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", self._get)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _get(self, _which: int) -> tuple[int, int]:
        return self.now

    def _set(self, _which: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524288), (preflight.FILES, 524288)),
        ((1024, resource.RLIM_INFINITY), (preflight.FILES, resource.RLIM_INFINITY)),
        ((20000, 20000), (20000, 20000)),
        ((resource.RLIM_INFINITY,) * 2, (resource.RLIM_INFINITY,) * 2),
    ],
)
def test_takes_as_many_files_as_it_needs(
    before: tuple[int, int], after: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(*before, monkeypatch)
    preflight.require_files()
    assert limits.now == after


def test_says_when_it_may_not_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(1024, 2048, monkeypatch)
    with pytest.raises(BenchError, match="may open 2048 files here, and the load needs 4096"):
        preflight.require_files()
