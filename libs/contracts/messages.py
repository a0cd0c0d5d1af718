"""What every event and command is: a frozen struct whose type travels beside the body."""

from collections.abc import Mapping
from typing import Any, ClassVar

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


Decoders = Mapping[str, msgspec.json.Decoder[Any]]


def decoders(*contracts: type[Message]) -> Decoders:
    """Map each contract's type to its decoder; two contracts of one type are a mistake."""
    found = {contract.type: msgspec.json.Decoder(contract) for contract in contracts}
    if len(found) != len(contracts):
        raise ValueError("two contracts share one type")
    return found
