"""Cuts a partition's batch into waves: one type, at most one message of a key, offset order."""

from collections.abc import Sequence

from msgspec import Struct, field

from libs.foundation.messaging.consumer.records import Item


class Wave(Struct, kw_only=True):
    """Messages one transaction handles; without a type they are refused and go to be parked."""

    type: str | None
    items: list[Item] = field(default_factory=list[Item])


def cut(items: Sequence[Item]) -> list[Wave]:
    """Return the waves in the order in which they must run.

    A message joins the first wave of its type that comes after the wave of its key's previous
    message, so that each key keeps its order while types that alternate do not make a wave of
    each message. Two messages of one key in one wave would let a set-based UPDATE keep only one.
    """
    waves: list[Wave] = []
    next_wave_of_key: dict[str, int] = {}
    for item in items:
        wave_type = item.type if item.refusal is None else None
        index = next_wave_of_key.get(item.key, 0)
        while index < len(waves) and waves[index].type != wave_type:
            index += 1
        if index == len(waves):
            waves.append(Wave(type=wave_type))
        waves[index].items.append(item)
        next_wave_of_key[item.key] = index + 1
    return waves
