"""docs/operating.md quotes what the tool says: each quotation of its tables of failures is in the code, word for word."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.sources import ROOT, nodes, sources

PAGE = (ROOT / "docs" / "operating.md").read_text()
SECTION = PAGE.split("## When the real upgrade or its way back stops", 1)[1].split("\n## ", 1)[0]
QUOTED = [
    quoted for cell in re.findall(r"^\| (.*?) \| ", SECTION, re.MULTILINE) for quoted in re.findall(r"`([^`]+)`", cell)
]
SAID = "\n".join(
    node.value
    for folder in ("upgrader", "formulas")
    for path in sources(ROOT / folder)
    for node in nodes(path)
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
)


@pytest.mark.parametrize("quoted", QUOTED)
def test_what_is_quoted_of_the_real_upgrade_is_said_by_the_code(quoted: str) -> None:
    """``...`` stands for what is filled in."""
    words = [part.strip() for part in quoted.split("...") if part.strip()]
    assert [part for part in words if part not in SAID] == []


def test_something_is_quoted() -> None:
    assert len(QUOTED) > 40
