"""Each of these tests is a command of its own, which reads what the tool ships anew; here it is read once for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

import pytest
from upgrader_node.host import sources

from upgrader.cloud import cloud


@pytest.fixture(scope="session", autouse=True)
def shipped_files_are_read_once() -> Iterator[None]:
    """A release path by its name and folder; the hash of a file for as long as its size and its time stay the same."""
    hashed = cache(lambda path, size, time: original(path))
    original = sources.sha256

    def sha256(path: str) -> str:
        found = os.stat(path)
        return hashed(path, found.st_size, found.st_mtime_ns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "sha256", sha256)
        patch.setattr(cloud, "release_path", cache(cloud.release_path))
        yield
