"""k8s/rendered is what the charts say."""

from pathlib import Path

import pytest

from charts import render


def test_what_is_rendered_is_in_step_with_the_charts() -> None:
    assert render.differences(render.wanted()) == []


def test_what_is_out_of_step_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "ROOT", tmp_path)
    monkeypatch.setattr(render, "RENDERED", tmp_path / "rendered")
    gone, kept = (tmp_path / "rendered" / "dev" / name for name in ("gone.yaml", "kept.yaml"))
    render.write({gone: "a: 1\n", kept: "b: 1\n"})

    lines = render.differences({kept: "b: 2\n"})
    assert "-b: 1" in lines
    assert "+b: 2" in lines
    assert lines[-1] == "rendered/dev/gone.yaml comes from no chart."

    render.write({kept: "b: 2\n"})
    assert not gone.exists()
    assert render.differences({kept: "b: 2\n"}) == []
