"""What no file of the repository may contain."""

import re
from collections.abc import Iterator
from typing import Final

from tests.architecture.source import Finding, Source

# In pieces, because this file is searched as well.
_HOSTS: Final = tuple(
    first + second
    for first, second in (
        ("pypi.", "org"),
        ("files.python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("registry.yarn", "pkg.com"),
        ("repo1.ma", "ven.org"),
        ("repo.maven.", "apache.org"),
        ("maven.google", "apis.com"),
        ("proxy.go", "lang.org"),
        ("sum.go", "lang.org"),
        ("crates", ".io"),
        ("docker", ".io"),
        ("ghcr", ".io"),
        ("quay", ".io"),
        ("gcr", ".io"),
        ("registry.k8", "s.io"),
        ("mcr.micro", "soft.com"),
        ("public.ecr", ".aws"),
        ("conda.ana", "conda.org"),
        ("rubygems", ".org"),
    )
)
_INDEX_OPTIONS: Final = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links")
_MACHINE_PATH: Final = re.compile(r"(?<![\w./$}-])/(?:home|root|Users|work)/[\w.]")
# ISO 4217 has three of these letters in quotes: the code of no currency.
_LATER: Final = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|(?<!\")XX" + r"X|HA" + r"CK)\b")


def registry_hosts(source: Source) -> Iterator[Finding]:
    for number, line in source.lines():
        for word in (*_HOSTS, *_INDEX_OPTIONS):
            option = re.escape(word) + r"(?![\w-])"
            if re.search(r"(?<![\w-])" + option, line):
                message = f"{word!r}: name the package only; where it comes from is the user's"
                yield Finding(source.path, number, message)


def machine_paths(source: Source) -> Iterator[Finding]:
    for number, line in source.lines():
        if match := _MACHINE_PATH.search(line):
            message = f"{match.group()!r}: a path of one machine; make it relative or a setting"
            yield Finding(source.path, number, message)


def work_left_for_later(source: Source) -> Iterator[Finding]:
    for number, line in source.lines():
        if match := _LATER.search(line):
            message = f"{match.group()}: do it, open an issue, or state the limit in a sentence"
            yield Finding(source.path, number, message)
