"""The ledger: each key has one effect, written durably before anybody is told of it."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from services.payment_simulator.messages import (
    Amount,
    AuthoriseBody,
    Kind,
    LedgerItem,
    ObjectItem,
    Operation,
    Status,
)
from services.payment_simulator.sql import ledger as statements

T = TypeVar("T")

CAPTURE_WINDOW: Final = timedelta(days=7)
_encode: Final = msgspec.json.Encoder().encode


class Authorise(Struct, frozen=True, kw_only=True):
    """An authorisation to execute; a decline is decided before, from the token or a fault."""

    key: UUID
    body: AuthoriseBody
    decline_code: str | None


class Act(Struct, frozen=True, kw_only=True):
    """A capture, release or refund to execute; `decline_code` is decided before, by a fault."""

    kind: Kind
    key: UUID
    authorisation_id: str
    amount: Amount
    decline_code: str | None = None


class KeyReused(Exception):
    """The key was used before, by another request."""


Request: TypeAlias = Authorise | Act
Answer: TypeAlias = Operation | KeyReused


class Ledger:
    """Requests that arrive while a transaction runs share the next one, and so its sync."""

    def __init__(self, connection: sqlite3.Connection, executor: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._executor = executor
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def execute(self, request: Request) -> Operation:
        """Return what the key's first use led to; raise KeyReused for another request's key."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        answer = await future
        if isinstance(answer, KeyReused):
            raise answer
        return answer

    async def find(self, key: UUID) -> Operation | None:
        """Return what became of the key, or None if it was never used."""
        found = await self._in_thread(lambda: statements.find_operation(self._connection, key))
        return None if found is None else _stored(found)

    async def page(self, after: int, items_max: int) -> list[LedgerItem]:
        """Return authorisations after a sequence number, in their order."""
        return await self._in_thread(lambda: statements.page(self._connection, after, items_max))

    async def objects(self, after: int, since: datetime, items_max: int) -> list[ObjectItem]:
        """Return objects made at `since` or later, after a sequence number, in their order."""
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return await self._in_thread(
            lambda: statements.objects(self._connection, after, moment, items_max)
        )

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            requests = [request for request, _ in batch]
            try:
                answers = await self._in_thread(lambda each=requests: self._execute_all(each))
            except Exception as error:  # noqa: BLE001  # Each of the waiting callers raises it.
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def _execute_all(self, requests: Sequence[Request]) -> list[Answer]:
        with statements.transaction(self._connection):
            return [_execute(self._connection, request) for request in requests]

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


@asynccontextmanager
async def open_ledger(path: str) -> AsyncGenerator[Ledger]:
    """Open the ledger; one thread does all its work, since SQLite has one writer anyway."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger") as executor:
        loop = asyncio.get_running_loop()
        connection = await loop.run_in_executor(executor, statements.open_ledger, path)
        try:
            yield Ledger(connection, executor)
        finally:
            await loop.run_in_executor(executor, connection.close)


def _execute(connection: sqlite3.Connection, request: Request) -> Answer:
    request_hash = hashlib.sha256(_hashed(request)).digest()
    found = statements.find_operation(connection, request.key)
    if found is not None:
        return _stored(found) if found.request_hash == request_hash else KeyReused()
    match request:
        case Authorise():
            operation = _authorise(connection, request)
        case Act():
            operation = _act(connection, request)
    stored = statements.StoredOperation(request_hash, _encode(operation))
    statements.add_operation(connection, request.key, operation.kind, stored)
    if operation.kind is not Kind.RELEASE:
        statements.add_object(connection, _object(operation))
    return operation


def _authorise(connection: sqlite3.Connection, request: Authorise) -> Operation:
    declined = request.decline_code is not None
    id_ = f"auth_{request.key.hex}"
    statements.add_authorisation(
        connection,
        statements.NewAuthorisation(
            id=id_,
            key=str(request.key),
            order_id=request.body.order_reference,
            external_reference=request.body.external_reference,
            amount=request.body.amount.amount,
            currency=request.body.amount.currency,
            status="declined" if declined else "authorised",
            decline_code=request.decline_code,
        ),
    )
    return Operation(
        key=request.key,
        kind=Kind.AUTHORISE,
        status=Status.DECLINED if declined else Status.SUCCEEDED,
        amount=request.body.amount,
        authorisation_id=None if declined else id_,
        capture_before=None if declined else datetime.now(UTC) + CAPTURE_WINDOW,
        decline_code=request.decline_code,
    )


def _act(connection: sqlite3.Connection, request: Act) -> Operation:
    found = statements.find_authorisation(connection, request.authorisation_id)
    code = request.decline_code or _refusal(found, request)
    if code is None:
        _move(connection, request)
    return Operation(
        key=request.key,
        kind=request.kind,
        status=Status.SUCCEEDED if code is None else Status.DECLINED,
        amount=request.amount,
        authorisation_id=request.authorisation_id,
        reference=None if code is not None else _reference(request),
        decline_code=code,
    )


def _move(connection: sqlite3.Connection, request: Act) -> None:
    match request.kind:
        case Kind.CAPTURE:
            statements.capture(connection, request.authorisation_id, request.amount.amount)
        case Kind.REFUND:
            statements.refund(connection, request.authorisation_id, request.amount.amount)
        case _:
            statements.release(connection, request.authorisation_id, request.key)


def _refusal(found: statements.StoredAuthorisation | None, request: Act) -> str | None:
    wanted = request.amount.amount
    if found is None:
        return "authorisation_unknown"
    if found.currency != request.amount.currency:
        return "amount_differs"
    match request.kind:
        case Kind.REFUND:
            return None if wanted <= found.captured - found.refunded else "amount_exceeds_captured"
        case _ if found.status != "authorised":
            return f"authorisation_{found.status}"
        case Kind.CAPTURE:
            return None if wanted <= found.open else "amount_exceeds_held"
        case _:
            return None if wanted == found.open else "amount_differs"


def _reference(request: Act) -> str:
    if request.kind is Kind.RELEASE:
        return request.authorisation_id
    return f"{request.kind}_{request.key.hex}"


def _object(operation: Operation) -> statements.NewObject:
    made = f"{operation.kind}_{operation.key.hex}"
    authorises = operation.kind is Kind.AUTHORISE
    return statements.NewObject(
        id=operation.authorisation_id or made if authorises else made,
        kind=operation.kind,
        key=str(operation.key),
        authorisation_id=operation.authorisation_id or f"auth_{operation.key.hex}",
        amount=operation.amount.amount,
        currency=operation.amount.currency,
        status=operation.status,
    )


def _hashed(request: Request) -> bytes:
    match request:
        case Authorise(body=body):
            return b"authorise " + _encode(body)
        case Act(kind=kind, authorisation_id=id_, amount=amount):
            return f"{kind} ".encode() + _encode((id_, amount))


def _stored(found: statements.StoredOperation) -> Operation:
    return msgspec.json.decode(found.answer, type=Operation)
