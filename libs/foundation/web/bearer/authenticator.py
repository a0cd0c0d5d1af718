"""Whose request it is: a verified token is remembered by its digest, since a check costs more."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from time import time
from typing import Final

from libs.foundation.observability import metrics
from libs.foundation.runtime.readiness import READY, Readiness
from libs.foundation.web.authentication import Principal
from libs.foundation.web.bearer.issuer_keys import IssuerKeys
from libs.foundation.web.bearer.key_sources import open_session, source_of
from libs.foundation.web.bearer.refused import TokenRefused
from libs.foundation.web.bearer.settings import AuthenticationSettings, Issuer
from libs.foundation.web.bearer.verification import Verified, Verifier
from libs.foundation.web.refusals import InvalidToken, Unauthenticated

_SCHEME: Final = "bearer "
_VERIFIED: Final = metrics.counter_by(
    "tokens_verified_total", "Tokens that were not remembered, and what came of them.", "outcome"
)


class Authenticator:
    """Verifies bearer tokens; those verified are kept until they expire, or keys change.

    A digest finds them: how long a look-up takes tells nothing about a token.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        open_to: Mapping[str, frozenset[str]],
        settings: AuthenticationSettings,
    ) -> None:
        unknown = {kind for each in issuers for kind in each.kinds} - set(open_to)
        if unknown:
            raise ValueError(f"an issuer speaks for unknown kinds: {', '.join(sorted(unknown))}")
        self._session = open_session(settings.keys_timeout_ms)
        self._keys = {
            each.issuer: IssuerKeys(each, source_of(each, self._session), settings, self._forget)
            for each in issuers
        }
        pinned = {each.issuer: (each, self._keys[each.issuer]) for each in issuers}
        self._verifier = Verifier(pinned, open_to, settings)
        self._kept_max = settings.tokens_kept_max
        self._kept: OrderedDict[bytes, Verified] = OrderedDict()

    def readiness(self) -> Readiness:
        """Say whether the keys of every issuer are known."""
        found = [keys.readiness() for keys in self._keys.values()]
        return next((each for each in found if not each.ready), READY)

    async def authenticate(self, authorization: Sequence[str]) -> Principal:
        """Return whose token the Authorization headers carry."""
        if not authorization:
            raise Unauthenticated
        value = authorization[0]
        if len(authorization) > 1 or value[: len(_SCHEME)].lower() != _SCHEME:
            raise InvalidToken("one Authorization header must carry one bearer token")
        token = value[len(_SCHEME) :].strip(" ")
        digest = sha256(token.encode()).digest()
        kept = self._kept.get(digest)
        if kept is not None and time() < kept.until_s:
            self._kept.move_to_end(digest)
            return kept.principal
        return (await self._verify(token, digest)).principal

    async def _verify(self, token: str, digest: bytes) -> Verified:
        try:
            verified = await self._verifier.verify(token)
        except TokenRefused as refused:
            _VERIFIED.of(refused.reason).inc()
            raise InvalidToken(str(refused)) from None
        _VERIFIED.of("accepted").inc()
        # Nothing was awaited since its key was found: keys that change later forget it as well.
        self._kept[digest] = verified
        self._kept.move_to_end(digest)
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
        return verified

    def _forget(self) -> None:
        self._kept.clear()

    async def read_keys(self) -> None:
        await asyncio.gather(*(keys.read() for keys in self._keys.values()))

    async def keep_fresh(self) -> None:
        await asyncio.gather(*(keys.keep_fresh() for keys in self._keys.values()))

    async def close(self) -> None:
        await self._session.close()


@asynccontextmanager
async def open_authenticator(
    settings: AuthenticationSettings, open_to: Mapping[str, frozenset[str]]
) -> AsyncGenerator[Authenticator]:
    """Open it with the keys that can be read now, and keep reading them until the end."""
    authenticator = Authenticator(settings.pinned(), open_to, settings)
    try:
        await authenticator.read_keys()
        fresh = asyncio.create_task(authenticator.keep_fresh())
        try:
            yield authenticator
        finally:
            fresh.cancel()
            await asyncio.gather(fresh, return_exceptions=True)
    finally:
        await authenticator.close()
