"""These tests run on a node whose init is sysvinit: no systemd answers there, and every service is an init script."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "formulas" / "_utils"))
