"""A Kubernetes API server for real kubectl and helm: objects, versions, discovery, conflicts.

It keeps what it is given and counts generations when a spec changes. Of controllers it has that
of App Mesh's routers; what others would write, tests write.
"""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from . import protobuf

Object = dict[str, Any]
# The version that a cluster has to begin with.
OLD = "1" * 40
# apiVersion: kind -> plural, all of them namespaced.
KINDS = {
    "v1": {
        "ConfigMap": "configmaps",
        "PersistentVolumeClaim": "persistentvolumeclaims",
        "Pod": "pods",
        "Secret": "secrets",
        "Service": "services",
        "ServiceAccount": "serviceaccounts",
    },
    "apps/v1": {"Deployment": "deployments"},
    "appmesh.k8s.aws/v1beta2": {
        "VirtualNode": "virtualnodes",
        "VirtualRouter": "virtualrouters",
        "VirtualService": "virtualservices",
    },
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
    "batch/v1": {"Job": "jobs"},
    "coordination.k8s.io/v1": {"Lease": "leases"},
    "external-secrets.io/v1": {"ExternalSecret": "externalsecrets"},
    "monitoring.coreos.com/v1": {"ServiceMonitor": "servicemonitors"},
    "networking.istio.io/v1": {
        "DestinationRule": "destinationrules",
        "Sidecar": "sidecars",
        "VirtualService": "virtualservices",
    },
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "security.istio.io/v1": {
        "AuthorizationPolicy": "authorizationpolicies",
        "PeerAuthentication": "peerauthentications",
    },
}


class Refused(Exception):
    """An answer that is no object: HTTP status and the reason that Kubernetes names."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Cluster:
    """Objects by plural and name; `asked` has every request as `VERB path`.

    `before` is called ahead of each write, with verb and path: to fail it, to delay it, or to
    change what it is about. `controlled` says whether routers are taken up.
    """

    def __init__(self, objects: dict[tuple[str, str], Object] | None = None) -> None:
        self.objects = deepcopy(objects or {})
        self.controlled = True
        self._edited: set[tuple[str, str]] = set()
        self.asked: list[str] = []
        self.before: Callable[[str, str], None] = lambda verb, path: None
        self.lock = threading.RLock()
        self._version = 1000

    def get(self, plural: str, name: str) -> Object:
        """An object as it is now."""
        return deepcopy(self.objects[plural, name])

    def put(self, plural: str, content: Object) -> Object:
        """Keep an object under the next version; generation counts changes of its spec."""
        with self.lock:
            self._version += 1
            metadata = content["metadata"]
            earlier = self.objects.get((plural, metadata["name"]))
            generation = 1
            if earlier is not None:
                changed = earlier.get("spec") != content.get("spec")
                generation = earlier["metadata"]["generation"] + changed
                content = {"status": earlier.get("status", {}), **content}
            if plural == "virtualrouters" and self.controlled:
                taken_up = [{"type": "VirtualRouterActive", "status": "True"}]
                content["status"] = {"observedGeneration": generation, "conditions": taken_up}
            kept = {
                **content,
                "metadata": {
                    **metadata,
                    "namespace": "ubertruck",
                    "uid": f"{plural}-{metadata['name']}",
                    "creationTimestamp": "2026-11-24T00:00:00Z",
                    "generation": generation,
                    "resourceVersion": str(self._version),
                },
            }
            self.objects[plural, metadata["name"]] = kept
            return deepcopy(kept)

    def set_status(self, plural: str, name: str, **status: Any) -> None:
        """What a controller says of an object."""
        with self.lock:
            self.put(plural, {**self.get(plural, name), "status": status})

    def answer(self, verb: str, target: str, content: Object | None) -> Object:
        """What a request is answered with."""
        url = urlsplit(target)
        if verb == "GET" and (found := _discovered(url.path)) is not None:
            return found
        plural, _, name = url.path.partition("/namespaces/ubertruck/")[2].partition("/")
        if verb != "GET":
            self.before(verb, url.path)
        with self.lock:
            if not plural:
                raise Refused(404, "NotFound")
            if verb == "GET" and not name:
                selector = parse_qs(url.query).get("labelSelector", [""])[0]
                return self._list(plural, selector)
            if verb == "POST":
                return self._create(plural, content or {})
            present = self.objects.get((plural, name))
            if verb == "PATCH":
                return self._apply(plural, name, content or {}, forced="force=true" in url.query)
            if present is None:
                raise Refused(404, "NotFound")
            if verb == "PUT":
                return self._replace(plural, present, content or {})
            if verb == "DELETE":
                del self.objects[plural, name]
            return deepcopy(present)

    def _list(self, plural: str, selector: str) -> Object:
        wanted = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
        items = [
            one
            for (kind, _), one in self.objects.items()
            if kind == plural and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]
        kind = next(k for kinds in KINDS.values() for k, p in kinds.items() if p == plural)
        return {"apiVersion": "v1", "kind": f"{kind}List", "metadata": {}, "items": items}

    def _create(self, plural: str, content: Object) -> Object:
        if (plural, content["metadata"]["name"]) in self.objects:
            raise Refused(409, "AlreadyExists")
        return self.put(plural, content)

    def _replace(self, plural: str, present: Object, content: Object) -> Object:
        version = content["metadata"].get("resourceVersion")
        if version not in (None, present["metadata"]["resourceVersion"]):
            raise Refused(409, "Conflict")
        self._edited.add((plural, content["metadata"]["name"]))
        return self.put(plural, content)

    def _apply(self, plural: str, name: str, content: Object, *, forced: bool) -> Object:
        """Of an object that was edited by others, fields are theirs until somebody forces it."""
        if (plural, name) in self._edited and not forced:
            raise Refused(409, "Conflict")
        self._edited.discard((plural, name))
        return self.put(plural, content)


def _discovered(path: str) -> Object | None:
    if path == "/version":
        return {"major": "1", "minor": "35", "gitVersion": "v1.35.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [
            {
                "name": version.partition("/")[0],
                "versions": [
                    {"groupVersion": version, "version": version.partition("/")[2]},
                ],
            }
            for version in KINDS
            if "/" in version
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path == "/openapi/v3":
        return {"paths": {_api(v): {"serverRelativeURL": f"/openapi/v3/{_api(v)}"} for v in KINDS}}
    if path.startswith("/openapi/v3/"):
        return _checks_fields(path.removeprefix("/openapi/v3/"))
    version = path.removeprefix("/api/").removeprefix("/apis/")
    if version not in KINDS:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {"name": plural, "kind": kind, "namespaced": True, "verbs": verbs}
            for kind, plural in KINDS[version].items()
        ],
    }


def _api(version: str) -> str:
    return f"apis/{version}" if "/" in version else f"api/{version}"


def _checks_fields(api: str) -> Object:
    """The part of an API's description by which a client leaves checks to the server."""
    version = api.partition("/")[2]
    group = version.rpartition("/")[0]
    paths = {
        f"/{api}/namespaces/{{namespace}}/{plural}/{{name}}": {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query"}],
                "x-kubernetes-group-version-kind": {
                    "group": group,
                    "version": version.rpartition("/")[2],
                    "kind": kind,
                },
            }
        }
        for kind, plural in KINDS[version].items()
    }
    return {"openapi": "3.0.0", "info": {"title": api, "version": "1"}, "paths": paths}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        assert isinstance(self.server, _Server)
        cluster = self.server.cluster
        cluster.asked.append(f"{self.command} {self.path}")
        body = self._body()
        try:
            answer = cluster.answer(self.command, self.path, _content(body))
            status = 201 if self.command == "POST" else 200
        except Refused as refused:
            status = refused.status
            answer = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": refused.reason,
                "message": f"{self.path}: {refused.reason}",
                "code": status,
            }
        self._write(status, json.dumps(answer).encode())

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            parts: list[bytes] = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _write(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond

    def log_message(self, format: str, *args: object) -> None:
        """Tests say what went wrong."""


def _content(body: bytes) -> Object | None:
    if body.startswith(protobuf.PREFIX):
        return protobuf.secret(body)
    # JSON is YAML too.
    return yaml.load(body, yaml.CSafeLoader) if body else None  # noqa: TID251


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed is no fault of a cluster."""


@contextmanager
def running(cluster: Cluster, folder: Path) -> Generator[dict[str, str]]:
    """A cluster until the end of the block; the environment in which kubectl and helm find it."""
    server = _Server(cluster)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield environment(folder, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(folder: Path, port: int) -> dict[str, str]:
    """What leads kubectl and helm to a port, and keeps their caches apart."""
    path = folder / "kubeconfig.yaml"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "us", "user": {"token": "a-token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "us"}}],
        "current-context": "here",
    }
    path.write_text(yaml.safe_dump(content))
    return {"KUBECONFIG": str(path), "HOME": str(folder)}
