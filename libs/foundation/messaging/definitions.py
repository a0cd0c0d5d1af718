"""What a context declares to be run by a worker: a consumer's routes and its background loops."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, Protocol, TypeVar

from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction

M = TypeVar("M")
S = TypeVar("S")


class ConsumedTopic(Protocol):
    """A topic as a consumer sees it."""

    @property
    def name(self) -> str: ...
    @property
    def partitions(self) -> int: ...
    @property
    def accepts_unknown_types(self) -> bool: ...


class BodyDecoder(Protocol):
    """Turns a body into a message; `type` is what comes out, whatever version went in."""

    @property
    def type(self) -> type[Any]: ...
    def decode(self, body: bytes, /) -> Any: ...  # noqa: ANN401 - a message of `type`.


class Route(Generic[M]):
    """Pairs a contract with its handler; a handler for another contract fails the type check.

    The handler gets a wave: messages of one type, at most one per key, in offset order.
    """

    def __init__(
        self, contract: type[M], handler: Callable[[Transaction, Sequence[M]], Awaitable[None]]
    ) -> None:
        self.contract = contract
        self.handler = handler


class Asked(Protocol):
    """What an operator asks about one key, who, and on which version it was decided."""

    @property
    def key(self) -> str | None: ...
    @property
    def requested_by(self) -> str: ...
    @property
    def expected_version(self) -> int | None: ...


# Does what is asked within the transaction, and tells what came of it; raises to refuse it.
Verb = Callable[[Transaction, Asked], Awaitable[str]]
_NO_VERBS: Final[Mapping[str, Verb]] = {}


class ConsumerDefinition:
    """A consumer: its name is its Kafka group id and the `consumer` of its inbox rows.

    `verbs` are what operators may ask of it beside retrying and skipping what it has parked.
    """

    def __init__(
        self,
        name: str,
        topics: Sequence[ConsumedTopic],
        decoders: Mapping[str, BodyDecoder],
        routes: Sequence[Route[Any]],
        verbs: Mapping[str, Verb] = _NO_VERBS,
    ) -> None:
        self.name = name
        self.topics = tuple(topics)
        self.decoders = decoders
        self.verbs = verbs
        handlers = {route.contract: route.handler for route in routes}
        # By the type that travels: an older version goes to the handler of what it is read as.
        self.handlers = {
            name: handlers[decoder.type]
            for name, decoder in decoders.items()
            if decoder.type in handlers
        }


Loop = Callable[["Stopping"], Coroutine[Any, Any, None]]


class Stopping(Protocol):
    """Set once the process drains (asyncio.Event has this shape)."""

    def is_set(self) -> bool: ...
    async def wait(self) -> object: ...


class WorkerDefinition(Generic[S]):
    """All a worker process runs for one context.

    `background` opens what the loops need (an HTTP client, say) and yields the loops; each loop
    returns soon after `stopping` is set.
    """

    def __init__(
        self,
        consumer: ConsumerDefinition,
        settings: type[S],
        background: Callable[[Pool, S], AbstractAsyncContextManager[Sequence[Loop]]],
    ) -> None:
        self.consumer = consumer
        self.settings = settings
        self.background = background
