"""Where an issuer's keys are read from: one pinned address, or one file."""

import asyncio
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from libs.foundation.web.bearer.key_sets import DOCUMENT_BYTES_MAX, KeySetRefused
from libs.foundation.web.bearer.settings import Issuer

_OK: Final = 200
_CHUNK_BYTES: Final = 8_192
# A compressed document could unfold to any size before its length is known.
_HEADERS: Final = {
    "Accept": "application/jwk-set+json, application/json",
    "Accept-Encoding": "identity",
}


class KeySource(Protocol):
    """One place that publishes a JSON Web Key Set."""

    async def read(self) -> bytes:
        """Return the document; raise KeySetRefused, OSError or aiohttp's ClientError."""
        ...


class UrlSource:
    """A GET that follows no redirect and reads no more than a key set can be."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def read(self) -> bytes:
        async with self._session.get(self._url, allow_redirects=False, headers=_HEADERS) as answer:
            if answer.status != _OK:
                raise KeySetRefused(f"the status is {answer.status}")
            document = b""
            async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                document += chunk
                if len(document) > DOCUMENT_BYTES_MAX:
                    raise KeySetRefused(f"it is larger than {DOCUMENT_BYTES_MAX} bytes")
            return document


class FileSource:
    """A file that whoever rotates the keys replaces."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    async def read(self) -> bytes:
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            document = file.read(DOCUMENT_BYTES_MAX + 1)
        if len(document) > DOCUMENT_BYTES_MAX:
            raise KeySetRefused(f"it is larger than {DOCUMENT_BYTES_MAX} bytes")
        return document


def open_session(timeout_ms: int) -> aiohttp.ClientSession:
    """Open the session that key sets are fetched with: no proxy, no cookie, no decompression."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_ms / 1_000),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


def source_of(issuer: Issuer, session: aiohttp.ClientSession) -> KeySource:
    if issuer.jwks_url is not None:
        return UrlSource(session, issuer.jwks_url)
    if issuer.jwks_file is not None:
        return FileSource(issuer.jwks_file)
    raise ValueError(f"{issuer.issuer} has neither jwks_url nor jwks_file")
