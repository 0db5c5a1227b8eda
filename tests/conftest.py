"""For all layers: which tests are left to ``./test.sh soak``."""

from __future__ import annotations

import os

import pytest

SOAK = bool(os.environ.get("UPGRADER_SOAK"))
"""The longest matrices are tried whole: every step is killed, not one of each kind."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "soak: one more of a kind that a shorter test stands for; ./test.sh soak runs it"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SOAK:
        return
    left = [item for item in items if item.get_closest_marker("soak")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
