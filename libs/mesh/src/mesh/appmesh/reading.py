"""Reads App Mesh objects out of YAML files, and says of each fault in which place it is."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml
from pydantic import ValidationError

from mesh.appmesh.common import API_GROUP, API_VERSION, Key
from mesh.appmesh.kinds import KINDS, Kind, Mesh, VirtualService
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.nodes import VirtualNode
from mesh.appmesh.routers import VirtualRouter

# Rendered folders hold many other objects, which are dear to parse.
_OURS = re.compile(rf"^\s*[\"']?apiVersion[\"']?\s*:\s*[\"']?{re.escape(API_GROUP)}/", re.MULTILINE)
_NEXT_DOCUMENT = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)


class Fault(NamedTuple):
    """What is wrong, and where: `object` as `Kind namespace/name`, `path` as `spec.routes[0]`."""

    file: str
    object: str
    path: str
    message: str

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.object, self.path) if part)
        return f"{place}: {self.message}"


class BadManifests(ValueError):
    """Manifests that can't be used; `faults` has all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def read_files(paths: Iterable[Path]) -> Manifests:
    """All App Mesh objects of these files and folders; `BadManifests` tells every fault.

    Of folders every `.yaml` file is read, and objects of other groups are passed over.
    """
    texts: dict[str, str] = {}
    for path in paths:
        files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        try:
            texts |= {str(file): file.read_text() for file in files}
        except (OSError, UnicodeDecodeError) as error:
            raise BadManifests([Fault(str(path), "", "", f"can't be read: {error}")]) from error
    return read_texts(texts)


def read_texts(texts: Mapping[str, str]) -> Manifests:
    """As `read_files`, from the content of files by their names."""
    faults: list[Fault] = []
    found: dict[tuple[str, Key], Kind] = {}
    sources: dict[tuple[str, Key], str] = {}
    for file, text in texts.items():
        for document in _documents(file, text, faults):
            one = _object(file, document, faults)
            if one is None:
                continue
            place = (one.kind, one.key)
            if place in found:
                message = f"stands also in {sources[place]}"
                faults.append(Fault(file, f"{one.kind} {one.key}", "", message))
            found[place], sources[place] = one, file
    if faults:
        raise BadManifests(faults)
    objects = found.values()
    return Manifests(
        meshes={one.key: one for one in objects if isinstance(one, Mesh)},
        services={one.key: one for one in objects if isinstance(one, VirtualService)},
        routers={one.key: one for one in objects if isinstance(one, VirtualRouter)},
        nodes={one.key: one for one in objects if isinstance(one, VirtualNode)},
        sources=sources,
    )


def _documents(file: str, text: str, faults: list[Fault]) -> Iterator[Mapping[str, object]]:
    for document in _NEXT_DOCUMENT.split(text):
        if not _OURS.search(document):
            continue
        try:
            content: object = next(yaml.load_all(document, Loader=_Loader))
        except yaml.YAMLError as error:
            faults.append(Fault(file, "", "", f"isn't YAML: {' '.join(str(error).split())}"))
            continue
        if isinstance(content, dict):
            yield cast("dict[str, object]", content)


def _object(file: str, document: Mapping[str, object], faults: list[Fault]) -> Kind | None:
    name = _name_of(document)
    version, kind = document.get("apiVersion"), str(document.get("kind"))
    if not str(version).startswith(f"{API_GROUP}/"):
        return None
    if version != API_VERSION:
        faults.append(Fault(file, name, "apiVersion", f"{version} isn't read, only {API_VERSION}"))
        return None
    model = KINDS.get(kind)
    if model is None:
        message = f"{kind} isn't used by Ubertruck; {', '.join(KINDS)} are"
        faults.append(Fault(file, name, "kind", message))
        return None
    try:
        # By way of JSON, whose arrays become tuples while nothing else is converted.
        return model.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        for one in error.errors():
            faults.append(Fault(file, name, _path(one["loc"]), _message(one)))
        return None


def _name_of(document: Mapping[str, object]) -> str:
    metadata = document.get("metadata")
    names = cast("dict[str, object]", metadata) if isinstance(metadata, dict) else {}
    parts = [str(names[part]) for part in ("namespace", "name") if part in names]
    return f"{document.get('kind')} {'/'.join(parts)}".strip()


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix(".")


def _message(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "is no key that Ubertruck's mesh knows at this place"
    if error["type"] == "missing":
        return "is missing"
    return str(error["msg"]).removeprefix("Value error, ")


class _Loader(yaml.CSafeLoader):
    """Refuses a key that stands twice in one mapping, of which YAML libraries take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)
