"""Settings of the API process; the prefix is API_."""

from typing import Annotated

from msgspec import Meta, Struct

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.settings import ProcessSettings, Secret
from libs.foundation.web.bearer.settings import AuthenticationSettings
from libs.foundation.web.group_commit import GroupCommitSettings
from libs.foundation.web.pressure import AdmissionSettings
from libs.foundation.web.quotas.quota import QuotaSettings


class ApiSettings(Struct, frozen=True, kw_only=True):
    """What the HTTP door needs to know."""

    database: DatabaseSettings
    process: ProcessSettings
    port: Annotated[int, Meta(ge=0, le=65_535)]
    """Port to listen on; 0 takes a free one and logs it."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    shares_port: bool = False
    """Whether another API process may listen on the same port: one can take over from the other."""
    keep_alive_grace_ms: Annotated[int, Meta(ge=0)] = 1_000
    """Time at the end in which open connections may send one more request before they close."""
    authentication: AuthenticationSettings
    cursor_secret: Secret
    """Signs the cursors of lists; the same for every process that serves one API."""
    simulator_webhook_secrets: tuple[Secret, ...] = ()
    """Accepted signers of the payment simulator's webhooks, each `whsec_` and base64."""
    quota_customer: QuotaSettings = QuotaSettings(requests_max=600)
    quota_staff: QuotaSettings = QuotaSettings(requests_max=600_000)
    quota_machine: QuotaSettings = QuotaSettings(requests_max=600_000)
    problem_types_url: str = "/problems/"
    """Where the types of problems are explained; each problem's code follows it. The API explains
    them itself at /problems/; a public one names that with its host."""
    reference_page: bool = False
    """Whether /docs serves a page to read and try the API with; /openapi.json is always there."""
    group_commit: GroupCommitSettings = GroupCommitSettings()
    in_flight_max: Annotated[int, Meta(ge=1)] = 1_024
    """Most requests being answered at once; further ones are answered 503."""
    admission: AdmissionSettings = AdmissionSettings()
    body_bytes_max: Annotated[int, Meta(ge=1)] = 65_536
    """Largest request body; a larger one is answered 413 before it is read."""
    deadline_ms: Annotated[int, Meta(ge=1)] = 6_500
    """Longest time for one request, its body included."""
    access_log_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Share of successful requests that are logged; refused ones always are."""

    def __post_init__(self) -> None:
        if self.group_commit.deadline_ms >= self.deadline_ms:
            raise ValueError("group_commit.deadline_ms < deadline_ms must hold")
