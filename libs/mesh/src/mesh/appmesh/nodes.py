"""VirtualNode: a colour of a service, what it takes in and whom it may call."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mesh.appmesh.common import (
    Duration,
    HttpTimeout,
    Key,
    Metadata,
    Part,
    Port,
    PortMapping,
    Protocol,
    Ref,
    Selector,
    TcpTimeout,
    Text,
    exactly_one,
)

Threshold = Annotated[int, Field(ge=2, le=10)]


class HttpPool(Part):
    max_connections: int = Field(ge=1)
    max_pending_requests: int | None = Field(default=None, ge=1)


class TcpPool(Part):
    max_connections: int = Field(ge=1)


class ConnectionPool(Part):
    """How much the application behind a listener is given at once."""

    http: HttpPool | None = None
    tcp: TcpPool | None = None

    @model_validator(mode="after")
    def _is_of_one_protocol(self) -> Self:
        exactly_one(self, "http", "tcp")
        return self


class OutlierDetection(Part):
    """When a caller passes over an endpoint: `max_server_errors` 5xx in a row."""

    max_server_errors: int = Field(ge=1)
    interval: Duration
    base_ejection_duration: Duration
    max_ejection_percent: int = Field(ge=0, le=100)


class ListenerTimeout(Part):
    http: HttpTimeout | None = None
    tcp: TcpTimeout | None = None

    @model_validator(mode="after")
    def _is_of_one_protocol(self) -> Self:
        exactly_one(self, "http", "tcp")
        return self


class HealthCheck(Part):
    protocol: Protocol
    interval_millis: int = Field(ge=5000, le=300_000)
    timeout_millis: int = Field(ge=2000, le=60_000)
    healthy_threshold: Threshold
    unhealthy_threshold: Threshold
    path: str | None = None
    port: Port | None = None


class FileCertificate(Part):
    certificate_chain: Text
    private_key: Text


class SdsSecret(Part):
    secret_name: str


class AcmCertificate(Part):
    certificate_arn: str = Field(alias="certificateARN")


class AcmTrust(Part):
    certificate_authority_arns: tuple[str, ...] = Field(
        alias="certificateAuthorityARNs", min_length=1, max_length=3
    )


class Certificate(Part):
    acm: AcmCertificate | None = None
    file: FileCertificate | None = None
    sds: SdsSecret | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        exactly_one(self, "acm", "file", "sds")
        return self


class FileTrust(Part):
    certificate_chain: Text


class Trust(Part):
    acm: AcmTrust | None = None
    file: FileTrust | None = None
    sds: SdsSecret | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        exactly_one(self, "acm", "file", "sds")
        return self


class ExactNames(Part):
    exact: tuple[str, ...]


class AlternativeNames(Part):
    match: ExactNames


class Validation(Part):
    trust: Trust
    subject_alternative_names: AlternativeNames | None = None


class ListenerTls(Part):
    mode: Literal["DISABLED", "PERMISSIVE", "STRICT"]
    certificate: Certificate
    validation: Validation | None = None


class ClientTls(Part):
    validation: Validation
    enforce: bool = True
    ports: tuple[Port, ...] = ()
    certificate: Certificate | None = None


class ClientPolicy(Part):
    tls: ClientTls | None = None


class Listener(Part):
    """A port of the application, and how it is protected."""

    port_mapping: PortMapping
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    timeout: ListenerTimeout | None = None
    health_check: HealthCheck | None = None
    tls: ListenerTls | None = None

    @model_validator(mode="after")
    def _is_of_one_protocol(self) -> Self:
        protocol = self.port_mapping.protocol
        for name, part in (("connectionPool", self.connection_pool), ("timeout", self.timeout)):
            if part is not None and getattr(part, protocol) is None:
                raise ValueError(f"{name} isn't for {protocol}, the protocol of its portMapping")
        return self


class Dns(Part):
    """LOADBALANCER, the default of App Mesh, sees one address; ENDPOINTS sees every pod."""

    hostname: str = Field(min_length=1)
    response_type: Literal["ENDPOINTS", "LOADBALANCER"] = "LOADBALANCER"


class ServiceDiscovery(Part):
    dns: Dns


class BackendService(Part):
    virtual_service_ref: Ref
    client_policy: ClientPolicy | None = None


class Backend(Part):
    virtual_service: BackendService


class BackendDefaults(Part):
    client_policy: ClientPolicy | None = None


class JsonField(Part):
    key: Text
    value: Text


class LogFormat(Part):
    json_fields: tuple[JsonField, ...] | None = Field(default=None, alias="json")
    text: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        exactly_one(self, "json_fields", "text")
        return self


class LogFile(Part):
    path: Text
    format: LogFormat | None = None


class AccessLog(Part):
    file: LogFile


class Logging(Part):
    access_log: AccessLog


class NodeSpec(Part):
    aws_name: str | None = None
    pod_selector: Selector | None = None
    listeners: tuple[Listener, ...] = ()
    service_discovery: ServiceDiscovery | None = None
    backends: tuple[Backend, ...] = ()
    backend_defaults: BackendDefaults | None = None
    logging: Logging | None = None


class VirtualNode(Part):
    api_version: Literal["appmesh.k8s.aws/v1beta2"]
    kind: Literal["VirtualNode"]
    metadata: Metadata
    spec: NodeSpec

    @property
    def key(self) -> Key:
        return self.metadata.key

    def listener(self, port: int | None) -> Listener | None:
        """The listener of this port, or the only one when no port is asked for."""
        fitting = [one for one in self.spec.listeners if port in (None, one.port_mapping.port)]
        return fitting[0] if len(fitting) == 1 else None
