"""docs/traps.md names every trap of nova's upgrade with a test, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "traps.md").read_text()


def test_every_named_test_exists_in_the_file_that_is_named() -> None:
    known = {
        name: path.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"\b(test_\w+)\b(?!\.py)(?!\.\.\.)", TEXT)) - {"test_status_"}
    assert named - set(known) == set()


def test_every_trap_has_a_row_with_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*test_", TEXT, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, 17))
