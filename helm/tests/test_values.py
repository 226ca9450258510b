"""Every values file there is: charts take it strictly, and Kubernetes would take the result."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from charts.helm import HelmRefused, lint, template
from ops.releases import HELM, VALUES, Release, releases

from .manifests import CASES, CHARTS, COMMON, Manifest, everywhere

KUBERNETES = "1.34"
BUILT_IN = ("v1", "apps/v1", "autoscaling/v2", "batch/v1", "policy/v1", "networking.k8s.io/v1")


@pytest.mark.parametrize("case", CASES)
def test_helm_takes_it_strictly(case: str) -> None:
    lint(CASES[case])


def test_kubernetes_would_take_every_built_in_kind() -> None:
    def refused(manifests: list[Manifest]) -> Iterator[str]:
        for one in manifests:
            if one["apiVersion"] in BUILT_IN:
                name = f"{one['kind']}/{one['metadata']['name']}"
                errors = validator(one["apiVersion"], one["kind"]).iter_errors(one)  # pyright: ignore[reportUnknownMemberType] - its stub is partial
                yield from (f"{name}: {error.json_path}: {error.message}" for error in errors)

    assert everywhere(refused) == []


@cache
def validator(version: str, kind: str) -> Draft202012Validator:
    # The package's own `validate` reads several megabytes of definitions for each manifest.
    schema = json.loads((schemas() / f"{kind.lower()}-{_short(version)}.json").read_text())
    return Draft202012Validator(schema, registry=definitions())


@cache
def definitions() -> Registry[Any]:
    contents = json.loads((schemas() / "_definitions.json").read_text())
    return Resource[Any].from_contents(contents) @ Registry[Any]()


def schemas() -> Path:
    folder = Path(str(files("kubernetes_validate"))) / "kubernetes-json-schema"
    return next(folder.glob(f"v{KUBERNETES}*-local-strict"))


def _short(version: str) -> str:
    group, _, rest = version.rpartition("/")
    return f"{group.split('.')[0]}-{rest}" if group else rest


def test_every_values_file_is_tried() -> None:
    tried = {path for release in CASES.values() for path in release.values}
    present = {path for path in HELM.rglob("*.yaml") if "values" in str(path.relative_to(HELM))}
    defaults = {HELM / chart / "values.yaml" for chart in CHARTS}
    assert present - tried - defaults == {VALUES / "payment-service.yaml"}


def test_payment_has_the_numbers_that_it_was_specified_with() -> None:
    release = Release(
        name="payment-service",
        chart=HELM / "service",
        values=[*COMMON, VALUES / "unreleased.yaml", VALUES / "payment-service.yaml"],
    )
    lint(release)
    text = template(release)
    for line in ("maxConnections: 100", "maxPendingRequests: 10", "maxServerErrors: 5"):
        assert f"{line}\n" in text


@pytest.mark.parametrize(
    ("name", "setting", "why"),
    [
        ("platform", "mehs.provider", "additional properties 'mehs' not allowed"),
        ("platform", "edge.tls", "additional properties 'tls' not allowed"),
        ("booking-service", "replicas", "additional properties 'replicas' not allowed"),
        ("booking-service", "global.colour", "additional properties 'colour' not allowed"),
        ("booking-service", "settings.UBERTRUCK_DATABASE_URL", "'not' failed"),
        ("routing", "services.booking-service.weight", "additional properties 'weight'"),
    ],
)
def test_a_key_that_nobody_reads_is_refused(name: str, setting: str, why: str) -> None:
    with pytest.raises(HelmRefused, match=why):
        template(with_settings(name, **{setting: "x"}))


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("routing", {"services.booking-service.weights.green": "7"}, "add up to 107, not to 100"),
        ("booking-service", {"active": "green"}, "active is green, which is not enabled"),
        ("booking-service", {"colours.blue.version": ""}, "colours.blue.version is missing"),
        ("booking-service", {"colours.blue.version": "latest"}, "does not match pattern"),
        ("booking-service", {"colours.blue.schemaRevision": ""}, "schemaRevision is missing"),
        ("booking-service", {"global.rollout.engine": "argo"}, "needs mesh.provider istio"),
        ("platform", {"edge.host": ""}, "edge.host is missing"),
    ],
)
def test_nonsense_is_refused_with_its_reason(name: str, settings: dict[str, str], why: str) -> None:
    with pytest.raises(HelmRefused, match=why):
        template(with_settings(name, **settings))


def test_global_has_one_schema() -> None:
    shared = json.loads((VALUES / "global.schema.json").read_text())
    for chart in CHARTS:
        schema = json.loads((HELM / chart / "values.schema.json").read_text())
        assert schema["properties"]["global"] == shared


def with_settings(name: str, **settings: str) -> Release:
    return next(one for one in releases("dev", **settings) if one.name == name)
