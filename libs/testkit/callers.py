"""An identity provider for tests of the API: keys in a file, and a token for whoever is named."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.signing import ALGORITHM, AUDIENCE, ISSUER, KINDS, SCOPES, SigningKeys
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.web.application import Access
from libs.foundation.web.bearer.authenticator import open_authenticator
from libs.foundation.web.bearer.settings import AuthenticationSettings, Issuer
from libs.foundation.web.quotas.quota import QuotaSettings
from libs.foundation.web.quotas.quotas import open_quotas


class Callers:
    """Signs tokens by keys of its own; `settings` trusts it and nobody else."""

    def __init__(self, folder: Path) -> None:
        self.keys_file = folder / "private" / "keys.json"
        self.keys = SigningKeys.in_file(self.keys_file)
        self.key_set = folder / "jwks.json"
        self.publish()

    @property
    def issuer(self) -> Issuer:
        return Issuer(
            issuer=ISSUER,
            audience=AUDIENCE,
            kinds=KINDS,
            algorithms=(ALGORITHM,),
            jwks_file=str(self.key_set),
        )

    @property
    def settings(self) -> AuthenticationSettings:
        return AuthenticationSettings.of(self.issuer)

    def publish(self) -> None:
        """Write the public keys where they are read from."""
        self.key_set.write_bytes(self.keys.public())

    def token(
        self, name: str, kind: str, scopes: Sequence[str] = SCOPES, lifetime_s: int = 3_600
    ) -> str:
        return self.keys.token(name, kind, scopes, lifetime_s)


@asynccontextmanager
async def open_access(
    database_url: str, callers: Callers, open_to: Mapping[str, frozenset[str]]
) -> AsyncGenerator[Access]:
    """Let the callers in, with a quota that no test reaches."""
    generous = {kind: QuotaSettings(requests_max=1_000_000) for kind in open_to}
    # Only the kinds of this door: the issuer speaks for no other.
    kinds = tuple(open_to)
    issuer = Issuer(
        issuer=ISSUER,
        audience=AUDIENCE,
        kinds=kinds,
        algorithms=(ALGORITHM,),
        jwks_file=str(callers.key_set),
    )
    async with (
        open_authenticator(AuthenticationSettings.of(issuer), open_to) as authenticator,
        open_quotas(DatabaseSettings(url=database_url), generous) as quotas,
    ):
        yield Access(authenticator=authenticator, quotas=quotas)
