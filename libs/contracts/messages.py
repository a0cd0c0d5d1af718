"""What every event and command is: a frozen struct whose type travels beside the body."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec
from msgspec import Struct

from libs.contracts.topics import Topic


class Message(Struct, frozen=True, kw_only=True):
    """A contract: the body is its JSON without a type tag; the rest travels as headers.

    Fields may only be added, and a new field needs a default: old bytes must decode for ever.
    """

    type: ClassVar[str]  # CloudEvents type, `<context>.<name>.v<n>`.
    topic: ClassVar[Topic]
    source: ClassVar[str]  # CloudEvents source: the context that wrote it.
    aggregate_type: ClassVar[str]

    @property
    def sent_to(self) -> Topic:
        """The topic, read-only: a class attribute never fits a protocol of foundation."""
        return self.topic

    @property
    def subject(self) -> str:
        """Id of the aggregate: the Kafka key and the CloudEvents subject."""
        raise NotImplementedError


class Event(Message, frozen=True, kw_only=True):
    """A committed fact; its sequence in the aggregate travels as `ce_sequence`."""


class Command(Message, frozen=True, kw_only=True):
    """A request to another context; its subject id makes it idempotent for ever."""


class Upcast(Struct, frozen=True):
    """One step from a version that is no longer sent to the next: a pure function of the message.

    `older` stays as it was published; what `newer` says beyond it must follow from it.
    """

    older: type[Message]
    newer: type[Message]
    step: Callable[[Any], Message]


class BodyDecoder(Protocol):
    """Reads the bodies of one type as `type`, the current contract."""

    @property
    def type(self) -> type[Message]: ...
    def decode(self, body: bytes, /) -> Any: ...  # noqa: ANN401 - a message of `type`.


Decoders = Mapping[str, BodyDecoder]


class Upcasting:
    """Reads the bodies of an older version, and brings them up to the current one."""

    def __init__(self, upcasts: Sequence[Upcast]) -> None:
        self.older = upcasts[0].older
        self.type = upcasts[-1].newer
        self._decode = msgspec.json.Decoder(self.older).decode
        self._steps = tuple(upcast.step for upcast in upcasts)

    def decode(self, body: bytes, /) -> Message:
        message: Message = self._decode(body)
        try:
            for step in self._steps:
                message = step(message)
        except Exception as error:
            # To the consumer it is a body that nobody can read: it parks its key, no other.
            raise msgspec.ValidationError(f"cannot be read as {self.type.type}") from error
        return message


def decoders(*contracts: type[Message], upcasts: Sequence[Upcast] = ()) -> Decoders:
    """Map each contract's type to its decoder, and each older type to one that upcasts.

    Two contracts of one type, and older versions that do not end at a contract, are mistakes.
    """
    found: dict[str, BodyDecoder] = {each.type: msgspec.json.Decoder(each) for each in contracts}
    steps = {upcast.older: upcast for upcast in upcasts}
    for upcast in upcasts:
        chain = [upcast]
        while (following := steps.get(chain[-1].newer)) is not None and following not in chain:
            chain.append(following)
        if chain[-1].newer not in contracts:
            raise ValueError(f"{upcast.older.type} does not lead to a contract")
        found[upcast.older.type] = Upcasting(chain)
    if len(found) != len(contracts) + len(upcasts):
        raise ValueError("two contracts share one type")
    return found
