"""Only jars with the sha256 of the lock reach Kafka's class path."""

import hashlib
from pathlib import Path

import pytest
from jgo.maven import Artifact, MavenContext

from deploy.local import kafka_jars

_CONTENT = b"a whole jar"
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """Give the test an artifact whose repository lies in a folder of the test."""
    context = MavenContext(repo_cache=tmp_path, remote_repos={})
    return context.project("org.example", "demo").at_version("1.0").artifact()


def _write(artifact: Artifact, content: bytes) -> Path:
    path = artifact.cached_path
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_whole_jar_is_used_as_it_is(artifact: Artifact) -> None:
    path = _write(artifact, _CONTENT)

    assert kafka_jars.is_complete(artifact, _SHA256)
    assert kafka_jars.checked(artifact, _SHA256) == path


def test_half_a_jar_is_removed_so_that_it_is_fetched_again(artifact: Artifact) -> None:
    path = _write(artifact, _CONTENT[:4])

    assert not kafka_jars.is_complete(artifact, _SHA256)
    assert not path.exists()


def test_a_fetched_jar_that_differs_from_the_lock_is_refused(artifact: Artifact) -> None:
    _write(artifact, b"another jar")

    with pytest.raises(kafka_jars.WrongJar, match=r"jgo\.lock\.toml"):
        kafka_jars.checked(artifact, _SHA256)


def test_every_jar_of_the_lock_has_a_sha256_and_no_address() -> None:
    lock = kafka_jars.LOCK.read_text()

    assert lock.count("sha256 = ") == lock.count("[[dependencies]]") == 45
    assert "://" not in lock
