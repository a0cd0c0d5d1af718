"""Fetches the jars of Kafka that the committed lock names, and checks each one's sha256."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import LockFile
from jgo.env._lockfile import LockedDependency
from jgo.maven import Artifact, MavenContext, PythonResolver

LOCK: Final = Path(__file__).with_name("jgo.lock.toml")
_PARALLEL: Final = 8


class WrongJar(Exception):
    """A jar differs from the one the lock was made with."""


def kafka_jars(report: Callable[[str], None]) -> list[Path]:
    """Return the jars for Kafka's class path, fetching those that are not here yet."""
    return locked_jars(LOCK, "Kafka", report)


def locked_jars(lock: Path, name: str, report: Callable[[str], None]) -> list[Path]:
    """Return the jars that `lock` names, fetching those that are not here yet.

    Only what the lock names is fetched: no version is resolved anew, so every clone runs the
    same bytes. The Maven repository of the user (its mirrors, too, from jgo's settings) is shared.
    """
    settings = GlobalSettings.load()
    context = MavenContext(
        resolver=PythonResolver(),
        repo_cache=settings.repo_cache,
        remote_repos={"central": MAVEN_CENTRAL_URL, **settings.repositories},
    )
    locked = LockFile.load(lock).dependencies
    wanted = {_artifact(context, dependency): dependency.sha256 for dependency in locked}
    missing = [artifact for artifact in wanted if not is_complete(artifact, wanted[artifact])]
    _fetch(missing, name, report)
    return [checked(artifact, sha256) for artifact, sha256 in wanted.items()]


def _artifact(context: MavenContext, locked: LockedDependency) -> Artifact:
    component = context.project(locked.groupId, locked.artifactId).at_version(locked.version)
    return component.artifact(locked.classifier or "", locked.packaging)


def is_complete(artifact: Artifact, sha256: str | None) -> bool:
    """Say whether the jar is complete; half of one, from a broken download, is removed."""
    path = _path(artifact)
    if not path.exists():
        return False
    if _sha256(path) == sha256:
        return True
    path.unlink()
    return False


def _fetch(missing: list[Artifact], name: str, report: Callable[[str], None]) -> None:
    if not missing:
        return
    report(f"Fetching {name}, {len(missing)} jars, once")
    with ThreadPoolExecutor(_PARALLEL) as pool:
        fetches = [pool.submit(artifact.resolve) for artifact in missing]
        for done, fetch in enumerate(as_completed(fetches), start=1):
            report(f"Fetching {name}: {done} of {len(missing)} jars: {fetch.result().name}")


def checked(artifact: Artifact, sha256: str | None) -> Path:
    path = _path(artifact)
    if _sha256(path) != sha256:
        raise WrongJar(f"{path} does not have the sha256 of {LOCK.name}: {sha256}")
    return path


def _path(artifact: Artifact) -> Path:
    path = artifact.cached_path
    if path is None:
        raise WrongJar(f"jgo has no local repository to keep {artifact} in")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha256").hexdigest()
