"""One of tests/models at a time, copied, with this tool's classes linked in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.models import MODELS, Model
from upgrader.content import RECLASS_CLASSES


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """By its name."""

    def copy(name: str) -> Path:
        root = tmp_path / name
        shutil.copytree(MODELS / name, root)
        (root / "classes" / "ocata").symlink_to(RECLASS_CLASSES)
        return root

    return copy
