"""Secrets never reach what a process prints."""

import copy
import pickle

import msgspec
import pytest
from msgspec import Struct

from libs.foundation.redaction import Secret, hide_credentials
from libs.foundation.settings import describe

PLAIN = "hunter2"


class Inner(Struct, frozen=True, kw_only=True):
    url: str = f"postgresql://user:{PLAIN}@host:5432/db"
    token: Secret | None = None


class Outer(Struct, frozen=True, kw_only=True):
    inner: Inner
    tokens: tuple[Secret, ...] = (Secret(PLAIN),)
    rows_max: int = 7


def test_a_secret_prints_as_stars_in_every_form() -> None:
    secret = Secret(PLAIN)

    printed = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        "%s" % secret,  # noqa: UP031  # The standard library's logging formats this way.
        str([secret]),
    ]

    assert not [text for text in printed if PLAIN in text]
    assert PLAIN not in repr(Inner(url="here", token=secret))


def test_a_secret_is_the_text_for_code_that_uses_it() -> None:
    secret = Secret(PLAIN)

    assert secret.reveal() == PLAIN
    assert type(secret.reveal()) is str
    assert secret == PLAIN
    assert secret.encode() == PLAIN.encode()


def test_a_copy_of_a_secret_is_still_secret() -> None:
    secret = Secret(PLAIN)

    copies = [copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))]

    assert [type(each) for each in copies] == [Secret] * 3
    assert [each.reveal() for each in copies] == [PLAIN] * 3


def test_a_secret_is_refused_by_the_json_encoder() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode({"token": Secret(PLAIN)})


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://u:hunter2@h/db?x=1", "postgresql://u:***@h/db?x=1"),
        ("cannot reach amqp://:hunter2@h", "cannot reach amqp://:***@h"),
        ("p://u:a@b:hunter2@h", "p://u:***@h"),
        ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
        ("host=h password = 'hunter2 \\' x' user=u", "host=h password = *** user=u"),
        (
            "postgresql://h/db?user=u&password=hunter2&x=1",
            "postgresql://h/db?user=u&password=***&x=1",
        ),
        ("http://host:80/path@home", "http://host:80/path@home"),
        ("mail me@home", "mail me@home"),
    ],
)
def test_passwords_inside_text_are_hidden(text: str, hidden: str) -> None:
    assert hide_credentials(text) == hidden


def test_described_settings_are_flat_and_hide_what_is_secret() -> None:
    described = describe(Outer(inner=Inner(token=Secret(PLAIN))))

    assert described == {
        "inner_url": "postgresql://user:***@host:5432/db",
        "inner_token": "***",
        "tokens": "***",
        "rows_max": 7,
    }


def test_an_absent_secret_is_described_as_absent() -> None:
    assert describe(Inner())["token"] is None
