"""Settings that several processes have in common."""

import ssl
from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta, Struct

from libs.foundation.redaction import Secret

Port = Annotated[int, Meta(ge=0, le=65_535)]
Milliseconds = Annotated[int, Meta(ge=0)]
Ratio = Annotated[float, Meta(ge=0, le=1)]


class KafkaClientArguments(TypedDict):
    """The arguments every aiokafka client takes to reach the brokers."""

    bootstrap_servers: str
    request_timeout_ms: int
    security_protocol: str
    ssl_context: NotRequired[ssl.SSLContext]
    sasl_mechanism: NotRequired[str]
    sasl_plain_username: NotRequired[str]
    sasl_plain_password: NotRequired[str]


class KafkaSettings(Struct, frozen=True, kw_only=True):
    """How a process reaches Kafka."""

    bootstrap_servers: str
    """Brokers to start from: host:port, comma-separated."""
    request_timeout_ms: Annotated[int, Meta(ge=100)] = 10_000
    """Longest wait for a broker's answer to one request."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How connections are protected; PLAINTEXT only inside a trusted network."""
    tls_authority_file: str | None = None
    """PEM file of the authority that signs the brokers' certificates; the system's when empty."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the process proves who it is, when the protocol is one of SASL."""
    sasl_username: str | None = None
    """User name for SASL."""
    sasl_password: Secret | None = None
    """Password for SASL."""

    def __post_init__(self) -> None:
        if self._uses_sasl and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")

    @property
    def _uses_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    def client_arguments(self) -> KafkaClientArguments:
        """Return what an aiokafka producer, consumer or admin client is constructed with."""
        arguments = KafkaClientArguments(
            bootstrap_servers=self.bootstrap_servers,
            request_timeout_ms=self.request_timeout_ms,
            security_protocol=self.security_protocol,
        )
        if self.security_protocol.endswith("SSL"):
            arguments["ssl_context"] = ssl.create_default_context(cafile=self.tls_authority_file)
        if self._uses_sasl and self.sasl_username is not None and self.sasl_password is not None:
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = self.sasl_password.reveal()
        return arguments


class ProcessSettings(Struct, frozen=True, kw_only=True):
    """What every process has: a side port, logs, traces, a bounded drain."""

    side_port: Port
    """Port of /metrics, /livez, /readyz, /startupz and /drainz; 0 takes a free one and logs it."""
    side_host: str = "127.0.0.1"
    """Address the side port listens on."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged."""
    log_format: Literal["json", "console"] = "json"
    """json for machines, one object a line; console for a person's terminal."""
    trace_sample_ratio: Ratio = 0.05
    """Share of new traces that is recorded; a caller's decision is followed."""
    otlp_endpoint: str | None = None
    """Base URL of an OTLP/HTTP collector; spans go to its v1/traces. Nothing is sent when empty."""
    drain_delay_ms: Milliseconds = 0
    """Time between "not ready" and the end of work, so that a load balancer stops sending first."""
    drain_timeout_ms: Milliseconds = 20_000
    """Longest time for work in hand to end after the drain began; then it is interrupted."""
    closing_timeout_ms: Milliseconds = 10_000
    """Longest time for connections to close after that; then the process is killed."""

    def __post_init__(self) -> None:
        if self.drain_delay_ms > self.drain_timeout_ms:
            raise ValueError("drain_delay_ms <= drain_timeout_ms must hold")
