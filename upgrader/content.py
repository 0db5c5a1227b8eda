"""Where the files live that the tool ships but does not run itself: Salt formulas and reclass classes.

In a checkout they are siblings of this package; an installed wheel carries them inside it (see ``package-dir`` in pyproject.toml).
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

DEFAULT_STATE_DIR = Path("/var/lib/upgrader")
"""Folder of journals and locks where nothing else is said."""
PACKAGE = Path(__file__).resolve().parent


def _shipped(inside: str, beside: str) -> Path:
    """The folder inside the package when installed, else the sibling folder of a checkout."""
    packaged = PACKAGE / inside
    return packaged if packaged.is_dir() else PACKAGE.parent / beside


FORMULAS = _shipped("_formulas", "formulas")
RECLASS_CLASSES = _shipped("_reclass_classes", "reclass_classes")

# An installed package has upgrader_node as a top-level package; `python -m upgrader` in a bare checkout finds them here.
if importlib.util.find_spec("upgrader_node") is None:
    sys.path.append(str(FORMULAS / "_utils"))
