"""formulas/_utils holds plain modules; the same path that a minion's sys.path has."""

from __future__ import annotations

import sys
from pathlib import Path

UTILS = str(Path(__file__).resolve().parents[3] / "formulas" / "_utils")
if UTILS not in sys.path:
    sys.path.insert(0, UTILS)
