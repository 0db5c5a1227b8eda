"""The page of all questions says what the questions say."""

from __future__ import annotations

from pathlib import Path

from tools.preflight_page import text

PAGE = Path(__file__).parents[3] / "docs" / "preflight.md"


def test_page_is_what_the_questions_say() -> None:
    assert text() == PAGE.read_text(), "python tools/preflight_page.py > docs/preflight.md"
