"""Documents have one title, links that lead somewhere and commands that exist."""

from tests.architecture.rules import documents
from tests.architecture.source import Source, demand, exists, found, repository
from tests.architecture.source import documents as markdown

MAKEFILE = "## Run it\nup: install ## Start.\ndown: install\nA := 1\n\t@command\n.PHONY: up\n"


def test_every_document_has_one_title() -> None:
    demand(documents.titles, markdown())


def test_every_relative_link_leads_somewhere() -> None:
    anchors = {source.path: documents.anchors_of(source) for source in markdown()}

    demand(documents.links(exists, anchors), markdown())


def test_every_make_command_in_a_document_exists() -> None:
    demand(documents.make_commands(documents.make_targets(makefile())), markdown())


def test_every_module_started_in_a_document_exists() -> None:
    demand(documents.started_modules(exists), markdown())


def test_every_make_target_is_explained() -> None:
    demand(documents.targets_without_explanation, [makefile()])


def test_a_document_without_or_with_two_titles_is_found() -> None:
    assert found(documents.titles, "a.md", "## A\n") == [1]
    assert found(documents.titles, "a.md", "# A\n\n# B\n") == [1]
    assert found(documents.titles, "a.md", "# A\n\n```bash\n# a comment\n```\n") == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    rule = documents.links({"docs/b.md", "README.md"}.__contains__, {"docs/b.md": {"a-part"}})
    text = """[b](b.md) [up](../README.md) [part](b.md#a-part) [out](https://a.example/c.md)
[gone](c.md)
[part](b.md#another-part)
`[code](c.md)`
"""

    assert found(rule, "docs/a.md", text) == [2, 3]


def test_anchors_are_made_as_a_forge_makes_them() -> None:
    source = Source("a.md", "# The `make up` command, and [more](b.md)!\n```\n# no heading\n```\n")

    assert documents.anchors_of(source) == {"the-make-up-command-and-more"}


def test_a_make_command_that_does_not_exist_is_found() -> None:
    rule = documents.make_commands({"up", "check", "test"})
    text = """`make up` and `make check test`; they make sense.
`make sideways`
```
$ DEMO_ORDERS=all make upward  # Not there.
make test TESTS=tests/unit
```
"""

    assert found(rule, "README.md", text) == [2, 4]


def test_starting_a_module_that_does_not_exist_is_found() -> None:
    rule = documents.started_modules({"services/api/__main__.py"}.__contains__)

    assert found(rule, "README.md", "`python -m services.api`\n`python -m services.web`\n") == [2]


def test_make_targets_are_read_with_their_explanation() -> None:
    assert documents.make_targets(Source("Makefile", MAKEFILE)) == {"up": "## Start.", "down": ""}


def test_a_make_target_without_explanation_is_found() -> None:
    assert found(documents.targets_without_explanation, "Makefile", MAKEFILE) == [3]


def makefile() -> Source:
    return next(source for source in repository() if source.path == "Makefile")
