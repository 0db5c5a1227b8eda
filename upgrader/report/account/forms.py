"""The forms of a report: one file for a browser, Markdown, or the document itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from upgrader.report.account.markdown import markdown
from upgrader.report.account.page import page
from upgrader.report.document import render

FORMS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "html": page,
    "md": markdown,
    "json": lambda document: render(document) + "\n",
}
