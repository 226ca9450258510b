"""The pipeline's copy of Envoy, with a docker and a cosign that write down what they are asked."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ops.releases import HELM, ROOT

DIGEST = f"sha256:{'a' * 64}"
VERSION = yaml.safe_load((HELM / "platform" / "values.yaml").read_text())["edge"]["version"]
DOCKER = """
echo "docker $*" >>"$LOG"
case "$*" in
  *"inspect envoyproxy/"*) echo '{"digest": "DIGEST"}' ;;
  *"inspect there.example/"*) ;;
  *inspect*) exit 1 ;;
esac
"""


def copy(at: Path, *arguments: str, digest: str = "", signs: bool = True) -> tuple[int, list[str]]:
    """Exit code, and what was asked besides looks at what there is."""
    programs = at / "bin"
    programs.mkdir()
    says = {
        "docker": DOCKER.replace("DIGEST", DIGEST),
        "cosign": f'echo "cosign $*" >>"$LOG"\nexit {0 if signs else 1}\n',
        "jq": f"cat >/dev/null\necho {DIGEST}\n",
    }
    for name, script in says.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}")
        (programs / name).chmod(0o755)
    (at / "scripts").mkdir()
    (at / "helm" / "platform").mkdir(parents=True)
    values = (HELM / "platform" / "values.yaml").read_text()
    assert 'digest: ""\n' in values
    (at / "helm" / "platform" / "values.yaml").write_text(
        values.replace('digest: ""\n', f'digest: "{digest}"\n')
    )
    log = at / "log"
    log.touch()
    done = subprocess.run(  # noqa: S603 - our own script
        [shutil.copy(ROOT / "scripts" / "copy-envoy.sh", at / "scripts"), *arguments],
        env={"PATH": f"{programs}:/usr/bin:/bin", "LOG": str(log), "GITHUB_RUN_ID": "7"},
        capture_output=True,
        check=False,
        cwd="/",
    )
    asked = log.read_text().splitlines()
    return done.returncode, [one for one in asked if "inspect" not in one]


@pytest.mark.parametrize("pinned", ["", f"sha256:{'b' * 64}"])
def test_it_is_signed_before_it_has_the_tag_that_pods_ask_for(tmp_path: Path, pinned: str) -> None:
    code, asked = copy(tmp_path, "there.example", "new.example", digest=pinned)
    digest, image = pinned or DIGEST, "new.example/ubertruck/envoy"
    create = "docker buildx imagetools create --tag"
    assert (code, asked) == (
        0,
        [
            f"{create} {image}:{VERSION}-7-1 envoyproxy/envoy@{digest}",
            f"cosign sign --yes --recursive {image}@{digest}",
            f"{create} {image}:{VERSION} {image}@{digest}",
        ],
    )


def test_without_a_signature_there_is_no_such_tag(tmp_path: Path) -> None:
    code, asked = copy(tmp_path, "new.example", signs=False)
    assert code == 1
    assert not [one for one in asked if f":{VERSION} " in one]


def test_it_wants_to_know_where(tmp_path: Path) -> None:
    assert copy(tmp_path) == (2, [])
