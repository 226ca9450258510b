"""What helm makes of every values file there is, rendered once a process."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, cast

import yaml

from charts.helm import template
from ops.releases import ENVIRONMENTS, HELM, VALUES, Release, releases

Manifest = dict[str, Any]
COMMON = (VALUES / "global.yaml", VALUES / "dev" / "global.yaml")
CHARTS = ("platform", "routing", "service")


def _cases() -> Iterator[tuple[str, Release]]:
    for environment in ENVIRONMENTS:
        for release in releases(environment):
            yield f"{environment}/{release.name}", release
    for chart in CHARTS:
        for path in sorted((HELM / chart / "ci").glob("*-values.yaml")):
            case = path.name.removesuffix("-values.yaml")
            name = chart if chart != "service" else _service_of(case)
            values = [*COMMON, path]
            yield f"{chart}/ci/{case}", Release(name=name, chart=HELM / chart, values=values)


def _service_of(case: str) -> str:
    return {"payment": "payment-service", "argo": "tracking-service"}.get(case, "booking-service")


CASES = dict(_cases())


@cache
def texts() -> Mapping[str, str]:
    """What helm says for every case."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CASES, pool.map(template, CASES.values()), strict=True))


@cache
def rendered() -> Mapping[str, list[Manifest]]:
    """The manifests of every case."""
    return {case: parsed(text) for case, text in texts().items()}


@cache
def texts_of(environment: str, provider: str) -> Mapping[str, str]:
    """What helm says for every release of an environment, as that mesh would have it."""
    every = [*releases(environment, **{"global.mesh.provider": provider})]
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(template, every)
        return {release.name: text for release, text in zip(every, made, strict=True)}


@cache
def of_provider(provider: str) -> list[Manifest]:
    """The manifests of all releases of production, as that mesh would have them."""
    return [one for text in texts_of("production", provider).values() for one in parsed(text)]


def parsed(text: str) -> list[Manifest]:
    """The documents of a YAML text that aren't empty."""
    # libyaml is ten times as fast, and the text is helm's own.
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return [cast(Manifest, document) for document in documents if document]


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """The manifests of one kind by name."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The pod template of everything that makes pods, with `<kind>/<name>`; bare pods too."""
    for one in manifests:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one
        elif one["kind"] in ("Deployment", "Job", "Rollout"):
            yield name, one["spec"]["template"]


def everywhere(look: Callable[[list[Manifest]], Iterator[str]]) -> list[str]:
    """What `look` finds wrong in any case, each with the case's name."""
    return [f"{case}: {found}" for case, made in rendered().items() for found in look(made)]
