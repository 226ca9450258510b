"""k8s/rendered is what the charts say."""

import sys
from pathlib import Path

import pytest

from charts import render
from ops.releases import ENVIRONMENTS

from .manifests import texts


def test_what_is_made_is_in_step_with_what_it_is_made_from() -> None:
    files = {
        render.RENDERED / f"{case}.yaml": render.HEADER + text
        for case, text in texts().items()
        if case.startswith(ENVIRONMENTS)
    }
    assert render.differences(render.sources()) == []
    assert render.differences(files) == []
    assert render.leftovers(files) == []


def test_what_is_out_of_step_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone, kept, source = (
        tmp_path / "rendered" / "dev" / name for name in ("a.yaml", "b.yaml", "c")
    )
    monkeypatch.setattr(render, "ROOT", tmp_path)
    monkeypatch.setattr(render, "RENDERED", tmp_path / "rendered")
    monkeypatch.setattr(render, "sources", lambda: {source: "c: 1\n"})
    monkeypatch.setattr(render, "rendered", lambda: {kept: "b: 2\n"})
    render.write({gone: "a: 1\n", kept: "b: 1\n"})

    monkeypatch.setattr(sys, "argv", ["render", "--check"])
    assert render.main() == 1
    told = capsys.readouterr().out.splitlines()
    assert {"-b: 1", "+b: 2", "+c: 1", "rendered/dev/a.yaml comes from no chart."} <= set(told)

    monkeypatch.setattr(sys, "argv", ["render"])
    assert render.main() == 0
    assert (gone.exists(), kept.read_text(), source.read_text()) == (False, "b: 2\n", "c: 1\n")
