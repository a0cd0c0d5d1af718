"""Which words a part may use, and which names a module may have."""

import re
import sys
from collections.abc import Iterator
from typing import Final

from tests.architecture.source import Finding, Source

CONTEXT_NOUNS: Final = frozenset(
    noun + ending
    for noun in ("customer", "payment", "refund", "reservation", "shipment", "sku")
    for ending in ("", "s")
) | {"inventory", "refunded", "stock"}
# "order" alone is about sorting; these are about what is sold.
_SOLD: Final = re.compile(
    r"(?<![a-z])order_?(id|ids|line|lines|status|total|number)(?![a-z])"
    r"|(?<![a-z])orders(?=[_/\"']|\.\w)|(?<=[_/\"'])orders(?![a-z])|(?<=\w\.)orders(?![a-z])",
    re.IGNORECASE,
)
_CAMEL: Final = re.compile(r"Order(Id|Line|Status|Placed|Confirmed|Rejected|Cancelled)")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

BANNED_NAMES: Final[dict[str, str]] = {
    "utils": "the thing it works on",
    "util": "the thing it works on",
    "common": "what its users have in common",
    "helpers": "the thing it helps to make",
    "helper": "the thing it helps to make",
    "base": "the contract it states",
    "manager": "the verb it performs",
    "misc": "each of its subjects, in a module each",
}


def context_nouns_in_foundation(source: Source) -> Iterator[Finding]:
    if not source.within("libs/foundation"):
        return
    for number, line in [(1, source.path), *source.lines()]:
        nouns = [word for word in _words(line) if word in CONTEXT_NOUNS]
        nouns += [match.group() for match in _SOLD.finditer(line)]
        nouns += [match.group() for match in _CAMEL.finditer(line)]
        for noun in nouns:
            message = f"foundation knows no domain, so not {noun!r}: say aggregate, key or message"
            yield Finding(source.path, number, message)


def names_that_say_nothing(source: Source) -> Iterator[Finding]:
    for part in source.path.removesuffix(".py").split("/"):
        for word in part.lower().split("_"):
            if word in BANNED_NAMES:
                message = f"{part!r} says nothing: name it after {BANNED_NAMES[word]}"
                yield Finding(source.path, 1, message)


def packages_that_shadow_the_standard_library(source: Source) -> Iterator[Finding]:
    top = source.parts[0].removesuffix(".py")
    if top in sys.stdlib_module_names:
        message = f"{top!r} at the root hides Python's own module: move it into a folder"
        yield Finding(source.path, 1, message)


def _words(line: str) -> Iterator[str]:
    return (match.group().lower() for match in _WORD.finditer(line))
