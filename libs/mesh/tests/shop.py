"""The manifests that tests work with, whole or with one thing wrong."""

from collections.abc import Mapping
from pathlib import Path

from mesh.appmesh.common import Key
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.reading import read_texts

FILE = Path(__file__).with_name("manifests") / "shop.yaml"
FRONT = Key("shop", "front")


def shop(changes: Mapping[str, str] | None = None) -> Manifests:
    """The manifests after some replacements in their text, each of which must fit."""
    return read_texts({"shop.yaml": shop_text(changes)})


def shop_text(changes: Mapping[str, str] | None = None) -> str:
    text = FILE.read_text()
    for old, new in (changes or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    return text
